/* Quantizing, with given scales (of a tensor, of an axis or of blocks) or one that the elements decide, and
   dequantizing: an element a thread. */
#include "op/quantisation/low_bits.h"
#include "targets/cuda/each.h"

#include <math.h>

/* Which scale belongs to which element. */
static void fill_places(pn_cuda_each *e, int64_t axis, int64_t block) {
  const pn_operand *x = pn_problem_input(e->problem, 0, 0), *scale = pn_problem_input(e->problem, 0, 1);
  bool whole = pn_operand_elements(scale) == 1 && block == 0;
  pn_cuda_each_constant(e, "GRANULARITY", whole ? 0 : block == 0 ? 1 : 2);
  if (whole) return;
  pn_cuda_line line = pn_cuda_line_of(x, axis);
  pn_cuda_each_line(e, &line);
  if (block > line.extent) block = line.extent > 0 ? line.extent : 1;
  if (block == 0) return;
  pn_cuda_each_number(e, "BLOCK", block);
  pn_cuda_each_number(e, "BLOCKS", pn_div_up(line.extent, block));
}

static const char *const inputs[] = {"X", "SCALE", "ZERO"}, *const outputs[] = {"Y"};

static pelton_status prepare_quantize(const pn_problem *p, const pn_device *device, pn_cuda_work *work,
                                      pelton_diag *diag) {
  const pn_attrs_quantize *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  pn_cuda_each e;
  pn_cuda_each_begin(&e, p, device, work);
  PN_CUDA_EACH_OPERANDS(&e, inputs, outputs);
  fill_places(&e, attrs->axis, attrs->block);
  bool is_signed = pn_dtype_is_signed(y->dtype), low = pn_dtype_is_low_float(y->dtype);
  int bits = (int)pn_dtype_bits(y->dtype);
  pn_cuda_each_constant(&e, "QUANTIZES", 1);
  pn_cuda_each_constant(&e, "TO_FLOAT", low);
  pn_cuda_each_constant(&e, "OVERFLOWS", !attrs->saturate);
  pn_cuda_each_real(&e, "LEAST", is_signed ? -ldexp(1, bits - 1) : 0);
  pn_cuda_each_real(&e, "MOST", ldexp(1, bits - is_signed) - 1);
  pn_cuda_each_word(&e, "R", x->dtype == PELTON_DTYPE_F64 ? "f64" : "f32");
  return pn_cuda_each_end(&e, "quantize.cu", "quantize", pn_operand_elements(x), 1, diag);
}

static pelton_status prepare_dequantize(const pn_problem *p, const pn_device *device, pn_cuda_work *work,
                                        pelton_diag *diag) {
  const pn_attrs_dequantize *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  pn_cuda_each e;
  pn_cuda_each_begin(&e, p, device, work);
  PN_CUDA_EACH_OPERANDS(&e, inputs, outputs);
  fill_places(&e, attrs->axis, attrs->block);
  /* In f32 a difference of 16-bit numbers is exact, and the product rounds once. */
  bool wide = pn_dtype_bits(x->dtype) > 16 || y->dtype == PELTON_DTYPE_F64;
  pn_cuda_each_constant(&e, "QUANTIZES", 0);
  pn_cuda_each_word(&e, "R", wide ? "f64" : "f32");
  return pn_cuda_each_end(&e, "quantize.cu", "dequantize", pn_operand_elements(x), 1, diag);
}

enum { MOST_PARTS = 256 };

static int64_t parts_of(const pn_problem *p, const pn_device *device) {
  int64_t blocks = pn_cuda_blocks(device, pn_operand_elements(pn_problem_input(p, 0, 0)));
  return blocks < 1 ? 1 : blocks < MOST_PARTS ? blocks : MOST_PARTS;
}

static size_t dynamic_workspace(const pn_problem *p, const pn_device *device) {
  return (size_t)parts_of(p, device) * 2 * sizeof(float);
}

static pelton_status prepare_dynamic(const pn_problem *p, const pn_device *device, pn_cuda_work *work,
                                     pelton_diag *diag) {
  static const char *const x[] = {"X"}, *const results[] = {"Y", "SCALE", "ZERO"};
  static const char *const entries[] = {"dynamic_range", "dynamic_quantize"};
  int64_t elements = pn_operand_elements(pn_problem_input(p, 0, 0)), parts = parts_of(p, device);
  for (int i = 0; i < 2; i++) {
    pn_cuda_each e;
    pn_cuda_each_begin(&e, p, device, work);
    PN_CUDA_EACH_OPERANDS(&e, x, results);
    pn_cuda_each_number(&e, "ELEMENTS", elements);
    pn_cuda_each_number(&e, "PART_COUNT", parts);
    PN_TRY(pn_cuda_each_end(&e, "dynamic_quantize.cu", entries[i],
                            i == 0 ? parts : pn_max_i64(pn_div_up(elements, PN_CUDA_BLOCK), 1), PN_CUDA_BLOCK, diag));
  }
  return PELTON_OK;
}

static const pn_cuda_each_op ops[] = {
    {PN_OP_QUANTIZE, NULL, NULL, prepare_quantize},
    {PN_OP_DEQUANTIZE, NULL, NULL, prepare_dequantize},
    {PN_OP_DYNAMIC_QUANTIZE, NULL, dynamic_workspace, prepare_dynamic},
};
PN_CUDA_EACH_TACTIC(quantize, ops);
