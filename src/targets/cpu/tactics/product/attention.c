/* The attention operator in f32, without the matrix of scores (attention.h): additive and boolean masks, causality,
   windows, heads of queries that share heads of keys, softcap, lengths.

   With a past, keys and values are put together first, in the results when these are asked for, else in the workspace;
   the product then reads them there. */
#include "targets/cpu/product/attention.h"

#include "base/bytes.h"
#include "op/operand.h"

#include <math.h>

enum { Q, K, V, MASK, PAST_KEY, PAST_VALUE, VALID_LENGTHS };
enum { Y, KEY, VALUE, SCORES };

/* Keys or values put together: which rows come from where. */
typedef struct joined {
  bool needed;
  uint16_t past, fresh, result; /* operands; PN_NO_OPERAND */
  pn_attention_view from;       /* of |fresh| */
  int64_t depth;
  size_t offset; /* in the workspace, when there is no result */
} joined;

typedef struct state {
  pn_attention attention;
  int64_t past;
  joined keys, values;
  size_t valid_offset, scratch_offset, workspace_bytes;
  uint32_t parts;
} state;

static uint16_t index_of(const pn_problem *p, const pn_operand *o) {
  return o ? (uint16_t)pn_operand_index(p, o) : (uint16_t)PN_NO_OPERAND;
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  if (!pn_accepts_one(p, PN_OP_ATTENTION, why)) return false;
  const pn_attrs_attention *attrs = p->nodes[0].attrs;
  for (uint32_t i = 0; i < p->operand_count; i++)
    if (p->operands[i].layout != PN_LAYOUT_PLAIN) return pn_refuse(why, "plain layouts only");
  for (uint32_t i = Q; i <= V; i++)
    if (pn_problem_input(p, 0, i)->dtype != PELTON_DTYPE_F32) return pn_refuse(why, "f32 only");
  const pn_operand *mask = pn_problem_input(p, 0, MASK), *past = pn_problem_input(p, 0, PAST_KEY);
  if (mask && mask->dtype != PELTON_DTYPE_F32 && mask->dtype != PELTON_DTYPE_BOOL)
    return pn_refuse(why, "wants a mask of f32 or bool");
  if (pn_problem_output(p, 0, SCORES)) return pn_refuse(why, "scores are asked for, which it never has");
  if (attrs->softmax_dtype != PELTON_DTYPE_NONE && attrs->softmax_dtype != PELTON_DTYPE_F32)
    return pn_refuse(why, "wants a softmax in f32");
  if (!pn_operand_elements(pn_problem_output(p, 0, Y)) || !pn_operand_elements(pn_problem_input(p, 0, Q)))
    return pn_refuse(why, "an empty operand");
  const pn_operand *k = pn_problem_input(p, 0, K);
  return pn_operand_elements(k) > 0 || (past && pn_operand_elements(past) > 0) || pn_refuse(why, "no keys");
}

/* Heads, rows and strides of one of q, k, v, y: [N,heads,rows,depth] or [N,rows,heads*depth]. */
static pn_attention_view view_of(const pn_operand *o, int64_t heads, int64_t *rows, int64_t *depth) {
  if (o->rank == 4) {
    *rows = o->dims[2];
    *depth = o->dims[3];
    return (pn_attention_view){o->dims[1] * o->dims[2] * o->dims[3], o->dims[2] * o->dims[3], o->dims[3], 1};
  }
  *rows = o->dims[1];
  *depth = o->dims[2] / heads;
  return (pn_attention_view){o->dims[1] * o->dims[2], *depth, o->dims[2], 1};
}

