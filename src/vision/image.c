/* Images as such: which decoder reads a file, limits before memory, colour to grey and back, and the crop.

   Decoders deliver what is natural to the file (grey or RGB); converting to the channels asked for happens here, once
   for all formats. */
#include "vision/image.h"

#include "base/bytes.h"
#include "base/file.h"

enum {
  PIXEL_ALIGN = 64,
  MAX_SIDE = 1 << 20 /* keeps every product of a side and a few bytes far from overflow */
};
static const uint64_t default_max_pixels = 1u << 26;

/* ---- checks and memory ----------------------------------------------------------------------------------------- */

pelton_status pn_options_read(const void *given, void *known, size_t known_bytes, const char *name, pelton_diag *diag) {
  if (!given) return PELTON_OK;
  uint32_t bytes;
  memcpy(&bytes, given, sizeof bytes);
  if (bytes < 2 * sizeof bytes || bytes > 4096)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "the options' size field is %u: start the struct with %s", bytes,
                   name);
  for (size_t i = known_bytes; i < bytes; i++)
    if (((const uint8_t *)given)[i])
      return pn_fail(diag, PELTON_UNSUPPORTED,
                     "the options set a field that version %s does not know: use a newer library",
                     PELTON_VERSION_STRING);
  memcpy(known, given, bytes < known_bytes ? bytes : known_bytes);
  return PELTON_OK;
}

pelton_status pn_picture_check_claim(const pn_picture_source *source, uint64_t width, uint64_t height,
                                     pelton_diag *diag) {
  if (!width || !height)
    return pn_fail(diag, PELTON_INVALID_DATA, "the picture claims %llu x %llu pixels: it is empty",
                   (unsigned long long)width, (unsigned long long)height);
  if (width > MAX_SIDE || height > MAX_SIDE || width * height > source->max_pixels)
    return pn_fail(
        diag, PELTON_INVALID_DATA,
        "the picture claims %llu x %llu pixels: more than the limit of %llu (pelton_decode_options.max_pixels, "
        "and %d a side)",
        (unsigned long long)width, (unsigned long long)height, (unsigned long long)source->max_pixels, (int)MAX_SIDE);
  return PELTON_OK;
}

pelton_status pn_picture_create(const pelton_allocator *allocator, uint32_t width, uint32_t height, uint32_t channels,
                                pelton_image *out, pelton_diag *diag) {
  size_t row, bytes;
  if (!pn_mul_size(width, channels, &row) || !pn_mul_size(row, height, &bytes))
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "an image of %u x %u pixels does not fit in memory", width, height);
  void *memory = pn_alloc_raw(allocator, bytes, PIXEL_ALIGN);
  if (!memory) return pn_fail_memory(diag, "an image's pixels");
  *out = (pelton_image){.size = (uint32_t)sizeof *out,
                        .width = width,
                        .height = height,
                        .channels = channels,
                        .row_bytes = row,
                        .pixels = memory,
                        .owned = memory,
                        .allocator = allocator};
  return PELTON_OK;
}

pelton_status pn_picture_check(const pelton_image *image, pelton_diag *diag) {
  if (!image || image->size < sizeof *image)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "the image is null or was not started with PELTON_IMAGE_INIT");
  if (!image->pixels || !image->width || !image->height)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "the image is empty (%u x %u pixels)", image->width, image->height);
  if (image->channels != 1 && image->channels != 3)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "the image has %u channels: 1 (grey) or 3 (RGB) are possible",
                   image->channels);
  size_t row, bytes;
  if (!pn_mul_size(image->width, image->channels, &row) || image->row_bytes < row)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "the image's row_bytes is %zu: a row of %u pixels has more",
                   image->row_bytes, image->width);
  if (!pn_mul_size(image->row_bytes, image->height, &bytes) || bytes > PTRDIFF_MAX)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "the image claims %u rows of %zu bytes: more than memory holds",
                   image->height, image->row_bytes);
  return PELTON_OK;
}

void pelton_image_release(pelton_image *image) {
  if (!image) return;
  if (image->owned) pn_release(image->allocator, image->owned);
  *image = (pelton_image)PELTON_IMAGE_INIT;
}

/* ---- channels -------------------------------------------------------------------------------------------------- */

/* In place: a row's grey ends before the pixels not yet read begin. */
static void convert_to_grey(pelton_image *image) {
  size_t count = (size_t)image->width * image->height;
  for (size_t i = 0; i < count; i++) image->pixels[i] = pn_grey_of(image->pixels + 3 * i);
  image->channels = 1;
  image->row_bytes = image->width;
}

static pelton_status convert_to_rgb(pelton_image *image, pelton_diag *diag) {
  pelton_image rgb = PELTON_IMAGE_INIT;
  PN_TRY(pn_picture_create(image->allocator, image->width, image->height, 3, &rgb, diag));
  size_t count = (size_t)image->width * image->height;
  for (size_t i = 0; i < count; i++) memset(rgb.pixels + 3 * i, image->pixels[i], 3);
  pelton_image_release(image);
  *image = rgb;
  return PELTON_OK;
}

/* ---- decoding -------------------------------------------------------------------------------------------------- */

typedef struct image_format {
  const char *name;
  const char *start; /* the file's first bytes */
  uint8_t count;
  pelton_status (*decode)(const pn_picture_source *source, pelton_image *out, pelton_diag *diag); /* null: not read */
} image_format;

