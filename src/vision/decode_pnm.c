/* PNM, the portable bitmap, greymap and pixmap: P1 to P3 with numbers in decimal, P4 to P6 in bytes. A header of
   numbers between blanks and comments, one blank, then the samples, which are scaled from the file's own largest value
   to 255. Of several pictures in one file the first is read. */
#include "vision/image.h"

typedef struct pnm_reader {
  const pn_picture_source *source;
  size_t at;
  char kind; /* '1' to '6' */
  uint32_t width, height, most, channels;
} pnm_reader;

static pelton_status fail_short(const pnm_reader *r, const char *what, pelton_diag *diag) {
  return pn_fail(diag, PELTON_INVALID_DATA, "a PNM file cut off in its %s: it has %zu bytes", what, r->source->size);
}

static bool is_blank(uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static void skip_blanks(pnm_reader *r) {
  const uint8_t *d = r->source->data;
  for (; r->at < r->source->size; r->at++) {
    if (d[r->at] == '#')
      while (r->at + 1 < r->source->size && d[r->at] != '\n') r->at++;
    else if (!is_blank(d[r->at]))
      return;
  }
}

/* A decimal number, |what| in messages. */
static pelton_status read_number(pnm_reader *r, const char *what, uint32_t *out, pelton_diag *diag) {
  const uint8_t *d = r->source->data;
  skip_blanks(r);
  if (r->at == r->source->size) return fail_short(r, what, diag);
  if (d[r->at] < '0' || d[r->at] > '9')
    return pn_fail(diag, PELTON_INVALID_DATA, "a PNM file whose %s is no number: byte %zu is %02x", what, r->at,
                   d[r->at]);
  uint32_t value = 0;
  for (; r->at < r->source->size && d[r->at] >= '0' && d[r->at] <= '9'; r->at++) {
    if (value > UINT32_MAX / 10 - 1)
      return pn_fail(diag, PELTON_INVALID_DATA, "a PNM file whose %s has more digits than any has", what);
    value = value * 10 + (uint32_t)(d[r->at] - '0');
  }
  *out = value;
  return PELTON_OK;
}

static pelton_status read_header(pnm_reader *r, pelton_diag *diag) {
  r->kind = (char)r->source->data[1];
  r->at = 2;
  r->channels = r->kind == '3' || r->kind == '6' ? 3 : 1;
  r->most = 1;
  PN_TRY(read_number(r, "width", &r->width, diag));
  PN_TRY(read_number(r, "height", &r->height, diag));
  PN_TRY(pn_picture_check_claim(r->source, r->width, r->height, diag));
  if (r->kind != '1' && r->kind != '4') PN_TRY(read_number(r, "largest value", &r->most, diag));
  if (r->most < 1 || r->most > 65535)
    return pn_fail(diag, PELTON_INVALID_DATA, "a PNM file whose largest value is %u: 1 to 65535 are possible", r->most);
  if (r->at == r->source->size || !is_blank(r->source->data[r->at])) return fail_short(r, "header", diag);
  r->at++;
  return PELTON_OK;
}

static uint8_t scaled(const pnm_reader *r, uint32_t value) {
  return value >= r->most ? 255 : (uint8_t)((value * 255u + r->most / 2) / r->most);
}

/* Of a bitmap every digit is a pixel of its own, with or without blanks, and 1 is black. */
static pelton_status read_text(pnm_reader *r, pelton_image *out, pelton_diag *diag) {
  const size_t count = out->row_bytes * out->height;
  for (size_t i = 0; i < count; i++) {
    uint32_t value = 0;
    if (r->kind != '1') {
      PN_TRY(read_number(r, "samples", &value, diag));
      out->pixels[i] = scaled(r, value);
      continue;
    }
    skip_blanks(r);
    if (r->at == r->source->size) return fail_short(r, "samples", diag);
    out->pixels[i] = r->source->data[r->at++] == '1' ? 0 : 255;
  }
  return PELTON_OK;
}

static void read_bytes(const pnm_reader *r, const uint8_t *row, uint32_t y, pelton_image *out) {
  uint8_t *to = out->pixels + (size_t)y * out->row_bytes;
  for (size_t i = 0; i < out->row_bytes; i++) {
    if (r->kind == '4')
      to[i] = row[i / 8] >> (7 - i % 8) & 1 ? 0 : 255;
    else if (r->most > 255)
      to[i] = scaled(r, (uint32_t)row[2 * i] << 8 | row[2 * i + 1]);
    else
      to[i] = scaled(r, row[i]);
  }
}

pelton_status pn_decode_pnm(const pn_picture_source *source, pelton_image *out, pelton_diag *diag) {
  pnm_reader r = {.source = source};
  PN_TRY(read_header(&r, diag));
  /* A pixel takes a byte of text at least, a bit otherwise: what is not there asks for no memory. */
  const size_t row =
      r.kind == '4' ? ((size_t)r.width + 7) / 8 : (size_t)r.width * r.channels * (r.kind > '3' && r.most > 255 ? 2 : 1);
  if ((source->size - r.at) / row < r.height) return fail_short(&r, "samples", diag);
  PN_TRY(pn_picture_create(source->allocator, r.width, r.height, r.channels, out, diag));
  if (r.kind <= '3') return read_text(&r, out, diag);
  for (uint32_t y = 0; y < r.height; y++) read_bytes(&r, source->data + r.at + (size_t)y * row, y, out);
  return PELTON_OK;
}
