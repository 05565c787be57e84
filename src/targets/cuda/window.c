#include "targets/cuda/window.h"

#include "target/strides.h"

void pn_cuda_window_fill(const pn_window *windows, uint32_t axes, struct window_arguments *out) {
  for (uint32_t i = 0; i < WINDOW_AXES; i++) {
    bool there = i + axes >= WINDOW_AXES;
    pn_window w = there ? windows[i + axes - WINDOW_AXES] : (pn_window){1, 1, 1, 1, 0, 0, 1};
    out->input[i] = (int)w.input;
    out->kernel[i] = (int)w.kernel;
    out->stride[i] = (int)w.stride;
    out->dilation[i] = (int)w.dilation;
    out->pad[i] = (int)w.pad_begin;
    out->pad_end[i] = (int)w.pad_end;
    out->output[i] = pn_cuda_divider(w.output);
  }
}

void pn_cuda_image_strides(const pn_operand *o, int *batch, int *channel, int *axis) {
  int64_t strides[PN_MAX_RANK];
  uint32_t axes = o->rank - 2;
  pn_operand_axis_strides(o, strides);
  *batch = (int)strides[0];
  *channel = (int)strides[1];
  for (uint32_t i = 0; i < WINDOW_AXES; i++)
    axis[i] = i + axes >= WINDOW_AXES ? (int)strides[2 + i + axes - WINDOW_AXES] : 0;
}

bool pn_cuda_image_epilogue_strides(const pn_operand *o, const pn_operand *out, int *strides) {
  int64_t own[PN_MAX_RANK], stored[PN_MAX_RANK], logical[PN_MAX_RANK];
  if (!pn_operand_strides(o, out, stored)) return false;
  for (uint32_t d = 0; d < out->rank; d++) logical[d] = stored[pn_layout_place(out->layout, out->rank, d)];
  pn_operand_axis_strides(out, own);
  strides[0] = (int)logical[0];
  strides[1] = (int)logical[1];
  strides[2] = out->rank > 2 ? (int)logical[out->rank - 1] : 0;
  for (uint32_t d = 2; d < out->rank; d++) { /* all spatial axes as one: full and dense, or not there */
    int64_t inner = 1;
    for (uint32_t k = d + 1; k < out->rank; k++) inner *= out->dims[k];
    if (out->dims[d] != 1 && logical[d] != strides[2] * inner) {
      if (strides[2] != 0 || out->dims[out->rank - 1] != 1) return false;
      strides[2] = (int)(logical[d] / inner);
      if (strides[2] * inner != logical[d]) return false;
    }
  }
  return true;
}

bool pn_cuda_conv_accepts(const pn_problem *p, pn_op op, pn_window *windows, pn_cuda_epilogue *epilogue,
                          pn_reason *why) {
  if (p->nodes[0].op != op) return false;
  const pn_operand *x = pn_problem_input(p, 0, 0), *w = pn_problem_input(p, 0, 1), *bias = pn_problem_input(p, 0, 2);
  const pn_operand *out = pn_problem_output(p, p->node_count - 1, 0);
  uint32_t axes = x->rank - 2;
  if (!pn_cuda_is_f32_form(x->dtype) || w->dtype != x->dtype || (bias && bias->dtype != x->dtype))
    return pn_refuse(why, "f32, f16 and bf16 only, without mixing");
  if (x->rank < 3 || axes > WINDOW_AXES) return pn_refuse(why, "one to three spatial axes, not %u", axes);
  if (w->layout != PN_LAYOUT_PLAIN) return pn_refuse(why, "wants a plain filter");
  if (!pn_operand_elements(out) || !pn_operand_elements(w)) return pn_refuse(why, "an empty convolution");
  if (!pn_cuda_fits(p, why)) return false;
  pelton_status status;
  if (op == PN_OP_CONV) {
    pn_window_spec spec = PN_WINDOW_SPEC((const pn_attrs_conv *)p->nodes[0].attrs);
    status = pn_window_resolve(NULL, "conv", &spec, axes, x->dims + 2, w->dims + 2, windows);
  } else {
    pn_window_transposed spec = PN_WINDOW_TRANSPOSED((const pn_attrs_conv_transpose *)p->nodes[0].attrs);
    status = pn_window_resolve_transposed(NULL, "conv_transpose", &spec, axes, x->dims + 2, w->dims + 2, windows);
  }
  if (status) return pn_refuse(why, "its window does not fit");
  return pn_cuda_epilogue_accepts(p, pn_cuda_image_epilogue_strides, epilogue, why);
}

