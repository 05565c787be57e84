/* Pointwise expressions of any type and rank, rendered to a kernel of their own: every operand is read once and the
   result written once, whatever the length of the expression. The result's order decides how threads go; an operand
   that lies in the same order is read at the same index, one that broadcasts by strides. */
#include "target/strides.h"
#include "targets/cuda/render.h"

#include <string.h>

typedef enum kind { DENSE, SINGLE, STRIDED } kind;

typedef struct state {
  pn_cu_function *function;
  uint32_t grid;
  struct pointwise_arguments arguments;
} state;

typedef struct shape {
  uint32_t operand_count, axes;
  int64_t dims[PN_MAX_RANK];
  int64_t strides[MOST_OPERANDS + 1][PN_MAX_RANK]; /* the result's last */
  kind kinds[MOST_OPERANDS + 1];
} shape;

static const pn_expr *expression_of(const pn_problem *p) {
  return ((const pn_attrs_pointwise *)p->nodes[0].attrs)->expr;
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  pelton_dtype inputs[PN_EXPR_MAX_INPUTS], types[PN_EXPR_MAX_STEPS];
  int64_t strides[PN_MAX_RANK];
  (void)device;
  if (p->node_count != 1 || p->nodes[0].op != PN_OP_POINTWISE) return false;
  if (p->nodes[0].input_count > MOST_OPERANDS) return pn_refuse(why, "more than %d operands", MOST_OPERANDS);
  const pn_operand *out = pn_problem_output(p, 0, 0);
  for (uint32_t i = 0; i < p->nodes[0].input_count; i++) {
    inputs[i] = pn_problem_input(p, 0, i)->dtype;
    if (!pn_operand_strides(pn_problem_input(p, 0, i), out, strides))
      return pn_refuse(why, "operand %u has more axes than the result", i);
  }
  return pn_cuda_fits(p, why) && pn_cuda_expression_accepts(expression_of(p), inputs, types, why);
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  const pn_operand *out = pn_problem_output(p, 0, 0);
  double bytes = pn_cuda_operand_bytes(p);
  (void)config;
  for (uint32_t i = 0; i < p->nodes[0].input_count; i++) /* strided reads waste most of each sector */
    if (pn_problem_input(p, 0, i)->layout != out->layout)
      bytes += 4 * (double)pn_operand_bytes(pn_problem_input(p, 0, i));
  return pn_cuda_estimate(device, 8 * (double)pn_operand_elements(out), bytes, 0.5);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  (void)p;
  (void)device;
  (void)config;
  out->state_bytes = sizeof(state);
}

/* Joins axes that all operands walk alike; axes of extent 1 vanish. */
static void find_shape(const pn_problem *p, shape *s) {
  const pn_operand *out = pn_problem_output(p, 0, 0);
  int64_t dims[PN_MAX_RANK], strides[MOST_OPERANDS + 1][PN_MAX_RANK];
  memset(s, 0, sizeof *s);
  s->operand_count = p->nodes[0].input_count;
  for (uint32_t k = 0; k <= s->operand_count; k++)
    (void)pn_operand_strides(k < s->operand_count ? pn_problem_input(p, 0, k) : out, out, strides[k]);
  pn_layout_stored_dims(out->layout, out->rank, out->dims, dims);
  for (uint32_t d = 0; d < out->rank; d++) {
    if (dims[d] == 1) continue;
    bool join = s->axes > 0;
    for (uint32_t k = 0; k <= s->operand_count && join; k++)
      join = s->strides[k][s->axes - 1] == strides[k][d] * dims[d];
    uint32_t to = join ? s->axes - 1 : s->axes++;
    s->dims[to] = join ? s->dims[to] * dims[d] : dims[d];
    for (uint32_t k = 0; k <= s->operand_count; k++) s->strides[k][to] = strides[k][d];
  }
  for (uint32_t k = 0; k <= s->operand_count; k++) {
    bool same = true, none = true;
    for (uint32_t d = 0; d < s->axes; d++) {
      same = same && s->strides[k][d] == s->strides[s->operand_count][d];
      none = none && s->strides[k][d] == 0;
    }
    s->kinds[k] = none ? SINGLE : same ? DENSE : STRIDED;
  }
}

