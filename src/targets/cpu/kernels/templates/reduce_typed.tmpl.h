/* reduce_typed: reductions of any type as plain loops, which compilers turn into the vectors of the file's instructions.
   Sums of doubles run in lanes of their own, since their order may not be changed behind the program's back; and
   positions of extremes are kept in integers as wide as the elements, so that both fill the same vectors. */
#include "base/compiler.h"
#include "targets/cpu/kernels.h"

#include <string.h>

typedef uint8_t u8;
typedef int8_t i8;
typedef uint16_t u16;
typedef int16_t i16;
typedef uint32_t u32;
typedef int32_t i32;
typedef uint64_t u64;
typedef int64_t i64;
typedef float f32;
typedef double f64;

#if defined(__clang__)
#pragma clang diagnostic ignored "-Wpass-failed" /* not every loop is worth vectors on every machine */
#endif

enum { LANES = 32 };

/* |join|: of total t and element a, both of type |total|. */
#define COLUMNS(name, form, total, join)                                                                             \
  static void columns_##name##_##form(size_t rows, ptrdiff_t stride, size_t n, const void *x_run, void *totals) {     \
    const form *x = x_run;                                                                                           \
    total *y = totals;                                                                                               \
    for (size_t r = 0; r < rows; r++, x += stride) {                                                                 \
      PN_IVDEP for (size_t i = 0; i < n; i++) {                                                                      \
        const total a = (total)x[i], t = y[i];                                                                       \
        y[i] = (join);                                                                                               \
      }                                                                                                              \
    }                                                                                                                \
  }
#define INTEGER_FOLD(name, form, total, join)                                  \
  COLUMNS(name, form, total, join)                                             \
  static void row_##name##_##form(size_t n, const void *x_run, void *into) {    \
    const form *x = x_run;                                                     \
    total t;                                                                   \
    memcpy(&t, into, sizeof t);                                                \
    for (size_t i = 0; i < n; i++) {                                           \
      const total a = (total)x[i];                                             \
      t = (join);                                                              \
    }                                                                          \
    memcpy(into, &t, sizeof t);                                                \
  }
/* |join| of two lanes at the end: |merge| of t and a. */
#define FLOAT_FOLD(name, form, total, start, join, merge)                      \
  COLUMNS(name, form, total, join)                                             \
  static void row_##name##_##form(size_t n, const void *x_run, void *into) {    \
    const form *x = x_run;                                                     \
    total lanes[LANES], t;                                                     \
    size_t i = 0;                                                              \
    for (size_t k = 0; k < LANES; k++) lanes[k] = (start);                     \
    for (; i + LANES <= n; i += LANES)                                         \
      PN_IVDEP for (size_t k = 0; k < LANES; k++) {                            \
        const total a = (total)x[i + k];                                       \
        t = lanes[k];                                                          \
        lanes[k] = (join);                                                     \
      }                                                                        \
    for (size_t k = 0; i + k < n; k++) {                                       \
      const total a = (total)x[i + k];                                         \
      t = lanes[k];                                                            \
      lanes[k] = (join);                                                       \
    }                                                                          \
    for (size_t half = LANES / 2; half > 0; half /= 2)                         \
      for (size_t k = 0; k < half; k++) {                                      \
        const total a = lanes[k + half];                                       \
        t = lanes[k];                                                          \
        lanes[k] = (merge);                                                    \
      }                                                                        \
    const total a = lanes[0];                                                  \
    memcpy(&t, into, sizeof t);                                                \
    t = (merge);                                                               \
    memcpy(into, &t, sizeof t);                                                \
  }

