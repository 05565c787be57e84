/* order_typed: sorting and selecting by keys, as plain loops that compilers turn into the vectors of the file's
   instructions. Sorting goes digit by digit from the lowest, over those digits only in which keys differ: it compares
   nothing, so that no branch is guessed wrong. */
#include "base/compiler.h"
#include "targets/cpu/kernels.h"

#include <string.h>

/* ---- keys -------------------------------------------------------------------------------------------------------- */

#define KEYS(form, type, key, expression)                                              \
  static void keys_##form(size_t n, const void *x_run, int falling, void *y_run) {      \
    const type *x = x_run;                                                              \
    key *y = y_run;                                                                     \
    const key flip = falling ? (key)~(key)0 : 0;                                        \
    PN_IVDEP for (size_t i = 0; i < n; i++) {                                           \
      const type a = x[i];                                                              \
      y[i] = (key)(expression) ^ flip;                                                  \
    }                                                                                   \
  }
/* Positive numbers get the sign's bit, negative ones all bits turned round; adding 0 makes -0 0. */
PN_INLINE uint32_t key_of_f32(float a) {
  const float number = a + 0.0f;
  uint32_t bits;
  memcpy(&bits, &number, sizeof bits);
  const uint32_t turned = bits ^ ((uint32_t)((int32_t)bits >> 31) | 0x80000000u);
  return a != a ? UINT32_MAX : turned;
}
PN_INLINE uint64_t key_of_f64(double a) {
  const double number = a + 0.0;
  uint64_t bits;
  memcpy(&bits, &number, sizeof bits);
  const uint64_t turned = bits ^ ((0 - (bits >> 63)) | UINT64_C(1) << 63);
  return a != a ? UINT64_MAX : turned;
}
KEYS(u8, uint8_t, uint32_t, a)
KEYS(i8, int8_t, uint32_t, (uint32_t)(int32_t)a ^ 0x80000000u)
KEYS(u16, uint16_t, uint32_t, a)
KEYS(i16, int16_t, uint32_t, (uint32_t)(int32_t)a ^ 0x80000000u)
KEYS(u32, uint32_t, uint32_t, a)
KEYS(i32, int32_t, uint32_t, (uint32_t)a ^ 0x80000000u)
KEYS(u64, uint64_t, uint64_t, a)
KEYS(i64, int64_t, uint64_t, (uint64_t)a ^ UINT64_C(1) << 63)
KEYS(f32, float, uint32_t, key_of_f32(a))
KEYS(f64, double, uint64_t, key_of_f64(a))

/* ---- entries ----------------------------------------------------------------------------------------------------- */

typedef uint64_t entry_narrow;
typedef pn_cpu_entry entry_wide;
#define ENTRY_narrow(key, index) ((uint64_t)(key) << 32 | (index))
#define ENTRY_wide(key, index) ((pn_cpu_entry){(key), (index)})
#define KEY_narrow(entry) ((uint32_t)((entry) >> 32))
#define KEY_wide(entry) ((entry).key)
#define INDEX_narrow(entry) ((int64_t)(uint32_t)(entry))
#define INDEX_wide(entry) ((int64_t)(entry).index)

enum { DIGITS = 256, FEW = 48, PICK = 32 };

