/* Convolutions by cuDNN, in strict f32 (plain), 16 bits with f32 sums (channels_last), or TF32 where it was asked for
   (either). Bias, residual and relu are
   part of cuDNN's kernel where it has one; otherwise, as for any other expression, a kernel of our own goes over the
   result. The configs are cuDNN's first choices. */
#include "targets/cuda/convolution.h"

#include <math.h>
#include <string.h>

extern const pn_tactic pn_tactic_cuda_conv_depthwise;

enum {
  VARIANT_PACK = 16,
  PACK_IDS = 1000,
  PACK_POINTERS = 1001,
  PACK_WORKSPACE = 1003,
  TYPE_INT64 = 3,
  TYPE_VOID_PTR = 6
};

typedef struct state {
  const pn_device *device;
  const pn_dnn_plan *plan;
  pn_cuda_sum sum;
  pn_cu_function *finish; /* what follows, where cuDNN does not */
  pn_cuda_epilogue epilogue;
  struct conv_arguments arguments;
} state;

typedef struct request {
  pn_window windows[PN_MAX_RANK];
  pn_cuda_epilogue epilogue;
  pn_cuda_sum sum;
  bool is_sum;
} request;

static bool find(const pn_problem *p, const pn_device *device, request *r, pn_reason *why) {
  if (!pn_cuda_conv_accepts(p, PN_OP_CONV, r->windows, &r->epilogue, why)) return false;
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, p->node_count - 1, 0);
  pn_layout wanted = x->dtype == PELTON_DTYPE_F32 ? PN_LAYOUT_PLAIN : PN_LAYOUT_CHANNELS_LAST;
  if (x->dtype == PELTON_DTYPE_F32 && device->tf32) wanted = x->layout;
  if (y->dtype != x->dtype) return pn_refuse(why, "the result is of another type");
  if (x->layout != wanted || y->layout != wanted)
    return pn_refuse(why, "wants everything in %s", pn_layout_name(wanted));
  if (wanted != PN_LAYOUT_PLAIN && pn_problem_input(p, 0, 1)->role != PN_OPERAND_CONSTANT)
    return pn_refuse(why, "the filter is not constant");
  if (x->dtype != PELTON_DTYPE_F32 && pn_tactic_cuda_conv_depthwise.accepts(p, device, NULL))
    return pn_refuse(why, "depthwise: cuda.conv_depthwise takes it");
  r->is_sum = pn_cuda_sum_find(p, pn_cuda_image_epilogue_strides, &r->sum);
  /* Measured: with a relu that is cut above, kernels of 16 bits stay below 0.8 Tflop/s. */
  if (x->dtype != PELTON_DTYPE_F32 && isfinite(r->sum.upper)) r->is_sum = false;
  return true;
}

static const pn_dnn_convolution *plans_of(const pn_problem *p, const pn_device *device, request *r, pn_reason *why) {
  if (p->nodes[0].op != PN_OP_CONV) return NULL;
  if (!device->dnn) {
    (void)pn_refuse(why, "%s", device->dnn_why);
    return NULL;
  }
  if (!find(p, device, r, why)) return NULL;
  const pn_dnn_convolution *c = pn_dnn_convolution_find(device, p, r->windows, r->is_sum ? &r->sum : NULL);
  if (!c) (void)pn_refuse(why, "cuDNN has no kernel for it that keeps its precision");
  return c;
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  request r;
  return plans_of(p, device, &r, why) != NULL;
}

static uint32_t configs(const pn_problem *p, const pn_device *device, pn_config *out, uint32_t max) {
  request r;
  const pn_dnn_convolution *c = plans_of(p, device, &r, NULL);
  uint32_t count = c ? c->plan_count : 0;
  for (uint32_t i = 0; i < count && i < max; i++) out[i] = (pn_config){{(int32_t)i}};
  return count < max ? count : max;
}

static const pn_dnn_plan *plan_of(const pn_dnn_convolution *c, const pn_config *config) {
  uint32_t k = (uint32_t)config->value[0];
  return &c->plans[k < c->plan_count ? k : 0];
}

static bool finishes(const pn_problem *p, const pn_dnn_plan *plan) {
  return !plan->fused && (p->node_count > 1 || pn_problem_input(p, 0, 2));
}

/* Multiply-adds with outputs filled up to a tile's: measured, a convolution to one channel takes as long as one to 64,
   in f32 to 32. */
static double filled_work(const pn_problem *p, bool tensor) {
  int64_t outputs = pn_problem_output(p, 0, 0)->dims[1], tile = tensor ? 64 : 32;
  bool fills = outputs >= tile || ((const pn_attrs_conv *)p->nodes[0].attrs)->group > 1;
  return pn_cuda_conv_work(p) * (fills ? 1 : (double)tile / (double)outputs);
}

