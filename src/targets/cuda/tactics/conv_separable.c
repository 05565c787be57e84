/* Depthwise separable convolutions in 16 bits on Hopper: a depthwise convolution of a channels_last picture, its
   expression, the convolution of single places behind it, and what follows that, as one product whose rows are computed
   on the way (kernels/wgmma_depthwise.cuh). What is between the two is not in memory, and rounded once. Each tile of
   columns computes its rows anew. */
#include "targets/cuda/wgmma.h"
#include "targets/cuda/window.h"

#include <stdio.h>
#include <string.h>

enum { MOST_TAPS = 25, MOST_COLUMNS = 512 };

/* The chain's two convolutions, each with the expression that follows it. */
typedef struct parts {
  pn_problem front, back;
} parts;

typedef struct state {
  pn_wgmma wgmma;
  parts parts;          /* of the problem that it was described from */
  pn_window windows[2]; /* of the depthwise one; down, across */
} state;

static bool part(const pn_problem *p, parts *out, pn_reason *why) {
  const uint32_t first = p->node_count > 1 && p->nodes[1].op == PN_OP_POINTWISE ? 2 : 1;
  if (p->node_count <= first || p->nodes[0].op != PN_OP_CONV || p->nodes[first].op != PN_OP_CONV) return false;
  out->front = out->back = *p;
  out->front.node_count = first;
  out->back.node_count = p->node_count - first;
  out->back.nodes = p->nodes + first;
  if (p->nodes[first].inputs[0] != p->nodes[first - 1].outputs[0]) return pn_refuse(why, "not a chain");
  return true;
}

static bool is_constant(const pn_problem *p) {
  const pn_operand *bias = pn_problem_input(p, 0, 2);
  return pn_problem_input(p, 0, 1)->role == PN_OPERAND_CONSTANT && (!bias || bias->role == PN_OPERAND_CONSTANT);
}

static bool accepts_front(state *s, pn_reason *why) {
  const pn_problem *p = &s->parts.front;
  pn_window windows[PN_MAX_RANK];
  pn_cuda_epilogue epilogue;
  if (!pn_cuda_conv_accepts(p, PN_OP_CONV, windows, &epilogue, why) || !pn_cuda_between_accepts(p, &epilogue, why))
    return false;
  const pn_operand *x = pn_problem_input(p, 0, 0), *w = pn_problem_input(p, 0, 1);
  const int64_t group = ((const pn_attrs_conv *)p->nodes[0].attrs)->group;
  if (x->rank != 4 || group != x->dims[1] || group != w->dims[0])
    return pn_refuse(why, "the first convolution is not a depthwise one of a picture");
  if (x->layout != PN_LAYOUT_CHANNELS_LAST || x->dims[1] % 8)
    return pn_refuse(why, "wants channels_last and a multiple of eight channels");
  if (!is_constant(p)) return pn_refuse(why, "a filter or bias is not constant");
  s->windows[0] = windows[0];
  s->windows[1] = windows[1];
  return windows[0].kernel * windows[1].kernel <= MOST_TAPS ||
         pn_refuse(why, "a window of more than %d elements", MOST_TAPS);
}

static bool accepts_back(state *s, pn_reason *why) {
  const pn_problem *p = &s->parts.back;
  pn_window windows[PN_MAX_RANK];
  if (!pn_cuda_conv_accepts(p, PN_OP_CONV, windows, &s->wgmma.epilogue, why)) return false;
  if (((const pn_attrs_conv *)p->nodes[0].attrs)->group != 1) return pn_refuse(why, "groups");
  for (uint32_t i = 0; i < 2; i++)
    if (windows[i].kernel != 1 || windows[i].stride != 1 || windows[i].pad_begin || windows[i].pad_end)
      return pn_refuse(why, "the second convolution is not one of single places");
  if (pn_problem_input(p, 0, 1)->role != PN_OPERAND_CONSTANT) return pn_refuse(why, "the filter is not constant");
  return pn_problem_output(p, 0, 0)->dims[1] <= MOST_COLUMNS ||
         pn_refuse(why, "more than %d channels, for whose every tile the first would be computed anew", MOST_COLUMNS);
}

/* A step has 64 channels; of a picture with less, a power of two of their eights, two at least, is computed. */
static int64_t eights_of(int64_t channels) {
  int64_t eights = 2;
  while (eights * 8 < channels && eights < 8) eights *= 2;
  return eights;
}

