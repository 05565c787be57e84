/* Products and convolutions as rows, columns and sums for mma.cu, and their constants as it wants them. */
#include "targets/cuda/mma.h"
#include "targets/cuda/product.h"
#include "targets/cuda/wgmma.h"
#include "targets/cuda/window.h"

#include <string.h>

enum { MOST_TAPS = 32 }; /* along an axis: bits of a word */

/* ---- products ------------------------------------------------------------------------------------------------------
 */

static bool is_constant(const pn_problem *p) { return pn_problem_input(p, 0, 1)->role == PN_OPERAND_CONSTANT; }

/* A packed b is filled up to whole pieces, and may have more elements than the constant that it is made of. */
static bool packed_fits(const pn_mma *m, pn_reason *why) {
  if (!m->constant || m->batches * m->columns * pn_mma_padded(m) <= INT32_MAX) return true;
  return pn_refuse(why, "more than 2^31 elements when packed");
}

bool pn_mma_product(const pn_problem *p, const pn_device *device, bool tensor, pn_mma *m, pn_reason *why) {
  pn_cuda_product product;
  memset(m, 0, sizeof *m);
  if (p->nodes[0].op != PN_OP_MATMUL || !pn_cuda_product_accepts(p, &product, why) ||
      !pn_mma_accepts(device, p, tensor, why))
    return false;
  if (product.batches > 65535) return pn_refuse(why, "more than 65,535 products");
  if (!product.k) return pn_refuse(why, "nothing to sum");
  if (!pn_cuda_epilogue_accepts(p, pn_cuda_product_epilogue_strides, &m->epilogue, why)) return false;
  for (uint32_t i = 0; i < m->epilogue.operand_count; i++)
    m->epilogue.strides[i][0] = (int)(m->epilogue.strides[i][2] * product.m);
  m->tensor = tensor;
  m->rows = product.m;
  m->columns = product.n;
  m->depth = product.k;
  m->batches = product.batches;
  m->dtype = pn_problem_input(p, 0, 0)->dtype;
  m->result = pn_problem_output(p, p->node_count - 1, 0)->dtype;
  m->work = pn_wgmma_work(p);
  m->constant = is_constant(p) && !product.batch_axes;
  m->batch_axes = product.batch_axes;
  int64_t piece = pn_mma_piece(m->dtype);
  struct mma_arguments *a = &m->arguments;
  a->a_row = (int)product.a_row;
  a->a_column = (int)product.a_column;
  a->b_row = m->constant ? 1 : (int)product.b_row;
  a->b_column = m->constant ? (int)pn_mma_padded(m) : (int)product.b_column;
  m->a_loose = product.a_column != 1 || product.a_row % piece;
  m->b_loose = a->b_row != 1 || a->b_column % piece;
  for (uint32_t d = 0; d < product.batch_axes; d++) {
    a->batch[d] = pn_cuda_divider(product.batch[d]);
    a->a_batch[d] = (int)product.a_batch[d];
    a->b_batch[d] = (int)product.b_batch[d];
    m->a_loose |= product.a_batch[d] % piece != 0;
    m->b_loose |= product.b_batch[d] % piece != 0;
  }
  if (m->depth % piece) m->a_loose = true;
  if (!m->constant && m->depth % piece) m->b_loose = true;
  return packed_fits(m, why);
}

/* The right side turned, the summed axis filled up with zeros. */
void pn_mma_pack_product(const pn_problem *p, const pn_mma *m, void *packed) {
  pn_cuda_product product;
  const char *from = pn_problem_input(p, 0, 1)->data;
  char *to = packed;
  int64_t padded = pn_mma_padded(m), bytes = (int64_t)pelton_dtype_bytes(m->dtype);
  if (!m->constant || !pn_cuda_product_accepts(p, &product, NULL)) return; /* read as it is */
  memset(to, 0, (size_t)(m->columns * padded * bytes));
  for (int64_t n = 0; n < product.n; n++)
    for (int64_t k = 0; k < product.k; k++)
      memcpy(to + (n * padded + k) * bytes, from + (n * product.b_column + k * product.b_row) * bytes, (size_t)bytes);
  pn_mma_shorten(m, packed, m->columns * padded);
}

/* ---- convolutions --------------------------------------------------------------------------------------------------
 */

/* The last two spatial axes; one of a line's own is a single row. */
static pn_window axis_of(const pn_window *windows, uint32_t axes, uint32_t which) {
  return which + axes >= 2 ? windows[which + axes - 2] : (pn_window){1, 1, 1, 1, 0, 0, 1};
}

static bool is_identity(const pn_window *w) { return w->kernel == 1 && w->stride == 1 && !w->pad_begin && !w->pad_end; }