static void fill_mask(const pn_problem *p, const pn_operand *mask, pn_attention *a) {
  int64_t strides[4] = {0}, stride = 1;
  if (!mask) return;
  for (uint32_t i = 0; i < mask->rank; i++) { /* from the end: keys, queries, heads, batches */
    int64_t extent = mask->dims[mask->rank - 1 - i];
    strides[i] = extent > 1 || i == 0 ? stride : 0;
    stride *= extent;
  }
  a->bias = PN_ATTENTION_MASK;
  a->mask_is_bool = mask->dtype == PELTON_DTYPE_BOOL;
  a->mask_reach = mask->dims[mask->rank - 1];
  a->mask = (pn_attention_operand){index_of(p, mask), a->mask_is_bool ? 1 : 4, strides[3], strides[2], strides[1], 1};
}

/* Keys or values, from |input| and |past| into |result|; the view of all of them. */
static pn_attention_view fill_joined(const pn_problem *p, const state *s, uint32_t input, uint32_t past,
                                     uint32_t result, int64_t *depth, joined *out, size_t *at) {
  const pn_attention *a = &s->attention;
  int64_t rows;
  out->past = index_of(p, pn_problem_input(p, 0, past));
  out->fresh = index_of(p, pn_problem_input(p, 0, input));
  out->result = index_of(p, pn_problem_output(p, 0, result));
  out->from = view_of(pn_problem_input(p, 0, input), a->kv_heads, &rows, depth);
  out->depth = *depth;
  out->needed = out->past != PN_NO_OPERAND || out->result != PN_NO_OPERAND;
  if (!out->needed) return out->from;
  out->offset = *at;
  if (out->result == PN_NO_OPERAND)
    *at += pn_align_up((size_t)(a->batches * a->kv_heads * a->keys * *depth) * sizeof(float), 64);
  return (pn_attention_view){a->kv_heads * a->keys * *depth, a->keys * *depth, *depth, 1};
}

static void fill(const pn_problem *p, const pn_device *device, state *s) {
  const pn_attrs_attention *attrs = p->nodes[0].attrs;
  const pn_operand *q = pn_problem_input(p, 0, Q), *k = pn_problem_input(p, 0, K),
                   *past = pn_problem_input(p, 0, PAST_KEY);
  pn_attention *a = &s->attention;
  int64_t depth, rows;
  a->batches = q->dims[0];
  a->q_heads = q->rank == 4 ? q->dims[1] : attrs->q_heads;
  a->kv_heads = k->rank == 4 ? k->dims[1] : attrs->kv_heads;
  a->q = view_of(q, a->q_heads, &a->queries, &a->depth);
  (void)view_of(k, a->kv_heads, &a->keys, &depth);
  s->past = past ? past->dims[2] : 0;
  a->keys += s->past;
  size_t at = 0;
  a->k = fill_joined(p, s, K, PAST_KEY, KEY, &depth, &s->keys, &at);
  a->v = fill_joined(p, s, V, PAST_VALUE, VALUE, &a->value_depth, &s->values, &at);
  a->y = view_of(pn_problem_output(p, 0, Y), a->q_heads, &rows, &depth);
  a->scale = attrs->scale != 0 ? attrs->scale : (float)(1 / sqrt((double)a->depth));
  a->zero_when_empty = true;
  a->causal = attrs->causal;
  a->left_keys = pn_min_i64(attrs->left_window, INT32_MAX) + 1;
  a->right_keys = pn_min_i64(attrs->right_window, INT32_MAX) + 1;
  a->softcap = attrs->softcap;
  fill_mask(p, pn_problem_input(p, 0, MASK), a);
  pn_attention_plan(device, a);
  s->valid_offset = at;
  if (pn_problem_input(p, 0, VALID_LENGTHS)) at += pn_align_up((size_t)a->batches * sizeof(int64_t), 64);
  s->scratch_offset = at;
  s->workspace_bytes = at + a->thread_bytes * device->threads;
  s->parts = pn_cpu_parts(device, a->batches * a->kv_heads,
                          (double)(a->batches * a->kv_heads * a->keys * (a->depth + a->value_depth) * 8));
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  state s = {0};
  (void)config;
  fill(p, device, &s);
  return pn_attention_estimate(device, &s.attention, pn_cpu_operand_bytes(p));
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  state s = {0};
  (void)config;
  fill(p, device, &s);
  out->state_bytes = sizeof(state);
  out->workspace_bytes = s.workspace_bytes;
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  (void)config;
  (void)diag;
  fill(p, device, memory);
  return PELTON_OK;
}

