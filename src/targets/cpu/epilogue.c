#include "targets/cpu/epilogue.h"

#include "target/strides.h"

#include <math.h>

/* How |o| is walked by rows and columns of |out|; false when rows have no common period. */
static bool walk(const pn_operand *o, const pn_operand *out, pn_epilogue_operand *w) {
  int64_t strides[PN_MAX_RANK], stored[PN_MAX_RANK], dense = 1;
  if (!out->rank || !pn_operand_strides(o, out, strides)) return false;
  pn_layout_stored_dims(out->layout, out->rank, out->dims, stored);
  uint32_t last = out->rank - 1;
  w->element_bytes = (uint32_t)pelton_dtype_bytes(o->dtype);
  w->column_stride = strides[last] != 0;
  if (strides[last] > 1) return false;
  if (w->column_stride) dense = stored[last];
  w->row_period = 1;
  w->row_stride = 0;
  uint32_t d = last;
  for (; d-- > 0;) { /* trailing row axes that are dense ... */
    if (stored[d] == 1) continue;
    if (strides[d] != dense * w->row_period) break;
    w->row_period *= stored[d];
  }
  for (uint32_t e = d + 1; e-- > 0;) /* ... and broadcast before them */
    if (d != UINT32_MAX && stored[e] != 1 && strides[e] != 0) return false;
  if (w->row_period > 1) w->row_stride = dense;
  return true;
}

static bool is_full(const pn_operand *o, const pn_operand *out) {
  return o->role == PN_OPERAND_INPUT && o->dtype == PELTON_DTYPE_F32 && o->rank == out->rank &&
         o->layout == out->layout && !memcmp(o->dims, out->dims, sizeof o->dims[0] * o->rank);
}

/* The form clamp(accumulator + bias + residual), in any order of the sums. */
static bool match_native(const pn_problem *p, const pn_expr *expr, const pn_operand *out, pn_epilogue *e) {
  const pn_problem_node *node = &p->nodes[1];
  uint16_t at = (uint16_t)(expr->step_count - 1);
  const pn_expr_step *s = &expr->steps[at];
  if (s->op == PN_EXPR_RELU) {
    e->lo = 0;
    at = s->argument[0];
  } else if (s->op == PN_EXPR_CLIP && expr->steps[s->argument[1]].op == PN_EXPR_CONSTANT &&
             expr->steps[s->argument[2]].op == PN_EXPR_CONSTANT) {
    e->lo = (float)expr->steps[s->argument[1]].constant.f64;
    e->hi = (float)expr->steps[s->argument[2]].constant.f64;
    at = s->argument[0];
  }
  for (;;) {
    s = &expr->steps[at];
    if (s->op == PN_EXPR_INPUT) return s->argument[0] == e->accumulator;
    if (s->op != PN_EXPR_ADD) return false;
    uint16_t next = UINT16_MAX;
    for (int k = 0; k < 2 && next == UINT16_MAX; k++) {
      const pn_expr_step *arg = &expr->steps[s->argument[k]];
      if (arg->op != PN_EXPR_INPUT || arg->argument[0] == e->accumulator) continue;
      uint16_t operand = node->inputs[arg->argument[0]];
      const pn_operand *o = &p->operands[operand];
      const pn_epilogue_operand *w = &e->operands[arg->argument[0]];
      if (e->residual == PN_NO_OPERAND && is_full(o, out))
        e->residual = operand;
      else if (e->bias == PN_NO_OPERAND && o->role == PN_OPERAND_CONSTANT && o->dtype == PELTON_DTYPE_F32 &&
               w->column_stride && !w->row_stride)
        e->bias = operand;
      else
        continue;
      next = s->argument[!k];
    }
    if (next == UINT16_MAX) return false;
    at = next;
  }
}

