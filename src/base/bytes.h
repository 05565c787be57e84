/* Checked arithmetic for every size that comes from a file or a caller, and little-endian access to bytes. */
#ifndef PN_BASE_BYTES_H
#define PN_BASE_BYTES_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* true and |*out| set when the result fits. */
PN_INLINE PN_CHECKED bool pn_add_size(size_t a, size_t b, size_t *out) { return !__builtin_add_overflow(a, b, out); }
PN_INLINE PN_CHECKED bool pn_mul_size(size_t a, size_t b, size_t *out) { return !__builtin_mul_overflow(a, b, out); }
PN_INLINE PN_CHECKED bool pn_add_i64(int64_t a, int64_t b, int64_t *out) { return !__builtin_add_overflow(a, b, out); }
PN_INLINE PN_CHECKED bool pn_sub_i64(int64_t a, int64_t b, int64_t *out) { return !__builtin_sub_overflow(a, b, out); }
PN_INLINE PN_CHECKED bool pn_mul_i64(int64_t a, int64_t b, int64_t *out) { return !__builtin_mul_overflow(a, b, out); }

PN_INLINE size_t pn_align_up(size_t value, size_t align) { return (value + align - 1) & ~(align - 1); }
PN_INLINE int64_t pn_div_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
PN_INLINE int64_t pn_min_i64(int64_t a, int64_t b) { return a < b ? a : b; }
PN_INLINE int64_t pn_max_i64(int64_t a, int64_t b) { return a > b ? a : b; }

/* Unaligned little-endian loads (the library runs on little-endian machines only; checked at configure time). */
PN_INLINE uint16_t pn_load_u16(const void *p) { uint16_t v; memcpy(&v, p, sizeof v); return v; }
PN_INLINE uint32_t pn_load_u32(const void *p) { uint32_t v; memcpy(&v, p, sizeof v); return v; }
PN_INLINE uint64_t pn_load_u64(const void *p) { uint64_t v; memcpy(&v, p, sizeof v); return v; }

/* A borrowed run of bytes. */
typedef struct pn_span {
  const uint8_t *data;
  size_t size;
} pn_span;

#endif