static const image_format formats[] = {
    {"JPEG", "\xff\xd8\xff", 3, pn_decode_jpeg},
    {"PNG", "\x89PNG\r\n\x1a\n", 8, pn_decode_png},
    {"BMP", "BM", 2, pn_decode_bmp},
    {"PNM", "P1", 2, pn_decode_pnm},
    {"PNM", "P2", 2, pn_decode_pnm},
    {"PNM", "P3", 2, pn_decode_pnm},
    {"PNM", "P4", 2, pn_decode_pnm},
    {"PNM", "P5", 2, pn_decode_pnm},
    {"PNM", "P6", 2, pn_decode_pnm},
    {"WebP", "RIFF", 4, pn_decode_webp},
    {"TIFF", "II*\0", 4, pn_decode_tiff},
    {"TIFF", "MM\0*", 4, pn_decode_tiff},
    {"JPEG 2000", "\0\0\0\x0cjP  \r\n\x87\n", 12, pn_decode_jpeg2000},
    {"JPEG 2000", "\xff\x4f\xff\x51", 4, pn_decode_jpeg2000},
    {"GIF", "GIF8", 4, NULL},
    {"HEIF or AVIF", "\0\0\0\x1c"
                     "ftyp", 8, NULL},
    {"HEIF or AVIF", "\0\0\0\x20"
                     "ftyp", 8, NULL},
};

/* A file that ends within its first bytes matches too: the decoder then says that it is cut off. */
static const image_format *format_of(const uint8_t *data, size_t size) {
  for (size_t i = 0; i < PN_COUNT(formats); i++) {
    size_t count = size < formats[i].count ? size : formats[i].count;
    if (!memcmp(data, formats[i].start, count)) return &formats[i];
  }
  return NULL;
}

static pelton_status decode_source(const pn_picture_source *source, uint32_t channels, pelton_image *out,
                                   pelton_diag *diag) {
  if (!source->size) return pn_fail(diag, PELTON_INVALID_DATA, "the picture is empty (0 bytes)");
  const image_format *format = format_of(source->data, source->size);
  if (!format) {
    const uint8_t *d = source->data;
    return pn_fail(diag, PELTON_INVALID_DATA,
                   "no picture: it begins with bytes %02x %02x; JPEG, PNG, BMP, PNM, WebP, TIFF and JPEG 2000 are read",
                   d[0], source->size > 1 ? d[1] : 0);
  }
  if (source->size < format->count)
    return pn_fail(diag, PELTON_INVALID_DATA, "no picture: it has only %zu bytes", source->size);
  if (!format->decode)
    return pn_fail(diag, PELTON_UNSUPPORTED, "a %s file is not read: convert it to PNG, JPEG or BMP", format->name);
  PN_TRY(format->decode(source, out, diag));
  if (channels == 1 && out->channels == 3) convert_to_grey(out);
  if (channels == 3 && out->channels == 1) PN_TRY(convert_to_rgb(out, diag));
  return PELTON_OK;
}

pelton_status pelton_image_decode(const void *data, size_t bytes, const pelton_decode_options *options,
                                  pelton_image *out, pelton_diag *diag) {
  if (!out || (!data && bytes)) return pn_fail(diag, PELTON_INVALID_ARGUMENT, "pelton_image_decode: a pointer is null");
  *out = (pelton_image)PELTON_IMAGE_INIT;
  pelton_decode_options known = PELTON_DECODE_OPTIONS_INIT;
  PN_TRY(pn_options_read(options, &known, sizeof known, "PELTON_DECODE_OPTIONS_INIT", diag));
  if (known.channels != 0 && known.channels != 1 && known.channels != 3)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "pelton_decode_options.channels is %u: 0, 1 or 3 are possible",
                   known.channels);
  pn_picture_source source = {data, bytes, known.max_pixels ? known.max_pixels : default_max_pixels, known.allocator};
  pelton_status status = decode_source(&source, known.channels, out, diag);
  if (status) pelton_image_release(out);
  return status;
}

pelton_status pelton_image_load(const char *path, const pelton_decode_options *options, pelton_image *out,
                                pelton_diag *diag) {
  if (!out || !path) return pn_fail(diag, PELTON_INVALID_ARGUMENT, "pelton_image_load: a pointer is null");
  *out = (pelton_image)PELTON_IMAGE_INIT;
  pn_file file;
  PN_TRY(pn_file_map(path, &file, diag));
  uint32_t mark = pn_diag_mark(diag);
  pelton_status status = pelton_image_decode(file.data, file.size, options, out, diag);
  if (status) pn_diag_prefix(diag, mark, "%s", path);
  pn_file_unmap(&file);
  return status;
}

/* ---- crop ------------------------------------------------------------------------------------------------------ */

pelton_status pelton_image_crop(const pelton_image *image, uint32_t width, uint32_t height, pelton_image *out,
                                pelton_diag *diag) {
  if (!out) return pn_fail(diag, PELTON_INVALID_ARGUMENT, "pelton_image_crop: |out| is null");
  PN_TRY(pn_picture_check(image, diag));
  if (!width || !height || width > image->width || height > image->height)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                   "a crop of %u x %u from an image of %u x %u pixels: resize it to at least the crop first", width,
                   height, image->width, image->height);
  size_t left = (image->width - width) / 2, top = (image->height - height) / 2;
  *out = (pelton_image){.size = (uint32_t)sizeof *out,
                        .width = width,
                        .height = height,
                        .channels = image->channels,
                        .row_bytes = image->row_bytes,
                        .pixels = image->pixels + top * image->row_bytes + left * image->channels};
  return PELTON_OK;
}
