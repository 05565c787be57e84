/* Pictures of any bytes: decoded, and where that succeeds taken through the whole preprocessing. */
#include "pelton/vision.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_decode_options options = PELTON_DECODE_OPTIONS_INIT;
  options.max_pixels = 1 << 20; /* keeps a run short */
  options.channels = (uint32_t[]){0, 1, 3}[size % 3];
  pelton_image image = PELTON_IMAGE_INIT;
  pelton_status status = pelton_image_decode(data, size, &options, &image, &diag);
  if (status) {
    if (!diag.count || image.pixels) abort(); /* a failure has its reason and leaves nothing */
    return 0;
  }
  float values[3 * 8 * 8];
  pelton_image_tensor_options tensor = PELTON_IMAGE_TENSOR_OPTIONS_INIT;
  tensor.resize_width = 11;
  tensor.resize_height = 9;
  tensor.crop_width = tensor.crop_height = 8;
  tensor.interpolation = (uint32_t)(size % 3);
  tensor.layout = (uint32_t)(size & 1);
  if (pelton_image_to_tensor(&image, &tensor, values, sizeof values / sizeof values[0], &diag)) abort();
  pelton_image_release(&image);
  return 0;
}
