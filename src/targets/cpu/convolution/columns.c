/* See columns.h. Both copies walk the places in runs along the last axis; what a tap means for a whole row of places
   (where it lies in the picture, or that it lies outside) is settled once a row, and where the row leaves the picture
   once a call, so that what is left for a run is a copy between two bounds. */
#include "targets/cpu/convolution/columns.h"

#include "base/bytes.h"

#include <string.h>

/* Turning runs of two or three taps costs more than it saves. */
enum { PIECE = 1024, MIN_TOGETHER = 4, MAX_TOGETHER = 64 };

static bool is_whole(const pn_columns_axis *a) {
  return a->kernel == 1 && a->stride == 1 && a->pad == 0 && a->places == a->picture;
}

void pn_columns_init(pn_columns *c, uint32_t axes, const pn_window *windows, bool transposed) {
  *c = (pn_columns){.picture = 1, .places = 1, .taps = 1};
  for (uint32_t i = 0; i < axes; i++) {
    const pn_window *w = &windows[i];
    pn_columns_axis a = {.picture = transposed ? w->output : w->input,
                         .places = transposed ? w->input : w->output,
                         .kernel = w->kernel,
                         .stride = w->stride,
                         .dilation = w->dilation,
                         .pad = w->pad_begin};
    c->picture *= a.picture;
    c->places *= a.places;
    c->taps *= a.kernel;
    pn_columns_axis *before = c->axes ? &c->axis[c->axes - 1] : NULL;
    if (before && is_whole(before) && is_whole(&a)) {
      before->picture *= a.picture;
      before->places *= a.places;
    } else {
      c->axis[c->axes++] = a;
    }
  }
  c->tap_rows = c->taps / c->axis[c->axes - 1].kernel;
}

/* Where each row of taps lies in the picture for row |row| of places; -1 outside. */
static void place_tap_rows(const pn_columns *c, int64_t row, int64_t *offsets) {
  int64_t start[PN_MAX_RANK], tap[PN_MAX_RANK] = {0};
  uint32_t outer = c->axes - 1;
  for (uint32_t i = outer; i-- > 0; row /= c->axis[i].places)
    start[i] = row % c->axis[i].places * c->axis[i].stride - c->axis[i].pad;
  for (int64_t r = 0; r < c->tap_rows; r++) {
    int64_t offset = 0;
    bool inside = true;
    for (uint32_t i = 0; i < outer; i++) {
      int64_t at = start[i] + tap[i] * c->axis[i].dilation;
      inside = inside && at >= 0 && at < c->axis[i].picture;
      offset = offset * c->axis[i].picture + at;
    }
    offsets[r] = inside ? offset * c->axis[outer].picture : -1;
    for (uint32_t i = outer; i-- > 0 && ++tap[i] == c->axis[i].kernel;) tap[i] = 0;
  }
}

/* For each tap of the last axis the places [bounds[2 t], bounds[2 t + 1]) where it lies inside. */
static void bound_taps(const pn_columns_axis *a, int64_t *bounds) {
  for (int64_t t = 0; t < a->kernel; t++) {
    int64_t before = a->pad - t * a->dilation, room = a->picture + before;
    int64_t low = before > 0 ? pn_div_up(before, a->stride) : 0, high = room > 0 ? pn_div_up(room, a->stride) : 0;
    bounds[2 * t + 1] = pn_min_i64(high, a->places);
    bounds[2 * t] = pn_min_i64(low, bounds[2 * t + 1]);
  }
}

/* Copies of a known size become moves of registers; runs are too short for calls. */
static void copy_run(float *to, const float *from, int64_t stride, int64_t n) {
  if (stride == 1) {
    for (; n >= 16; n -= 16, to += 16, from += 16) memcpy(to, from, 64);
    for (; n >= 4; n -= 4, to += 4, from += 4) memcpy(to, from, 16);
  }
  for (int64_t i = 0; i < n; i++) to[i] = from[i * stride];
}

static void zero_run(float *to, int64_t n) {
  for (int64_t i = 0; i < n; i++) to[i] = 0;
}

void pn_columns_gather(const pn_columns *c, const float *picture, int64_t begin, int64_t end, int64_t first,
                       int64_t last, int64_t nr, int64_t *scratch, float *to) {
  const pn_columns_axis *a = &c->axis[c->axes - 1];
  int64_t *offsets = scratch, *bounds = scratch + c->tap_rows, depth = end - begin, row = -1;
  bound_taps(a, bounds);
  for (int64_t p = first, n; p < last; p += n) {
    int64_t x = p % a->places, lane = (p - first) % nr;
    float *at = to + (p - first - lane) * depth + lane;
    n = pn_min_i64(pn_min_i64(a->places - x, nr - lane), last - p);
    if (row != p / a->places) place_tap_rows(c, row = p / a->places, offsets);
    int64_t tap = begin % c->taps, r = tap / a->kernel, t = tap % a->kernel;
    const float *plane = picture + begin / c->taps * c->picture;
    for (int64_t k = begin; k < end; k++, at += nr) {
      int64_t low = pn_max_i64(bounds[2 * t] - x, 0), high = pn_min_i64(bounds[2 * t + 1] - x, n);
      if (offsets[r] < 0 || high <= low) {
        zero_run(at, n);
      } else {
        zero_run(at, low);
        copy_run(at + low, plane + offsets[r] + (x + low) * a->stride + t * a->dilation - a->pad, a->stride,
                 high - low);
        zero_run(at + high, n - high);
      }
      if (++t < a->kernel) continue;
      t = 0;
      if (++r < c->tap_rows) continue;
      r = 0;
      plane += c->picture;
    }
  }
  int64_t rest = (last - first) % nr;
  if (!rest) return;
  to += (last - first - rest) * depth;
  for (int64_t k = 0; k < depth; k++) zero_run(to + k * nr + rest, nr - rest);
}

