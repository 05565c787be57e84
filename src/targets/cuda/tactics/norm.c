/* layer_norm over the last axes and group_norm, in floats of 16 and 32 bits; statistics in f32. Rows of layer_norm that
   fit into a warp's registers are read once, by 16 bytes. */
#include "targets/cuda/render.h"

#include <stdio.h>
#include <string.h>

typedef struct state {
  pn_cu_function *function;
  uint32_t grid, threads;
  struct norm_arguments arguments;
} state;

enum { WARPS = 4, WARP_THREADS = 32, MOST_PARTS = 8 }; /* parts: 16 bytes of a row a thread */

/* Scale and bias of layer_norm: dense over the normalised axes. */
static bool is_dense(const pn_operand *o, const pn_operand *x, uint32_t axis) {
  if (!o) return true;
  int64_t length = 1;
  for (uint32_t d = axis; d < x->rank; d++) length *= x->dims[d];
  if (pn_operand_elements(o) != length) return false;
  for (uint32_t k = 1; k <= o->rank && k <= x->rank - axis; k++)
    if (o->dims[o->rank - k] != x->dims[x->rank - k]) return false;
  return true;
}

static uint32_t axis_of(const pn_problem *p) {
  int64_t axis = ((const pn_attrs_layer_norm *)p->nodes[0].attrs)->axis;
  return (uint32_t)(axis < 0 ? axis + pn_problem_input(p, 0, 0)->rank : axis);
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  if (p->node_count != 1 || (p->nodes[0].op != PN_OP_LAYER_NORM && p->nodes[0].op != PN_OP_GROUP_NORM)) return false;
  const pn_operand *x = pn_problem_input(p, 0, 0), *scale = pn_problem_input(p, 0, 1),
                   *bias = pn_problem_input(p, 0, 2);
  const pn_operand *y = pn_problem_output(p, 0, 0);
  if (!pn_cuda_is_f32_form(x->dtype)) return pn_refuse(why, "f32, f16 and bf16 only");
  if (!y || y->dtype != x->dtype || (scale && !pn_cuda_is_f32_form(scale->dtype)) ||
      (scale && bias && bias->dtype != scale->dtype))
    return pn_refuse(why, "types are mixed");
  for (uint32_t i = 0; i < p->operand_count; i++)
    if (p->operands[i].layout != PN_LAYOUT_PLAIN) return pn_refuse(why, "plain layouts only");
  if (!pn_operand_elements(x)) return pn_refuse(why, "an empty operand");
  if (p->nodes[0].op == PN_OP_LAYER_NORM && (!is_dense(scale, x, axis_of(p)) || !is_dense(bias, x, axis_of(p))))
    return pn_refuse(why, "scale and bias broadcast");
  return pn_cuda_fits(p, why);
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  (void)config;
  return pn_cuda_estimate(device, 6 * (double)pn_operand_elements(pn_problem_input(p, 0, 0)),
                          1.5 * pn_cuda_operand_bytes(p), 0.3);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  (void)p;
  (void)device;
  (void)config;
  out->state_bytes = sizeof(state);
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  const pn_operand *x = pn_problem_input(p, 0, 0), *scale = pn_problem_input(p, 0, 1),
                   *bias = pn_problem_input(p, 0, 2);
  bool groups = p->nodes[0].op == PN_OP_GROUP_NORM, rms = false;
  state *s = memory;
  char head[192];
  int64_t length = 1;
  (void)config;
  if (groups) {
    const pn_attrs_group_norm *attrs = p->nodes[0].attrs;
    int64_t count = attrs->groups ? attrs->groups : x->dims[1];
    length = pn_operand_elements(x) / (x->dims[0] * count);
    s->arguments.groups = pn_cuda_divider(count);
    s->arguments.channels = (unsigned)(x->dims[1] / count);
    s->arguments.epsilon = attrs->epsilon;
  } else {
    const pn_attrs_layer_norm *attrs = p->nodes[0].attrs;
    for (uint32_t d = axis_of(p); d < x->rank; d++) length *= x->dims[d];
    s->arguments.epsilon = attrs->epsilon;
    rms = attrs->kind == PN_NORM_RMS;
  }
  s->arguments.rows = (unsigned)(pn_operand_elements(x) / length);
  s->arguments.length = (unsigned)length;
  int64_t vector = 16 / (int64_t)pelton_dtype_bytes(x->dtype);
  bool by_warp = !groups && length % vector == 0 && length <= vector * WARP_THREADS * MOST_PARTS;
  s->threads = by_warp ? WARPS * WARP_THREADS : length >= 512 ? 256 : length >= 128 ? 128 : 32;
  s->grid = (uint32_t)pn_min_i64(by_warp ? pn_div_up(s->arguments.rows, WARPS) : s->arguments.rows,
                                 (int64_t)device->multiprocessors * 64);
  const pn_operand *factor = scale ? scale : bias ? bias : x;
  (void)snprintf(head, sizeof head,
                 "#define X %s\n#define S %s\n#define RMS %d\n#define LENGTH %d\n#define VECTOR %d\n#define SAME %d\n",
                 pn_cuda_type_name(x->dtype), pn_cuda_type_name(factor->dtype), (int)rms, by_warp ? (int)length : 0,
                 (int)vector, (int)(factor->dtype == x->dtype));
  pn_cuda_source source = {head, "norm.cu", groups ? "group_norm" : by_warp ? "layer_norm_row" : "layer_norm", false};
  return pn_cuda_function(device, &source, &s->function, diag);
}

static void *operand(const pn_step *step, const uint16_t *list, uint32_t count, uint32_t i) {
  return i < count && list[i] != PN_NO_OPERAND ? step->operands[list[i]] : NULL;
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  const pn_problem_node *node = &step->problem->nodes[0];
  struct norm_arguments a = s->arguments;
  a.source = step->operands[node->inputs[0]];
  a.scale = operand(step, node->inputs, node->input_count, 1);
  a.bias = operand(step, node->inputs, node->input_count, 2);
  a.target = step->operands[node->outputs[0]];
  a.mean = operand(step, node->outputs, node->output_count, 1);
  a.inverse = operand(step, node->outputs, node->output_count, 2);
  a.aligned =
      pn_cuda_aligned(a.source) && pn_cuda_aligned(a.target) && pn_cuda_aligned(a.scale) && pn_cuda_aligned(a.bias);
  return pn_cuda_launch(stream, s->function, s->grid, 1, 1, s->threads, &a, diag);
}

const pn_tactic pn_tactic_cuda_norm = {
    .name = "cuda.norm",
    .version = 2,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