static bool describe(const pn_problem *p, const pn_device *device, state *s, pn_reason *why) {
  pn_wgmma *w = &s->wgmma;
  memset(s, 0, sizeof *s);
  if (!part(p, &s->parts, why) || !pn_wgmma_accepts(device, p, why) || !accepts_front(s, why) || !accepts_back(s, why))
    return false;
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, p->node_count - 1, 0);
  const pn_window *down = &s->windows[0], *across = &s->windows[1];
  const int64_t channels = x->dims[1], places = down->output * across->output;
  w->source = PN_WGMMA_DEPTHWISE;
  w->rows = x->dims[0] * places;
  w->columns = y->dims[1];
  w->steps = pn_div_up(channels, PN_WGMMA_DEPTH);
  w->batches = 1;
  w->dtype = x->dtype;
  w->work = pn_wgmma_work(&s->parts.back);
  w->bias = pn_problem_input(&s->parts.back, 0, 2) != NULL;
  w->places = w->constant = true;
  w->plain = y->layout != PN_LAYOUT_CHANNELS_LAST;
  w->taps = down->kernel * across->kernel;
  w->eights = eights_of(channels);
  const uint64_t padded = (uint64_t)w->steps * PN_WGMMA_DEPTH, columns = (uint64_t)w->columns;
  w->b = (pn_wgmma_map){.rank = 3, .dims = {padded, columns, 1}, .strides = {2 * padded, 2 * padded * columns}};
  w->arguments.by_place = pn_cuda_divider(places);
  w->arguments.by_width = pn_cuda_divider(across->output);
  w->arguments.picture[0] = (int)down->input;
  w->arguments.picture[1] = (int)across->input;
  w->arguments.channels = (int)channels;
  (void)snprintf(w->head, sizeof w->head,
                 "#define TAPS_Y %d\n#define TAPS_X %d\n#define STRIDE_Y %d\n#define STRIDE_X %d\n"
                 "#define DILATION_Y %d\n#define DILATION_X %d\n#define PAD_Y %d\n#define PAD_X %d\n#define EIGHTS %d\n",
                 (int)down->kernel, (int)across->kernel, (int)down->stride, (int)across->stride, (int)down->dilation,
                 (int)across->dilation, (int)down->pad_begin, (int)across->pad_begin, (int)w->eights);
  return true;
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  state s;
  return describe(p, device, &s, why);
}

static uint32_t configs(const pn_problem *p, const pn_device *device, pn_config *out, uint32_t max) {
  state s;
  return describe(p, device, &s, NULL) ? pn_wgmma_configs(&s.wgmma, device, pn_cuda_operand_bytes(p), out, max) : 0;
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  state s;
  return describe(p, device, &s, NULL) ? pn_wgmma_estimate(&s.wgmma, device, pn_cuda_operand_bytes(p), config) : 1;
}

/* Of the second filter, in rows of whole steps. */
static size_t filter_bytes(const pn_wgmma *w) { return (size_t)(w->columns * w->steps) * PN_WGMMA_DEPTH * 2; }

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  state s;
  (void)config;
  out->state_bytes = sizeof(state);
  if (!describe(p, device, &s, NULL)) return;
  out->packed_bytes = filter_bytes(&s.wgmma) + (size_t)((1 + s.wgmma.taps) * s.wgmma.steps) * PN_WGMMA_DEPTH * 4;
}

static float number(const pn_operand *o, int64_t i) {
  const uint16_t bits = ((const uint16_t *)o->data)[i];
  return o->dtype == PELTON_DTYPE_F16 ? pn_f16_to_f32(bits) : pn_bf16_to_f32(bits);
}

/* The second filter with its channels filled up with zeros, then the first one's bias and taps as rows of f32. */
static pelton_status pack(const pn_problem *p, const pn_device *device, const pn_config *config, void *packed,
                          pelton_diag *diag) {
  state s;
  (void)config;
  if (!describe(p, device, &s, NULL)) return PN_INTERNAL(diag, "a convolution changed after it was accepted");
  const pn_operand *w = pn_problem_input(&s.parts.front, 0, 1), *bias = pn_problem_input(&s.parts.front, 0, 2);
  const int64_t channels = w->dims[0], padded = s.wgmma.steps * PN_WGMMA_DEPTH, taps = s.wgmma.taps;
  const uint16_t *from = pn_problem_input(&s.parts.back, 0, 1)->data;
  float *numbers = (float *)(void *)((char *)packed + filter_bytes(&s.wgmma));
  memset(packed, 0, filter_bytes(&s.wgmma) + (size_t)((1 + taps) * padded) * sizeof *numbers);
  for (int64_t m = 0; m < s.wgmma.columns; m++)
    memcpy((uint16_t *)packed + m * padded, from + m * channels, (size_t)channels * sizeof *from);
  for (int64_t c = 0; c < channels; c++) {
    if (bias) numbers[c] = number(bias, c);
    for (int64_t t = 0; t < taps; t++) numbers[(1 + t) * padded + c] = number(w, c * taps + t);
  }
  return PELTON_OK;
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  state *s = memory;
  if (!describe(p, device, s, NULL)) return PN_INTERNAL(diag, "a convolution changed after it was accepted");
  s->wgmma.front = &s->parts.front;
  PN_TRY(pn_wgmma_prepare(&s->wgmma, device, &s->parts.back, config, diag));
  s->wgmma.front = NULL;
  return PELTON_OK;
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  const pn_problem *p = step->problem;
  pn_wgmma w = s->wgmma;
  parts both;
  pn_step back = *step;
  (void)part(p, &both, NULL);
  back.problem = &both.back;
  w.arguments.numbers = (const char *)step->packed + filter_bytes(&w);
  return pn_wgmma_run(&w, &back, step->operands[p->nodes[0].inputs[0]], step->packed, stream, diag);
}

const pn_tactic pn_tactic_cuda_conv_separable = {
    .name = "cuda.conv_separable",
    .version = 2,
    .accepts = accepts,
    .configs = configs,
    .estimate = estimate,
    .sizes = sizes,
    .pack = pack,
    .prepare = prepare,
    .run = run,
};