static void render(const pn_problem *p, const shape *s, pn_text *out) {
  pelton_dtype inputs[PN_EXPR_MAX_INPUTS], types[PN_EXPR_MAX_STEPS];
  const pn_expr *expr = expression_of(p);
  bool strided = false;
  pn_text_printf(out, "#include \"expression.cuh\"\n");
  for (uint32_t k = 0; k < s->operand_count; k++) {
    inputs[k] = pn_problem_input(p, 0, k)->dtype;
    const char *type = pn_cuda_type_name(inputs[k]);
    strided = strided || s->kinds[k] == STRIDED;
    if (s->kinds[k] == STRIDED)
      pn_text_printf(out, "#define INPUT_%u load_%s(a.operands[%u], (u32)at_%u)\n", (unsigned)k, type, (unsigned)k,
                     (unsigned)k);
    else
      pn_text_printf(out, "#define INPUT_%u load_%s(a.operands[%u], %s)\n", (unsigned)k, type, (unsigned)k,
                     s->kinds[k] == DENSE ? "i" : "0");
  }
  if (pn_expr_types(expr, inputs, types, NULL)) return; /* accepted before */
  pn_text_printf(out, "KERNEL(pointwise, struct pointwise_arguments) {\n"
                      "  for (u32 i = BLOCK_X * THREADS + THREAD; i < a.count; i += BLOCKS_X * THREADS) {\n");
  if (strided) pn_text_printf(out, "    u32 rest = i, outer;\n    int at;\n");
  for (uint32_t k = 0; k < s->operand_count; k++)
    if (s->kinds[k] == STRIDED) pn_text_printf(out, "    int at_%u = 0;\n", (unsigned)k);
  for (uint32_t d = s->axes; strided && d-- > 0;) {
    if (d)
      pn_text_printf(out, "    outer = divide(rest, a.dims[%u]);\n    at = (int)(rest - outer * a.dims[%u].divisor);\n",
                     (unsigned)d, (unsigned)d);
    else
      pn_text_printf(out, "    outer = 0;\n    at = (int)rest;\n");
    for (uint32_t k = 0; k < s->operand_count; k++)
      if (s->kinds[k] == STRIDED)
        pn_text_printf(out, "    at_%u += at * a.strides[%u][%u];\n", (unsigned)k, (unsigned)k, (unsigned)d);
    pn_text_printf(out, "    rest = outer;\n");
  }
  pn_cuda_render_steps(expr, types, out);
  pn_text_printf(out, "    store_%s(a.operands[%u], i, v%u);\n  }\n}\n",
                 pn_cuda_type_name(pn_problem_output(p, 0, 0)->dtype), (unsigned)s->operand_count,
                 (unsigned)expr->step_count - 1);
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  state *s = memory;
  shape form;
  pn_text head;
  (void)config;
  find_shape(p, &form);
  s->arguments.count = (unsigned)pn_operand_elements(pn_problem_output(p, 0, 0));
  s->grid = pn_cuda_blocks(device, pn_div_up(s->arguments.count, 2));
  for (uint32_t d = 0; d < form.axes; d++) {
    s->arguments.dims[d] = pn_cuda_divider(form.dims[d]);
    for (uint32_t k = 0; k <= form.operand_count; k++) s->arguments.strides[k][d] = (int)form.strides[k][d];
  }
  pn_text_init(&head, device->allocator);
  render(p, &form, &head);
  pn_cuda_source source = {head.data, NULL, "pointwise", true};
  pelton_status status =
      head.failed ? pn_fail_memory(diag, "a kernel") : pn_cuda_function(device, &source, &s->function, diag);
  pn_text_deinit(&head);
  return status;
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  const pn_problem_node *node = &step->problem->nodes[0];
  struct pointwise_arguments a = s->arguments;
  for (uint32_t k = 0; k < node->input_count; k++) a.operands[k] = step->operands[node->inputs[k]];
  a.operands[node->input_count] = step->operands[node->outputs[0]];
  return pn_cuda_launch(stream, s->function, s->grid, 1, 1, PN_CUDA_BLOCK, &a, diag);
}

const pn_tactic pn_tactic_cuda_pointwise = {
    .name = "cuda.pointwise",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
    .in_place = true,
};
