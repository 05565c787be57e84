/* TIFF through libtiff, its first page. Grey and RGB of 8 bits are read row by row as they are; every other kind
   (palettes, CMYK, YCbCr, 1 and 16 bits, tiles) goes through libtiff's own conversion to RGBA. The file is read from
   memory with messages and limits of this one reading: that takes libtiff 4.5. */
#include "vision/image.h"

#if defined(PELTON_HAVE_TIFF)

#include <stdio.h>
#include <string.h>
#include <tiffio.h>

enum { SPARE_BYTES = 64 << 20 /* that libtiff may take at once beyond the picture itself */ };

typedef struct tiff_reader {
  const pn_picture_source *source;
  uint64_t at;
  char message[160];
} tiff_reader;

static int on_error(TIFF *tiff, void *self, const char *module, const char *format, va_list arguments) {
  tiff_reader *r = self;
  (void)tiff, (void)module;
  if (!r->message[0]) vsnprintf(r->message, sizeof r->message, format, arguments);
  return 1; /* said */
}

static int on_warning(TIFF *tiff, void *self, const char *module, const char *format, va_list arguments) {
  (void)tiff, (void)self, (void)module, (void)format, (void)arguments;
  return 1;
}

static tmsize_t read_bytes(thandle_t self, void *to, tmsize_t bytes) {
  tiff_reader *r = (tiff_reader *)self;
  const uint64_t left = r->at < r->source->size ? r->source->size - r->at : 0;
  const size_t count = bytes <= 0 ? 0 : (uint64_t)bytes < left ? (size_t)bytes : (size_t)left;
  if (count) memcpy(to, r->source->data + r->at, count);
  r->at += count;
  return (tmsize_t)count;
}

static tmsize_t write_bytes(thandle_t self, void *from, tmsize_t bytes) {
  (void)self, (void)from, (void)bytes;
  return -1;
}

static toff_t seek(thandle_t self, toff_t offset, int whence) {
  tiff_reader *r = (tiff_reader *)self;
  r->at = whence == SEEK_CUR ? r->at + offset : whence == SEEK_END ? r->source->size + offset : offset;
  return r->at;
}

static int close_nothing(thandle_t self) {
  (void)self;
  return 0;
}

static toff_t size_of(thandle_t self) { return ((tiff_reader *)self)->source->size; }

static TIFF *open_source(tiff_reader *r) {
  TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
  if (!options) return NULL;
  const uint64_t picture = r->source->max_pixels < (1u << 27) ? r->source->max_pixels * 8 : 1u << 30;
  TIFFOpenOptionsSetMaxSingleMemAlloc(options, (tmsize_t)(picture + SPARE_BYTES));
  TIFFOpenOptionsSetErrorHandlerExtR(options, on_error, r);
  TIFFOpenOptionsSetWarningHandlerExtR(options, on_warning, r);
  TIFF *tiff = TIFFClientOpenExt("picture", "rm", (thandle_t)r, read_bytes, write_bytes, seek, close_nothing, size_of,
                                 NULL, NULL, options);
  TIFFOpenOptionsFree(options);
  return tiff;
}

static pelton_status fail_broken(const tiff_reader *r, pelton_diag *diag) {
  return pn_fail(diag, PELTON_INVALID_DATA, "a broken TIFF file, or one cut off (%zu bytes): %s", r->source->size,
                 r->message[0] ? r->message : "libtiff does not say why");
}

/* What the plain way reads: samples of 8 bits side by side, in strips. */
static bool is_plain(TIFF *tiff, uint32_t channels) {
  uint16_t bits = 0, samples = 0, planar = 0, photometric = 0, orientation = 0;
  TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &bits);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &samples);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_PLANARCONFIG, &planar);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_ORIENTATION, &orientation);
  const bool wanted = TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &photometric) &&
                      photometric == (channels == 3 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK);
  return wanted && bits == 8 && samples >= channels && planar == PLANARCONFIG_CONTIG &&
         orientation == ORIENTATION_TOPLEFT && !TIFFIsTiled(tiff);
}

static bool is_grey(TIFF *tiff) {
  uint16_t photometric = 0;
  return TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &photometric) &&
         (photometric == PHOTOMETRIC_MINISBLACK || photometric == PHOTOMETRIC_MINISWHITE);
}

static pelton_status read_rows(TIFF *tiff, tiff_reader *r, pelton_image *out, pelton_diag *diag) {
  uint16_t samples = 1;
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &samples);
  const tmsize_t row_bytes = TIFFScanlineSize(tiff);
  const size_t need = (size_t)out->width * samples;
  if (row_bytes < 0 || (size_t)row_bytes < need) return fail_broken(r, diag);
  uint8_t *row = pn_alloc_raw(r->source->allocator, (size_t)row_bytes, 16);
  if (!row) return pn_fail_memory(diag, "a row of a picture");
  bool ok = true;
  for (uint32_t y = 0; y < out->height && ok; y++) {
    uint8_t *to = out->pixels + (size_t)y * out->row_bytes;
    ok = TIFFReadScanline(tiff, row, y, 0) == 1;
    for (size_t x = 0; ok && x < out->width; x++) memcpy(to + x * out->channels, row + x * samples, out->channels);
  }
  pn_release(r->source->allocator, row);
  return ok ? PELTON_OK : fail_broken(r, diag);
}

static pelton_status convert(TIFF *tiff, tiff_reader *r, pelton_image *out, pelton_diag *diag) {
  const size_t count = (size_t)out->width * out->height; /* within the limit of pixels */
  uint32_t *raster = pn_alloc_raw(r->source->allocator, count * sizeof *raster, 16);
  if (!raster) return pn_fail_memory(diag, "a converted picture");
  memset(raster, 0, count * sizeof *raster);
  const bool ok = TIFFReadRGBAImageOriented(tiff, out->width, out->height, raster, ORIENTATION_TOPLEFT, 1) == 1;
  for (size_t i = 0; ok && i < count; i++) {
    const uint8_t rgb[3] = {(uint8_t)TIFFGetR(raster[i]), (uint8_t)TIFFGetG(raster[i]), (uint8_t)TIFFGetB(raster[i])};
    memcpy(out->pixels + i * out->channels, rgb, out->channels);
  }
  pn_release(r->source->allocator, raster);
  return ok ? PELTON_OK : fail_broken(r, diag);
}

static pelton_status decode(TIFF *tiff, tiff_reader *r, pelton_image *out, pelton_diag *diag) {
  uint32_t width = 0, height = 0;
  TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &width);
  TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &height);
  PN_TRY(pn_picture_check_claim(r->source, width, height, diag));
  const uint32_t channels = is_grey(tiff) ? 1 : 3;
  PN_TRY(pn_picture_create(r->source->allocator, width, height, channels, out, diag));
  return is_plain(tiff, channels) ? read_rows(tiff, r, out, diag) : convert(tiff, r, out, diag);
}

pelton_status pn_decode_tiff(const pn_picture_source *source, pelton_image *out, pelton_diag *diag) {
  tiff_reader r = {.source = source};
  TIFF *tiff = open_source(&r);
  if (!tiff) return fail_broken(&r, diag);
  const pelton_status status = decode(tiff, &r, out, diag);
  TIFFClose(tiff);
  return status;
}

#else

pelton_status pn_decode_tiff(const pn_picture_source *source, pelton_image *out, pelton_diag *diag) {
  (void)source, (void)out;
  return pn_fail(diag, PELTON_UNSUPPORTED,
                 "a TIFF file, but this build of Pelton has no libtiff (4.5 or newer): install its development "
                 "files and build again, or convert the picture to PNG");
}

#endif
