/* Pictures read at computed places: grid_sample, affine_grid, deform_conv, roi_align, max_roi_pool; and col2im. A
   result a thread. A region whose batch or coordinates are broken is told when the stream is waited for. */
#include "op/linear/window.h"
#include "target/movement.h"
#include "targets/cuda/each.h"

#include <string.h>

enum { MOST_SPATIAL = PN_MAX_RANK - 2 };
static const char *const result[] = {"Y"};

static int64_t product(const int64_t *dims, uint32_t count) {
  int64_t elements = 1;
  for (uint32_t d = 0; d < count; d++) elements *= dims[d];
  return elements;
}

static pelton_status prepare_grid_sample(const pn_problem *p, const pn_device *device, pn_cuda_work *work,
                                         pelton_diag *diag) {
  static const char *const inputs[] = {"X", "GRID"};
  const pn_attrs_grid_sample *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0), *grid = pn_problem_input(p, 0, 1), *y = pn_problem_output(p, 0, 0);
  uint32_t axes = x->rank - 2;
  pn_cuda_each e;
  pn_cuda_each_begin(&e, p, device, work);
  PN_CUDA_EACH_OPERANDS(&e, inputs, result);
  pn_cuda_each_constant(&e, "GRID_SAMPLE", 1);
  pn_cuda_each_constant(&e, "AXES", axes);
  pn_cuda_each_constant(&e, "ALIGN_CORNERS", attrs->align_corners);
  pn_cuda_each_constant(&e, "PADDING",
                        attrs->padding == PN_GRID_ZEROS        ? 0
                        : attrs->padding == PN_GRID_REFLECTION ? 2
                                                               : 1);
  pn_cuda_each_constant(&e, "TAPS", attrs->mode == PN_RESIZE_NEAREST ? 1 : attrs->mode == PN_RESIZE_LINEAR ? 2 : 4);
  pn_cuda_each_word(&e, "G", grid->dtype == PELTON_DTYPE_F64 ? "f64" : "f32");
  pn_cuda_each_divider(&e, "PLACES", product(y->dims + 2, axes));
  pn_cuda_each_divider(&e, "CHANNELS", x->dims[1]);
  pn_cuda_each_number(&e, "PLANE", product(x->dims + 2, axes));
  pn_cuda_each_numbers(&e, "EXTENTS", x->dims + 2, axes);
  return pn_cuda_each_end(&e, "picture.cu", "grid_sample", pn_operand_elements(y), 1, diag);
}

static bool accepts_grid_sample(const pn_problem *p, pn_reason *why) {
  const pn_operand *x = pn_problem_input(p, 0, 0), *grid = pn_problem_input(p, 0, 1);
  if (x->rank != grid->rank || x->dims[0] != grid->dims[0] || grid->dims[x->rank - 1] != (int64_t)x->rank - 2)
    return pn_refuse(why, "a grid that does not fit");
  return true;
}

static pelton_status prepare_affine_grid(const pn_problem *p, const pn_device *device, pn_cuda_work *work,
                                         pelton_diag *diag) {
  static const char *const inputs[] = {"X", "SIZE"};
  const pn_operand *y = pn_problem_output(p, 0, 0);
  pn_cuda_each e;
  pn_cuda_each_begin(&e, p, device, work);
  PN_CUDA_EACH_OPERANDS(&e, inputs, result);
  pn_cuda_each_constant(&e, "AFFINE_GRID", 1);
  pn_cuda_each_constant(&e, "AXES", y->rank - 2);
  pn_cuda_each_constant(&e, "ALIGN_CORNERS", ((const pn_attrs_affine_grid *)p->nodes[0].attrs)->align_corners);
  pn_cuda_each_dividers(&e, "EXTENTS", y->dims + 1, y->rank - 2);
  return pn_cuda_each_end(&e, "picture.cu", "affine_grid", pn_operand_elements(y), 1, diag);
}

static bool accepts_affine_grid(const pn_problem *p, pn_reason *why) {
  const pn_operand *theta = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  int64_t axes = (int64_t)y->rank - 2;
  if (theta->dims[0] != y->dims[0] || theta->dims[1] != axes || theta->dims[2] != axes + 1)
    return pn_refuse(why, "matrices that do not fit");
  return true;
}

