/* Attention in all its forms, a query of a head a block; cuda.attention does what it takes. */
#include "targets/cuda/each.h"

#include <math.h>

extern const pn_tactic pn_tactic_cuda_attention;

enum { Q, K, V, MASK, PAST_KEY, PAST_VALUE, VALID_LENGTHS };
enum { Y, KEY, VALUE, SCORES };
enum { THREADS = 128 };

typedef struct extents {
  int64_t batch, q_heads, kv_heads, queries, past, keys, depth, value_depth;
  bool by_heads;
} extents;

static extents extents_of(const pn_problem *p) {
  const pn_attrs_attention *attrs = p->nodes[0].attrs;
  const pn_operand *q = pn_problem_input(p, 0, Q), *k = pn_problem_input(p, 0, K), *v = pn_problem_input(p, 0, V),
                   *past = pn_problem_input(p, 0, PAST_KEY);
  bool heads = q->rank == 4;
  extents x = {.batch = q->dims[0], .by_heads = heads, .past = past ? past->dims[2] : 0};
  x.q_heads = heads ? q->dims[1] : attrs->q_heads;
  x.kv_heads = heads ? k->dims[1] : attrs->kv_heads;
  x.queries = q->dims[heads ? 2 : 1];
  x.keys = k->dims[heads ? 2 : 1] + x.past;
  x.depth = heads ? q->dims[3] : q->dims[2] / x.q_heads;
  x.value_depth = heads ? v->dims[3] : v->dims[2] / x.kv_heads;
  return x;
}

static int64_t blocks_of(const extents *x, const pn_device *device) {
  return pn_min_i64(x->batch * x->q_heads * x->queries, (int64_t)device->multiprocessors * 64);
}

static size_t workspace(const pn_problem *p, const pn_device *device) {
  extents x = extents_of(p);
  return (size_t)(blocks_of(&x, device) * x.keys) * (pn_problem_input(p, 0, Q)->dtype == PELTON_DTYPE_F64 ? 8 : 4);
}

static bool accepts_any(const pn_problem *p, pn_reason *why) {
  const pn_attrs_attention *attrs = p->nodes[0].attrs;
  extents x = extents_of(p);
  const pn_operand *past = pn_problem_input(p, 0, PAST_KEY), *past_value = pn_problem_input(p, 0, PAST_VALUE);
  if (pn_tactic_cuda_attention.accepts(p, NULL, NULL)) return pn_refuse(why, "cuda.attention is better");
  if (attrs->softmax_dtype != PELTON_DTYPE_NONE && attrs->softmax_dtype != PELTON_DTYPE_F64 &&
      !pn_cuda_is_f32_form(attrs->softmax_dtype))
    return pn_refuse(why, "a softmax in %s", pelton_dtype_name(attrs->softmax_dtype));
  if (!past != !past_value) return pn_refuse(why, "half a past");
  if (attrs->left_window > INT32_MAX || attrs->right_window > INT32_MAX) return pn_refuse(why, "a window of 2^31 keys");
  if ((double)x.batch * (double)x.q_heads * (double)x.queries * (double)x.keys > INT32_MAX || x.q_heads < 1 ||
      x.kv_heads < 1)
    return pn_refuse(why, "more than 2^31 scores");
  return true;
}

static pelton_status prepare_join(const pn_problem *p, const pn_device *device, pn_cuda_work *work, bool keys,
                                  pelton_diag *diag) {
  extents x = extents_of(p);
  int64_t depth = keys ? x.depth : x.value_depth;
  static const char *const of_keys[] = {"Q", "NEW", "V", "MASK", "OLD"};
  static const char *const of_values[] = {"Q", "K", "NEW", "MASK", "PAST_KEY", "OLD"};
  static const char *const to_keys[] = {"Y", "OUT"}, *const to_values[] = {"Y", "KEY", "OUT"};
  pn_cuda_each e;
  pn_cuda_each_begin(&e, p, device, work);
  if (keys)
    PN_CUDA_EACH_OPERANDS(&e, of_keys, to_keys);
  else
    PN_CUDA_EACH_OPERANDS(&e, of_values, to_values);
  pn_cuda_each_constant(&e, "JOINS", 1);
  pn_cuda_each_constant(&e, "BY_HEADS", x.by_heads);
  pn_cuda_each_divider(&e, "DEPTH", depth);
  pn_cuda_each_divider(&e, "KEYS", x.keys);
  pn_cuda_each_number(&e, "KV_HEADS", x.kv_heads);
  pn_cuda_each_number(&e, "PAST", x.past);
  pn_cuda_each_number(&e, "STEPS", x.keys - x.past);
  return pn_cuda_each_end(&e, "attention_any.cu", "attention_join", x.batch * x.kv_heads * x.keys * depth, 1, diag);
}

