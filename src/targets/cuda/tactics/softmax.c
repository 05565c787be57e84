/* Softmax and its logarithm along any axis of a plain tensor, in floats of any width; sums in f32, of f64 in f64. */
#include "targets/cuda/render.h"

#include <stdio.h>
#include <string.h>

enum { LEAST_WARP = 12, MOST_WARP = 1024 }; /* lengths of rows for which a warp is best */

typedef struct state {
  pn_cu_function *function;
  uint32_t grid, threads;
  struct rows_arguments arguments;
} state;

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  if (!pn_accepts_one(p, PN_OP_SOFTMAX, why)) return false;
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  if (!pn_cuda_type_name(x->dtype)) return pn_refuse(why, "no arithmetic in %s", pelton_dtype_name(x->dtype));
  if (x->layout != PN_LAYOUT_PLAIN || y->layout != PN_LAYOUT_PLAIN) return pn_refuse(why, "plain layouts only");
  if (!pn_operand_elements(x)) return pn_refuse(why, "an empty operand");
  return pn_cuda_fits(p, why);
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  (void)config;
  return pn_cuda_estimate(device, 20 * (double)pn_operand_elements(pn_problem_input(p, 0, 0)),
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
  const pn_attrs_softmax *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0);
  uint32_t axis = (uint32_t)(attrs->axis < 0 ? attrs->axis + x->rank : attrs->axis);
  int64_t inner = 1, length = x->dims[axis], rows = pn_operand_elements(x) / length;
  bool wide = x->dtype == PELTON_DTYPE_F64;
  /* What is rounded to 16 bits needs no more than the machine's own exponential. */
  bool half = x->dtype == PELTON_DTYPE_F16 || x->dtype == PELTON_DTYPE_BF16;
  state *s = memory;
  char head[200];
  (void)config;
  for (uint32_t d = axis + 1; d < x->rank; d++) inner *= x->dims[d];
  s->arguments.rows = (unsigned)rows;
  s->arguments.length = (unsigned)length;
  s->arguments.inner = pn_cuda_divider(inner);
  bool by_warp = inner == 1 && length >= LEAST_WARP && length <= (wide ? MOST_WARP / 2 : MOST_WARP);
  bool by_thread = length < 32 || (inner >= 32 && rows >= (int64_t)device->multiprocessors * 64);
  s->threads = by_thread ? 128 : length >= 512 ? 256 : length >= 128 ? 128 : 32;
  if (by_warp) s->threads = 256;
  int64_t blocks = by_warp ? pn_div_up(rows, 8) : by_thread ? pn_div_up(rows, s->threads) : rows;
  s->grid = (uint32_t)pn_min_i64(blocks, (int64_t)device->multiprocessors * 64);
  (void)snprintf(
      head, sizeof head, "#define X %s\n#define F %s\n#define EXP %s\n#define LOG %s\n#define LOGARITHM %d\n"
      "#define COUNT %d\n",
      pn_cuda_type_name(x->dtype), wide ? "f64" : "f32", wide ? "exp" : half ? "NEAR_EXP" : "expf",
      wide ? "log" : "logf",
      (int)attrs->log,
      by_warp ? (int)pn_div_up(length, 32) : 0);
  const char *entry = by_warp ? "softmax_warp" : by_thread ? "softmax_thread" : "softmax_block";
  pn_cuda_source source = {head, "softmax.cu", entry, false};
  return pn_cuda_function(device, &source, &s->function, diag);
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  const pn_problem_node *node = &step->problem->nodes[0];
  struct rows_arguments a = s->arguments;
  a.source = step->operands[node->inputs[0]];
  a.target = step->operands[node->outputs[0]];
  return pn_cuda_launch(stream, s->function, s->grid, 1, 1, s->threads, &a, diag);
}

const pn_tactic pn_tactic_cuda_softmax = {
    .name = "cuda.softmax",
    .version = 2,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
    .in_place = true,
};
