/* Convolutions in 16 bits with f32 sums on Hopper's tensor cores, as products of what windows see with the filter, and
   any expression that follows. Channels in eights come by the copy engine, which finds windows itself; few channels, or
   a plain picture (a network's first layer), are gathered by threads. */
#include "targets/cuda/wgmma.h"
#include "targets/cuda/window.h"

#include <stdio.h>
#include <string.h>

enum { MOST_GATHERED = 512, MOST_TAPS = 16, MOST_STRIDE = 8, MOST_OFFSET = 255, MOST_CORNER = 127 };

typedef struct state {
  pn_wgmma wgmma;
  uint64_t packing; /* tells filters in different orders apart, which hang on the picture's layout and width too */
} state;

/* The last two spatial axes; one of a line's own is a single row. */
static pn_window axis_of(const pn_window *windows, uint32_t axes, uint32_t which) {
  return which + axes >= 2 ? windows[which + axes - 2] : (pn_window){1, 1, 1, 1, 0, 0, 1};
}

static bool is_identity(const pn_window *w) { return w->kernel == 1 && w->stride == 1 && !w->pad_begin && !w->pad_end; }

/* What the copy engine's numbers have room for. */
static bool is_walkable(const pn_window *w) {
  int64_t reach = (w->kernel - 1) * w->dilation;
  return w->stride <= MOST_STRIDE && reach <= MOST_OFFSET && w->pad_begin >= -MOST_CORNER &&
         w->pad_begin <= MOST_CORNER && w->pad_end - reach >= -MOST_CORNER && w->pad_end - reach <= MOST_CORNER;
}

static bool choose_source(const pn_operand *x, const pn_operand *w, const pn_window *axis, pn_wgmma_source *out,
                          pn_reason *why) {
  bool last = x->layout == PN_LAYOUT_CHANNELS_LAST && x->dims[1] % 8 == 0;
  if (last && is_identity(&axis[0]) && is_identity(&axis[1]))
    *out = PN_WGMMA_MATRIX;
  else if (last && is_walkable(&axis[0]) && is_walkable(&axis[1]))
    *out = PN_WGMMA_PICTURES;
  else if (pn_operand_elements(w) / w->dims[0] <= MOST_GATHERED && axis[0].kernel <= MOST_TAPS &&
           axis[1].kernel <= MOST_TAPS)
    *out = PN_WGMMA_GATHERED;
  else
    return pn_refuse(why, "channels are no multiple of 8, or the window is too wide");
  return true;
}

static void map_source(const pn_operand *x, const pn_window *axis, pn_wgmma *w) {
  uint64_t c = (uint64_t)x->dims[1], wide = (uint64_t)axis[1].input, high = (uint64_t)axis[0].input;
  uint64_t rows = (uint64_t)w->rows, n = (uint64_t)x->dims[0];
  if (w->source == PN_WGMMA_MATRIX) {
    w->a = (pn_wgmma_map){.rank = 3, .dims = {c, rows, 1}, .strides = {2 * c, 2 * c * rows}};
    return;
  }
  w->a = (pn_wgmma_map){.rank = 4,
                        .dims = {c, wide, high, n},
                        .strides = {2 * c, 2 * c * wide, 2 * c * wide * high},
                        .steps = {(uint32_t)axis[1].stride, (uint32_t)axis[0].stride}};
  for (uint32_t i = 0; i < 2; i++) { /* across, then down */
    const pn_window *one = &axis[1 - i];
    w->a.lower[i] = (int)-one->pad_begin;
    w->a.upper[i] = (int)(one->pad_end - (one->kernel - 1) * one->dilation);
  }
}

/* How a row of the window is gathered: whether as words of two, how many of these, and what stands in front. */
typedef struct gathered_row {
  bool pairs, turned;
  int64_t words, shift;
} gathered_row;

/* Words are read where every row of the picture begins with a whole one, and ends so. */
static gathered_row row_of(const pn_operand *x, const pn_window *axis) {
  int batch, channel, along[WINDOW_AXES];
  gathered_row row = {.turned = axis[1].stride % 2 != 0};
  pn_cuda_image_strides(x, &batch, &channel, along);
  row.shift = row.turned ? 0 : axis[1].pad_begin & 1;
  row.words = (axis[1].kernel + row.shift + 1) / 2;
  row.pairs = along[2] == 1 && axis[1].dilation == 1 && axis[1].kernel > 1 && axis[1].input % 2 == 0 &&
              along[1] % 2 == 0 && channel % 2 == 0 && batch % 2 == 0 &&
              x->dims[1] * axis[0].kernel * row.words * 2 <= MOST_GATHERED;
  return row;
}