/* ---- run --------------------------------------------------------------------------------------------------------- */

typedef struct job {
  const state *s;
  const pn_step *step;
} job;

static float *joined_at(const pn_step *step, const joined *j) {
  return j->result == PN_NO_OPERAND ? (float *)(void *)((char *)step->workspace + j->offset)
                                    : step->operands[j->result];
}

/* One head's rows: the past's, then the fresh ones. */
static void join(const job *job_, const joined *j, int64_t batch, int64_t head) {
  const state *s = job_->s;
  const pn_attention *a = &s->attention;
  if (!j->needed) return;
  int64_t at = batch * a->kv_heads + head, fresh = a->keys - s->past;
  float *to = joined_at(job_->step, j) + at * a->keys * j->depth;
  const float *from = (const float *)job_->step->operands[j->fresh] + batch * j->from.batch + head * j->from.head;
  if (s->past)
    memcpy(to, (const float *)job_->step->operands[j->past] + at * s->past * j->depth,
           (size_t)(s->past * j->depth) * sizeof *to);
  a->transpose->copy(from, j->from.row, (size_t)fresh, (size_t)j->depth, to + s->past * j->depth, j->depth);
}

static void join_task(void *argument, uint32_t part, uint32_t thread) {
  const job *j = argument;
  const pn_attention *a = &j->s->attention;
  int64_t unit, end;
  (void)thread;
  pn_cpu_share(a->batches * a->kv_heads, 1, part, j->s->parts, &unit, &end);
  for (; unit < end; unit++) {
    join(j, &j->s->keys, unit / a->kv_heads, unit % a->kv_heads);
    join(j, &j->s->values, unit / a->kv_heads, unit % a->kv_heads);
  }
}

static pelton_status read_lengths(const state *s, const pn_step *step, const pn_operand *lengths, pelton_diag *diag) {
  int64_t *valid = (int64_t *)(void *)((char *)step->workspace + s->valid_offset);
  const pn_tensor t = {.dtype = lengths->dtype, .data = step->operands[pn_operand_index(step->problem, lengths)]};
  for (int64_t n = 0; n < s->attention.batches; n++) {
    valid[n] = pn_tensor_get_i64(&t, n);
    if (valid[n] < 0 || valid[n] > s->attention.keys)
      return pn_fail(diag, PELTON_INVALID_DATA,
                     "attention: valid_lengths[%lld] is %lld; it must be from 0 to %lld keys", (long long)n,
                     (long long)valid[n], (long long)s->attention.keys);
  }
  return PELTON_OK;
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const pn_problem *p = step->problem;
  const state *s = step->state;
  const pn_operand *lengths = pn_problem_input(p, 0, VALID_LENGTHS);
  pn_attention_call call = {.attention = &s->attention,
                            .q = step->operands[p->nodes[0].inputs[Q]],
                            .k = step->operands[p->nodes[0].inputs[K]],
                            .v = step->operands[p->nodes[0].inputs[V]],
                            .y = step->operands[p->nodes[0].outputs[Y]],
                            .operands = step->operands,
                            .past = s->past,
                            .workspace = (char *)step->workspace + s->scratch_offset};
  job j = {s, step};
  if (lengths) {
    PN_TRY(read_lengths(s, step, lengths, diag));
    call.valid = (const int64_t *)(const void *)((const char *)step->workspace + s->valid_offset);
  }
  if (s->keys.needed || s->values.needed) pn_pool_run(stream->device->pool, s->parts, join_task, &j);
  if (s->keys.needed) call.k = joined_at(step, &s->keys);
  if (s->values.needed) call.v = joined_at(step, &s->values);
  pn_attention_run(stream->device->pool, &call);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_attention = {
    .name = "cpu.attention",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