/* ---- windows ------------------------------------------------------------------------------------------------------
 */

static bool windows_fit(const pn_window *windows, uint32_t axes) {
  for (uint32_t d = 0; d < axes; d++) {
    const pn_window *w = &windows[d];
    if (w->stride > INT32_MAX / 2 || w->dilation > INT32_MAX / 2 || (w->kernel + 1) * w->dilation > INT32_MAX / 4 ||
        w->input > INT32_MAX / 4 || w->pad_begin > INT32_MAX / 4 || w->pad_begin < -INT32_MAX / 4)
      return false;
  }
  return true;
}

static void add_windows(pn_cuda_each *e, const pn_window *windows, uint32_t axes) {
  int64_t list[4][MOST_SPATIAL];
  for (uint32_t d = 0; d < axes; d++) {
    list[0][d] = windows[d].kernel;
    list[1][d] = windows[d].stride;
    list[2][d] = windows[d].dilation;
    list[3][d] = windows[d].pad_begin;
  }
  pn_cuda_each_constant(e, "AXES", axes);
  pn_cuda_each_dividers(e, "KERNEL_EXTENT", list[0], axes);
  pn_cuda_each_numbers(e, "STRIDE", list[1], axes);
  pn_cuda_each_numbers(e, "DILATION", list[2], axes);
  pn_cuda_each_numbers(e, "PAD", list[3], axes);
}

static bool resolve_deformed(const pn_problem *p, pn_window *windows) {
  const pn_attrs_deform_conv *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0), *w = pn_problem_input(p, 0, 1);
  const pn_window_spec spec = {
      .strides = attrs->strides, .pads = attrs->pads, .dilations = attrs->dilations, .auto_pad = PN_AUTO_PAD_NOTSET};
  return x->rank >= 3 && w->rank == x->rank &&
         !pn_window_resolve(NULL, "deform_conv", &spec, x->rank - 2, x->dims + 2, w->dims + 2, windows) &&
         windows_fit(windows, x->rank - 2);
}

static pelton_status prepare_deform_conv(const pn_problem *p, const pn_device *device, pn_cuda_work *work,
                                         pelton_diag *diag) {
  static const char *const inputs[] = {"X", "W", "OFFSET", "BIAS", "MASK"};
  const pn_attrs_deform_conv *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0), *w = pn_problem_input(p, 0, 1), *y = pn_problem_output(p, 0, 0);
  uint32_t axes = x->rank - 2;
  pn_window windows[MOST_SPATIAL];
  pn_cuda_each e;
  if (!resolve_deformed(p, windows)) return PN_INTERNAL(diag, "deform_conv changed after it was accepted");
  pn_cuda_each_begin(&e, p, device, work);
  PN_CUDA_EACH_OPERANDS(&e, inputs, result);
  pn_cuda_each_constant(&e, "DEFORM_CONV", 1);
  add_windows(&e, windows, axes);
  pn_cuda_each_dividers(&e, "OUTPUT", y->dims + 2, axes);
  pn_cuda_each_numbers(&e, "EXTENTS", x->dims + 2, axes);
  pn_cuda_each_divider(&e, "PLACES", product(y->dims + 2, axes));
  pn_cuda_each_divider(&e, "CHANNELS", y->dims[1]);
  pn_cuda_each_number(&e, "PLANE", product(x->dims + 2, axes));
  pn_cuda_each_number(&e, "MEMBERS", y->dims[1] / attrs->group);
  pn_cuda_each_number(&e, "IN_CHANNELS", w->dims[1]);
  pn_cuda_each_number(&e, "IN_ALL", x->dims[1]);
  pn_cuda_each_number(&e, "OFFSET_GROUPS", attrs->offset_group);
  pn_cuda_each_number(&e, "OFFSET_MEMBERS", pn_max_i64(x->dims[1] / attrs->offset_group, 1));
  pn_cuda_each_number(&e, "TAPS_COUNT", product(w->dims + 2, axes));
  return pn_cuda_each_end(&e, "picture.cu", "deform_conv", pn_operand_elements(y), 1, diag);
}