/* Strides of the mask, which broadcasts to [batch, head, query] and ends with the keys. */
static void add_mask(pn_cuda_each *e, const pn_operand *mask) {
  static const char *const names[] = {"MASK_BATCH", "MASK_HEAD", "MASK_QUERY"};
  int64_t stride = mask ? mask->dims[mask->rank - 1] : 0;
  pn_cuda_each_number(e, "MASK_REACH", stride);
  for (uint32_t i = 3; i-- > 0;) {
    int64_t axis = mask ? (int64_t)mask->rank - 4 + i : -1, extent = axis >= 0 ? mask->dims[axis] : 1;
    pn_cuda_each_number(e, names[i], extent == 1 ? 0 : stride);
    stride *= extent;
  }
  pn_cuda_each_constant(e, "MASK_ALLOWS", mask && mask->dtype == PELTON_DTYPE_BOOL);
}

static void add_precision(pn_cuda_each *e, pelton_dtype precision, pelton_dtype q) {
  bool wide = q == PELTON_DTYPE_F64, narrow = precision == PELTON_DTYPE_F16 || precision == PELTON_DTYPE_BF16;
  const char *to = pn_cuda_type_name(precision), *form = pn_cuda_type_name(q);
  pn_cuda_each_word(e, "S", wide ? "f64" : "f32");
  pn_cuda_each_word(e, "EXP", wide ? "exp" : "expf");
  pn_cuda_each_word(e, "TANH", wide ? "tanh" : "tanhf");
  if (narrow || precision == PELTON_DTYPE_F32)
    pn_text_printf(&e->head, "#define PRECISION(x) ((S)round_to_%s((f32)(x)))\n", to);
  else
    pn_text_printf(&e->head, "#define PRECISION(x) (x)\n");
  if (precision != PELTON_DTYPE_NONE && form)
    pn_text_printf(&e->head, "#define ROUNDED(x) ((S)round_to_%s((Q_FORM)PRECISION(x)))\n", form);
  else
    pn_text_printf(&e->head, "#define ROUNDED(x) (x)\n");
}

static pelton_status prepare_any(const pn_problem *p, const pn_device *device, pn_cuda_work *work, pelton_diag *diag) {
  static const char *const inputs[] = {"Q", "K", "V", "MASK", "PAST_KEY", "PAST_VALUE", "LENGTHS"};
  static const char *const outputs[] = {"Y", "KEY", "VALUE", "SCORES"};
  const pn_attrs_attention *attrs = p->nodes[0].attrs;
  extents x = extents_of(p);
  pn_cuda_each e;
  if (pn_problem_output(p, 0, KEY)) PN_TRY(prepare_join(p, device, work, true, diag));
  if (pn_problem_output(p, 0, VALUE)) PN_TRY(prepare_join(p, device, work, false, diag));
  pn_cuda_each_begin(&e, p, device, work);
  PN_CUDA_EACH_OPERANDS(&e, inputs, outputs);
  e.fused = true;
  pn_cuda_each_steps(&e);
  pn_cuda_each_constant(&e, "JOINS", 0);
  pn_cuda_each_constant(&e, "BY_HEADS", x.by_heads);
  pn_cuda_each_constant(&e, "CAUSAL", attrs->causal);
  pn_cuda_each_constant(&e, "SCORES_MODE", attrs->scores_mode);
  add_precision(&e, attrs->softmax_dtype, pn_problem_input(p, 0, Q)->dtype);
  add_mask(&e, pn_problem_input(p, 0, MASK));
  pn_cuda_each_divider(&e, "QUERIES", x.queries);
  pn_cuda_each_number(&e, "Q_HEADS", x.q_heads);
  pn_cuda_each_number(&e, "KV_HEADS", x.kv_heads);
  pn_cuda_each_number(&e, "GROUP", x.q_heads / x.kv_heads);
  pn_cuda_each_number(&e, "KEYS", x.keys);
  pn_cuda_each_number(&e, "PAST", x.past);
  pn_cuda_each_number(&e, "DEPTH", x.depth);
  pn_cuda_each_number(&e, "VALUE_DEPTH", x.value_depth);
  pn_cuda_each_number(&e, "LEFT", attrs->left_window);
  pn_cuda_each_number(&e, "RIGHT", attrs->right_window);
  pn_cuda_each_real(&e, "SCALE", attrs->scale != 0 ? (double)attrs->scale : 1 / sqrt((double)x.depth));
  pn_cuda_each_real(&e, "SOFTCAP", (double)attrs->softcap);
  return pn_cuda_each_end(&e, "attention_any.cu", "attention_any", x.batch * x.q_heads * x.queries, THREADS, diag);
}

static const pn_cuda_each_op ops[] = {{PN_OP_ATTENTION, accepts_any, workspace, prepare_any}};
PN_CUDA_EACH_TACTIC(attention_any, ops);
