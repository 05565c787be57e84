/* Depthwise convolutions of pictures in channels_last, a filter for each channel: bound by memory, so that each thread
   moves 16 bytes at a time and several results beside each other share what they read. The filter, which is known when
   the plan is made, is packed with its channels innermost. */
#include "targets/cuda/window.h"

#include <string.h>

enum { THREADS = 128, MOST_TAPS = 49, MOST_COLUMNS = 12 };

typedef struct state {
  pn_cu_function *function;
  uint32_t grid;
  pn_cuda_epilogue epilogue;
  struct depthwise_arguments arguments;
} state;

static int64_t vector_of(const pn_problem *p) {
  return 16 / (int64_t)pelton_dtype_bytes(pn_problem_input(p, 0, 0)->dtype);
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  pn_window windows[PN_MAX_RANK];
  pn_cuda_epilogue epilogue;
  (void)device;
  if (!pn_cuda_conv_accepts(p, PN_OP_CONV, windows, &epilogue, why)) return false;
  const pn_operand *x = pn_problem_input(p, 0, 0), *w = pn_problem_input(p, 0, 1),
                   *y = pn_problem_output(p, p->node_count - 1, 0);
  int64_t group = ((const pn_attrs_conv *)p->nodes[0].attrs)->group;
  if (x->rank != 4 || group != x->dims[1] || group != y->dims[1]) return pn_refuse(why, "not a depthwise one");
  if (x->layout != PN_LAYOUT_CHANNELS_LAST || y->layout != PN_LAYOUT_CHANNELS_LAST || y->dtype != x->dtype)
    return pn_refuse(why, "wants channels_last on both sides, of one type");
  if (x->dims[1] % vector_of(p)) return pn_refuse(why, "channels do not fill 16 bytes");
  if (!w->data) return pn_refuse(why, "wants a constant filter");
  return windows[0].kernel * windows[1].kernel <= MOST_TAPS ||
         pn_refuse(why, "a window of more than %d elements", MOST_TAPS);
}

/* Results of a thread beside each other. */
static uint32_t configs(const pn_problem *p, const pn_device *device, pn_config *out, uint32_t max) {
  static const int32_t choices[] = {4, 2, 1};
  const pn_attrs_conv *attrs = p->nodes[0].attrs;
  const pn_operand *w = pn_problem_input(p, 0, 1), *y = pn_problem_output(p, p->node_count - 1, 0);
  int64_t stride = attrs->strides.count ? attrs->strides.data[1] : 1;
  int64_t dilation = attrs->dilations.count ? attrs->dilations.data[1] : 1;
  uint32_t count = 0;
  (void)device;
  for (uint32_t i = 0; i < PN_COUNT(choices) && count < max; i++) {
    int64_t columns = (choices[i] - 1) * stride + (w->dims[3] - 1) * dilation + 1;
    if (choices[i] > 1 && (columns > MOST_COLUMNS || choices[i] > y->dims[3])) continue;
    out[count++] = (pn_config){{choices[i]}};
  }
  return count;
}

static double works_of(const pn_problem *p, int64_t across) {
  const pn_operand *y = pn_problem_output(p, p->node_count - 1, 0);
  return (double)(y->dims[0] * y->dims[2] * pn_div_up(y->dims[3], across)) * (double)(y->dims[1] / vector_of(p));
}

/* Memory at a good half of its rate; works that do not fill the device cost what one of them does. */
static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  double works = works_of(p, config->value[0]), room = (double)device->multiprocessors * 512;
  double seconds = pn_cuda_estimate(device, pn_cuda_conv_work(p), 1.5 * pn_cuda_operand_bytes(p), 0.2);
  return seconds + 1e-6 * (works < room ? (double)config->value[0] : 1);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  (void)device;
  (void)config;
  out->state_bytes = sizeof(state);
  out->packed_bytes = pn_operand_bytes(pn_problem_input(p, 0, 1));
}