static bool accepts_deform_conv(const pn_problem *p, pn_reason *why) {
  const pn_attrs_deform_conv *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0), *w = pn_problem_input(p, 0, 1), *y = pn_problem_output(p, 0, 0);
  const pn_operand *offset = pn_problem_input(p, 0, 2), *bias = pn_problem_input(p, 0, 3),
                   *mask = pn_problem_input(p, 0, 4);
  pn_window windows[MOST_SPATIAL];
  if (!resolve_deformed(p, windows)) return pn_refuse(why, "its window does not fit");
  int64_t taps = product(w->dims + 2, x->rank - 2), places = product(y->dims + 2, x->rank - 2);
  int64_t reads = x->dims[0] * attrs->offset_group * taps * places;
  if (x->dims[1] != w->dims[1] * attrs->group || w->dims[0] % attrs->group || x->dims[1] % attrs->offset_group ||
      (bias && pn_operand_elements(bias) != w->dims[0]) || (mask && pn_operand_elements(mask) != reads) ||
      pn_operand_elements(offset) != reads * ((int64_t)x->rank - 2))
    return pn_refuse(why, "operands that do not fit");
  return true;
}

static bool resolve_blocks(const pn_problem *p, pn_window *windows, int64_t *block) {
  const pn_attrs_col2im *attrs = p->nodes[0].attrs;
  const pn_operand *blocks = pn_problem_input(p, 0, 2), *y = pn_problem_output(p, 0, 0);
  const pn_window_spec spec = {
      .strides = attrs->strides, .pads = attrs->pads, .dilations = attrs->dilations, .auto_pad = PN_AUTO_PAD_NOTSET};
  uint32_t axes = y->rank - 2;
  if (blocks->role != PN_OPERAND_CONSTANT || pn_operand_elements(blocks) != axes) return false;
  for (uint32_t d = 0; d < axes; d++) block[d] = pn_operand_number(blocks, d);
  return !pn_window_resolve(NULL, "col2im", &spec, axes, y->dims + 2, block, windows) && windows_fit(windows, axes);
}

static pelton_status prepare_col2im(const pn_problem *p, const pn_device *device, pn_cuda_work *work,
                                    pelton_diag *diag) {
  static const char *const inputs[] = {"X", "IMAGE_SHAPE", "BLOCK_SHAPE"};
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  uint32_t axes = y->rank - 2;
  int64_t block[MOST_SPATIAL], outputs[MOST_SPATIAL];
  pn_window windows[MOST_SPATIAL];
  pn_cuda_each e;
  if (!resolve_blocks(p, windows, block)) return PN_INTERNAL(diag, "col2im changed after it was accepted");
  for (uint32_t d = 0; d < axes; d++) outputs[d] = windows[d].output;
  pn_cuda_each_begin(&e, p, device, work);
  PN_CUDA_EACH_OPERANDS(&e, inputs, result);
  pn_cuda_each_constant(&e, "COL2IM", 1);
  pn_cuda_each_word(&e, "S", pn_dtype_is_float(x->dtype) ? "f64" : "u64");
  add_windows(&e, windows, axes);
  pn_cuda_each_dividers(&e, "IMAGE", y->dims + 2, axes);
  pn_cuda_each_numbers(&e, "OUTPUT", outputs, axes);
  pn_cuda_each_number(&e, "TAPS_COUNT", product(block, axes));
  pn_cuda_each_number(&e, "WINDOWS", x->dims[2]);
  return pn_cuda_each_end(&e, "picture.cu", "col2im", pn_operand_elements(y), 1, diag);
}

static bool accepts_col2im(const pn_problem *p, pn_reason *why) {
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  int64_t block[MOST_SPATIAL], windows = 1;
  pn_window resolved[MOST_SPATIAL];
  if (!resolve_blocks(p, resolved, block)) return pn_refuse(why, "blocks that are not known or do not fit");
  for (uint32_t d = 0; d < y->rank - 2; d++) windows *= resolved[d].output;
  if (x->dims[2] != windows || x->dims[1] != y->dims[1] * product(block, y->rank - 2))
    return pn_refuse(why, "blocks that do not fit");
  return true;
}