/* Of a place's sums, with what fills rows up. */
static int64_t gathered_depth(const pn_operand *x, const pn_window *axis) {
  const gathered_row row = row_of(x, axis);
  return x->dims[1] * axis[0].kernel * (row.pairs ? 2 * row.words : axis[1].kernel);
}

static void print_window(const pn_operand *x, const pn_window *axis, const gathered_row row, pn_wgmma *w) {
  int batch, channel, along[WINDOW_AXES];
  pn_cuda_image_strides(x, &batch, &channel, along);
  w->pairs = row.pairs;
  w->arguments.from_batch = batch;
  (void)snprintf(w->head, sizeof w->head,
                 "#define CHANNELS %d\n#define TAPS_Y %d\n#define TAPS_X %d\n#define STRIDE_Y %d\n#define STRIDE_X %d\n"
                 "#define DILATION_Y %d\n#define DILATION_X %d\n#define PAD_Y %d\n#define PAD_X %d\n#define HEIGHT %d\n"
                 "#define WIDTH %d\n#define FROM_C %d\n#define FROM_Y %d\n#define FROM_X %d\n#define STEPS %d\n"
                 "#define PAIRS %d\n#define TURNED %d\n#define ROW_WORDS %d\n#define SHIFT %d\n",
                 (int)x->dims[1], (int)axis[0].kernel, (int)axis[1].kernel, (int)axis[0].stride, (int)axis[1].stride,
                 (int)axis[0].dilation, (int)axis[1].dilation, (int)axis[0].pad_begin, (int)axis[1].pad_begin,
                 (int)axis[0].input, (int)axis[1].input, channel, along[1], along[2], (int)w->steps, (int)row.pairs,
                 (int)row.turned, (int)row.words, (int)row.shift);
}

static bool describe(const pn_problem *p, const pn_device *device, state *out, pn_reason *why) {
  pn_wgmma *w = &out->wgmma;
  pn_window windows[PN_MAX_RANK], axis[2];
  memset(out, 0, sizeof *out);
  if (p->nodes[0].op != PN_OP_CONV || !pn_wgmma_accepts(device, p, why) ||
      !pn_cuda_conv_accepts(p, PN_OP_CONV, windows, &w->epilogue, why))
    return false;
  const pn_operand *x = pn_problem_input(p, 0, 0), *filter = pn_problem_input(p, 0, 1);
  const pn_operand *y = pn_problem_output(p, p->node_count - 1, 0);
  if (((const pn_attrs_conv *)p->nodes[0].attrs)->group != 1) return pn_refuse(why, "groups");
  if (x->rank > 4) return pn_refuse(why, "one or two spatial axes, not %u", (unsigned)x->rank - 2);
  if (filter->role != PN_OPERAND_CONSTANT) return pn_refuse(why, "the filter is not constant");
  for (uint32_t i = 0; i < 2; i++) axis[i] = axis_of(windows, x->rank - 2, i);
  if (!choose_source(x, filter, axis, &w->source, why)) return false;
  int64_t channels = x->dims[1], taps = axis[0].kernel * axis[1].kernel, places = axis[0].output * axis[1].output;
  int64_t chunks = pn_div_up(channels, PN_WGMMA_DEPTH);
  w->rows = x->dims[0] * places;
  w->columns = y->dims[1];
  w->steps = w->source == PN_WGMMA_GATHERED ? pn_div_up(gathered_depth(x, axis), PN_WGMMA_DEPTH) : chunks * taps;
  w->batches = 1;
  w->dtype = x->dtype;
  w->work = pn_wgmma_work(p);
  w->bias = pn_problem_input(p, 0, 2) != NULL;
  w->places = w->constant = true;
  w->plain = y->layout != PN_LAYOUT_CHANNELS_LAST;
  uint64_t padded = (uint64_t)w->steps * PN_WGMMA_DEPTH, columns = (uint64_t)w->columns;
  w->b = (pn_wgmma_map){.rank = 3, .dims = {padded, columns, 1}, .strides = {2 * padded, 2 * padded * columns}};
  w->arguments.chunks = pn_cuda_divider(chunks);
  w->arguments.taps = pn_cuda_divider(axis[1].kernel);
  w->arguments.by_place = pn_cuda_divider(places);
  w->arguments.by_width = pn_cuda_divider(axis[1].output);
  for (uint32_t i = 0; i < 2; i++) {
    w->arguments.stride[i] = (int)axis[i].stride;
    w->arguments.pad[i] = (int)axis[i].pad_begin;
    w->arguments.dilation[i] = (int)axis[i].dilation;
  }
  if (w->source != PN_WGMMA_GATHERED) {
    map_source(x, axis, w);
    return true;
  }
  const gathered_row row = row_of(x, axis);
  print_window(x, axis, row, w);
  out->packing = row.pairs ? 2 + 2 * (uint64_t)row.words + (uint64_t)row.shift : 1;
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

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  state s;
  (void)config;
  out->state_bytes = sizeof(state);
  if (!describe(p, device, &s, NULL)) return;
  out->packed_bytes = (size_t)(s.wgmma.columns * s.wgmma.steps) * PN_WGMMA_DEPTH * 2;
  out->packing = s.packing;
}

