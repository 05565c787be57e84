/* From an image to floats. A pixel has 256 values, so each channel's formula becomes a table, computed in double and
   rounded once; writing the tensor is then a look-up a value. */
#include "vision/image.h"

#include "base/bytes.h"

#include <math.h>

enum { PIXEL_VALUES = 256, MAX_CHANNELS = 3 };

/* ---- options --------------------------------------------------------------------------------------------------- */

static pelton_status check_pair(const char *what, uint32_t width, uint32_t height, pelton_diag *diag) {
  if (!width == !height) return PELTON_OK;
  return pn_fail(diag, PELTON_INVALID_ARGUMENT, "%s to %u x %u pixels: give both sides, or neither", what, width,
                 height);
}

static pelton_status read_options(const pelton_image_tensor_options *given, pelton_image_tensor_options *known,
                                  pelton_diag *diag) {
  *known = (pelton_image_tensor_options)PELTON_IMAGE_TENSOR_OPTIONS_INIT;
  PN_TRY(pn_options_read(given, known, sizeof *known, "PELTON_IMAGE_TENSOR_OPTIONS_INIT", diag));
  if (known->channels != 0 && known->channels != 1 && known->channels != 3)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "a tensor of %u channels: 0, 1 or 3 are possible", known->channels);
  if (known->layout > PELTON_IMAGE_NHWC || known->order > PELTON_IMAGE_BGR)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "layout %u, order %u: 0 (NCHW, RGB) and 1 (NHWC, BGR) are known",
                   known->layout, known->order);
  PN_TRY(check_pair("a resize", known->resize_width, known->resize_height, diag));
  PN_TRY(check_pair("a crop", known->crop_width, known->crop_height, diag));
  if (!isfinite(known->scale))
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "scale is %g: it must be a finite number", (double)known->scale);
  for (int c = 0; c < MAX_CHANNELS; c++)
    if (!isfinite(known->mean[c]) || !isfinite(known->std[c]) || known->std[c] == 0)
      return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                     "mean[%d] is %g and std[%d] is %g: both must be finite, and std not 0", c, (double)known->mean[c],
                     c, (double)known->std[c]);
  return PELTON_OK;
}

/* ---- normalising ----------------------------------------------------------------------------------------------- */

static uint32_t channels_of(const pelton_image *image, const pelton_image_tensor_options *options) {
  return options->channels ? options->channels : image->channels;
}

/* The look-up of each of the tensor's channels. */
static void fill_tables(const pelton_image_tensor_options *options, float tables[MAX_CHANNELS][PIXEL_VALUES]) {
  for (int c = 0; c < MAX_CHANNELS; c++)
    for (int v = 0; v < PIXEL_VALUES; v++)
      tables[c][v] = (float)((v * (double)options->scale - (double)options->mean[c]) / (double)options->std[c]);
}

/* |plane_step| values lie between channels, |pixel_step| between pixels. */
typedef struct tensor_writer {
  uint32_t channels;
  size_t plane_step, pixel_step;
  size_t source_channel[MAX_CHANNELS]; /* in the image, of each of the tensor's channels */
} tensor_writer;

static uint8_t pixel_value(const pelton_image *image, const uint8_t *pixel, const tensor_writer *writer, uint32_t c) {
  if (writer->channels == 3 || image->channels == 1) return pixel[writer->source_channel[c]];
  return pn_grey_of(pixel);
}

static void write_values(const pelton_image *image, const pelton_image_tensor_options *options, float *out) {
  float tables[MAX_CHANNELS][PIXEL_VALUES];
  fill_tables(options, tables);
  tensor_writer writer = {.channels = channels_of(image, options)};
  bool planes = options->layout == PELTON_IMAGE_NCHW;
  writer.plane_step = planes ? (size_t)image->width * image->height : 1;
  writer.pixel_step = planes ? 1 : writer.channels;
  for (uint32_t c = 0; c < writer.channels; c++)
    writer.source_channel[c] = image->channels == 1 ? 0 : options->order == PELTON_IMAGE_BGR ? 2 - c : c;
  for (uint32_t c = 0; c < writer.channels; c++) {
    float *to = out + c * writer.plane_step;
    for (uint32_t y = 0; y < image->height; y++) {
      const uint8_t *pixel = image->pixels + (size_t)y * image->row_bytes;
      for (uint32_t x = 0; x < image->width; x++, pixel += image->channels, to += writer.pixel_step)
        *to = tables[c][pixel_value(image, pixel, &writer, c)];
    }
  }
}