static void fill_window(const pn_problem *p, const pn_window *axis, int64_t channels, pn_mma *m) {
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, p->node_count - 1, 0);
  struct mma_arguments *a = &m->arguments;
  int along[WINDOW_AXES], unused[WINDOW_AXES];
  for (uint32_t i = 0; i < 2; i++) {
    a->stride[i] = (int)axis[i].stride;
    a->pad[i] = (int)axis[i].pad_begin;
    a->dilation[i] = (int)axis[i].dilation;
  }
  a->height = (int)axis[0].input;
  a->width = (int)axis[1].input;
  a->chunks = pn_cuda_divider(pn_max_i64(1, channels / pn_mma_piece(m->dtype)));
  a->across = pn_cuda_divider(axis[1].kernel);
  a->down = pn_cuda_divider(axis[0].kernel);
  a->by_place = pn_cuda_divider(axis[0].output * axis[1].output);
  a->by_width = pn_cuda_divider(axis[1].output);
  pn_cuda_image_strides(x, &a->from_batch, &a->from_c, along);
  a->from_y = along[1];
  a->from_x = along[2];
  a->tap_y = a->dilation[0] * a->from_y;
  a->tap_x = a->dilation[1] * a->from_x;
  a->a_group = (int)channels * a->from_c;
  a->a_row = (int)x->dims[1];
  a->a_column = 1;
  a->b_row = 1;
  a->b_column = (int)(m->constant ? pn_mma_padded(m) : m->depth);
  a->b_group = (int)m->columns * a->b_column;
  pn_cuda_image_strides(y, &a->to_batch, &a->to_channel, unused);
  a->to_place = y->layout == PN_LAYOUT_CHANNELS_LAST ? (int)y->dims[1] : 1;
}

bool pn_mma_convolution(const pn_problem *p, const pn_device *device, bool tensor, pn_mma *m, pn_reason *why) {
  pn_window windows[PN_MAX_RANK], axis[2];
  memset(m, 0, sizeof *m);
  if (p->nodes[0].op != PN_OP_CONV || !pn_cuda_conv_accepts(p, PN_OP_CONV, windows, &m->epilogue, why) ||
      !pn_mma_accepts(device, p, tensor, why))
    return false;
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, p->node_count - 1, 0);
  int64_t groups = ((const pn_attrs_conv *)p->nodes[0].attrs)->group, channels = x->dims[1] / groups;
  if (x->rank > 4) return pn_refuse(why, "one or two spatial axes, not %u", (unsigned)x->rank - 2);
  if (groups > 65535) return pn_refuse(why, "more than 65,535 groups");
  if (groups > 1 && (channels < 4 || y->dims[1] / groups < 8)) return pn_refuse(why, "groups of few channels");
  for (uint32_t i = 0; i < 2; i++) axis[i] = axis_of(windows, x->rank - 2, i);
  if (axis[0].kernel > MOST_TAPS || axis[1].kernel > MOST_TAPS) return pn_refuse(why, "the window is too wide");
  m->tensor = tensor;
  m->rows = x->dims[0] * axis[0].output * axis[1].output;
  m->columns = y->dims[1] / groups;
  m->depth = channels * axis[0].kernel * axis[1].kernel;
  m->batches = groups;
  m->dtype = x->dtype;
  m->result = y->dtype;
  m->work = pn_wgmma_work(p);
  m->bias = pn_problem_input(p, 0, 2) != NULL;
  m->places = true;
  m->plain = y->layout != PN_LAYOUT_CHANNELS_LAST;
  m->constant = is_constant(p);
  bool point = axis[0].kernel == 1 && axis[1].kernel == 1, pieces = channels % pn_mma_piece(m->dtype) == 0;
  if (x->layout != PN_LAYOUT_CHANNELS_LAST || !pieces || (!m->constant && !point))
    m->source = PN_MMA_GATHERED;
  else
    m->source = is_identity(&axis[0]) && is_identity(&axis[1]) ? PN_MMA_MATRIX : PN_MMA_PICTURES;
  m->b_loose = !m->constant && m->depth % pn_mma_piece(m->dtype);
  fill_window(p, axis, channels, m);
  return packed_fits(m, why);
}

/* The filter as rows: place after place, channels innermost; for GATHERED as it is. Filled up with zeros. */
void pn_mma_pack_convolution(const pn_problem *p, const pn_mma *m, void *packed) {
  const pn_operand *w = pn_problem_input(p, 0, 1);
  const char *from = w->data;
  char *to = packed;
  int64_t channels = w->dims[1], padded = pn_mma_padded(m), bytes = (int64_t)pelton_dtype_bytes(m->dtype);
  int64_t taps = m->depth / channels;
  if (!m->constant) return; /* read as it is */
  memset(to, 0, (size_t)(w->dims[0] * padded * bytes));
  for (int64_t o = 0; o < w->dims[0]; o++)
    for (int64_t c = 0; c < channels; c++)
      for (int64_t t = 0; t < taps; t++) {
        int64_t k = m->source == PN_MMA_GATHERED ? c * taps + t : t * channels + c;
        memcpy(to + (o * padded + k) * bytes, from + ((o * channels + c) * taps + t) * bytes, (size_t)bytes);
      }
  pn_mma_shorten(m, packed, w->dims[0] * padded);
}