/* select(less(x, 0), mul(x, slope), x), or with less_equal: for a slope that is a constant number, or one a column. */
static void match_bend(const pn_problem *p, const pn_expr *expr, pn_epilogue *e) {
  const pn_expr_step *steps = expr->steps, *last = &steps[expr->step_count - 1];
  if (last->op != PN_EXPR_SELECT) return;
  const pn_expr_step *test = &steps[last->argument[0]], *product = &steps[last->argument[1]];
  uint16_t x = last->argument[2];
  if ((test->op != PN_EXPR_LESS && test->op != PN_EXPR_LESS_EQUAL) || test->argument[0] != x) return;
  const pn_expr_step *zero = &steps[test->argument[1]];
  if (zero->op != PN_EXPR_CONSTANT || zero->constant.f64 != 0) return;
  if (steps[x].op != PN_EXPR_INPUT || steps[x].argument[0] != e->accumulator) return;
  if (product->op != PN_EXPR_MUL || (product->argument[0] != x && product->argument[1] != x)) return;
  const pn_expr_step *slope = &steps[product->argument[product->argument[0] == x]];
  e->slope = PN_NO_OPERAND;
  if (slope->op == PN_EXPR_CONSTANT) {
    e->slope_constant = (float)slope->constant.f64;
  } else {
    if (slope->op != PN_EXPR_INPUT || slope->argument[0] == e->accumulator) return;
    const pn_epilogue_operand *w = &e->operands[slope->argument[0]];
    const pn_operand *o = &p->operands[w->operand];
    if (o->role != PN_OPERAND_CONSTANT || o->dtype != PELTON_DTYPE_F32 || w->row_stride || !o->data) return;
    if (w->column_stride)
      e->slope = w->operand;
    else
      e->slope_constant = ((const float *)o->data)[0];
  }
  e->bends = true;
}

bool pn_epilogue_bend(pn_epilogue *e) {
  if (e->bends) e->native = true;
  return e->bends;
}

float pn_epilogue_slope(const pn_problem *p, const pn_epilogue *e, int64_t column, int64_t columns) {
  if (column >= columns) return 0;
  return e->slope == PN_NO_OPERAND ? e->slope_constant : ((const float *)p->operands[e->slope].data)[column];
}

bool pn_epilogue_compile(const pn_problem *p, pn_epilogue *e, pn_reason *why) {
  memset(e, 0, sizeof *e);
  e->native = true;
  e->bias = e->residual = PN_NO_OPERAND;
  e->lo = -INFINITY;
  e->hi = INFINITY;
  if (p->node_count == 1) return true;
  if (p->node_count != 2 || p->nodes[1].op != PN_OP_POINTWISE)
    return pn_refuse(why, "only one pointwise expression may follow");
  const pn_problem_node *node = &p->nodes[1];
  const pn_operand *before = pn_problem_output(p, 0, 0), *out = pn_problem_output(p, 1, 0);
  if (out->dtype != PELTON_DTYPE_F32 || out->rank != before->rank ||
      memcmp(out->dims, before->dims, sizeof out->dims[0] * out->rank))
    return pn_refuse(why, "the expression changes the result's type or shape");
  pelton_dtype types[PN_EXPR_MAX_INPUTS];
  e->operand_count = node->input_count;
  for (uint32_t i = 0; i < node->input_count; i++) {
    const pn_operand *o = &p->operands[node->inputs[i]];
    types[i] = o->dtype;
    e->operands[i].operand = node->inputs[i];
    if (o == before) {
      e->accumulator = i;
      e->operands[i] = (pn_epilogue_operand){node->inputs[i], 4, INT64_MAX, 0, 1};
    } else if (!walk(o, out, &e->operands[i])) {
      return pn_refuse(why, "operand %u of the expression cannot be walked by rows and columns", i);
    }
  }
  const pn_expr *expr = ((const pn_attrs_pointwise *)node->attrs)->expr;
  if (!pn_program_compile(expr, types, &e->program, why)) return false;
  e->native = match_native(p, expr, out, e);
  if (e->native) return true;
  e->bias = e->residual = PN_NO_OPERAND;
  e->lo = -INFINITY;
  e->hi = INFINITY;
  match_bend(p, expr, e);
  return true;
}

