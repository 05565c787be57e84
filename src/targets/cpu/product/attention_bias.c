#include "targets/cpu/product/attention_bias.h"

#include "base/bytes.h"

#include <math.h>

/* Two runs for a mask of bools, or an expression's registers. */
size_t pn_attention_bias_floats(int64_t key_block) {
  size_t runs = 2 * pn_align_up((size_t)key_block, 16), registers = PN_PROGRAM_SCRATCH_BYTES / sizeof(float);
  return runs > registers ? runs : registers;
}

/* Where a query stands among the keys. */
static int64_t place_of(const pn_attention_place *place, int64_t query) {
  const pn_attention_call *call = place->call;
  return query + (call->valid ? call->valid[place->batch] - call->attention->queries : call->past);
}

int64_t pn_attention_start(const pn_attention_place *place, int64_t query) {
  int64_t left = place->call->attention->left_keys;
  return left ? pn_max_i64(0, place_of(place, query) + 1 - left) : 0;
}

int64_t pn_attention_reach(const pn_attention_place *place, int64_t query) {
  const pn_attention *a = place->call->attention;
  int64_t reach = a->keys, at = place_of(place, query);
  if (place->call->valid) reach = pn_min_i64(reach, place->call->valid[place->batch]);
  if (a->causal) reach = pn_min_i64(reach, at + 1);
  if (a->right_keys) reach = pn_min_i64(reach, at + a->right_keys);
  if (a->bias == PN_ATTENTION_MASK) reach = pn_min_i64(reach, a->mask_reach);
  return reach < 0 ? 0 : reach;
}

static const void *element(const pn_attention_place *place, const pn_attention_operand *o, int64_t query, int64_t head,
                           int64_t key) {
  int64_t at = place->batch * o->batch + (place->first_head + head) * o->head + query * o->row + key * o->key;
  return (const char *)place->call->operands[o->operand] + at * o->element_bytes;
}

static void apply_mask(const pn_attention_place *place, const void *mask, size_t count, float *scores) {
  const pn_attention *a = place->call->attention;
  const pn_cpu_vec_f32 *vec = a->vec;
  if (!a->mask_is_bool) {
    vec->binary[PN_CPU_BINARY_add][PN_CPU_RUN_RUN](count, scores, mask, scores);
    return;
  }
  float *allowed = place->scratch, *forbidden = allowed + pn_align_up(count, 16);
  vec->from_bool(count, mask, allowed);
  vec->fill(count, -INFINITY, forbidden);
  vec->ternary[PN_CPU_TERNARY_select](count, allowed, scores, forbidden, scores);
}

void pn_attention_apply_bias(const pn_attention_place *place, int64_t query, int64_t head, int64_t key, int64_t count,
                             float *scores) {
  const pn_attention *a = place->call->attention;
  const pn_cpu_vec_f32 *vec = a->vec;
  size_t n = (size_t)count;
  if (!n) return;
  if (a->softcap > 0) {
    float inverse = 1 / a->softcap;
    vec->binary[PN_CPU_BINARY_mul][PN_CPU_RUN_ONE](n, scores, &inverse, scores);
    vec->unary[PN_CPU_UNARY_tanh](n, scores, NULL, scores);
    vec->binary[PN_CPU_BINARY_mul][PN_CPU_RUN_ONE](n, scores, &a->softcap, scores);
  }
  if (a->bias == PN_ATTENTION_MASK) apply_mask(place, element(place, &a->mask, query, head, key), n, scores);
  if (a->bias != PN_ATTENTION_PROGRAM) return;
  pn_run_operand runs[PN_EXPR_MAX_INPUTS];
  for (uint32_t i = 0; i < a->operand_count; i++) {
    const pn_attention_operand *o = &a->operands[i];
    runs[i] = i == a->accumulator ? (pn_run_operand){scores, 1}
                                  : (pn_run_operand){element(place, o, query, head, key), (uint32_t)o->key};
  }
  pn_program_run(&a->program, vec, runs, n, scores, place->scratch);
}
