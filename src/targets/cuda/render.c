#include "targets/cuda/render.h"

#include "op/quantisation/low_bits.h"

#include <stdio.h>
#include <string.h>

const char *pn_cuda_type_name(pelton_dtype dtype) {
  switch (dtype) {
  case PELTON_DTYPE_F32: return "f32";
  case PELTON_DTYPE_F16: return "f16";
  case PELTON_DTYPE_BF16: return "bf16";
  case PELTON_DTYPE_F64: return "f64";
  case PELTON_DTYPE_I8: return "i8";
  case PELTON_DTYPE_U8: return "u8";
  case PELTON_DTYPE_I16: return "i16";
  case PELTON_DTYPE_U16: return "u16";
  case PELTON_DTYPE_I32: return "i32";
  case PELTON_DTYPE_U32: return "u32";
  case PELTON_DTYPE_I64: return "i64";
  case PELTON_DTYPE_U64: return "u64";
  case PELTON_DTYPE_BOOL: return "bool";
  case PELTON_DTYPE_I4: return "i4";
  case PELTON_DTYPE_U4: return "u4";
  case PELTON_DTYPE_I2: return "i2";
  case PELTON_DTYPE_U2: return "u2";
  case PELTON_DTYPE_F8E4M3FN: return "f8e4m3fn";
  case PELTON_DTYPE_F8E4M3FNUZ: return "f8e4m3fnuz";
  case PELTON_DTYPE_F8E5M2: return "f8e5m2";
  case PELTON_DTYPE_F8E5M2FNUZ: return "f8e5m2fnuz";
  case PELTON_DTYPE_F8E8M0: return "f8e8m0";
  case PELTON_DTYPE_F4E2M1: return "f4e2m1";
  default: return NULL;
  }
}

bool pn_cuda_is_f32_form(pelton_dtype dtype) {
  return dtype == PELTON_DTYPE_F32 || dtype == PELTON_DTYPE_F16 || dtype == PELTON_DTYPE_BF16;
}

const char *pn_cuda_form_name(pelton_dtype dtype) {
  if (dtype == PELTON_DTYPE_F64) return "f64";
  if (pn_dtype_is_float(dtype)) return "f32";
  return dtype == PELTON_DTYPE_U64 ? "u64" : "i64";
}

bool pn_cuda_expression_accepts(const pn_expr *expr, const pelton_dtype *inputs, pelton_dtype *types, pn_reason *why) {
  if (pn_expr_types(expr, inputs, types, NULL)) return pn_refuse(why, "the expression does not fit its operands");
  for (uint32_t i = 0; i < expr->step_count; i++)
    if (!pn_cuda_type_name(types[i])) return pn_refuse(why, "no arithmetic in %s", pelton_dtype_name(types[i]));
  return true;
}

/* ---- steps ----------------------------------------------------------------------------------------------------------
 */

static void render_constant(const pn_expr_step *step, pn_text *out) {
  if (pn_dtype_is_float(step->dtype) && step->dtype != PELTON_DTYPE_F64) {
    float value = (float)step->constant.f64;
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    pn_text_printf(out, "bits_f32(0x%08xu)", (unsigned)bits);
  } else if (step->dtype == PELTON_DTYPE_F64) {
    uint64_t bits;
    memcpy(&bits, &step->constant.f64, sizeof bits);
    pn_text_printf(out, "bits_f64(0x%08xu, 0x%08xu)", (unsigned)(bits >> 32), (unsigned)bits);
  } else {
    pn_text_printf(out, "(%s)0x%llxull", pn_cuda_form_name(step->dtype), (unsigned long long)step->constant.i64);
  }
}

