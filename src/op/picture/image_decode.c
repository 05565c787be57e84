/* image_decode: the bytes of a picture's file into pixels [height,width,channels] of u8, whatever the format. */
#include "op/picture/image_decode.h"

#include "op/operand.h"

pelton_status pn_check_image_decode(const pn_infer *c) {
  if (c->in[0].type.dtype != PELTON_DTYPE_U8)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "image_decode: the file is of type %s; it must be u8",
                   pelton_dtype_name(c->in[0].type.dtype));
  return pn_operand_wants_rank(c, "image_decode", 0, "the file", 1, 1);
}

static uint32_t channels_of(pn_pixel_format format) { return format == PN_PIXEL_GRAYSCALE ? 1 : 3; }

pelton_status pn_infer_image_decode(const pn_infer *c) {
  const pn_attrs_image_decode *a = c->attrs;
  pn_infer_unknown(c, 0, PELTON_DTYPE_U8, 3);
  c->out[0].type.dims[2] = pn_dim_of(channels_of(a->pixel_format));
  return PELTON_OK;
}

typedef struct destination {
  const pn_call *call;
  pelton_status status;
} destination;

static void *give(void *self, const int64_t dims[3], pelton_diag *diag) {
  destination *to = self;
  (void)diag; /* the call's own */
  to->status = pn_call_resize(to->call, 0, 3, dims);
  return to->status ? NULL : to->call->out[0].data;
}

pelton_status pn_reference_image_decode(const pn_call *call) {
  const pn_attrs_image_decode *a = call->attrs;
  const pn_tensor *file = &call->in[0];
  destination to = {call, PELTON_OK};
  const uint32_t mark = pn_diag_mark(call->diag);
  const pelton_status status =
      pn_picture_decode(file->data, (size_t)pn_tensor_elements(file), channels_of(a->pixel_format),
                        call->scratch->allocator, give, &to, call->diag);
  if (to.status) return to.status;
  if (status) {
    pn_diag_prefix(call->diag, mark, "image_decode");
    return status;
  }
  const pn_tensor *y = &call->out[0];
  uint8_t *pixels = y->data;
  const int64_t bytes = pn_tensor_elements(y);
  for (int64_t i = 0; a->pixel_format == PN_PIXEL_BGR && i < bytes; i += 3) {
    const uint8_t red = pixels[i];
    pixels[i] = pixels[i + 2];
    pixels[i + 2] = red;
  }
  return PELTON_OK;
}
