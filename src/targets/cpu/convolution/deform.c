#include "targets/cpu/convolution/deform.h"

static bool windows_of(const pn_problem *p, pn_window *windows) {
  const pn_operand *x = pn_problem_input(p, 0, PN_DEFORM_X), *w = pn_problem_input(p, 0, PN_DEFORM_W);
  const pn_attrs_deform_conv *attrs = p->nodes[0].attrs;
  pn_window_spec spec = {
      .strides = attrs->strides, .pads = attrs->pads, .dilations = attrs->dilations, .auto_pad = PN_AUTO_PAD_NOTSET};
  return pn_window_resolve(NULL, "deform_conv", &spec, x->rank - 2, x->dims + 2, w->dims + 2, windows) == PELTON_OK;
}

bool pn_deform_make(const pn_problem *p, const pn_device *device, pn_layout layout, pn_deform *d, pn_reason *why) {
  pn_window windows[PN_MAX_RANK];
  if (!pn_accepts_one(p, PN_OP_DEFORM_CONV, why)) return false;
  const pn_attrs_deform_conv *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, PN_DEFORM_X), *w = pn_problem_input(p, 0, PN_DEFORM_W);
  for (uint32_t i = 0; i < p->operand_count; i++) {
    const pn_operand *o = &p->operands[i];
    bool activation = o != w && o->rank == x->rank;
    if (o->dtype != PELTON_DTYPE_F32) return pn_refuse(why, "f32 only");
    if (o->layout != (activation ? layout : PN_LAYOUT_PLAIN))
      return pn_refuse(why, "wants %s activations", pn_layout_name(layout));
    if (!pn_operand_elements(o)) return pn_refuse(why, "an empty operand");
  }
  if (x->rank - 2 > PN_CPU_SAMPLE_AXES) return pn_refuse(why, "more than three spatial axes");
  if (pn_operand_elements(x) / (x->dims[0] * x->dims[1]) > PN_CPU_SAMPLE_PLANE)
    return pn_refuse(why, "a plane too large");
  if (!windows_of(p, windows)) return pn_refuse(why, "its window does not fit");
  *d = (pn_deform){.sample = pn_cpu_sample_f32_best(device->isa),
                   .axes = x->rank - 2,
                   .batch = x->dims[0],
                   .channels = x->dims[1],
                   .outputs = w->dims[0],
                   .groups = attrs->group,
                   .offset_groups = attrs->offset_group,
                   .plane = 1,
                   .places = 1,
                   .taps = 1,
                   .neighbours = (int64_t)1 << (x->rank - 2),
                   .channels_last = layout == PN_LAYOUT_CHANNELS_LAST};
  for (uint32_t k = d->axes; k-- > 0;) {
    d->window[k] = windows[k];
    d->strides[k] = d->plane;
    d->plane *= windows[k].input;
    d->places *= windows[k].output;
    d->taps *= windows[k].kernel;
  }
  return true;
}

pn_deform_block pn_deform_block_in(const pn_deform *d, int64_t pitch, float *memory) {
  pn_deform_block b = {.pitch = pitch, .weight = memory};
  b.at = b.weight + d->taps * d->neighbours * pitch;
  b.start = b.at + d->axes * pitch;
  b.index = (int32_t *)(void *)(b.start + d->axes * pitch);
  return b;
}

void pn_deform_stand(const pn_deform *d, int64_t first, int64_t n, const pn_deform_block *b) {
  for (int64_t i = 0; i < n; i++) {
    int64_t at = first + i;
    for (uint32_t k = d->axes; k-- > 0;) {
      const pn_window *w = &d->window[k];
      b->start[k * b->pitch + i] = (float)(at % w->output * w->stride - w->pad_begin);
      at /= w->output;
    }
  }
}

/* Element (|channel|, |place|) of one picture's offsets or masks. */
static const float *channel_of(const pn_deform *d, const float *values, int64_t picture, int64_t channels,
                               int64_t channel, int64_t place) {
  return values + picture * channels * d->places +
         (d->channels_last ? place * channels + channel : channel * d->places + place);
}

void pn_deform_tables(const pn_deform *d, const float *offset, const float *mask, int64_t picture, int64_t group,
                      int64_t first, int64_t n, const pn_deform_block *b) {
  int64_t pitch = b->pitch, whole = pn_div_up(n, PN_CPU_SAMPLE_LANES) * PN_CPU_SAMPLE_LANES;
  int64_t masks = d->offset_groups * d->taps, offsets = masks * d->axes; /* channels of both */
  int64_t offset_step = d->channels_last ? offsets : 1, mask_step = d->channels_last ? masks : 1;
  pn_cpu_sample_axis axes[PN_CPU_SAMPLE_AXES];
  for (int64_t t = 0; t < d->taps; t++) {
    int64_t channel = group * d->taps + t, tap = t;
    int32_t *index = b->index + t * d->neighbours * pitch;
    float *weight = b->weight + t * d->neighbours * pitch;
    for (uint32_t k = d->axes; k-- > 0;) {
      const pn_window *w = &d->window[k];
      const float *from = channel_of(d, offset, picture, offsets, channel * d->axes + k, first);
      float *at = b->at + k * pitch, shift = (float)(tap % w->kernel * w->dilation);
      for (int64_t i = 0; i < n; i++) at[i] = b->start[k * pitch + i] + shift + from[i * offset_step];
      for (int64_t i = n; i < whole; i++) at[i] = 0;
      axes[k] = (pn_cpu_sample_axis){at, (float)w->input, (float)d->strides[k]};
      tap /= w->kernel;
    }
    d->sample->place((size_t)n, d->axes, axes, 0, 0, (size_t)pitch, index, weight);
    const float *factor = mask ? channel_of(d, mask, picture, masks, channel, first) : NULL;
    for (int64_t k = 0; k < d->neighbours; k++) {
      for (int64_t i = 0; i < n && factor; i++) weight[k * pitch + i] *= factor[i * mask_step];
      for (int64_t i = whole; i < pitch; i++) index[k * pitch + i] = -1, weight[k * pitch + i] = 0;
    }
  }
}
