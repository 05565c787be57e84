/* BMP: a file header of 14 bytes, an information header whose own size tells its version, for 16 and 32 bits perhaps
   three masks, for up to 8 bits a palette, and rows padded to four bytes, from the bottom unless the height is
   negative. Run-length coding is refused. All offsets are checked once, before the rows are read. */
#include "vision/image.h"

#include "base/bytes.h"

#include <assert.h>

enum {
  FILE_HEADER_BYTES = 14,
  CORE_HEADER_BYTES = 12, /* OS/2 1: 16-bit sides, palette entries of 3 bytes */
  INFO_HEADER_BYTES = 40,
  COMPRESSION_NONE = 0,
  COMPRESSION_MASKS = 3,
  COMPRESSION_ALPHA_MASKS = 6
};

typedef struct bmp_header {
  uint32_t header_bytes, width, height, bits, compression;
  bool top_down;
  size_t palette_offset, pixel_offset, row_bytes;
  uint32_t palette_count, palette_entry_bytes;
  uint32_t masks[3]; /* red, green, blue, for 16 and 32 bits */
} bmp_header;

static pelton_status fail_short(const pn_picture_source *source, const char *what, pelton_diag *diag) {
  return pn_fail(diag, PELTON_INVALID_DATA, "a BMP file cut off in its %s: it has %zu bytes", what, source->size);
}

/* Sides, bits and compression, from either kind of header. */
static pelton_status read_fields(const pn_picture_source *source, bmp_header *h, pelton_diag *diag) {
  const uint8_t *d = source->data + FILE_HEADER_BYTES;
  if (source->size < FILE_HEADER_BYTES + 4) return fail_short(source, "header", diag);
  h->header_bytes = pn_load_u32(d);
  if (h->header_bytes != CORE_HEADER_BYTES && (h->header_bytes < INFO_HEADER_BYTES || h->header_bytes > 256))
    return pn_fail(diag, PELTON_INVALID_DATA, "a BMP header of %u bytes: 12 or 40 to 124 are known", h->header_bytes);
  if (source->size - FILE_HEADER_BYTES < h->header_bytes) return fail_short(source, "header", diag);
  h->compression = COMPRESSION_NONE;
  if (h->header_bytes == CORE_HEADER_BYTES) {
    h->width = pn_load_u16(d + 4);
    h->height = pn_load_u16(d + 6);
    h->bits = pn_load_u16(d + 10);
    return PELTON_OK;
  }
  uint32_t height = pn_load_u32(d + 8);
  h->top_down = height >> 31;
  h->width = pn_load_u32(d + 4);
  h->height = h->top_down ? 0u - height : height;
  h->bits = pn_load_u16(d + 14);
  h->compression = pn_load_u32(d + 16);
  h->palette_count = pn_load_u32(d + 32);
  return PELTON_OK;
}

/* The masks' place is the same in every header: they follow the 40 bytes, as part of a longer header or behind it. */
static pelton_status read_masks(const pn_picture_source *source, bmp_header *h, pelton_diag *diag) {
  if (h->compression == COMPRESSION_NONE) {
    bool wide = h->bits == 32;
    h->masks[0] = wide ? 0xff0000u : 0x7c00u;
    h->masks[1] = wide ? 0xff00u : 0x3e0u;
    h->masks[2] = wide ? 0xffu : 0x1fu;
    return PELTON_OK;
  }
  const size_t at = FILE_HEADER_BYTES + INFO_HEADER_BYTES;
  if (source->size < at + 12) return fail_short(source, "colour masks", diag);
  for (size_t i = 0; i < 3; i++) {
    uint32_t mask = pn_load_u32(source->data + at + 4 * i);
    uint32_t low = mask & (0u - mask);
    if (!mask || (mask & (mask + low)) || (h->bits == 16 && mask > 0xffff))
      return pn_fail(diag, PELTON_INVALID_DATA,
                     "a BMP file with the colour mask %08x: it is not one run of its %u bits", mask, h->bits);
    h->masks[i] = mask;
  }
  return PELTON_OK;
}

static pelton_status check_kind(bmp_header *h, pelton_diag *diag) {
  bool bits_known = h->bits == 1 || h->bits == 4 || h->bits == 8 || h->bits == 16 || h->bits == 24 || h->bits == 32;
  if (!bits_known)
    return pn_fail(diag, PELTON_INVALID_DATA, "a BMP file with %u bits a pixel: 1, 4, 8, 16, 24 and 32 are known",
                   h->bits);
  bool masked = h->compression == COMPRESSION_MASKS || h->compression == COMPRESSION_ALPHA_MASKS;
  if (h->compression != COMPRESSION_NONE && !(masked && (h->bits == 16 || h->bits == 32)))
    return pn_fail(diag, PELTON_UNSUPPORTED,
                   "a BMP file of %u bits with compression %u: save it uncompressed, or as PNG", h->bits,
                   h->compression);
  return PELTON_OK;
}