#define UNSIGNED_FOLDS(form) INTEGER_FOLD(abs, form, u64, t + a)
#define SIGNED_FOLDS(form) INTEGER_FOLD(abs, form, u64, t + (a >> 63 ? 0 - a : a))
#define INTEGERS(form)                              \
  INTEGER_FOLD(sum, form, u64, t + a)               \
  INTEGER_FOLD(squares, form, u64, t + a * a)       \
  INTEGER_FOLD(product, form, u64, t * a)           \
  INTEGER_FOLD(max, form, form, a > t ? a : t)      \
  INTEGER_FOLD(min, form, form, a < t ? a : t)
INTEGERS(u8)
INTEGERS(i8)
INTEGERS(u16)
INTEGERS(i16)
INTEGERS(u32)
INTEGERS(i32)
INTEGERS(u64)
INTEGERS(i64)
UNSIGNED_FOLDS(u8)
UNSIGNED_FOLDS(u16)
UNSIGNED_FOLDS(u32)
UNSIGNED_FOLDS(u64)
SIGNED_FOLDS(i8)
SIGNED_FOLDS(i16)
SIGNED_FOLDS(i32)
SIGNED_FOLDS(i64)

#define GREATER(a, t) (a > t || a != a ? a : t)
#define LESS(a, t) (a < t || a != a ? a : t)
#define FLOATS(form)                                                                      \
  FLOAT_FOLD(sum, form, f64, 0, t + a, t + a)                                             \
  FLOAT_FOLD(abs, form, f64, 0, t + __builtin_fabs(a), t + a)                             \
  FLOAT_FOLD(squares, form, f64, 0, t + a * a, t + a)                                     \
  FLOAT_FOLD(product, form, f64, 1, t * a, t * a)                                         \
  FLOAT_FOLD(max, form, form, -(form)__builtin_inf(), GREATER(a, t), GREATER(a, t))       \
  FLOAT_FOLD(min, form, form, (form)__builtin_inf(), LESS(a, t), LESS(a, t))
FLOATS(f32)
FLOATS(f64)

/* ---- where extremes stand ---------------------------------------------------------------------------------------- */

enum { SEARCH = 64 };

#define NAN_u8(x) 0
#define NAN_i8(x) 0
#define NAN_u16(x) 0
#define NAN_i16(x) 0
#define NAN_u32(x) 0
#define NAN_i32(x) 0
#define NAN_u64(x) 0
#define NAN_i64(x) 0
#define NAN_f32(x) ((x) != (x))
#define NAN_f64(x) ((x) != (x))

