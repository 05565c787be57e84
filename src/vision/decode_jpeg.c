/* JPEG through libjpeg-turbo. Its errors leave by longjmp, so all state is in one struct and each function that calls
   setjmp keeps nothing in locals. What libjpeg only warns of (a file cut off, codes that do not decode) would give a
   picture grey in its lower part: those warnings are errors here. */
#include "vision/image.h"

#include "base/bytes.h"

#if defined(PELTON_HAVE_JPEG)

#include <setjmp.h>
#include <stdio.h> /* before jpeglib.h, which does not include it */

#include <jerror.h>
#include <jpeglib.h>

enum {
  MAX_SCANS = 200, /* a progressive file has some ten; thousands are an attack on time */
  SCRATCH_BASE_BYTES = 1 << 24
};

typedef struct jpeg_reader {
  struct jpeg_decompress_struct info;
  struct jpeg_error_mgr errors;
  struct jpeg_progress_mgr progress;
  jmp_buf fail;
  int error_code; /* of libjpeg; 0 with |too_many_scans| */
  bool too_many_scans;
  char message[JMSG_LENGTH_MAX];
  const pn_picture_source *source;
  pelton_image *out;
  pelton_diag *diag;
  uint8_t *cmyk_row; /* null unless the file has four channels */
} jpeg_reader;

static jpeg_reader *reader_of(j_common_ptr info) { return (jpeg_reader *)info->client_data; }

static void on_error(j_common_ptr info) {
  jpeg_reader *reader = reader_of(info);
  reader->error_code = info->err->msg_code;
  info->err->format_message(info, reader->message);
  longjmp(reader->fail, 1);
}

static void on_message(j_common_ptr info, int level) {
  if (level >= 0) return; /* traces */
  switch (info->err->msg_code) {
  case JWRN_JPEG_EOF:
  case JWRN_HIT_MARKER:
  case JWRN_HUFF_BAD_CODE:
  case JWRN_MUST_RESYNC: on_error(info); break;
  default: break; /* odd, but the pixels are there */
  }
}

static void on_progress(j_common_ptr info) {
  jpeg_reader *reader = reader_of(info);
  if (!info->is_decompressor || reader->info.input_scan_number <= MAX_SCANS) return;
  reader->too_many_scans = true;
  longjmp(reader->fail, 1);
}

static pelton_status fail_reader(const jpeg_reader *reader) {
  if (reader->too_many_scans)
    return pn_fail(reader->diag, PELTON_INVALID_DATA, "a JPEG file of more than %d scans: refused as an attack on time",
                   (int)MAX_SCANS);
  switch (reader->error_code) {
  case JERR_OUT_OF_MEMORY: return pn_fail_memory(reader->diag, "libjpeg's scratch");
  case JERR_NO_BACKING_STORE:
  case JERR_TFILE_CREATE:
    return pn_fail(reader->diag, PELTON_INVALID_DATA,
                   "a JPEG file that takes more scratch memory than its size explains");
  case JWRN_JPEG_EOF:
  case JERR_INPUT_EOF:
    return pn_fail(reader->diag, PELTON_INVALID_DATA, "a JPEG file cut off: its %zu bytes end before the picture does",
                   reader->source->size);
  case JERR_BAD_PRECISION:
  case JERR_CONVERSION_NOTIMPL:
  case JERR_NOT_COMPILED:
  case JERR_SOF_UNSUPPORTED:
    return pn_fail(reader->diag, PELTON_UNSUPPORTED,
                   "a JPEG file of a kind that is not read (%s): save it as 8-bit "
                   "baseline or progressive JPEG, or as PNG",
                   reader->message);
  default: return pn_fail(reader->diag, PELTON_INVALID_DATA, "a broken JPEG file: %s", reader->message);
  }
}

/* False after an error of libjpeg, like the next two. */
static bool open_reader(jpeg_reader *reader) {
  if (setjmp(reader->fail)) return false;
  jpeg_create_decompress(&reader->info);
  reader->info.client_data = reader;
  reader->info.progress = &reader->progress;
  jpeg_mem_src(&reader->info, reader->source->data, (unsigned long)reader->source->size);
  jpeg_read_header(&reader->info, TRUE);
  return true;
}

static bool start_reader(jpeg_reader *reader) {
  if (setjmp(reader->fail)) return false;
  jpeg_start_decompress(&reader->info);
  return true;
}

