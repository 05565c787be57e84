/* What libpelton gives the operator image_decode: the decoders of src/vision, through their public interface. */
#include "op/picture/image_decode.h"
#include "pelton/vision.h"

pelton_status pn_picture_decode(const void *data, size_t bytes, uint32_t channels, const pelton_allocator *allocator,
                                void *(*give)(void *self, const int64_t dims[3], pelton_diag *diag), void *self,
                                pelton_diag *diag) {
  pelton_decode_options options = PELTON_DECODE_OPTIONS_INIT;
  pelton_image image = PELTON_IMAGE_INIT;
  options.channels = channels;
  options.allocator = allocator;
  PN_TRY(pelton_image_decode(data, bytes, &options, &image, diag));
  const int64_t dims[3] = {image.height, image.width, image.channels};
  uint8_t *to = give(self, dims, diag);
  const size_t row = (size_t)image.width * image.channels;
  for (uint32_t y = 0; to && y < image.height; y++) memcpy(to + y * row, image.pixels + y * image.row_bytes, row);
  pelton_image_release(&image);
  return to ? PELTON_OK : PELTON_OUT_OF_MEMORY; /* |give| says more */
}
