#include "targets/cpu/convolution/strip.h"

enum { MOST_ROWS = 16, FEW_ROWS = 4, NARROW = 64 };

/* ---- stages ------------------------------------------------------------------------------------------------------ */

/* The nodes of a stage: a convolution, and the expression behind it when there is one. */
static uint32_t stage_nodes(const pn_problem *p, uint32_t first) {
  return first + 1 < p->node_count && p->nodes[first + 1].op == PN_OP_POINTWISE ? 2 : 1;
}

pn_problem pn_strip_stage_problem(const pn_problem *p, uint32_t index) {
  uint32_t first = 0;
  for (; index > 0; index--) first += stage_nodes(p, first);
  return (pn_problem){stage_nodes(p, first), p->nodes + first, p->operand_count, p->operands, p->cold};
}

static bool find_window(const pn_problem *p, pn_strip_stage *s, pn_reason *why) {
  s->phased = p->nodes[0].op == PN_OP_CONV_TRANSPOSE;
  if (!s->phased) {
    if (!pn_cpu_conv_accepts(p, &s->y, &s->x, why)) return false;
    s->outputs = pn_problem_input(p, 0, 1)->dims[0];
    return true;
  }
  if (!pn_few_phases_make(p, PN_STRIP_FILTER_ROWS, &s->phases, why)) return false;
  s->y = s->phases.y;
  s->x = s->phases.x;
  s->outputs = pn_few_phases_outputs(&s->phases);
  return true;
}

static bool make_stage(const pn_problem *p, const pn_device *device, pn_strip_stage *s, pn_reason *why) {
  if (!find_window(p, s, why)) return false;
  const pn_operand *in = pn_problem_input(p, 0, 0), *w = pn_problem_input(p, 0, 1);
  (void)pn_epilogue_compile(p, &s->epilogue, NULL);
  s->channels = in->dims[1];
  s->lo = s->epilogue.lo;
  s->hi = s->epilogue.hi;
  s->pitch = s->channels;
  bool run = s->x.dilation == 1 || s->x.kernel == 1; /* a filter row is one run of the picture */
  double taps = (double)(s->y.kernel * s->x.kernel);
  if (!s->phased && w->dims[1] == 1 && s->outputs == s->channels && s->channels > 1) {
    s->kind = PN_STRIP_DEPTHWISE;
    s->cost = taps * (double)s->channels / 0.4;
  } else if (!s->phased && w->dims[1] != s->channels) {
    return pn_refuse(why, "a grouped convolution that is not depthwise");
  } else if (s->outputs <= PN_CPU_DOTCONV_OUTPUTS && run) {
    s->kind = PN_STRIP_FEW;
    s->cost = pn_cpu_few_outputs_cost(pn_cpu_dotconv_f32_best(device->isa), s->y.kernel, s->x.kernel * s->channels,
                                      s->outputs) /
              0.65;
  } else {
    s->kind = PN_STRIP_PANELS;
    (void)pn_epilogue_bend(&s->epilogue);
    bool alias = s->x.stride * s->channels % PN_CONV_ALIAS == 0;
    if (alias) s->pitch += 16;
    s->depth = pn_conv_depth_make(&s->y, &s->x, s->channels, s->x.dilation == 1 && !alias);
    return true;
  }
  if (s->y.kernel > PN_STRIP_FILTER_ROWS) return pn_refuse(why, "more than %d filter rows", PN_STRIP_FILTER_ROWS);
  if (s->epilogue.residual != PN_NO_OPERAND) { /* these kernels add no second matrix: the program does it */
    s->epilogue.native = false;
    s->epilogue.bias = s->epilogue.residual = PN_NO_OPERAND;
    s->lo = -__builtin_inff();
    s->hi = __builtin_inff();
  }
  return true;
}