static void render_cast(pelton_dtype from, pelton_dtype to, pn_cast_mode mode, unsigned argument, pn_text *out) {
  bool from_real = pn_dtype_is_float(from), to_real = pn_dtype_is_float(to);
  if (!from_real && !to_real) {
    if (to == PELTON_DTYPE_BOOL)
      pn_text_printf(out, "v%u != 0", argument);
    else
      pn_text_printf(out, "round_to_%s((%s)v%u)", pn_cuda_type_name(to), pn_cuda_form_name(to), argument);
  } else if (pn_cuda_is_f32_form(from) && pn_cuda_is_f32_form(to)) {
    pn_text_printf(out, "round_to_%s(v%u)", pn_cuda_type_name(to), argument);
  } else if (to == PELTON_DTYPE_F64) {
    pn_text_printf(out, "(f64)v%u", argument);
  } else if (pn_dtype_is_low_float(to)) {
    pn_text_printf(out, "cast_%s(wide_of_%s(v%u), %u)", pn_cuda_type_name(to), pn_cuda_form_name(from), argument,
                   (unsigned)mode);
  } else {
    pn_text_printf(out, "%s_of_wide(wide_of_%s(v%u))", pn_cuda_type_name(to), pn_cuda_form_name(from), argument);
  }
}

static void render_call(const pn_expr *expr, const pelton_dtype *types, uint32_t i, bool unrounded, pn_text *out) {
  const pn_expr_step *step = &expr->steps[i];
  bool half = types[i] == PELTON_DTYPE_F16 || types[i] == PELTON_DTYPE_BF16;
  bool stored = half && i + 1 == expr->step_count; /* which rounds */
  pelton_dtype operands = types[step->argument[step->op == PN_EXPR_SELECT ? 1 : 0]];
  bool keeps = unrounded && pn_cuda_is_f32_form(types[i]);
  const char *form = pn_cuda_form_name(operands), *type = keeps ? "f32" : pn_cuda_type_name(types[i]);
  if (!stored && !keeps) pn_text_printf(out, "round_to_%s", type);
  if (step->op == PN_EXPR_FMA) {
    pn_text_printf(out, "(add_%s(round_to_%s(mul_%s(v%u, v%u)), v%u))", form, type, form, step->argument[0],
                   step->argument[1], step->argument[2]);
    return;
  }
  /* What is rounded to 16 bits needs no more than the machine's own exponential and reciprocal. */
  if (half && (step->op == PN_EXPR_GELU || step->op == PN_EXPR_SILU || step->op == PN_EXPR_SIGMOID)) form = "half";
  pn_text_printf(out, "(%s_%s(", pn_expr_op_name(step->op), form);
  for (uint32_t k = 0; k < pn_expr_op_arguments(step->op); k++)
    pn_text_printf(out, "%sv%u", k ? ", " : "", step->argument[k]);
  if (step->op == PN_EXPR_SHIFT_LEFT || step->op == PN_EXPR_SHIFT_RIGHT)
    pn_text_printf(out, ", %u", (unsigned)pn_dtype_bits(operands));
  pn_text_printf(out, "))");
}

static void render_steps(const pn_expr *expr, const pelton_dtype *types, bool unrounded, pn_text *out) {
  for (uint32_t i = 0; i < expr->step_count; i++) {
    const pn_expr_step *step = &expr->steps[i];
    pn_text_printf(out, "    const %s v%u = ", pn_cuda_form_name(types[i]), (unsigned)i);
    if (step->op == PN_EXPR_INPUT)
      pn_text_printf(out, "INPUT_%u", step->argument[0]);
    else if (step->op == PN_EXPR_CONSTANT)
      render_constant(step, out);
    else if (step->op == PN_EXPR_CAST)
      render_cast(types[step->argument[0]], step->dtype, step->mode, step->argument[0], out);
    else
      render_call(expr, types, i, unrounded, out);
    pn_text_printf(out, ";\n");
  }
}

void pn_cuda_render_steps(const pn_expr *expr, const pelton_dtype *types, pn_text *out) {
  render_steps(expr, types, false, out);
}

/* ---- epilogues ------------------------------------------------------------------------------------------------------
 */

static const pn_expr *expression_of(const pn_problem *p) {
  return ((const pn_attrs_pointwise *)p->nodes[1].attrs)->expr;
}

static bool same_dims(const pn_operand *a, const pn_operand *b) {
  return a->rank == b->rank && !memcmp(a->dims, b->dims, sizeof a->dims[0] * a->rank);
}