/* Where element |t| of the window, of channel |c|, stands among the sums of GATHERED. */
static int64_t gathered_place(const gathered_row *row, int64_t taps, int64_t across, int64_t c, int64_t t) {
  if (!row->pairs) return c * taps + t;
  return (c * (taps / across) + t / across) * 2 * row->words + t % across + row->shift;
}

/* The filter as rows of whole steps: place after place, channels innermost and filled up with zeros; for GATHERED
   channel after channel, filled up at the end, and where pairs are read each row of the window. */
static pelton_status pack(const pn_problem *p, const pn_device *device, const pn_config *config, void *packed,
                          pelton_diag *diag) {
  state s;
  const pn_operand *w = pn_problem_input(p, 0, 1);
  const uint16_t *from = w->data;
  uint16_t *to = packed;
  (void)config;
  if (!describe(p, device, &s, NULL)) return PN_INTERNAL(diag, "a convolution changed after it was accepted");
  int64_t channels = w->dims[1], padded = s.wgmma.steps * PN_WGMMA_DEPTH,
          taps = pn_operand_elements(w) / w->dims[0] / channels;
  bool gathered = s.wgmma.source == PN_WGMMA_GATHERED;
  pn_window windows[PN_MAX_RANK], axis[2];
  if (!pn_cuda_conv_accepts(p, PN_OP_CONV, windows, &s.wgmma.epilogue, NULL))
    return PN_INTERNAL(diag, "a convolution changed after it was accepted");
  for (uint32_t i = 0; i < 2; i++) axis[i] = axis_of(windows, w->rank - 2, i);
  const gathered_row row = row_of(pn_problem_input(p, 0, 0), axis);
  int64_t run = pn_div_up(channels, PN_WGMMA_DEPTH) * PN_WGMMA_DEPTH;
  memset(to, 0, (size_t)(w->dims[0] * padded) * sizeof *to);
  for (int64_t m = 0; m < w->dims[0]; m++)
    for (int64_t c = 0; c < channels; c++)
      for (int64_t t = 0; t < taps; t++) {
        const int64_t place = gathered ? gathered_place(&row, taps, axis[1].kernel, c, t) : t * run + c;
        to[m * padded + place] = from[(m * channels + c) * taps + t];
      }
  return PELTON_OK;
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  state *s = memory;
  if (!describe(p, device, s, NULL)) return PN_INTERNAL(diag, "a convolution changed after it was accepted");
  return pn_wgmma_prepare(&s->wgmma, device, p, config, diag);
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  return pn_wgmma_run(&s->wgmma, step, step->operands[step->problem->nodes[0].inputs[0]], step->packed, stream, diag);
}

const pn_tactic pn_tactic_cuda_conv_wgmma = {
    .name = "cuda.conv_wgmma",
    .version = 6,
    .accepts = accepts,
    .configs = configs,
    .estimate = estimate,
    .sizes = sizes,
    .pack = pack,
    .prepare = prepare,
    .run = run,
};