/* ---- regions ------------------------------------------------------------------------------------------------------
 */

static void add_maps(pn_cuda_each *e) {
  const pn_operand *x = pn_problem_input(e->problem, 0, 0), *y = pn_problem_output(e->problem, 0, 0);
  pn_cuda_each_divider(e, "WIDTH", y->dims[3]);
  pn_cuda_each_divider(e, "HEIGHT", y->dims[2]);
  pn_cuda_each_divider(e, "CHANNELS", x->dims[1]);
  pn_cuda_each_number(e, "BATCH", x->dims[0]);
  pn_cuda_each_number(e, "IN_HEIGHT", x->dims[2]);
  pn_cuda_each_number(e, "IN_WIDTH", x->dims[3]);
}

static pelton_status prepare_roi_align(const pn_problem *p, const pn_device *device, pn_cuda_work *work,
                                       pelton_diag *diag) {
  static const char *const inputs[] = {"X", "ROIS", "BATCHES"};
  const pn_attrs_roi_align *attrs = p->nodes[0].attrs;
  pn_cuda_each e;
  pn_cuda_each_begin(&e, p, device, work);
  PN_CUDA_EACH_OPERANDS(&e, inputs, result);
  pn_cuda_each_constant(&e, "ROI_ALIGN", 1);
  pn_cuda_each_constant(&e, "HALF_PIXEL", attrs->coordinates == PN_ROI_HALF_PIXEL);
  pn_cuda_each_constant(&e, "MAXIMUM", attrs->mode == PN_ROI_MAX);
  pn_cuda_each_real(&e, "SPATIAL_SCALE", (double)attrs->spatial_scale);
  pn_cuda_each_number(&e, "SAMPLING", attrs->sampling_ratio);
  add_maps(&e);
  return pn_cuda_each_end(&e, "picture.cu", "roi_align", pn_operand_elements(pn_problem_output(p, 0, 0)), 1, diag);
}

static pelton_status prepare_max_roi_pool(const pn_problem *p, const pn_device *device, pn_cuda_work *work,
                                          pelton_diag *diag) {
  static const char *const inputs[] = {"X", "ROIS"};
  const pn_attrs_max_roi_pool *attrs = p->nodes[0].attrs;
  pn_cuda_each e;
  pn_cuda_each_begin(&e, p, device, work);
  PN_CUDA_EACH_OPERANDS(&e, inputs, result);
  pn_cuda_each_constant(&e, "MAX_ROI_POOL", 1);
  pn_cuda_each_real(&e, "SPATIAL_SCALE", (double)attrs->spatial_scale);
  add_maps(&e);
  return pn_cuda_each_end(&e, "picture.cu", "max_roi_pool", pn_operand_elements(pn_problem_output(p, 0, 0)), 1, diag);
}

static bool accepts_regions(const pn_problem *p, pn_reason *why) {
  bool align = p->nodes[0].op == PN_OP_ROI_ALIGN;
  const pn_operand *rois = pn_problem_input(p, 0, 1);
  if (rois->dims[1] != (align ? 4 : 5) || (align && pn_operand_elements(pn_problem_input(p, 0, 2)) != rois->dims[0]))
    return pn_refuse(why, "regions that do not fit");
  return true;
}

static const pn_cuda_each_op ops[] = {
    {PN_OP_GRID_SAMPLE, accepts_grid_sample, NULL, prepare_grid_sample},
    {PN_OP_AFFINE_GRID, accepts_affine_grid, NULL, prepare_affine_grid},
    {PN_OP_DEFORM_CONV, accepts_deform_conv, NULL, prepare_deform_conv},
    {PN_OP_COL2IM, accepts_col2im, NULL, prepare_col2im},
    {PN_OP_ROI_ALIGN, accepts_regions, NULL, prepare_roi_align},
    {PN_OP_MAX_ROI_POOL, accepts_regions, NULL, prepare_max_roi_pool},
};
PN_CUDA_EACH_TACTIC(picture, ops);