/* Measured on an H200 in 16 bits: small pictures take as long as one tile's sums, one after the other; channels that
   are no multiple of 8 are far from the rest. */
static double half_seconds(const pn_problem *p, double seconds) {
  const pn_operand *w = pn_problem_input(p, 0, 1);
  double one = 3e-6 + 1.7e-9 * (double)(pn_operand_elements(w) / w->dims[0]);
  if (pn_problem_input(p, 0, 0)->dims[1] % 8 != 0) seconds *= 8;
  return seconds > one ? seconds : one;
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  request r;
  const pn_dnn_convolution *c = plans_of(p, device, &r, NULL);
  bool full = pn_problem_input(p, 0, 0)->dtype == PELTON_DTYPE_F32;
  double tensor = 0.5 * device->half_fma_per_second / device->fma_per_second;
  double rate = !full ? tensor : device->tf32 ? tensor / 2 : 0.6;
  if (((const pn_attrs_conv *)p->nodes[0].attrs)->group > 1)
    rate *= 0.02; /* measured: depthwise is far from the rest */
  double places = (double)(pn_operand_elements(pn_problem_output(p, 0, 0)) / pn_problem_output(p, 0, 0)->dims[1]);
  if (places < 4096 && rate < 1)
    rate *= 0.1 + 0.9 * places / 4096; /* and small pictures in f32 fill little of the device */
  /* In 16 bits, layers that wait for memory reach two thirds of its rate, those with a residual less: on an H200. */
  double bytes = pn_cuda_operand_bytes(p) * (rate > 1 ? 1.5 : 1);
  double seconds = pn_cuda_estimate(device, filled_work(p, rate > 1), bytes, rate);
  if (rate > 1) seconds = half_seconds(p, seconds);
  seconds *= 1 + 0.02 * config->value[0];
  /* In f32 the convolution alone is the safer guess: its kernels are the tuned ones, and what PyTorch takes. */
  if (c && rate < 1 && p->node_count > 1 && plan_of(c, config)->fused)
    seconds *= r.is_sum && isfinite(r.sum.upper) ? 10 : 1.3; /* cut above: what 16 bits showed */
  if (c && finishes(p, plan_of(c, config))) {
    double result = (double)pn_operand_bytes(pn_problem_output(p, p->node_count - 1, 0)) / device->bytes_per_second;
    seconds += rate > 1 ? 1.5e-6 + (2 + r.epilogue.operand_count) * result / 0.45 : 1e-6 + 2 * result;
  }
  return seconds;
}

static bool is_packed(const pn_problem *p) { return pn_problem_input(p, 0, 0)->layout == PN_LAYOUT_CHANNELS_LAST; }

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  request r;
  const pn_dnn_convolution *c = plans_of(p, device, &r, NULL);
  out->state_bytes = sizeof(state);
  if (c) out->workspace_bytes = plan_of(c, config)->workspace_bytes + PN_CUDA_WORKSPACE_ALIGN;
  if (is_packed(p)) out->packed_bytes = pn_operand_bytes(pn_problem_input(p, 0, 1));
}

/* The filter with its inputs innermost. */
static pelton_status pack(const pn_problem *p, const pn_device *device, const pn_config *config, void *packed,
                          pelton_diag *diag) {
  const pn_operand *w = pn_problem_input(p, 0, 1);
  size_t size = pelton_dtype_bytes(w->dtype);
  int64_t taps = 1, inputs = w->dims[1];
  (void)device;
  (void)config;
  (void)diag;
  if (!is_packed(p)) return PELTON_OK; /* read as it is */
  for (uint32_t d = 2; d < w->rank; d++) taps *= w->dims[d];
  for (int64_t m = 0; m < w->dims[0]; m++)
    for (int64_t t = 0; t < taps; t++)
      for (int64_t c = 0; c < inputs; c++)
        memcpy((char *)packed + (size_t)((m * taps + t) * inputs + c) * size,
               (const char *)w->data + (size_t)((m * inputs + c) * taps + t) * size, size);
  return PELTON_OK;
}

static pelton_status find_kernel(const pn_problem *p, const state *s, const char *file, const char *entry,
                                 pn_cu_function **out, pelton_diag *diag) {
  pn_text head;
  pn_text_init(&head, s->device->allocator);
  pn_cuda_conv_head(p, &s->epilogue, &head);
  pn_cuda_source source = {head.data, file, entry, false};
  pelton_status status =
      head.failed ? pn_fail_memory(diag, "a kernel") : pn_cuda_function(s->device, &source, out, diag);
  pn_text_deinit(&head);
  return status;
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  state *s = memory;
  request r;
  const pn_dnn_convolution *c = plans_of(p, device, &r, NULL);
  if (!c) return pn_fail(diag, PELTON_DEVICE_ERROR, "cuDNN has no kernel for a convolution that it had one for before");
  s->device = device;
  s->plan = plan_of(c, config);
  s->sum = r.sum;
  s->epilogue = r.epilogue;
  pn_cuda_conv_fill(p, r.windows, &s->arguments);
  pn_cuda_epilogue_fill(&s->epilogue, &s->arguments.epilogue);
  return finishes(p, s->plan) ? find_kernel(p, s, "conv_finish.cu", "conv_finish", &s->finish, diag) : PELTON_OK;
}

