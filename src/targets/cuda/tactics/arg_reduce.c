/* The index of the greatest or least element along an axis, a block for each result. */
#include "target/strides.h"
#include "targets/cuda/render.h"

#include <stdio.h>
#include <string.h>

typedef struct state {
  pn_cu_function *function;
  uint32_t grid, threads;
  struct reduce_arguments arguments;
} state;

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  if (!pn_accepts_one(p, PN_OP_ARG_REDUCE, why)) return false;
  const pn_operand *x = pn_problem_input(p, 0, 0);
  if (!pn_cuda_type_name(x->dtype)) return pn_refuse(why, "no arithmetic in %s", pelton_dtype_name(x->dtype));
  if (!pn_operand_elements(x)) return pn_refuse(why, "an empty operand");
  return pn_cuda_fits(p, why);
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  (void)config;
  return pn_cuda_estimate(device, (double)pn_operand_elements(pn_problem_input(p, 0, 0)), pn_cuda_operand_bytes(p),
                          0.1);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  (void)p;
  (void)device;
  (void)config;
  out->state_bytes = sizeof(state);
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  const pn_attrs_arg_reduce *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  int64_t from[PN_MAX_RANK], to[PN_MAX_RANK];
  uint32_t axis = (uint32_t)(attrs->axis < 0 ? attrs->axis + x->rank : attrs->axis), axes = 0;
  state *s = memory;
  char head[256];
  (void)config;
  pn_operand_axis_strides(x, from);
  pn_operand_axis_strides(y, to);
  int64_t count = 1;
  for (uint32_t i = 0; i < x->rank; i++) {
    if (i == axis) continue;
    s->arguments.kept[axes] = pn_cuda_divider(x->dims[i]);
    s->arguments.kept_from[axes] = (int)from[i];
    s->arguments.kept_to[axes++] = (int)to[attrs->keep_dims || i < axis ? i : i - 1];
    count *= x->dims[i];
  }
  s->arguments.count = (unsigned)count;
  s->arguments.length = (unsigned)x->dims[axis];
  s->arguments.reduced_from[0] = (int)from[axis];
  s->arguments.keep_last = attrs->last_index;
  s->threads = x->dims[axis] >= 256 ? 256 : x->dims[axis] >= 64 ? 64 : 32;
  s->grid = (uint32_t)pn_min_i64(count, (int64_t)device->multiprocessors * 64);
  const char *form = x->dtype == PELTON_DTYPE_F64   ? "f64"
                     : pn_dtype_is_float(x->dtype)  ? "f32"
                     : x->dtype == PELTON_DTYPE_U64 ? "u64"
                                                    : "i64";
  (void)snprintf(
      head, sizeof head,
      "#define X %s\n#define F %s\n#define KEPT %u\n#define BETTER(x, y) ((x) %s (y) || ((x) != (x) && (y) == (y)))\n",
      pn_cuda_type_name(x->dtype), form, (unsigned)axes, attrs->kind == PN_ARG_MAX ? ">" : "<");
  pn_cuda_source source = {head, "arg_reduce.cu", "arg_reduce", false};
  return pn_cuda_function(device, &source, &s->function, diag);
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  const pn_problem_node *node = &step->problem->nodes[0];
  struct reduce_arguments a = s->arguments;
  a.source = step->operands[node->inputs[0]];
  a.target = step->operands[node->outputs[0]];
  return pn_cuda_launch(stream, s->function, s->grid, 1, 1, s->threads, &a, diag);
}

const pn_tactic pn_tactic_cuda_arg_reduce = {
    .name = "cuda.arg_reduce",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
