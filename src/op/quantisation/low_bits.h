/* Elements of 8 bits and fewer that no machine computes with: the float8 types, float4, and integers of 4 and 2 bits.
   Each takes one byte in memory, its bits at the low end, integers sign-extended; reading looks at its own bits only,
   so that a byte with others set is a value, too. Here is what those bits mean; op/type.h reads and writes elements. */
#ifndef PN_OP_LOW_BITS_H
#define PN_OP_LOW_BITS_H

#include "base/compiler.h"
#include "pelton/base.h"

#include <stdbool.h>

/* How a cast to a low float goes, as ONNX's Cast has it with its attributes saturate and round_mode: 0 is its default,
   the range's end for what lies outside and, for f8e8m0, upwards. All other types round to nearest even always. */
typedef enum pn_cast_mode {
  PN_CAST_DEFAULT = 0,
  PN_CAST_OVERFLOW = 1, /* what lies outside becomes infinity, or NaN where the type has none */
  PN_CAST_DOWN = 2,     /* f8e8m0: towards zero */
  PN_CAST_NEAREST = 4   /* f8e8m0: to the nearest, ties upwards */
} pn_cast_mode;

enum { PN_CAST_MODE_COUNT = 6 }; /* one of three roundings, with or without overflow */

/* "" for the default, "overflow", "down", "down_overflow", "nearest", "nearest_overflow"; |index| from 0. */
const char *pn_cast_mode_name(uint32_t index);
pn_cast_mode pn_cast_mode_at(uint32_t index);
/* |mode| without what means nothing for |to|, so that casts that do the same are the same. */
pn_cast_mode pn_cast_mode_for(pelton_dtype to, pn_cast_mode mode);

bool pn_dtype_is_low_float(pelton_dtype dtype); /* f8e4m3fn f8e4m3fnuz f8e5m2 f8e5m2fnuz f8e8m0 f4e2m1 */
/* Bits that a value of |dtype| has: those of its bytes, or fewer; 1 for bool. */
uint32_t pn_dtype_bits(pelton_dtype dtype);
/* The low bits of |value| as an integer of |dtype|; u64 as the int64 of the same bits. */
int64_t pn_dtype_wrap(pelton_dtype dtype, int64_t value);

double pn_low_float_to_f64(pelton_dtype dtype, uint8_t bits);
/* One rounding. A type without NaN (f4e2m1) has -0 for it; f8e8m0, which has no sign and no zero, drops the sign and
   has its least value for 0. */
uint8_t pn_low_float_from_f64(pelton_dtype dtype, double value, pn_cast_mode mode);
/* The same for elements that are computed and stored: to nearest, saturated, but an infinity stays one where the type
   has it, so that what was loaded can be stored again. */
uint8_t pn_low_float_nearest(pelton_dtype dtype, double value);
double pn_low_float_max(pelton_dtype dtype); /* the greatest finite value */

#endif