/* The element of operand |i| for |row| and |column|. */
static const char *element(const pn_epilogue *e, uint32_t i, void *const *operands, int64_t row, int64_t column) {
  const pn_epilogue_operand *w = &e->operands[i];
  int64_t offset = row % w->row_period * w->row_stride + column * w->column_stride;
  return (const char *)operands[w->operand] + offset * w->element_bytes;
}

static bool by_column(const pn_epilogue_operand *w) { return w->column_stride && !w->row_stride; }

/* Whether rows without a gap between them may be one run: every operand is one number, lies like the rows, or varies by
   column alone and can be repeated. A program's step costs as much for 12 floats as for 100. */
static bool is_flat(const pn_epilogue *e, int64_t row, int64_t rows, int64_t columns) {
  uint32_t repeats = 0;
  if (rows < 2 || columns > PN_PROGRAM_RUN / 4) return false;
  for (uint32_t i = 0; i < e->operand_count; i++) {
    const pn_epilogue_operand *w = &e->operands[i];
    if (i == e->accumulator || (!w->column_stride && !w->row_stride)) continue;
    bool like_rows = w->column_stride && w->row_stride == columns && row % w->row_period + rows <= w->row_period;
    if (!like_rows && (!by_column(w) || w->element_bytes != sizeof(float) || repeats++ == PN_PROGRAM_REPEATS))
      return false;
  }
  return true;
}

static void apply_flat(const pn_epilogue *e, const pn_cpu_vec_f32 *vec, void *const *operands, float *c, int64_t row,
                       int64_t rows, int64_t column, int64_t columns, float *scratch) {
  pn_run_operand runs[PN_EXPR_MAX_INPUTS] = {{0}};
  int64_t rows_a_run = pn_min_i64(PN_PROGRAM_RUN / columns, rows);
  float *repeated = scratch + PN_PROGRAM_REGISTERS * PN_PROGRAM_RUN;
  for (uint32_t i = 0; i < e->operand_count; i++) {
    const pn_epilogue_operand *w = &e->operands[i];
    if (i == e->accumulator || !by_column(w)) continue;
    for (int64_t r = 0; r < rows_a_run; r++)
      memcpy(repeated + r * columns, element(e, i, operands, 0, column), (size_t)columns * sizeof(float));
    runs[i] = (pn_run_operand){repeated, 1};
    repeated += PN_PROGRAM_RUN;
  }
  for (int64_t r = 0; r < rows; r += rows_a_run) {
    float *at = c + r * columns;
    for (uint32_t i = 0; i < e->operand_count; i++) {
      if (i == e->accumulator)
        runs[i] = (pn_run_operand){at, 1};
      else if (!by_column(&e->operands[i]))
        runs[i] = (pn_run_operand){element(e, i, operands, row + r, column), e->operands[i].column_stride};
    }
    pn_program_run(&e->program, vec, runs, (size_t)(pn_min_i64(rows_a_run, rows - r) * columns), at, scratch);
  }
}

void pn_epilogue_apply(const pn_epilogue *e, const pn_cpu_vec_f32 *vec, void *const *operands, float *c,
                       int64_t c_row_stride, int64_t row, int64_t rows, int64_t column, int64_t columns,
                       float *scratch) {
  pn_run_operand runs[PN_EXPR_MAX_INPUTS];
  if (e->native) return;
  if (c_row_stride == columns && is_flat(e, row, rows, columns)) {
    apply_flat(e, vec, operands, c, row, rows, column, columns, scratch);
    return;
  }
  for (int64_t r = 0; r < rows; r++) {
    for (int64_t begin = 0; begin < columns; begin += PN_PROGRAM_RUN) {
      float *at = c + r * c_row_stride + begin;
      for (uint32_t i = 0; i < e->operand_count; i++) {
        runs[i] = i == e->accumulator ? (pn_run_operand){at, 1}
                                      : (pn_run_operand){element(e, i, operands, row + r, column + begin),
                                                         e->operands[i].column_stride};
      }
      pn_program_run(&e->program, vec, runs, (size_t)pn_min_i64(PN_PROGRAM_RUN, columns - begin), at, scratch);
    }
  }
}