typedef struct adding {
  const pn_columns_kernels *kernels;
  const pn_columns_axis *axis;
  const int64_t *bounds; /* of bound_taps */
  int64_t pitch, x, n;   /* places [x, x + n) of a row */
} adding;

/* Tap |tap| from its row |from| for places [low, high) of those at hand; |to|: where tap 0 of place 0 stands. */
PN_INLINE void add_tap(const adding *a, const float *from, int64_t tap, int64_t low, int64_t high, float *to) {
  int64_t stride = a->axis->stride;
  if (low >= high) return;
  to += (a->x + low) * stride + tap * a->axis->dilation;
  from += low;
  if (stride == 1)
    a->kernels->vec->binary[PN_CPU_BINARY_add][PN_CPU_RUN_RUN]((size_t)(high - low), to, from, to);
  else
    for (int64_t i = 0; i < high - low; i++) to[i * stride] += from[i];
}

PN_INLINE int64_t low_of(const adding *a, int64_t tap) { return pn_max_i64(a->bounds[2 * tap] - a->x, 0); }
PN_INLINE int64_t high_of(const adding *a, int64_t tap) { return pn_min_i64(a->bounds[2 * tap + 1] - a->x, a->n); }

/* As many taps as the stride is long, from |tap| on, which together leave no gap: turned, so that they are one run. */
static void add_together(const adding *a, const float *from, int64_t tap, float *to) {
  int64_t stride = a->axis->stride, low = 0, high = a->n, most = PIECE / stride;
  float piece[PIECE];
  for (int64_t t = tap; t < tap + stride; t++) {
    low = pn_max_i64(low, low_of(a, t));
    high = pn_min_i64(high, high_of(a, t));
  }
  high = pn_max_i64(high, low);
  for (int64_t t = tap; t < tap + stride; t++) { /* the ends, where some of them are outside */
    const float *row = from + (t - tap) * a->pitch;
    add_tap(a, row, t, low_of(a, t), pn_min_i64(low, high_of(a, t)), to);
    add_tap(a, row, t, pn_max_i64(high, low_of(a, t)), high_of(a, t), to);
  }
  for (int64_t i = low; i < high; i += most) {
    int64_t count = pn_min_i64(most, high - i);
    float *run = to + (a->x + i) * stride + tap;
    a->kernels->transpose->transpose(from + i, a->pitch, (size_t)stride, (size_t)count, piece, stride);
    a->kernels->vec->binary[PN_CPU_BINARY_add][PN_CPU_RUN_RUN]((size_t)(count * stride), run, piece, run);
  }
}

static bool are_together(const pn_columns_axis *a) {
  return a->stride >= MIN_TOGETHER && a->stride <= MAX_TOGETHER && a->dilation == 1 && a->kernel >= a->stride;
}

double pn_columns_add_cost(const pn_columns *c) {
  const pn_columns_axis *a = &c->axis[c->axes - 1];
  if (a->stride == 1) return 8;
  double alone = 60, together = 20;
  if (!are_together(a)) return alone;
  double share = (double)(a->kernel / a->stride * a->stride) / (double)a->kernel;
  return share * together + (1 - share) * alone;
}

void pn_columns_add(const pn_columns *c, const pn_columns_kernels *kernels, const float *rows, int64_t pitch,
                    int64_t first, int64_t last, int64_t *scratch, float *picture) {
  const pn_columns_axis *axis = &c->axis[c->axes - 1];
  int64_t *offsets = scratch, *bounds = scratch + c->tap_rows, step = are_together(axis) ? axis->stride : 1;
  adding a = {.kernels = kernels, .axis = axis, .bounds = bounds, .pitch = pitch};
  bound_taps(axis, bounds);
  for (int64_t p = first; p < last; p += a.n) {
    a.x = p % axis->places;
    a.n = pn_min_i64(axis->places - a.x, last - p);
    place_tap_rows(c, p / axis->places, offsets);
    for (int64_t r = 0; r < c->tap_rows; r++) {
      if (offsets[r] < 0) continue;
      const float *from = rows + (p - first) + r * axis->kernel * pitch;
      float *to = picture + offsets[r] - axis->pad;
      int64_t t = 0;
      for (; step > 1 && t + step <= axis->kernel; t += step) add_together(&a, from + t * pitch, t, to);
      for (; t < axis->kernel; t++) add_tap(&a, from + t * pitch, t, low_of(&a, t), high_of(&a, t), to);
    }
  }
}