static pelton_status pack(const pn_problem *p, const pn_device *device, const pn_config *config, void *packed,
                          pelton_diag *diag) {
  const pn_operand *w = pn_problem_input(p, 0, 1);
  size_t size = pelton_dtype_bytes(w->dtype);
  int64_t channels = w->dims[0], taps = w->dims[2] * w->dims[3];
  (void)device;
  (void)config;
  (void)diag;
  for (int64_t c = 0; c < channels; c++)
    for (int64_t t = 0; t < taps; t++)
      memcpy((char *)packed + (size_t)(t * channels + c) * size, (const char *)w->data + (size_t)(c * taps + t) * size,
             size);
  return PELTON_OK;
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  state *s = memory;
  struct depthwise_arguments *a = &s->arguments;
  const pn_operand *y = pn_problem_output(p, p->node_count - 1, 0);
  pn_window w[PN_MAX_RANK];
  pn_text head;
  int64_t across = config->value[0];
  if (!pn_cuda_conv_accepts(p, PN_OP_CONV, w, &s->epilogue, NULL))
    return PN_INTERNAL(diag, "a convolution changed after it was accepted");
  a->count = (unsigned)works_of(p, across);
  a->channels = pn_cuda_divider(y->dims[1] / vector_of(p));
  a->across = pn_cuda_divider(pn_div_up(y->dims[3], across));
  a->height = pn_cuda_divider(y->dims[2]);
  a->width = (unsigned)y->dims[3];
  a->input_y = (int)w[0].input;
  a->input_x = (int)w[1].input;
  a->pad_y = (int)w[0].pad_begin;
  a->pad_x = (int)w[1].pad_begin;
  s->grid = (uint32_t)pn_min_i64(pn_div_up(a->count, THREADS), (int64_t)device->multiprocessors * 64);
  pn_cuda_epilogue_fill(&s->epilogue, &a->epilogue);
  pn_text_init(&head, device->allocator);
  pn_cuda_conv_head(p, &s->epilogue, &head);
  pn_text_printf(&head,
                 "#define VECTOR %d\n#define ACROSS %d\n#define KERNEL_Y %d\n#define KERNEL_X %d\n#define STRIDE_Y %d\n"
                 "#define STRIDE_X %d\n#define DILATION_Y %d\n#define DILATION_X %d\n",
                 (int)vector_of(p), (int)across, (int)w[0].kernel, (int)w[1].kernel, (int)w[0].stride, (int)w[1].stride,
                 (int)w[0].dilation, (int)w[1].dilation);
  pn_cuda_source source = {head.data, "conv_depthwise.cu", "conv_depthwise", false};
  pelton_status status =
      head.failed ? pn_fail_memory(diag, "a kernel") : pn_cuda_function(device, &source, &s->function, diag);
  pn_text_deinit(&head);
  return status;
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  const pn_problem *p = step->problem;
  const pn_operand *bias = pn_problem_input(p, 0, 2);
  struct depthwise_arguments a = s->arguments;
  a.source = step->operands[p->nodes[0].inputs[0]];
  a.filter = step->packed;
  a.bias = bias ? step->operands[pn_operand_index(p, bias)] : NULL;
  a.target = step->operands[p->nodes[p->node_count - 1].outputs[0]];
  a.aligned = pn_cuda_aligned(a.source) && pn_cuda_aligned(a.bias) && pn_cuda_aligned(a.target);
  pn_cuda_epilogue_bind(&s->epilogue, step->operands, &a.epilogue);
  return pn_cuda_launch(stream, s->function, s->grid, 1, 1, THREADS, &a, diag);
}

const pn_tactic pn_tactic_cuda_conv_depthwise = {
    .name = "cuda.conv_depthwise",
    .version = 1,
    .accepts = accepts,
    .configs = configs,
    .estimate = estimate,
    .sizes = sizes,
    .pack = pack,
    .prepare = prepare,
    .run = run,
};
