/* PNG through libpng, with the caller's allocator. Errors leave by longjmp, as in decode_jpeg.c: all state is in one
   struct, and the function that calls setjmp keeps nothing in locals. */
#include "vision/image.h"

#include "base/bytes.h"

#if defined(PELTON_HAVE_PNG)

#include <png.h>
#include <stdio.h>

enum { MAX_CHUNK_BYTES = 8 << 20, MAX_CHUNKS_KEPT = 256, MEMORY_ALIGN = 16 };

typedef struct png_reader {
  png_structp png;
  png_infop info;
  const pn_picture_source *source;
  pelton_image *out;
  pelton_diag *diag;
  size_t used;
  pelton_status status; /* set where the failure is ours and |diag| has its reason */
  bool out_of_memory, cut_off;
  char message[128];
} png_reader;

static void *png_memory(png_structp png, png_alloc_size_t bytes) {
  png_reader *reader = png_get_mem_ptr(png);
  void *memory = pn_alloc_raw(reader->source->allocator, bytes, MEMORY_ALIGN);
  if (!memory) reader->out_of_memory = true;
  return memory;
}

static void png_memory_release(png_structp png, void *memory) {
  png_reader *reader = png_get_mem_ptr(png);
  pn_release(reader->source->allocator, memory);
}

static void on_error(png_structp png, png_const_charp message) {
  png_reader *reader = png_get_error_ptr(png);
  snprintf(reader->message, sizeof reader->message, "%s", message);
  png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message) { (void)png, (void)message; }

static void read_bytes(png_structp png, png_bytep to, size_t bytes) {
  png_reader *reader = png_get_io_ptr(png);
  if (bytes > reader->source->size - reader->used) {
    reader->cut_off = true;
    png_error(png, "cut off");
  }
  memcpy(to, reader->source->data + reader->used, bytes);
  reader->used += bytes;
}

/* Whatever the file holds becomes 8 bits of grey or RGB. */
static void set_transforms(png_reader *reader) {
  png_set_expand(reader->png); /* palettes to RGB, grey of fewer bits to 8, transparent colours to alpha */
  png_set_scale_16(reader->png);
  png_set_strip_alpha(reader->png);
  png_set_interlace_handling(reader->png);
  png_read_update_info(reader->png, reader->info);
}

/* False after an error of libpng or, with |status| set, of ours. */
static bool read_header(png_reader *reader) {
  if (setjmp(png_jmpbuf(reader->png))) return false;
  png_set_user_limits(reader->png, 0x7fffffff, 0x7fffffff); /* ours are checked below, with our words */
  png_set_chunk_malloc_max(reader->png, MAX_CHUNK_BYTES);
  png_set_chunk_cache_max(reader->png, MAX_CHUNKS_KEPT);
  png_set_read_fn(reader->png, reader, read_bytes);
  png_read_info(reader->png, reader->info);
  reader->status = pn_picture_check_claim(reader->source, png_get_image_width(reader->png, reader->info),
                                          png_get_image_height(reader->png, reader->info), reader->diag);
  if (reader->status) return false;
  set_transforms(reader);
  reader->status = pn_picture_create(reader->source->allocator, png_get_image_width(reader->png, reader->info),
                                     png_get_image_height(reader->png, reader->info),
                                     png_get_channels(reader->png, reader->info), reader->out, reader->diag);
  if (!reader->status && png_get_rowbytes(reader->png, reader->info) != reader->out->row_bytes)
    reader->status = PN_INTERNAL(reader->diag, "libpng's rows are not as long as asked for");
  return !reader->status;
}

/* An interlaced file comes in seven passes over the same rows. */
static bool read_rows(png_reader *reader, int passes) {
  if (setjmp(png_jmpbuf(reader->png))) return false;
  for (int pass = 0; pass < passes; pass++)
    for (uint32_t y = 0; y < reader->out->height; y++)
      png_read_row(reader->png, reader->out->pixels + (size_t)y * reader->out->row_bytes, NULL);
  png_read_end(reader->png, NULL); /* the check sums to the end: a file without one is cut off */
  return true;
}

static pelton_status decode(png_reader *reader) {
  bool done = read_header(reader) &&
              read_rows(reader, png_get_interlace_type(reader->png, reader->info) == PNG_INTERLACE_NONE ? 1 : 7);
  if (reader->status) return reader->status;
  if (reader->out_of_memory) return pn_fail_memory(reader->diag, "libpng's scratch");
  if (reader->cut_off)
    return pn_fail(reader->diag, PELTON_INVALID_DATA, "a PNG file cut off: its %zu bytes end before the picture does",
                   reader->source->size);
  if (!done) return pn_fail(reader->diag, PELTON_INVALID_DATA, "a broken PNG file: %s", reader->message);
  return PELTON_OK;
}

pelton_status pn_decode_png(const pn_picture_source *source, pelton_image *out, pelton_diag *diag) {
  png_reader reader = {.source = source, .out = out, .diag = diag};
  reader.png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &reader, on_error, on_warning, &reader, png_memory,
                                        png_memory_release);
  if (!reader.png && !reader.out_of_memory)
    return pn_fail(diag, PELTON_UNSUPPORTED,
                   "libpng %s does not work with this build of Pelton, which was made with %s: "
                   "install that version",
                   png_get_libpng_ver(NULL), PNG_LIBPNG_VER_STRING);
  if (reader.png) reader.info = png_create_info_struct(reader.png);
  pelton_status status = reader.info ? decode(&reader) : pn_fail_memory(diag, "libpng's scratch");
  png_destroy_read_struct(&reader.png, &reader.info, NULL);
  return status;
}

#else

pelton_status pn_decode_png(const pn_picture_source *source, pelton_image *out, pelton_diag *diag) {
  (void)source, (void)out;
  return pn_fail(diag, PELTON_UNSUPPORTED,
                 "a PNG file, but this build of Pelton has no libpng: install libpng's "
                 "development files and build again, or convert the picture to BMP");
}

#endif
