/* Pooling that cuda.pool does not take: other types, more axes, places of the greatest. A result a thread. */
#include "op/linear/window.h"
#include "op/quantisation/low_bits.h"
#include "targets/cuda/each.h"

enum { MOST_SPATIAL = PN_MAX_RANK - 2 };

extern const pn_tactic pn_tactic_cuda_pool;

static bool resolve(const pn_problem *p, pn_window *windows) {
  const pn_attrs_pool *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0);
  pn_window_spec spec = PN_WINDOW_SPEC_POOL(attrs);
  if (x->rank != attrs->kernel.count + 2 ||
      pn_window_resolve(NULL, "pool", &spec, x->rank - 2, x->dims + 2, attrs->kernel.data, windows))
    return false;
  for (uint32_t d = 0; d < x->rank - 2; d++) {
    const pn_window *w = &windows[d];
    if (w->stride > INT32_MAX / 2 || (w->kernel + 1) * w->dilation > INT32_MAX / 4 || w->input > INT32_MAX / 4 ||
        w->pad_begin > INT32_MAX / 4 || w->pad_end > INT32_MAX / 4)
      return false;
  }
  return true;
}

static bool accepts_any(const pn_problem *p, pn_reason *why) {
  pn_window windows[MOST_SPATIAL];
  if (pn_tactic_cuda_pool.accepts(p, NULL, NULL)) return pn_refuse(why, "cuda.pool is better");
  return resolve(p, windows) || pn_refuse(why, "its window does not fit");
}

/* What a window of nothing but padding gives. */
static const char *lowest_of(pelton_dtype dtype) {
  if (pn_dtype_is_float(dtype)) return "(-INFINITE)";
  if (!pn_dtype_is_signed(dtype)) return "0";
  switch (pn_dtype_bits(dtype)) {
  case 2: return "(-2)";
  case 4: return "(-8)";
  case 8: return "(-128)";
  case 16: return "(-32768)";
  case 32: return "(-2147483647ll - 1)";
  default: return "(-9223372036854775807ll - 1)";
  }
}

static pelton_status prepare_any(const pn_problem *p, const pn_device *device, pn_cuda_work *work, pelton_diag *diag) {
  static const char *const inputs[] = {"X"}, *const outputs[] = {"Y", "INDICES"};
  const pn_attrs_pool *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0);
  const pn_operand *y = pn_problem_output(p, 0, pn_problem_output(p, 0, 0) ? 0 : 1);
  uint32_t axes = x->rank - 2;
  int64_t plane = 1, taps = 1, lists[7][MOST_SPATIAL];
  bool wide = x->dtype == PELTON_DTYPE_F64;
  pn_window windows[MOST_SPATIAL];
  pn_cuda_each e;
  if (!resolve(p, windows)) return PN_INTERNAL(diag, "pool changed after it was accepted");
  for (uint32_t d = 0; d < axes; d++) {
    lists[0][d] = windows[d].output;
    lists[1][d] = windows[d].kernel;
    lists[2][d] = windows[d].input;
    lists[3][d] = windows[d].stride;
    lists[4][d] = windows[d].dilation;
    lists[5][d] = windows[d].pad_begin;
    lists[6][d] = windows[d].pad_end;
    taps *= windows[d].kernel;
  }
  int64_t strides[MOST_SPATIAL];
  for (uint32_t i = 0; i < axes; i++) {
    uint32_t d = attrs->column_major_indices ? i : axes - 1 - i;
    strides[d] = plane;
    plane *= windows[d].input;
  }
  pn_cuda_each_begin(&e, p, device, work);
  PN_CUDA_EACH_OPERANDS(&e, inputs, outputs);
  pn_cuda_each_constant(&e, "AXES", axes);
  pn_cuda_each_constant(&e, "KIND", attrs->kind == PN_POOL_MAX ? 0 : attrs->kind == PN_POOL_LP ? 2 : 1);
  pn_cuda_each_constant(&e, "COUNT_PADS", attrs->count_include_pad);
  pn_cuda_each_word(&e, "S", wide || !pn_dtype_is_float(x->dtype) ? "f64" : "f32");
  pn_cuda_each_word(&e, "POW", wide || !pn_dtype_is_float(x->dtype) ? "pow" : "powf");
  pn_cuda_each_word(&e, "SQRT", wide || !pn_dtype_is_float(x->dtype) ? "sqrt" : "sqrtf");
  pn_cuda_each_word(&e, "LOWEST", lowest_of(x->dtype));
  pn_cuda_each_dividers(&e, "OUTPUT", lists[0], axes);
  pn_cuda_each_dividers(&e, "KERNEL_EXTENT", lists[1], axes);
  pn_cuda_each_numbers(&e, "INPUT", lists[2], axes);
  pn_cuda_each_numbers(&e, "STRIDE", lists[3], axes);
  pn_cuda_each_numbers(&e, "DILATION", lists[4], axes);
  pn_cuda_each_numbers(&e, "PAD", lists[5], axes);
  pn_cuda_each_numbers(&e, "PAD_END", lists[6], axes);
  pn_cuda_each_numbers(&e, "INDEX_STRIDE", strides, axes);
  pn_cuda_each_number(&e, "PLANE", plane);
  pn_cuda_each_number(&e, "TAPS", taps);
  pn_cuda_each_number(&e, "POWER", attrs->p);
  return pn_cuda_each_end(&e, "pool_any.cu", "pool_any", pn_operand_elements(y), 1, diag);
}

static const pn_cuda_each_op ops[] = {{PN_OP_POOL, accepts_any, NULL, prepare_any}};
PN_CUDA_EACH_TACTIC(pool_any, ops);