/* Adobe's programs store the four inks inverted, and say so with their marker. */
static void convert_cmyk_row(const jpeg_reader *reader, uint8_t *out) {
  uint8_t flip = reader->info.saw_Adobe_marker ? 0 : 255;
  for (size_t x = 0; x < reader->out->width; x++) {
    const uint8_t *ink = reader->cmyk_row + 4 * x;
    unsigned black = ink[3] ^ flip;
    for (size_t c = 0; c < 3; c++) out[3 * x + c] = (uint8_t)(((ink[c] ^ flip) * black + 127) / 255);
  }
}

static bool read_rows(jpeg_reader *reader) {
  if (setjmp(reader->fail)) return false;
  while (reader->info.output_scanline < reader->info.output_height) {
    uint8_t *to = reader->out->pixels + (size_t)reader->info.output_scanline * reader->out->row_bytes;
    JSAMPROW row = reader->cmyk_row ? reader->cmyk_row : to;
    jpeg_read_scanlines(&reader->info, &row, 1);
    if (reader->cmyk_row) convert_cmyk_row(reader, to);
  }
  jpeg_finish_decompress(&reader->info); /* reads on to the end marker: a file without one is cut off */
  return true;
}

static pelton_status choose_channels(jpeg_reader *reader, uint32_t *channels) {
  switch (reader->info.jpeg_color_space) {
  case JCS_GRAYSCALE:
    reader->info.out_color_space = JCS_GRAYSCALE;
    *channels = 1;
    return PELTON_OK;
  case JCS_RGB:
  case JCS_YCbCr:
    reader->info.out_color_space = JCS_RGB;
    *channels = 3;
    return PELTON_OK;
  case JCS_CMYK:
  case JCS_YCCK:
    reader->info.out_color_space = JCS_CMYK;
    *channels = 4;
    return PELTON_OK;
  default:
    return pn_fail(reader->diag, PELTON_UNSUPPORTED, "a JPEG file of %d unnamed channels: save it as grey, RGB or CMYK",
                   reader->info.num_components);
  }
}

static pelton_status decode(jpeg_reader *reader) {
  const pn_picture_source *source = reader->source;
  if (!open_reader(reader)) return fail_reader(reader);
  uint32_t channels = 0, width = reader->info.image_width, height = reader->info.image_height;
  PN_TRY(pn_picture_check_claim(source, width, height, reader->diag));
  PN_TRY(choose_channels(reader, &channels));
  /* A progressive picture is held as coefficients of two bytes, padded to whole blocks. */
  size_t scratch = SCRATCH_BASE_BYTES + (size_t)width * height * 16;
  reader->info.mem->max_memory_to_use = scratch < INT32_MAX ? (long)scratch : INT32_MAX;
  if (!start_reader(reader)) return fail_reader(reader);
  PN_TRY(pn_picture_create(source->allocator, width, height, channels == 1 ? 1 : 3, reader->out, reader->diag));
  if (channels == 4) {
    reader->cmyk_row = pn_alloc_raw(source->allocator, 4 * (size_t)width, 16);
    if (!reader->cmyk_row) return pn_fail_memory(reader->diag, "a row of a CMYK picture");
  }
  return read_rows(reader) ? PELTON_OK : fail_reader(reader);
}

pelton_status pn_decode_jpeg(const pn_picture_source *source, pelton_image *out, pelton_diag *diag) {
  jpeg_reader reader = {.source = source, .out = out, .diag = diag};
  if (source->size > UINT32_MAX)
    return pn_fail(diag, PELTON_INVALID_DATA, "a JPEG file of %zu bytes: more than 4 GiB is refused", source->size);
  reader.info.err = jpeg_std_error(&reader.errors);
  reader.errors.error_exit = on_error;
  reader.errors.emit_message = on_message;
  reader.progress.progress_monitor = on_progress;
  reader.info.client_data = &reader;
  pelton_status status = decode(&reader);
  pn_release(source->allocator, reader.cmyk_row);
  jpeg_destroy_decompress(&reader.info); /* safe on a struct that was only zeroed */
  return status;
}

#else

pelton_status pn_decode_jpeg(const pn_picture_source *source, pelton_image *out, pelton_diag *diag) {
  (void)source, (void)out;
  return pn_fail(diag, PELTON_UNSUPPORTED,
                 "a JPEG file, but this build of Pelton has no libjpeg: install libjpeg-turbo's "
                 "development files and build again, or convert the picture to BMP");
}

#endif