/* |options| were read. */
static pelton_status normalize(const pelton_image *image, const pelton_image_tensor_options *options, float *out,
                               size_t out_count, pelton_diag *diag) {
  size_t count;
  if (!pn_mul_size(image->width, image->height, &count) || !pn_mul_size(count, channels_of(image, options), &count) ||
      count > out_count)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "room for %zu values: %u channels of %u x %u pixels need more",
                   out_count, channels_of(image, options), image->width, image->height);
  write_values(image, options, out);
  return PELTON_OK;
}

pelton_status pelton_image_normalize(const pelton_image *image, const pelton_image_tensor_options *options, float *out,
                                     size_t out_count, pelton_diag *diag) {
  if (!out) return pn_fail(diag, PELTON_INVALID_ARGUMENT, "pelton_image_normalize: |out| is null");
  PN_TRY(pn_picture_check(image, diag));
  pelton_image_tensor_options known;
  PN_TRY(read_options(options, &known, diag));
  return normalize(image, &known, out, out_count, diag);
}

/* ---- all in one ------------------------------------------------------------------------------------------------ */

/* The sides after resize and crop. */
static pelton_status final_sides(const pelton_image *image, const pelton_image_tensor_options *options, uint32_t *width,
                                 uint32_t *height, pelton_diag *diag) {
  *width = options->resize_width ? options->resize_width : image->width;
  *height = options->resize_height ? options->resize_height : image->height;
  if (!options->crop_width) return PELTON_OK;
  if (options->crop_width > *width || options->crop_height > *height)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "a crop of %u x %u from %u x %u pixels: resize to at least the crop",
                   options->crop_width, options->crop_height, *width, *height);
  *width = options->crop_width;
  *height = options->crop_height;
  return PELTON_OK;
}

pelton_status pelton_image_tensor_shape(const pelton_image *image, const pelton_image_tensor_options *options,
                                        pelton_shape *out, pelton_diag *diag) {
  if (!out) return pn_fail(diag, PELTON_INVALID_ARGUMENT, "pelton_image_tensor_shape: |out| is null");
  PN_TRY(pn_picture_check(image, diag));
  pelton_image_tensor_options known;
  uint32_t width, height;
  PN_TRY(read_options(options, &known, diag));
  PN_TRY(final_sides(image, &known, &width, &height, diag));
  uint32_t channels = channels_of(image, &known);
  *out = known.layout == PELTON_IMAGE_NCHW ? (pelton_shape){4, {1, channels, height, width}}
                                           : (pelton_shape){4, {1, height, width, channels}};
  return PELTON_OK;
}

pelton_status pelton_image_to_tensor(const pelton_image *image, const pelton_image_tensor_options *options, float *out,
                                     size_t out_count, pelton_diag *diag) {
  if (!out) return pn_fail(diag, PELTON_INVALID_ARGUMENT, "pelton_image_to_tensor: |out| is null");
  PN_TRY(pn_picture_check(image, diag));
  pelton_image_tensor_options known;
  uint32_t width, height;
  PN_TRY(read_options(options, &known, diag));
  PN_TRY(final_sides(image, &known, &width, &height, diag)); /* before the work of resizing */
  pelton_image resized = PELTON_IMAGE_INIT, cropped;
  if (known.resize_width && (known.resize_width != image->width || known.resize_height != image->height)) {
    pelton_resize_options resize = PELTON_RESIZE_OPTIONS_INIT;
    resize.width = known.resize_width;
    resize.height = known.resize_height;
    resize.interpolation = known.interpolation;
    resize.allocator = known.allocator;
    PN_TRY(pelton_image_resize(image, &resize, &resized, diag));
    image = &resized;
  }
  pelton_status status = pelton_image_crop(image, width, height, &cropped, diag);
  if (!status) status = normalize(&cropped, &known, out, out_count, diag);
  pelton_image_release(&resized);
  return status;
}