static bool make_stages(const pn_problem *p, const pn_device *device, pn_strip *t, pn_reason *why) {
  for (uint32_t first = 0; first < p->node_count;) {
    if (t->stage_count == PN_STRIP_STAGES) return pn_refuse(why, "more than %d convolutions", PN_STRIP_STAGES);
    if (first > 0 && p->nodes[first].inputs[0] != p->nodes[first - 1].outputs[0])
      return pn_refuse(why, "no chain of convolutions");
    pn_problem stage = {stage_nodes(p, first), p->nodes + first, p->operand_count, p->operands, p->cold};
    if (!make_stage(&stage, device, &t->stages[t->stage_count], why)) return false;
    if (t->stage_count > 0 && t->stages[t->stage_count - 1].phased)
      return pn_refuse(why, "what follows a transposed convolution");
    t->stage_count++;
    first += stage.node_count;
  }
  if (t->stage_count < 2) return pn_refuse(why, "a single convolution");
  const pn_operand *in = pn_problem_input(p, 0, 0);
  pn_strip_stage *s = &t->stages[0];
  t->images = in->dims[0];
  t->plain_input = !pn_layout_same(in->layout, PN_LAYOUT_CHANNELS_LAST, in->rank, in->dims);
  bool padded = s->y.pad_begin || s->y.pad_end || s->x.pad_begin || s->x.pad_end;
  s->in_place = s->kind == PN_STRIP_PANELS && s->y.kernel * s->x.kernel == 1 && !padded && !t->plain_input &&
                s->pitch == s->channels;
  return true;
}

/* ---- buffers ----------------------------------------------------------------------------------------------------- */

/* Lays out the buffers for |rows| x |columns| of the last result at a time; returns their bytes. */
static size_t lay_out(pn_strip *t, int64_t rows, int64_t columns) {
  size_t bytes = 0;
  t->rows = rows;
  t->columns = columns;
  for (uint32_t l = t->stage_count; l-- > 0;) {
    pn_strip_stage *s = &t->stages[l];
    rows = pn_strip_input_extent(&s->y, rows);
    columns = pn_strip_input_extent(&s->x, columns);
    s->columns = columns;
    s->buffer_at = bytes;
    if (!s->in_place) bytes += pn_align_up((size_t)(rows * columns * s->pitch + 64) * sizeof(float), 64);
  }
  t->buffer_bytes = bytes;
  return bytes;
}

/* Whole rows when some of them fit into |room|, else tiles just narrow enough. */
static void choose_tile(pn_strip *t, size_t room) {
  const pn_strip_stage *last = &t->stages[t->stage_count - 1];
  for (int64_t tiles = 1;; tiles++) {
    int64_t columns = pn_div_up(last->x.output, tiles), most = pn_min_i64(last->y.output, MOST_ROWS), rows = most;
    while (rows > 1 && lay_out(t, rows, columns) > room) rows--;
    t->tiles = pn_div_up(last->x.output, columns);
    if ((lay_out(t, rows, columns) <= room && rows >= pn_min_i64(most, FEW_ROWS)) || columns <= NARROW) return;
  }
}

/* ---- work -------------------------------------------------------------------------------------------------------- */

/* What it costs to read the filters once: each strip of a task does. They come from the second cache, or, where they
   and the buffers do not fit there, from the third. */
static double filters_cost(const pn_strip *t, size_t l2_bytes) {
  double floats = 0;
  for (uint32_t l = 0; l < t->stage_count; l++)
    if (t->stages[l].kind == PN_STRIP_PANELS)
      floats += (double)(t->stages[l].panels * t->stages[l].width.nr * t->stages[l].depth.taps * t->stages[l].depth.k);
  return floats * (floats * sizeof(float) + (double)t->buffer_bytes < 0.9 * (double)l2_bytes ? 2 : 12);
}

