/* Pooling over up to three spatial axes, in any layout, in floats of 16 and 32 bits; sums in f32. In channels_last a
   thread takes 16 bytes of channels at once. */
#include "targets/cuda/window.h"

#include <stdio.h>
#include <string.h>

typedef struct state {
  pn_cu_function *function;
  uint32_t grid;
  uint32_t vector; /* channels a thread; 0: one, in any layout */
  struct pool_arguments arguments;
} state;

enum { UNROLLED_TAPS = 16 };

static bool resolve(const pn_problem *p, pn_window *windows) {
  const pn_attrs_pool *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0);
  pn_window_spec spec = PN_WINDOW_SPEC_POOL(attrs);
  return !pn_window_resolve(NULL, "pool", &spec, x->rank - 2, x->dims + 2, attrs->kernel.data, windows);
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  pn_window windows[PN_MAX_RANK];
  (void)device;
  if (!pn_accepts_one(p, PN_OP_POOL, why)) return false;
  const pn_operand *x = pn_problem_input(p, 0, 0);
  if (!pn_cuda_is_f32_form(x->dtype)) return pn_refuse(why, "f32, f16 and bf16 only");
  if (x->rank < 3 || x->rank > 2 + WINDOW_AXES) return pn_refuse(why, "one to three spatial axes, not %u", x->rank - 2);
  if (pn_problem_output(p, 0, 1)) return pn_refuse(why, "indices are wanted");
  if (!pn_operand_elements(x) || !pn_operand_elements(pn_problem_output(p, 0, 0)))
    return pn_refuse(why, "an empty operand");
  return (resolve(p, windows) || pn_refuse(why, "its window does not fit")) && pn_cuda_fits(p, why);
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  const pn_attrs_pool *attrs = p->nodes[0].attrs;
  double taps = 1;
  (void)config;
  for (uint32_t i = 0; i < attrs->kernel.count; i++) taps *= (double)attrs->kernel.data[i];
  return pn_cuda_estimate(device, taps * (double)pn_operand_elements(pn_problem_output(p, 0, 0)),
                          pn_cuda_operand_bytes(p), 0.1);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  (void)p;
  (void)device;
  (void)config;
  out->state_bytes = sizeof(state);
}

/* Channels that a thread takes at once; 0: the strides or the shape do not allow it. */
static uint32_t vector_of(const pn_problem *p, const pn_device *device) {
  const pn_attrs_pool *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  uint32_t vector = 16 / (uint32_t)pelton_dtype_bytes(x->dtype);
  int64_t taps = 1, threads = pn_operand_elements(y) / vector;
  for (uint32_t i = 0; i < attrs->kernel.count; i++) taps *= attrs->kernel.data[i];
  if (x->layout != PN_LAYOUT_CHANNELS_LAST || y->layout != PN_LAYOUT_CHANNELS_LAST || x->dims[1] % vector ||
      (attrs->kind != PN_POOL_MAX && attrs->kind != PN_POOL_AVERAGE))
    return 0;
  /* A long window in few threads waits for memory all the time. */
  return taps <= UNROLLED_TAPS || threads >= (int64_t)device->multiprocessors * 512 ? vector : 0;
}

/* All strides and counts in units of |vector| channels, which lie together. */
static void count_in_vectors(int vector, struct pool_arguments *a) {
  a->count /= (unsigned)vector;
  a->channels = pn_cuda_divider(a->channels.divisor / (unsigned)vector);
  a->from_batch /= vector;
  a->to_batch /= vector;
  for (uint32_t i = 0; i < WINDOW_AXES; i++) {
    a->from_axis[i] /= vector;
    a->to_axis[i] /= vector;
  }
}

/* The macros in front of the kernel. */
static void print_head(const pn_problem *p, const state *s, char *out, size_t room) {
  const pn_attrs_pool *attrs = p->nodes[0].attrs;
  const int *taps = s->arguments.window.kernel;
  pelton_dtype dtype = pn_problem_input(p, 0, 0)->dtype;
  int kind = attrs->kind == PN_POOL_MAX ? 0 : attrs->kind == PN_POOL_AVERAGE ? 1 : 2, used = 0;
  used = snprintf(out, room, "#define X %s\n#define KIND %d\n#define CHANNELS_LAST %d\n#define VECTOR %u\n",
                  pn_cuda_type_name(dtype), kind, pn_problem_output(p, 0, 0)->layout == PN_LAYOUT_CHANNELS_LAST,
                  (unsigned)s->vector);
  if (!s->vector) return;
  used += snprintf(out + used, room - (size_t)used, "#define OUTSIDE %s\n",
                   kind != 0                   ? "0"
                   : dtype == PELTON_DTYPE_F32 ? "0xff800000u"
                   : dtype == PELTON_DTYPE_F16 ? "0xfc00fc00u"
                                               : "0xff80ff80u");
  if ((int64_t)taps[0] * taps[1] * taps[2] <= UNROLLED_TAPS)
    (void)snprintf(out + used, room - (size_t)used, "#define TAPS {%d, %d, %d}\n", taps[0], taps[1], taps[2]);
  else
    (void)snprintf(out + used, room - (size_t)used,
                   "#define TAPS {a->window.kernel[0], a->window.kernel[1], a->window.kernel[2]}\n");
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  const pn_attrs_pool *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  pn_window windows[PN_MAX_RANK];
  state *s = memory;
  struct pool_arguments *a = &s->arguments;
  char head[320];
  (void)config;
  if (!resolve(p, windows)) return PN_INTERNAL(diag, "pool changed after it was accepted");
  pn_cuda_window_fill(windows, x->rank - 2, &a->window);
  a->count = (unsigned)pn_operand_elements(y);
  a->channels = pn_cuda_divider(x->dims[1]);
  a->count_pads = attrs->count_include_pad;
  a->power = (float)attrs->p;
  pn_cuda_image_strides(x, &a->from_batch, &a->from_channel, a->from_axis);
  pn_cuda_image_strides(y, &a->to_batch, &a->to_channel, a->to_axis);
  s->vector = vector_of(p, device);
  if (s->vector) count_in_vectors((int)s->vector, a);
  s->grid = pn_cuda_blocks(device, a->count);
  print_head(p, s, head, sizeof head);
  pn_cuda_source source = {head, "pool.cu", s->vector ? "pool_vector" : "pool", false};
  return pn_cuda_function(device, &source, &s->function, diag);
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  const pn_problem_node *node = &step->problem->nodes[0];
  struct pool_arguments a = s->arguments;
  a.source = step->operands[node->inputs[0]];
  a.target = step->operands[node->outputs[0]];
  a.aligned = pn_cuda_aligned(a.source) && pn_cuda_aligned(a.target);
  return pn_cuda_launch(stream, s->function, s->grid, 1, 1, PN_CUDA_BLOCK, &a, diag);
}

const pn_tactic pn_tactic_cuda_pool = {
    .name = "cuda.pool",
    .version = 2,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