bool pn_cuda_epilogue_accepts(const pn_problem *p, pn_cuda_strides_fn *strides, pn_cuda_epilogue *out, pn_reason *why) {
  memset(out, 0, sizeof *out);
  if (p->node_count == 1) return true;
  if (p->node_count != 2 || p->nodes[1].op != PN_OP_POINTWISE) return pn_refuse(why, "one expression may follow");
  const pn_operand *between = pn_problem_output(p, 0, 0), *result = pn_problem_output(p, 1, 0);
  pelton_dtype inputs[PN_EXPR_MAX_INPUTS], types[PN_EXPR_MAX_STEPS];
  if (!same_dims(between, result)) return pn_refuse(why, "the expression broadcasts the result further");
  for (uint32_t i = 0; i < p->nodes[1].input_count; i++) {
    const pn_operand *o = pn_problem_input(p, 1, i);
    inputs[i] = o->dtype;
    out->of_input[i] = UINT8_MAX;
    if (o == between) continue;
    if (out->operand_count == MOST_EPILOGUE) return pn_refuse(why, "the expression has too many operands");
    if (!strides(o, result, out->strides[out->operand_count]))
      return pn_refuse(why, "operand %u of the expression broadcasts in a way that has no strides", (unsigned)i);
    out->of_input[i] = (uint8_t)out->operand_count;
    out->operands[out->operand_count++] = p->nodes[1].inputs[i];
  }
  return pn_cuda_expression_accepts(expression_of(p), inputs, types, why);
}

void pn_cuda_epilogue_render(const pn_problem *p, const pn_cuda_epilogue *epilogue, pn_text *out) {
  const pn_operand *result = pn_problem_output(p, p->node_count - 1, 0);
  pn_text_printf(out, "#define Y %s\n", pn_cuda_type_name(result->dtype));
  if (p->node_count == 1) {
    pn_text_printf(out, "#define EPILOGUE(value, n, m, p) (value)\n");
    return;
  }
  pelton_dtype inputs[PN_EXPR_MAX_INPUTS], types[PN_EXPR_MAX_STEPS];
  const pn_expr *expr = expression_of(p);
  pn_text_printf(
      out, "#include \"expression.cuh\"\n#define EPILOGUE(value, n, m, p) epilogue(&a.epilogue, value, n, m, p)\n");
  for (uint32_t i = 0; i < p->nodes[1].input_count; i++) {
    uint32_t k = epilogue->of_input[i];
    inputs[i] = pn_problem_input(p, 1, i)->dtype;
    if (k == UINT8_MAX)
      pn_text_printf(out, "#define INPUT_%u value\n", (unsigned)i);
    else
      pn_text_printf(out,
                     "#define INPUT_%u load_%s(e->operands[%u], (u32)((int)n * e->strides[%u][0] + (int)m * "
                     "e->strides[%u][1] + (int)p * e->strides[%u][2]))\n",
                     (unsigned)i, pn_cuda_type_name(inputs[i]), (unsigned)k, (unsigned)k, (unsigned)k, (unsigned)k);
  }
  if (pn_expr_types(expr, inputs, types, NULL)) return; /* accepted before */
  pn_text_printf(out, "DEVICE %s epilogue(const struct epilogue_arguments *e, f32 value, u32 n, u32 m, u32 p) {\n",
                 pn_cuda_form_name(result->dtype));
  pn_cuda_render_steps(expr, types, out);
  pn_text_printf(out, "    return v%u;\n}\n", (unsigned)expr->step_count - 1);
}

/* Whether eight neighbours of operand |i| of the expression lie together, and are read at once. */
static bool lie_together(const pn_problem *p, const pn_cuda_epilogue *epilogue, uint32_t i, bool whole) {
  const int *s = epilogue->strides[epilogue->of_input[i]];
  return whole && pn_cuda_is_f32_form(pn_problem_input(p, 1, i)->dtype) && s[1] == 1 && s[0] % 8 == 0 && s[2] % 8 == 0;
}

/* What is read for eight neighbours: as it lies in memory where they lie together, so that it waits in few registers.
 */
