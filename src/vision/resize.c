/* Resizing in two passes: each source row that is needed becomes a row of floats of the new width, and the new rows are
   mixed from up to four of those. Rows that no new row reads are never touched, so shrinking costs by the result's
   height. Values are rounded once, at the end. */
#include "vision/image.h"

#include "base/bytes.h"

#include <assert.h>
#include <math.h>

enum { MAX_TAPS = 4, ROWS_HELD = MAX_TAPS };
static const double cubic_a = -0.75;

/* What one new pixel reads along one axis: |count| source positions and their shares, which sum to one. */
typedef struct axis_taps {
  uint32_t at[MAX_TAPS];
  float share[MAX_TAPS];
} axis_taps;

typedef struct resizer {
  const pelton_image *image;
  pelton_image *out;
  axis_taps *columns; /* one a new column */
  uint32_t count;     /* taps in use: 1, 2 or 4 */
  float *rows[ROWS_HELD];
  int64_t held[ROWS_HELD]; /* which source row each of |rows| was made from; -1: none */
} resizer;

/* ---- taps ------------------------------------------------------------------------------------------------------ */

static uint32_t taps_of(uint32_t interpolation) {
  if (interpolation == PELTON_INTERPOLATION_NEAREST) return 1;
  return interpolation == PELTON_INTERPOLATION_CUBIC ? 4 : 2;
}

/* Keys' kernel: at distance t from the second of four pixels, 0 <= t < 1. */
static void set_cubic_shares(double t, float share[MAX_TAPS]) {
  const double a = cubic_a, u = 1 - t;
  double s[MAX_TAPS];
  s[0] = a * t * u * u;
  s[1] = ((a + 2) * t - (a + 3)) * t * t + 1;
  s[2] = ((a + 2) * u - (a + 3)) * u * u + 1;
  s[3] = 1 - s[0] - s[1] - s[2];
  for (int i = 0; i < MAX_TAPS; i++) share[i] = (float)s[i];
}

/* New pixel |index| of |to| reads from |from| source pixels. */
static axis_taps make_taps(uint32_t index, uint32_t from, uint32_t to, uint32_t count) {
  axis_taps taps = {{0}, {0}};
  if (count == 1) {
    taps.at[0] = (uint32_t)((2 * (uint64_t)index + 1) * from / (2 * (uint64_t)to));
    taps.share[0] = 1;
    return taps;
  }
  double centre = (index + 0.5) * from / to - 0.5;
  double whole = floor(centre);
  if (count == 2) {
    taps.share[1] = (float)(centre - whole);
    taps.share[0] = 1 - taps.share[1];
  } else {
    set_cubic_shares(centre - whole, taps.share);
  }
  int64_t first = (int64_t)whole - (count == 4);
  for (uint32_t i = 0; i < count; i++) taps.at[i] = (uint32_t)pn_max_i64(0, pn_min_i64(first + i, (int64_t)from - 1));
  return taps;
}

/* ---- passes ---------------------------------------------------------------------------------------------------- */

/* Source row |y| at the new width. Taps of one new row are neighbours, so y modulo four keeps them apart. */
static const float *resized_row(resizer *r, uint32_t y) {
  uint32_t slot = y % ROWS_HELD;
  float *to = r->rows[slot];
  if (r->held[slot] == y) return to;
  r->held[slot] = y;
  const uint8_t *from = r->image->pixels + (size_t)y * r->image->row_bytes;
  size_t channels = r->image->channels;
  for (size_t x = 0; x < r->out->width; x++) {
    const axis_taps *taps = &r->columns[x];
    for (size_t c = 0; c < channels; c++) {
      float sum = 0;
      for (uint32_t i = 0; i < r->count; i++) sum += taps->share[i] * from[taps->at[i] * channels + c];
      to[x * channels + c] = sum;
    }
  }
  return to;
}

static void resize_rows(resizer *r) {
  size_t row_values = (size_t)r->out->width * r->out->channels;
  for (uint32_t y = 0; y < r->out->height; y++) {
    axis_taps taps = make_taps(y, r->image->height, r->out->height, r->count);
    const float *rows[MAX_TAPS] = {NULL};
    for (uint32_t i = 0; i < r->count; i++) rows[i] = resized_row(r, taps.at[i]);
    uint8_t *to = r->out->pixels + (size_t)y * r->out->row_bytes;
    for (size_t k = 0; k < row_values; k++) {
      float sum = 0.5f; /* rounds */
      for (uint32_t i = 0; i < r->count; i++) sum += taps.share[i] * rows[i][k];
      to[k] = sum <= 0 ? 0 : sum >= 255 ? 255 : (uint8_t)sum;
    }
  }
}

/* ---- the call -------------------------------------------------------------------------------------------------- */

/* Tables and rows in one block. */
static pelton_status allocate(resizer *r, const pelton_allocator *allocator, void **out_block, pelton_diag *diag) {
  size_t row_values, row_bytes, rows_bytes, taps_bytes, bytes;
  if (!pn_mul_size(r->out->width, r->out->channels, &row_values) ||
      !pn_mul_size(row_values, sizeof(float), &row_bytes) || !pn_mul_size(row_bytes, ROWS_HELD, &rows_bytes) ||
      !pn_mul_size(r->out->width, sizeof(axis_taps), &taps_bytes) || !pn_add_size(taps_bytes, rows_bytes, &bytes))
    return pn_fail_memory(diag, "the resize's rows");
  uint8_t *block = pn_alloc_raw(allocator, bytes, 64);
  if (!block) return pn_fail_memory(diag, "the resize's rows");
  r->columns = (axis_taps *)(void *)block;
  for (size_t i = 0; i < ROWS_HELD; i++) {
    r->rows[i] = (float *)(void *)(block + taps_bytes + i * row_bytes);
    r->held[i] = -1;
  }
  *out_block = block;
  return PELTON_OK;
}

pelton_status pelton_image_resize(const pelton_image *image, const pelton_resize_options *options, pelton_image *out,
                                  pelton_diag *diag) {
  if (!out || out == image)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "pelton_image_resize: |out| is null or the image itself");
  *out = (pelton_image)PELTON_IMAGE_INIT;
  PN_TRY(pn_picture_check(image, diag));
  pelton_resize_options known = PELTON_RESIZE_OPTIONS_INIT;
  PN_TRY(pn_options_read(options, &known, sizeof known, "PELTON_RESIZE_OPTIONS_INIT", diag));
  if (!known.width || !known.height)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "a resize to %u x %u pixels: both must be at least 1", known.width,
                   known.height);
  if (known.interpolation > PELTON_INTERPOLATION_CUBIC)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "interpolation %u: 0 (linear), 1 (nearest) and 2 (cubic) are known",
                   known.interpolation);
  PN_TRY(pn_picture_create(known.allocator, known.width, known.height, image->channels, out, diag));
  resizer r = {.image = image, .out = out, .count = taps_of(known.interpolation)};
  void *block = NULL;
  pelton_status status = allocate(&r, known.allocator, &block, diag);
  if (status) {
    pelton_image_release(out);
    return status;
  }
  assert(r.columns);
  for (uint32_t x = 0; x < known.width; x++) r.columns[x] = make_taps(x, image->width, known.width, r.count);
  resize_rows(&r);
  pn_release(known.allocator, block);
  return PELTON_OK;
}