/* What a task of |rows| rows costs, with what it computes beyond its edges. */
static double task_cost(const pn_strip *t, int64_t rows, size_t l2_bytes) {
  double cost = (double)pn_div_up(rows, t->rows) * filters_cost(t, l2_bytes);
  int64_t columns = t->columns;
  for (uint32_t l = t->stage_count; l-- > 0;) {
    const pn_strip_stage *s = &t->stages[l];
    rows = pn_min_i64(rows, s->y.output);
    columns = pn_min_i64(columns, s->x.output);
    cost += (double)(rows * columns) * s->cost;
    rows = pn_strip_input_extent(&s->y, rows);
    columns = pn_strip_input_extent(&s->x, columns);
    if (l == 0 && !s->in_place) cost += (double)(rows * columns * s->channels) * (t->plain_input ? 4 : 1.5);
  }
  return cost;
}

static void choose_bands(pn_strip *t, const pn_device *device) {
  int64_t height = t->stages[t->stage_count - 1].y.output;
  t->cost = __builtin_inf();
  for (int64_t bands = 1; bands <= pn_min_i64(height, 4 * (int64_t)device->threads); bands++) {
    int64_t rows = pn_div_up(height, bands);
    double rounds = (double)pn_div_up(t->images * t->tiles * pn_div_up(height, rows), device->threads);
    double cost = rounds * task_cost(t, rows, device->l2_bytes);
    if (cost >= t->cost) continue;
    t->cost = cost;
    t->band_rows = rows;
  }
  t->bands = pn_div_up(height, t->band_rows);
}

/* Tiles of the product: rows of the picture as cut by now. */
static void choose_widths(pn_strip *t, const pn_cpu_gemm_f32 *gemm) {
  int64_t columns = t->columns;
  for (uint32_t l = t->stage_count; l-- > 0;) {
    pn_strip_stage *s = &t->stages[l];
    double costs[PN_CONV_TILE_WIDTHS];
    columns = pn_min_i64(columns, s->x.output);
    if (s->kind == PN_STRIP_PANELS) {
      uint32_t best = pn_conv_tile_width(gemm, columns, s->outputs, costs);
      s->width = gemm->widths[best];
      s->panels = pn_div_up(s->outputs, s->width.nr);
      s->cost = (double)(s->depth.taps * s->depth.k) * costs[best] / 1.4 / 0.85; /* 1.4: of a full tile of 14 x 32 */
    }
    columns = pn_strip_input_extent(&s->x, columns);
  }
}

static void place_constants(pn_strip *t) {
  for (uint32_t l = 0; l < t->stage_count; l++) {
    pn_strip_stage *s = &t->stages[l];
    int64_t taps = s->y.kernel * s->x.kernel, outputs = s->outputs;
    if (s->kind == PN_STRIP_PANELS) outputs = s->panels * s->width.nr;
    int64_t weights = s->kind == PN_STRIP_DEPTHWISE ? taps * outputs : taps * s->channels * outputs;
    s->weights_at = t->packed_bytes;
    s->bias_at = s->weights_at + pn_align_up((size_t)weights * sizeof(float), 64);
    s->slope_at = s->bias_at + pn_align_up((size_t)outputs * sizeof(float), 64);
    t->packed_bytes = s->slope_at;
    if (s->epilogue.bends && s->epilogue.native) t->packed_bytes += pn_align_up((size_t)outputs * sizeof(float), 64);
  }
}

bool pn_strip_make(const pn_problem *p, const pn_device *device, const pn_config *config, pn_strip *t, pn_reason *why) {
  memset(t, 0, sizeof *t);
  if (!make_stages(p, device, t, why)) return false;
  size_t eighths = config->value[0] > 0 && config->value[0] <= 8 ? (size_t)config->value[0] : 4;
  choose_tile(t, device->l2_bytes / 8 * eighths);
  choose_widths(t, device->gemm);
  choose_bands(t, device);
  const pn_strip_stage *last = &t->stages[t->stage_count - 1];
  if (last->phased) t->row_bytes = pn_align_up((size_t)(t->columns * last->outputs) * sizeof(float), 64);
  place_constants(t);
  return true;
}
