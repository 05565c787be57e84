/* Attention without its scores in memory: 16- and 32-bit floats, f32 sums without tensor cores, masks that broadcast,
   causality, grouped heads. A past, valid lengths and scores as a result are the reference's. */
#include "target/strides.h"
#include "targets/cuda/render.h"

#include <math.h>
#include <string.h>

enum { Q, K, V, MASK_OPERAND, MOST_DEPTH = 128, QUERIES = 16 };

typedef struct state {
  pn_cu_function *function;
  uint32_t batch;
  struct attention_arguments arguments;
} state;

typedef struct extents {
  int64_t batch, heads, kv_heads, queries, keys, depth, value_depth;
} extents;

static extents extents_of(const pn_problem *p) {
  const pn_attrs_attention *attrs = p->nodes[0].attrs;
  const pn_operand *q = pn_problem_input(p, 0, Q), *k = pn_problem_input(p, 0, K), *v = pn_problem_input(p, 0, V);
  if (q->rank == 4)
    return (extents){q->dims[0], q->dims[1], k->dims[1], q->dims[2], k->dims[2], q->dims[3], v->dims[3]};
  return (extents){q->dims[0],
                   attrs->q_heads,
                   attrs->kv_heads,
                   q->dims[1],
                   k->dims[1],
                   q->dims[2] / attrs->q_heads,
                   v->dims[2] / attrs->kv_heads};
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  if (!pn_accepts_one(p, PN_OP_ATTENTION, why)) return false;
  const pn_attrs_attention *attrs = p->nodes[0].attrs;
  const pn_operand *q = pn_problem_input(p, 0, Q), *k = pn_problem_input(p, 0, K), *v = pn_problem_input(p, 0, V),
                   *mask = pn_problem_input(p, 0, MASK_OPERAND);
  for (uint32_t i = 4; i < 7; i++)
    if (pn_problem_input(p, 0, i)) return pn_refuse(why, "a past or valid lengths");
  for (uint32_t i = 1; i < 4; i++)
    if (pn_problem_output(p, 0, i)) return pn_refuse(why, "keys, values or scores are wanted");
  if (!pn_cuda_is_f32_form(q->dtype) || k->dtype != q->dtype || v->dtype != q->dtype)
    return pn_refuse(why, "f32, f16 and bf16 only, without mixing");
  if (attrs->softmax_dtype != PELTON_DTYPE_NONE && attrs->softmax_dtype != PELTON_DTYPE_F32)
    return pn_refuse(why, "softmax not in f32");
  if (attrs->left_window >= 0 || attrs->right_window >= 0) return pn_refuse(why, "a window");
  for (uint32_t i = 0; i < p->operand_count; i++)
    if (p->operands[i].layout != PN_LAYOUT_PLAIN) return pn_refuse(why, "plain layouts only");
  if (!pn_operand_elements(q) || !pn_operand_elements(k) || !pn_operand_elements(v))
    return pn_refuse(why, "an empty operand");
  if (attrs->left_window >= 0 || attrs->right_window >= 0) return pn_refuse(why, "a window");
  extents e = extents_of(p);
  if (e.depth > MOST_DEPTH || e.value_depth > 64 + (e.depth <= 64 ? 64 : 0))
    return pn_refuse(why, "heads of more than %d elements", MOST_DEPTH);
  if (e.batch > 65535 || e.heads > 65535) return pn_refuse(why, "more than 65,535 heads or batches");
  if (mask && mask->dtype != PELTON_DTYPE_BOOL && !pn_cuda_is_f32_form(mask->dtype))
    return pn_refuse(why, "a mask of %s", pelton_dtype_name(mask->dtype));
  if (mask && mask->dims[mask->rank - 1] != e.keys) return pn_refuse(why, "a mask that is shorter than the keys");
  return pn_cuda_fits(p, why);
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  extents e = extents_of(p);
  (void)config;
  return pn_cuda_estimate(device, (double)(e.batch * e.heads * e.queries * e.keys) * (double)(e.depth + e.value_depth),
                          pn_cuda_operand_bytes(p), 0.1) +
         5e-6;
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  (void)p;
  (void)device;
  (void)config;
  out->state_bytes = sizeof(state);
}