void pn_cuda_conv_fill(const pn_problem *p, const pn_window *windows, struct conv_arguments *a) {
  const pn_operand *x = pn_problem_input(p, 0, 0), *w = pn_problem_input(p, 0, 1);
  const pn_operand *out = pn_problem_output(p, p->node_count - 1, 0);
  bool transposed = p->nodes[0].op == PN_OP_CONV_TRANSPOSE;
  uint32_t axes = x->rank - 2;
  int64_t groups = transposed ? ((const pn_attrs_conv_transpose *)p->nodes[0].attrs)->group
                              : ((const pn_attrs_conv *)p->nodes[0].attrs)->group;
  int64_t places = 1, taps = 1;
  int unused[WINDOW_AXES];
  for (uint32_t d = 0; d < axes; d++) {
    places *= out->dims[2 + d];
    taps *= w->dims[2 + d];
  }
  a->batch = (unsigned)x->dims[0];
  a->groups = (unsigned)groups;
  a->out_channels = (unsigned)(out->dims[1] / groups);
  a->in_channels = (unsigned)(x->dims[1] / groups);
  a->places = (unsigned)places;
  a->taps = (unsigned)taps;
  pn_cuda_window_fill(windows, axes, &a->window);
  for (uint32_t i = 0; i < WINDOW_AXES; i++) {
    a->tap[i] = pn_cuda_divider(a->window.kernel[i]);
    if (transposed)
      a->window.output[i] = pn_cuda_divider(i + axes >= WINDOW_AXES ? out->dims[2 + i + axes - WINDOW_AXES] : 1);
    if (transposed) a->window.input[i] = i + axes >= WINDOW_AXES ? (int)x->dims[2 + i + axes - WINDOW_AXES] : 1;
  }
  a->per_group = pn_cuda_divider(a->out_channels);
  a->by_place = pn_cuda_divider(places);
  a->by_channel = pn_cuda_divider(out->dims[1]);
  pn_cuda_image_strides(x, &a->from_batch, &a->from_channel, a->from_axis);
  pn_cuda_image_strides(out, &a->to_batch, &a->to_channel, unused);
  a->to_place = out->layout == PN_LAYOUT_CHANNELS_LAST ? (int)out->dims[1] : 1;
  a->w_out = (int)taps;
  a->w_in = (int)(w->dims[1] * taps);
}

void pn_cuda_conv_head(const pn_problem *p, const pn_cuda_epilogue *epilogue, pn_text *head) {
  pn_text_printf(head, "#define X %s\n#define CHANNELS_LAST %d\n", pn_cuda_type_name(pn_problem_input(p, 0, 0)->dtype),
                 pn_problem_output(p, p->node_count - 1, 0)->layout == PN_LAYOUT_CHANNELS_LAST);
  pn_cuda_epilogue_render(p, epilogue, head);
}

void pn_cuda_conv_bind(const pn_step *step, const pn_cuda_epilogue *epilogue, struct conv_arguments *a) {
  const pn_problem *p = step->problem;
  const pn_operand *bias = pn_problem_input(p, 0, 2);
  a->source = step->operands[p->nodes[0].inputs[0]];
  a->filter = step->operands[p->nodes[0].inputs[1]];
  a->bias = bias ? step->operands[pn_operand_index(p, bias)] : NULL;
  a->target = step->operands[p->nodes[p->node_count - 1].outputs[0]];
  pn_cuda_epilogue_bind(epilogue, step->operands, &a->epilogue);
}

double pn_cuda_conv_work(const pn_problem *p) {
  const pn_operand *w = pn_problem_input(p, 0, 1);
  bool transposed = p->nodes[0].op == PN_OP_CONV_TRANSPOSE;
  const pn_operand *by = transposed ? pn_problem_input(p, 0, 0) : pn_problem_output(p, 0, 0);
  return (double)pn_operand_elements(by) * (double)pn_operand_elements(w) / (double)w->dims[0];
}

/* ---- kernels with a thread for each result ----------------------------------------------------------------------- */

void pn_cuda_conv_each_sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  (void)p;
  (void)device;
  (void)config;
  out->state_bytes = sizeof(pn_cuda_conv_each);
}

pelton_status pn_cuda_conv_each_prepare(const pn_problem *p, const pn_device *device, const pn_cuda_source *source,
                                        pn_cuda_conv_each *s, pelton_diag *diag) {
  pn_window windows[PN_MAX_RANK];
  pn_cuda_source full = *source;
  pn_text head;
  if (!pn_cuda_conv_accepts(p, p->nodes[0].op, windows, &s->epilogue, NULL))
    return PN_INTERNAL(diag, "a convolution changed after it was accepted");
  pn_cuda_conv_fill(p, windows, &s->arguments);
  pn_cuda_epilogue_fill(&s->epilogue, &s->arguments.epilogue);
  pn_text_init(&head, device->allocator);
  pn_cuda_conv_head(p, &s->epilogue, &head);
  full.head = head.data;
  pelton_status status =
      head.failed ? pn_fail_memory(diag, "a kernel") : pn_cuda_function(device, &full, &s->function, diag);
  pn_text_deinit(&head);
  return status;
}

pelton_status pn_cuda_conv_each_run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const pn_cuda_conv_each *s = step->state;
  struct conv_arguments a = s->arguments;
  pn_cuda_conv_bind(step, &s->epilogue, &a);
  uint32_t grid = pn_cuda_blocks(stream->device, (int64_t)a.batch * a.groups * a.out_channels * a.places);
  return pn_cuda_launch(stream, s->function, grid, 1, 1, PN_CUDA_BLOCK, &a, diag);
}
