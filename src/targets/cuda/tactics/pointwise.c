/* Pointwise expressions of any type and rank, rendered to a kernel of their own: every operand is read once and the
   result written once, whatever the length of the expression. The result's order decides how threads go; an operand
   that lies in the same order is read at the same index, one that broadcasts by strides. Where all operands allow it, a
   thread takes 16 bytes of each at once. */
#include "target/strides.h"
#include "targets/cuda/render.h"

#include <string.h>

typedef enum kind { DENSE, SINGLE, STRIDED } kind;

typedef struct state {
  pn_cu_function *function;
  uint32_t grid;
  uint32_t quads; /* operands, as bits, that are read or written by 16 bytes */
  struct pointwise_arguments arguments;
} state;

typedef struct shape {
  uint32_t operand_count, axes;
  int64_t dims[PN_MAX_RANK];
  int64_t strides[MOST_OPERANDS + 1][PN_MAX_RANK]; /* the result's last */
  kind kinds[MOST_OPERANDS + 1];
  uint32_t vector; /* elements that a thread takes at once; 0: one */
} shape;

static const pn_expr *expression_of(const pn_problem *p) {
  return ((const pn_attrs_pointwise *)p->nodes[0].attrs)->expr;
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  pelton_dtype inputs[PN_EXPR_MAX_INPUTS], types[PN_EXPR_MAX_STEPS];
  int64_t strides[PN_MAX_RANK];
  (void)device;
  if (!pn_accepts_one(p, PN_OP_POINTWISE, why)) return false;
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

static bool is_quad(const shape *s, uint32_t k) {
  return s->vector && (s->kinds[k] == DENSE || (s->kinds[k] == STRIDED && s->strides[k][s->axes - 1] == 1));
}

/* How many elements of the innermost axis a thread can take at once. Operands that lie along it have to be of one
   width, and all steps along other axes whole vectors. */
static uint32_t find_vector(const pn_problem *p, const shape *s) {
  size_t bytes = pelton_dtype_bytes(pn_problem_output(p, 0, 0)->dtype);
  if (bytes != 2 && bytes != 4) return 0;
  int64_t vector = 16 / (int64_t)bytes, count = pn_operand_elements(pn_problem_output(p, 0, 0));
  if (!s->axes || count % vector) return 0;
  for (uint32_t k = 0; k < s->operand_count; k++) {
    bool same = pelton_dtype_bytes(pn_problem_input(p, 0, k)->dtype) == bytes;
    int64_t inner = s->strides[k][s->axes - 1];
    if (s->kinds[k] == SINGLE) continue;
    if (s->kinds[k] == DENSE) {
      if (!same) return 0;
      continue;
    }
    if (s->dims[s->axes - 1] % vector || (inner != 0 && (inner != 1 || !same))) return 0;
    for (uint32_t d = 0; inner == 1 && d + 1 < s->axes; d++)
      if (s->strides[k][d] % vector) return 0;
  }
  return (uint32_t)vector;
}

/* INPUT_<k>: an operand at the element that the thread is at. */
static void render_operands(const pn_problem *p, const shape *s, pn_text *out) {
  for (uint32_t k = 0; k < s->operand_count; k++) {
    const char *type = pn_cuda_type_name(pn_problem_input(p, 0, k)->dtype);
    pn_text_printf(out, "#define INPUT_%u ", (unsigned)k);
    if (is_quad(s, k))
      pn_text_printf(out, "load_%s(&q%u, e)\n", type, (unsigned)k);
    else if (s->kinds[k] == STRIDED)
      pn_text_printf(out, "load_%s(a->operands[%u], (u32)at_%u)\n", type, (unsigned)k, (unsigned)k);
    else
      pn_text_printf(out, "load_%s(a->operands[%u], %s)\n", type, (unsigned)k, s->kinds[k] == DENSE ? "i" : "0");
  }
}

/* at_<k>: where strided operands are at element i, or the first one of vector i. */
static void render_places(const shape *s, pn_text *out) {
  bool strided = false;
  for (uint32_t k = 0; k < s->operand_count; k++) strided = strided || s->kinds[k] == STRIDED;
  if (!strided) return;
  pn_text_printf(out, "    u32 rest = i * %u, outer;\n    int at;\n", (unsigned)(s->vector ? s->vector : 1));
  for (uint32_t k = 0; k < s->operand_count; k++)
    if (s->kinds[k] == STRIDED) pn_text_printf(out, "    int at_%u = 0;\n", (unsigned)k);
  for (uint32_t d = s->axes; d-- > 0;) {
    if (d)
      pn_text_printf(out,
                     "    outer = divide(rest, a->dims[%u]);\n    at = (int)(rest - outer * a->dims[%u].divisor);\n",
                     (unsigned)d, (unsigned)d);
    else
      pn_text_printf(out, "    outer = 0;\n    at = (int)rest;\n");
    for (uint32_t k = 0; k < s->operand_count; k++)
      if (s->kinds[k] == STRIDED)
        pn_text_printf(out, "    at_%u += at * a->strides[%u][%u];\n", (unsigned)k, (unsigned)k, (unsigned)d);
    pn_text_printf(out, "    rest = outer;\n");
  }
}

static void render(const pn_problem *p, const shape *s, pn_text *out) {
  pelton_dtype inputs[PN_EXPR_MAX_INPUTS], types[PN_EXPR_MAX_STEPS];
  const pn_expr *expr = expression_of(p);
  const char *result = pn_cuda_type_name(pn_problem_output(p, 0, 0)->dtype);
  for (uint32_t k = 0; k < s->operand_count; k++) inputs[k] = pn_problem_input(p, 0, k)->dtype;
  if (pn_expr_types(expr, inputs, types, NULL)) return; /* accepted before */
  pn_text_printf(out, "#include \"expression.cuh\"\n");
  render_operands(p, s, out);
  pn_text_printf(out, "DEVICE void all(const struct pointwise_arguments *a, int aligned) {\n"
                      "  for (u32 i = BLOCK_X * THREADS + THREAD; i < a->count; i += BLOCKS_X * THREADS) {\n");
  render_places(s, out);
  for (uint32_t k = 0; k < s->operand_count; k++) {
    if (!is_quad(s, k)) continue;
    pn_text_printf(out, "    const quad q%u = load_quad(a->operands[%u], ", (unsigned)k, (unsigned)k);
    if (s->kinds[k] == DENSE)
      pn_text_printf(out, "i, aligned);\n");
    else
      pn_text_printf(out, "(u32)at_%u / %u, aligned);\n", (unsigned)k, (unsigned)s->vector);
  }
  if (s->vector)
    pn_text_printf(out, "    quad y;\n    UNROLL\n    for (u32 e = 0; e < %u; e++) {\n", (unsigned)s->vector);
  pn_cuda_render_steps(expr, types, out);
  if (s->vector)
    pn_text_printf(out, "    store_%s(&y, e, v%u);\n    }\n    store_quad(a->operands[%u], i, y, aligned);\n  }\n}\n",
                   result, (unsigned)expr->step_count - 1, (unsigned)s->operand_count);
  else
    pn_text_printf(out, "    store_%s(a->operands[%u], i, v%u);\n  }\n}\n", result, (unsigned)s->operand_count,
                   (unsigned)expr->step_count - 1);
  pn_text_printf(out, "KERNEL(pointwise, struct pointwise_arguments) {\n");
  if (s->vector) pn_text_printf(out, "  if (!a.aligned)\n    all(&a, 0);\n  else\n");
  pn_text_printf(out, "    all(&a, 1);\n}\n");
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  state *s = memory;
  shape form;
  pn_text head;
  (void)config;
  find_shape(p, &form);
  form.vector = find_vector(p, &form);
  s->arguments.count = (unsigned)(pn_operand_elements(pn_problem_output(p, 0, 0)) / (form.vector ? form.vector : 1));
  s->grid = pn_cuda_blocks(device, form.vector ? s->arguments.count : pn_div_up(s->arguments.count, 2));
  for (uint32_t k = 0; k <= form.operand_count; k++) s->quads |= (uint32_t)is_quad(&form, k) << k;
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
  a.aligned = 1;
  for (uint32_t k = 0; k <= node->input_count; k++)
    if (s->quads >> k & 1 && !pn_cuda_aligned(a.operands[k])) a.aligned = 0;
  return pn_cuda_launch(stream, s->function, s->grid, 1, 1, PN_CUDA_BLOCK, &a, diag);
}

const pn_tactic pn_tactic_cuda_pointwise = {
    .name = "cuda.pointwise",
    .version = 2,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
    .in_place = true,
};