static void head_strides(const pn_operand *o, int64_t heads, int *batch, int *head, int *row) {
  int64_t s[PN_MAX_RANK];
  pn_dims_strides(o->rank, o->dims, s);
  *batch = (int)s[0];
  *head = o->rank == 4 ? (int)s[1] : (int)(o->dims[2] / heads);
  *row = o->rank == 4 ? (int)s[2] : (int)s[1];
}

static void mask_strides(const pn_operand *mask, struct attention_arguments *a) {
  int64_t own[PN_MAX_RANK], s[4] = {0};
  pn_dims_strides(mask->rank, mask->dims, own);
  for (uint32_t d = 0; d < mask->rank; d++)
    if (mask->dims[d] != 1) s[4 - mask->rank + d] = own[d];
  a->mask_batch = (int)s[0];
  a->mask_head = (int)s[1];
  a->mask_row = (int)s[2];
  a->mask_column = (int)s[3];
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  const pn_attrs_attention *attrs = p->nodes[0].attrs;
  const pn_operand *q = pn_problem_input(p, 0, Q), *mask = pn_problem_input(p, 0, MASK_OPERAND);
  state *s = memory;
  struct attention_arguments *a = &s->arguments;
  extents e = extents_of(p);
  pn_text head;
  (void)config;
  s->batch = (uint32_t)e.batch;
  a->heads = (unsigned)e.heads;
  a->kv_heads = (unsigned)e.kv_heads;
  a->queries = (unsigned)e.queries;
  a->keys = (unsigned)e.keys;
  a->depth = (unsigned)e.depth;
  a->value_depth = (unsigned)e.value_depth;
  head_strides(q, e.heads, &a->q_batch, &a->q_head, &a->q_row);
  head_strides(pn_problem_input(p, 0, K), e.kv_heads, &a->k_batch, &a->k_head, &a->k_row);
  head_strides(pn_problem_input(p, 0, V), e.kv_heads, &a->v_batch, &a->v_head, &a->v_row);
  head_strides(pn_problem_output(p, 0, 0), e.heads, &a->y_batch, &a->y_head, &a->y_row);
  if (mask) mask_strides(mask, a);
  a->causal = attrs->causal;
  a->scale = attrs->scale != 0 ? attrs->scale : (float)(1 / sqrt((double)e.depth));
  a->softcap = attrs->softcap;
  pn_text_init(&head, device->allocator);
  pn_text_printf(&head, "#define X %s\n#define DEPTH %d\n#define VALUE_DEPTH %d\n#define MASK %d\n#define M %s\n",
                 pn_cuda_type_name(q->dtype), (int)e.depth, (int)e.value_depth,
                 !mask                              ? 0
                 : mask->dtype == PELTON_DTYPE_BOOL ? 1
                                                    : 2,
                 mask ? pn_cuda_type_name(mask->dtype) : "f32");
  pn_cuda_source source = {head.data, "attention.cu", "attention", false};
  pelton_status status =
      head.failed ? pn_fail_memory(diag, "a kernel") : pn_cuda_function(device, &source, &s->function, diag);
  pn_text_deinit(&head);
  return status;
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  const pn_problem *p = step->problem;
  const pn_operand *mask = pn_problem_input(p, 0, MASK_OPERAND);
  struct attention_arguments a = s->arguments;
  a.q = step->operands[p->nodes[0].inputs[Q]];
  a.k = step->operands[p->nodes[0].inputs[K]];
  a.v = step->operands[p->nodes[0].inputs[V]];
  a.mask = mask ? step->operands[pn_operand_index(p, mask)] : NULL;
  a.target = step->operands[p->nodes[0].outputs[0]];
  return pn_cuda_launch(stream, s->function, (uint32_t)pn_div_up(a.queries, QUERIES), a.heads, s->batch, PN_CUDA_BLOCK,
                        &a, diag);
}

const pn_tactic pn_tactic_cuda_attention = {
    .name = "cuda.attention",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