/* ---- run ------------------------------------------------------------------------------------------------------------
 */

typedef struct binding {
  int64_t ids[5];
  void *pointers[5];
  int64_t count;
} binding;

static void bind(binding *b, int64_t id, const void *pointer) {
  b->ids[b->count] = id;
  b->pointers[b->count++] = (void *)(uintptr_t)pointer;
}

static void bind_all(const pn_step *step, const state *s, binding *b) {
  const pn_problem *p = step->problem;
  const pn_operand *own_bias = pn_problem_input(p, 0, 2);
  bind(b, PN_DNN_X, step->operands[p->nodes[0].inputs[0]]);
  bind(b, PN_DNN_W, is_packed(p) ? step->packed : step->operands[p->nodes[0].inputs[1]]);
  bind(b, PN_DNN_Y, step->operands[p->nodes[p->node_count - 1].outputs[0]]);
  if (!s->plan->fused) return;
  if (own_bias)
    bind(b, PN_DNN_BIAS, step->operands[pn_operand_index(p, own_bias)]);
  else if (s->sum.bias != PN_NO_OPERAND)
    bind(b, PN_DNN_BIAS, step->operands[s->sum.bias]);
  if (s->sum.residual != PN_NO_OPERAND) bind(b, PN_DNN_RESIDUAL, step->operands[s->sum.residual]);
}

/* A caller's memory need not begin where cuDNN was told that it does; then our own kernel runs, in either layout: it
   reads the filter as it is, not as it was packed. */
static bool is_aligned(const binding *b) {
  uintptr_t all = 0;
  for (int64_t i = 0; i < b->count; i++) all |= (uintptr_t)b->pointers[i];
  return !(all & 15);
}

static int execute(const state *s, const binding *b, void *workspace, pn_cu_stream *stream) {
  const pn_cuda_api *api = &s->device->api;
  pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&s->device->dnn_lock;
  pn_dnn_descriptor *pack = NULL;
  int error = api->cudnnBackendCreateDescriptor(VARIANT_PACK, &pack);
  if (!error) error = api->cudnnBackendSetAttribute(pack, PACK_IDS, TYPE_INT64, b->count, b->ids);
  if (!error) error = api->cudnnBackendSetAttribute(pack, PACK_POINTERS, TYPE_VOID_PTR, b->count, b->pointers);
  if (!error) error = api->cudnnBackendSetAttribute(pack, PACK_WORKSPACE, TYPE_VOID_PTR, 1, &workspace);
  if (!error) error = api->cudnnBackendFinalize(pack);
  (void)pthread_mutex_lock(lock); /* the handle has one stream at a time */
  if (!error) error = api->cudnnSetStream(s->device->dnn, stream);
  if (!error) error = api->cudnnBackendExecute(s->device->dnn, s->plan->plan, pack);
  (void)pthread_mutex_unlock(lock);
  if (pack) (void)api->cudnnBackendDestroyDescriptor(pack);
  return error;
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  const pn_problem *p = step->problem;
  binding b = {.count = 0};
  struct conv_arguments a = s->arguments;
  pn_cuda_conv_bind(step, &s->epilogue, &a);
  uint32_t grid = pn_cuda_blocks(s->device, (int64_t)a.batch * a.groups * a.out_channels * a.places);
  bind_all(step, s, &b);
  PN_TRY(pn_cuda_enter(s->device, diag));
  if (!is_aligned(&b)) {
    pn_cu_function *direct = NULL;
    PN_TRY(find_kernel(p, s, "conv_direct.cu", "conv_direct", &direct, diag));
    return pn_cuda_launch(stream, direct, grid, 1, 1, PN_CUDA_BLOCK, &a, diag);
  }
  int error = execute(s, &b, pn_cuda_workspace(step), stream->stream);
  if (error)
    return pn_fail(diag, PELTON_DEVICE_ERROR, "cuDNN does not run a convolution: %s (error %d)",
                   s->device->api.cudnnGetErrorString(error), error);
  return s->finish ? pn_cuda_launch(stream, s->finish, grid, 1, 1, PN_CUDA_BLOCK, &a, diag) : PELTON_OK;
}

const pn_tactic pn_tactic_cuda_conv_cudnn = {
    .name = "cuda.conv_cudnn",
    .version = 1,
    .accepts = accepts,
    .configs = configs,
    .estimate = estimate,
    .error = pn_cuda_product_error,
    .sizes = sizes,
    .pack = pack,
    .prepare = prepare,
    .run = run,
    .library = true,
};