#define ORDER(width, key)                                                                                         \
  static void least_##width(size_t n, const void *keys_run, size_t columns, void *least_run) {                    \
    const key *keys = keys_run;                                                                                   \
    key *least = least_run;                                                                                       \
    memcpy(least, keys, columns * sizeof *least);                                                                 \
    for (size_t row = columns; row < n; row += columns) {                                                         \
      const size_t here = n - row < columns ? n - row : columns;                                                  \
      PN_IVDEP for (size_t i = 0; i < here; i++) {                                                                \
        const key a = keys[row + i], b = least[i];                                                                \
        least[i] = a < b ? a : b;                                                                                 \
      }                                                                                                           \
    }                                                                                                             \
  }                                                                                                               \
  /* The digit of number k from the highest on, each time among those that have the digits before. */             \
  static uint64_t nth_##width(size_t n, void *keys_run, size_t k) {                                               \
    key *keys = keys_run;                                                                                         \
    for (unsigned shift = 8 * sizeof *keys - 8;; shift -= 8) {                                                    \
      size_t counts[DIGITS] = {0}, digit = 0, kept = 0;                                                           \
      for (size_t i = 0; i < n; i++) counts[keys[i] >> shift & 255]++;                                            \
      while (k >= counts[digit]) k -= counts[digit++];                                                            \
      for (size_t i = 0; i < n; i++) {                                                                            \
        const key a = keys[i];                                                                                    \
        keys[kept] = a;                                                                                           \
        kept += (a >> shift & 255) == digit;                                                                      \
      }                                                                                                           \
      n = kept;                                                                                                   \
      if (n == 1 || shift == 0) return keys[0];                                                                   \
    }                                                                                                             \
  }                                                                                                               \
  static size_t pick_##width(size_t n, const void *keys_run, uint64_t most, void *entries) {                      \
    const key *keys = keys_run, limit = (key)most;                                                                \
    entry_##width *to = entries;                                                                                  \
    size_t count = 0, i = 0;                                                                                      \
    for (; i + PICK <= n; i += PICK) {                                                                            \
      key any = 0;                                                                                                \
      for (size_t k = 0; k < PICK; k++) any |= (key)(keys[i + k] <= limit);                                       \
      if (!any) continue;                                                                                         \
      for (size_t k = i; k < i + PICK; k++) {                                                                     \
        to[count] = ENTRY_##width(keys[k], k);                                                                    \
        count += keys[k] <= limit;                                                                                \
      }                                                                                                           \
    }                                                                                                             \
    for (; i < n; i++) {                                                                                          \
      to[count] = ENTRY_##width(keys[i], i);                                                                      \
      count += keys[i] <= limit;                                                                                  \
    }                                                                                                             \
    return count;                                                                                                 \
  }                                                                                                               \
  static void insert_##width(size_t n, entry_##width *list) {                                                     \
    for (size_t i = 1; i < n; i++) {                                                                              \
      const entry_##width moved = list[i];                                                                        \
      size_t to = i;                                                                                              \
      for (; to > 0 && KEY_##width(list[to - 1]) > KEY_##width(moved); to--) list[to] = list[to - 1];             \
      list[to] = moved;                                                                                           \
    }                                                                                                             \
  }                                                                                                               \
  static void *sort_##width(size_t n, void *entries, void *spare) {                                               \
    entry_##width *from = entries, *to = spare;                                                                   \
    if (n <= FEW) {                                                                                               \
      insert_##width(n, from);                                                                                    \
      return from;                                                                                                \
    }                                                                                                             \
    key differ = 0;                                                                                               \
    const key first = KEY_##width(from[0]);                                                                       \
    for (size_t i = 1; i < n; i++) differ |= KEY_##width(from[i]) ^ first;                                        \
    for (unsigned shift = 0; shift < 8 * sizeof differ; shift += 8) {                                             \
      if (!(differ >> shift & 255)) continue;                                                                     \
      size_t places[DIGITS] = {0}, place = 0;                                                                     \
      for (size_t i = 0; i < n; i++) places[KEY_##width(from[i]) >> shift & 255]++;                               \
      for (size_t d = 0; d < DIGITS; d++) {                                                                       \
        const size_t count = places[d];                                                                           \
        places[d] = place;                                                                                        \
        place += count;                                                                                           \
      }                                                                                                           \
      for (size_t i = 0; i < n; i++) to[places[KEY_##width(from[i]) >> shift & 255]++] = from[i];                 \
      entry_##width *swap = from;                                                                                 \
      from = to;                                                                                                  \
      to = swap;                                                                                                  \
    }                                                                                                             \
    return from;                                                                                                  \
  }                                                                                                               \
  static void indices_##width(size_t n, const void *entries, int64_t *to) {                                       \
    const entry_##width *from = entries;                                                                          \
    for (size_t i = 0; i < n; i++) to[i] = INDEX_##width(from[i]);                                                \
  }
ORDER(narrow, uint32_t)
ORDER(wide, uint64_t)

#define ORDER_ROW(width, key)                                                                      \
  {.key_bytes = sizeof(key), .entry_bytes = sizeof(entry_##width), .least = least_##width,          \
   .nth = nth_##width, .pick = pick_##width, .sort = sort_##width, .indices = indices_##width}
static const pn_cpu_order_typed table = {
    .keys = {keys_u8, keys_i8, keys_u16, keys_i16, keys_u32, keys_i32, keys_u64, keys_i64, keys_f32, keys_f64},
    .narrow = ORDER_ROW(narrow, uint32_t),
    .wide = ORDER_ROW(wide, uint64_t),
};