static pelton_status read_header(const pn_picture_source *source, bmp_header *h, pelton_diag *diag) {
  *h = (bmp_header){0};
  PN_TRY(read_fields(source, h, diag));
  PN_TRY(check_kind(h, diag));
  PN_TRY(pn_picture_check_claim(source, h->width, h->height, diag));
  h->palette_offset = FILE_HEADER_BYTES + (size_t)h->header_bytes;
  if (h->bits == 16 || h->bits == 32) PN_TRY(read_masks(source, h, diag));
  if (h->bits <= 8) {
    uint32_t full = 1u << h->bits;
    if (!h->palette_count || h->palette_count > full) h->palette_count = full;
    h->palette_entry_bytes = h->header_bytes == CORE_HEADER_BYTES ? 3 : 4;
    if (source->size < h->palette_offset + (size_t)h->palette_count * h->palette_entry_bytes)
      return fail_short(source, "palette", diag);
  }
  /* The claim was checked: neither product comes near the end of 64 bits, nor of 32 at 2^26 pixels and 4 bytes. */
  h->row_bytes = ((size_t)h->width * h->bits + 31) / 32 * 4;
  h->pixel_offset = pn_load_u32(source->data + 10);
  size_t bytes, end;
  if (h->pixel_offset < h->palette_offset)
    return pn_fail(diag, PELTON_INVALID_DATA, "a BMP file whose pixels begin at byte %zu, within its header",
                   h->pixel_offset);
  if (!pn_mul_size(h->row_bytes, h->height, &bytes) || !pn_add_size(bytes, h->pixel_offset, &end) || end > source->size)
    return pn_fail(
        diag, PELTON_INVALID_DATA,
        "a BMP file cut off in its pixels: %u rows of %zu bytes from byte %zu on do not fit in its %zu bytes",
        h->height, h->row_bytes, h->pixel_offset, source->size);
  return PELTON_OK;
}

/* ---- rows ------------------------------------------------------------------------------------------------------ */

static void read_palette_row(const bmp_header *h, const uint8_t *row, const uint8_t (*palette)[3], uint8_t *out) {
  uint32_t per_byte = 8 / h->bits, mask = (1u << h->bits) - 1;
  for (uint32_t x = 0; x < h->width; x++) {
    uint32_t shift = 8 - h->bits * (x % per_byte + 1);
    memcpy(out + 3 * (size_t)x, palette[((uint32_t)row[x / per_byte] >> shift) & mask], 3);
  }
}

static void read_24_bit_row(const bmp_header *h, const uint8_t *row, uint8_t *out) {
  for (size_t i = 0; i < 3 * (size_t)h->width; i += 3) {
    out[i] = row[i + 2];
    out[i + 1] = row[i + 1];
    out[i + 2] = row[i];
  }
}

/* The masked bits scaled to 8, rounded. */
static uint8_t masked_value(uint32_t pixel, uint32_t mask) {
  assert(mask); /* the header was refused otherwise */
  uint64_t low = mask & (0u - mask), max = mask / low, value = (pixel & mask) / low;
  return (uint8_t)((value * 255 + max / 2) / max);
}

static void read_masked_row(const bmp_header *h, const uint8_t *row, uint8_t *out) {
  for (size_t x = 0; x < h->width; x++) {
    uint32_t pixel = h->bits == 16 ? pn_load_u16(row + 2 * x) : pn_load_u32(row + 4 * x);
    for (size_t c = 0; c < 3; c++) out[3 * x + c] = masked_value(pixel, h->masks[c]);
  }
}

pelton_status pn_decode_bmp(const pn_picture_source *source, pelton_image *out, pelton_diag *diag) {
  bmp_header h;
  PN_TRY(read_header(source, &h, diag));
  PN_TRY(pn_picture_create(source->allocator, h.width, h.height, 3, out, diag));
  uint8_t palette[256][3] = {{0}}; /* an index beyond the palette is black */
  for (size_t i = 0; h.bits <= 8 && i < h.palette_count; i++) {
    const uint8_t *entry = source->data + h.palette_offset + i * h.palette_entry_bytes;
    for (size_t c = 0; c < 3; c++) palette[i][c] = entry[2 - c];
  }
  for (uint32_t y = 0; y < h.height; y++) {
    const uint8_t *row = source->data + h.pixel_offset + (size_t)y * h.row_bytes;
    uint8_t *to = out->pixels + (size_t)(h.top_down ? y : h.height - 1 - y) * out->row_bytes;
    if (h.bits <= 8)
      read_palette_row(&h, row, (const uint8_t(*)[3])palette, to);
    else if (h.bits == 24)
      read_24_bit_row(&h, row, to);
    else
      read_masked_row(&h, row, to);
  }
  return PELTON_OK;
}