static void render_taken(const char *name, pelton_dtype dtype, bool together, pn_text *out) {
  if (together)
    pn_text_printf(out, "  struct eight_%s %s;\n", pn_cuda_type_name(dtype), name);
  else
    pn_text_printf(out, "  %s %s[8];\n", pn_cuda_form_name(dtype), name);
}
static void render_eight_loads(const char *name, const char *type, bool together, const char *base, const char *index,
                               int step, pn_text *out) {
  if (together)
    pn_text_printf(out, "  take8_%s(%s, %s, &t->%s);\n", type, base, index, name);
  else
    pn_text_printf(
        out, "  UNROLL for (u32 i = 0; i < 8; i++) t->%s[i] = i < count ? load_%s(%s, %s + PLACE_OF(i) * %d) : 0;\n",
        name, type, base, index, step);
}
static void render_element(const char *name, const char *type, bool together, pn_text *out) {
  if (together)
    pn_text_printf(out, "at8_%s(&t->%s, i)", type, name);
  else
    pn_text_printf(out, "t->%s[i]", name);
}

/* take(): the operands of eight neighbours, in the order of their reading. */
static uint32_t render_take(const pn_problem *p, const pn_cuda_epilogue *epilogue, bool bias, bool whole,
                            const pn_operand *copied, pn_text *out) {
  uint32_t all_together = 0, inputs = p->node_count > 1 ? p->nodes[1].input_count : 0;
  pelton_dtype type = pn_problem_input(p, 0, 0)->dtype;
  char name[24], base[32], index[16];
  pn_text_printf(out, "struct taken {\n");
  if (bias) render_taken("bias", type, whole, out);
  for (uint32_t i = 0; i < inputs; i++) {
    if (epilogue->of_input[i] == UINT8_MAX) continue;
    (void)snprintf(name, sizeof name, "in_%u", (unsigned)i);
    render_taken(name, pn_problem_input(p, 1, i)->dtype, lie_together(p, epilogue, i, whole), out);
  }
  pn_text_printf(out, "};\nDEVICE void take(const struct epilogue_arguments *e, const void *b, struct taken *t, int n, "
                      "int m, int p, u32 count) {\n");
  if (bias) render_eight_loads("bias", pn_cuda_type_name(type), whole, "b", "m", 1, out);
  for (uint32_t i = 0; i < inputs; i++) {
    uint32_t k = epilogue->of_input[i];
    if (k == UINT8_MAX) continue;
    (void)snprintf(name, sizeof name, "in_%u", (unsigned)i);
    (void)snprintf(base, sizeof base, "e->operands[%u]", (unsigned)k);
    (void)snprintf(index, sizeof index, "at_%u", (unsigned)i);
    const bool together = lie_together(p, epilogue, i, whole), here = pn_problem_input(p, 1, i) != copied;
    if (!here) {
      copied = NULL; /* once */
      pn_text_printf(out, "#define COPIED_OPERAND %s\n#if !TENSOR_CORES\n", name);
    }
    /* Operands that do not move are the same for many pieces, which the compiler is to see. */
    pn_text_printf(out, "  int %s = m * %d", index, epilogue->strides[k][1]);
    if (epilogue->strides[k][0]) pn_text_printf(out, " + n * e->strides[%u][0]", (unsigned)k);
    if (epilogue->strides[k][2]) pn_text_printf(out, " + p * e->strides[%u][2]", (unsigned)k);
    pn_text_printf(out, ";\n");
    if (together) all_together |= 1u << k;
    render_eight_loads(name, pn_cuda_type_name(pn_problem_input(p, 1, i)->dtype), together, base, index,
                       epilogue->strides[k][1], out);
    if (!here) pn_text_printf(out, "#endif\n");
  }
  pn_text_printf(out, "}\n");
  return all_together;
}

