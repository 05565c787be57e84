/* In libpelton_rt, which has no image decoders: the reason, in place of what picture.c does in libpelton. */
#include "op/picture/image_decode.h"

pelton_status pn_picture_decode(const void *data, size_t bytes, uint32_t channels, const pelton_allocator *allocator,
                                void *(*give)(void *self, const int64_t dims[3], pelton_diag *diag), void *self,
                                pelton_diag *diag) {
  (void)data, (void)bytes, (void)channels, (void)allocator, (void)give, (void)self;
  return pn_fail(diag, PELTON_UNSUPPORTED,
                 "libpelton_rt decodes no pictures: link with libpelton, or hand decoded pixels to the network");
}