/* Finds the extreme, then where it is: both are vector loops, where one that does both at once would be none. */
#define ARG_ROW(name, form, at_type)                                                         \
  static int64_t arg_row_##name##_##form(size_t n, const void *x_run, int last) {            \
    const form *x = x_run;                                                                   \
    form best = x[0];                                                                        \
    row_##name##_##form(n, x, &best);                                                        \
    const int nan = NAN_##form(best);                                                        \
    for (size_t done = 0; done < n;) {                                                       \
      const size_t here = n - done < SEARCH ? n - done : SEARCH, i = last ? n - done - here : done; \
      at_type found = 0;                                                                     \
      if (here == SEARCH && !nan)                                                            \
        for (size_t k = 0; k < SEARCH; k++) found |= (at_type)(x[i + k] == best);            \
      else                                                                                   \
        found = 1;                                                                           \
      for (size_t k = 0; found && k < here; k++) {                                           \
        const size_t at = last ? i + here - 1 - k : i + k;                                   \
        if (x[at] == best || (nan && NAN_##form(x[at]))) return (int64_t)at;                 \
      }                                                                                      \
      done += here;                                                                          \
    }                                                                                        \
    return 0; /* not reached: the extreme is one of them */                                  \
  }

/* Of element a against the best so far, b. */
#define FIRST_max(form, a, b) ((a > b) | (NAN_##form(a) & !NAN_##form(b)))
#define FIRST_min(form, a, b) ((a < b) | (NAN_##form(a) & !NAN_##form(b)))
#define LAST_max(form, a, b) ((a >= b) | NAN_##form(a))
#define LAST_min(form, a, b) ((a <= b) | NAN_##form(a))
#define ARG_ROWS(which, name, form, at_type)                                   \
  for (size_t r = 1; r < here; r++) {                                          \
    const form *row = x + (ptrdiff_t)r * stride;                               \
    PN_IVDEP for (size_t i = 0; i < n; i++) {                                  \
      const form a = row[i], b = best[i];                                      \
      const int takes = which##_##name(form, a, b);                            \
      best[i] = takes ? a : b;                                                 \
      at[i] = takes ? (at_type)r : at[i];                                      \
    }                                                                          \
  }
/* As many rows at once as |at_type| counts. */
#define ARG_COLUMNS(name, form, at_type, limit)                                                                        \
  static void arg_columns_##name##_##form(size_t rows, ptrdiff_t stride, size_t n, const void *x_run, int last,        \
                                          int64_t *y) {                                                                \
    const form *x = x_run;                                                                                             \
    form best[PN_CPU_ARG_COLUMNS], all[PN_CPU_ARG_COLUMNS];                                                            \
    at_type at[PN_CPU_ARG_COLUMNS];                                                                                    \
    for (size_t first = 0; first < rows;) {                                                                            \
      const size_t here = rows - first < (limit) ? rows - first : (limit);                                             \
      memcpy(best, x, n * sizeof *best);                                                                               \
      memset(at, 0, n * sizeof *at);                                                                                   \
      if (last)                                                                                                        \
        ARG_ROWS(LAST, name, form, at_type)                                                                            \
      else                                                                                                             \
        ARG_ROWS(FIRST, name, form, at_type)                                                                           \
      if (first == 0) memcpy(all, best, n * sizeof *best);                                                             \
      for (size_t i = 0; i < n; i++) {                                                                                 \
        const form a = best[i], b = all[i];                                                                            \
        if (first && !(last ? LAST_##name(form, a, b) : FIRST_##name(form, a, b))) continue;                           \
        all[i] = a;                                                                                                    \
        y[i] = (int64_t)first + (int64_t)at[i];                                                                        \
      }                                                                                                                \
      first += here;                                                                                                   \
      x += (ptrdiff_t)here * stride;                                                                                   \
    }                                                                                                                  \
  }
#define ARGS(form, at_type, limit)           \
  ARG_ROW(max, form, at_type)                \
  ARG_ROW(min, form, at_type)                \
  ARG_COLUMNS(max, form, at_type, limit)     \
  ARG_COLUMNS(min, form, at_type, limit)
ARGS(u8, u8, 256u)
ARGS(i8, u8, 256u)
ARGS(u16, u16, 65536u)
ARGS(i16, u16, 65536u)
ARGS(u32, u32, UINT32_MAX)
ARGS(i32, u32, UINT32_MAX)
ARGS(f32, u32, UINT32_MAX)
ARGS(u64, u64, SIZE_MAX)
ARGS(i64, u64, SIZE_MAX)
ARGS(f64, u64, SIZE_MAX)

/* ---- table ------------------------------------------------------------------------------------------------------- */

#define FOLD_ROW(member, form)                                                                                     \
  .member[PN_CPU_FORM_##form] = {member##_sum_##form, member##_abs_##form, member##_squares_##form,                \
                                 member##_product_##form, member##_max_##form, member##_min_##form}
#define ROWS(form)                                                                          \
  FOLD_ROW(row, form), FOLD_ROW(columns, form),                                             \
      .arg_row[PN_CPU_FORM_##form] = {arg_row_max_##form, arg_row_min_##form},              \
      .arg_columns[PN_CPU_FORM_##form] = {arg_columns_max_##form, arg_columns_min_##form}
static const pn_cpu_reduce_typed table = {ROWS(u8),  ROWS(i8),  ROWS(u16), ROWS(i16), ROWS(u32),
                                          ROWS(i32), ROWS(u64), ROWS(i64), ROWS(f32), ROWS(f64)};