/* apply(): bias and expression over what was taken. */
static void render_apply(const pn_problem *p, const pn_cuda_epilogue *epilogue, bool bias, bool whole, pn_text *out) {
  pelton_dtype inputs[PN_EXPR_MAX_INPUTS], types[PN_EXPR_MAX_STEPS];
  pn_text_printf(out, "DEVICE void apply(const struct taken *t, f32 *value) {\n");
  if (bias) {
    pn_text_printf(out, "  UNROLL for (u32 i = 0; i < 8; i++) value[i] += ");
    render_element("bias", pn_cuda_type_name(pn_problem_input(p, 0, 0)->dtype), whole, out);
    pn_text_printf(out, ";\n");
  }
  for (uint32_t i = 0; p->node_count > 1 && i < p->nodes[1].input_count; i++)
    inputs[i] = pn_problem_input(p, 1, i)->dtype;
  if (p->node_count > 1 && !pn_expr_types(expression_of(p), inputs, types, NULL)) { /* accepted before */
    pn_text_printf(out, "  UNROLL for (u32 i = 0; i < 8; i++) {\n");
    for (uint32_t i = 0; i < p->nodes[1].input_count; i++) {
      char name[24];
      (void)snprintf(name, sizeof name, "in_%u", (unsigned)i);
      pn_text_printf(out, "#define INPUT_%u ", (unsigned)i);
      if (epilogue->of_input[i] == UINT8_MAX)
        pn_text_printf(out, "value[i]");
      else
        render_element(name, pn_cuda_type_name(inputs[i]), lie_together(p, epilogue, i, whole), out);
      pn_text_printf(out, "\n");
    }
    render_steps(expression_of(p), types, true, out);
    pn_text_printf(out, "    value[i] = v%u;\n  }\n", (unsigned)expression_of(p)->step_count - 1);
  }
  pn_text_printf(out, "}\n");
}

uint32_t pn_cuda_epilogue_render_eight(const pn_problem *p, const pn_cuda_epilogue *epilogue, bool bias, bool whole,
                                       const pn_operand *copied, pn_text *out) {
  if (p->node_count > 1) pn_text_printf(out, "#include \"expression.cuh\"\n");
  uint32_t together = render_take(p, epilogue, bias, whole, copied, out);
  render_apply(p, epilogue, bias, whole, out);
  return together;
}

bool pn_cuda_between_accepts(const pn_problem *p, const pn_cuda_epilogue *epilogue, pn_reason *why) {
  const pn_operand *x = pn_problem_input(p, 0, 0), *out = pn_problem_output(p, p->node_count - 1, 0);
  if (epilogue->operand_count) return pn_refuse(why, "the expression between reads more than the result before it");
  return out->dtype == x->dtype || pn_refuse(why, "the expression between changes the type");
}

void pn_cuda_render_between(const pn_problem *p, const char *name, pn_text *out) {
  if (p->node_count == 1) {
    pn_text_printf(out, "DEVICE f32 %s(f32 value) { return value; }\n", name);
    return;
  }
  pelton_dtype inputs[PN_EXPR_MAX_INPUTS], types[PN_EXPR_MAX_STEPS];
  for (uint32_t i = 0; i < p->nodes[1].input_count; i++) {
    inputs[i] = pn_problem_input(p, 1, i)->dtype;
    pn_text_printf(out, "#define INPUT_%u value\n", (unsigned)i);
  }
  if (pn_expr_types(expression_of(p), inputs, types, NULL)) return; /* accepted before */
  pn_text_printf(out, "#include \"expression.cuh\"\nDEVICE f32 %s(f32 value) {\n", name);
  render_steps(expression_of(p), types, true, out);
  pn_text_printf(out, "    return v%u;\n}\n", (unsigned)expression_of(p)->step_count - 1);
  for (uint32_t i = 0; i < p->nodes[1].input_count; i++) pn_text_printf(out, "#undef INPUT_%u\n", (unsigned)i);
}

void pn_cuda_epilogue_fill(const pn_cuda_epilogue *epilogue, struct epilogue_arguments *out) {
  memcpy(out->strides, epilogue->strides, sizeof out->strides);
}

/* Granlund and Montgomery's: exact for numerators below 2^31. */
struct divider pn_cuda_divider(int64_t divisor) {
  struct divider d = {(unsigned)divisor, 0, 0};
  while (d.shift < 31 && ((int64_t)1 << d.shift) < divisor) d.shift++;
  d.magic =
      divisor
          ? (unsigned)((((uint64_t)1 << 32) * (((uint64_t)1 << d.shift) - (uint64_t)divisor)) / (uint64_t)divisor + 1)
          : 1;
  return d;
}
