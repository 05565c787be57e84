/* One routine rounds to all low floats that have a sign: counted from zero, their codes are the multiples of the
   smallest step, then of twice it, and so on, so that the code of a magnitude is its multiple of the step at its
   exponent plus the codes below. A carry into the next exponent is right by itself. */
#include "op/quantisation/low_bits.h"

#include <math.h>

/* ---- types ----------------------------------------------------------------------------------------------------- */

bool pn_dtype_is_low_float(pelton_dtype dtype) {
  return dtype >= PELTON_DTYPE_F8E4M3FN && dtype <= PELTON_DTYPE_F4E2M1;
}

uint32_t pn_dtype_bits(pelton_dtype dtype) {
  switch (dtype) {
  case PELTON_DTYPE_BOOL: return 1;
  case PELTON_DTYPE_I2:
  case PELTON_DTYPE_U2: return 2;
  case PELTON_DTYPE_I4:
  case PELTON_DTYPE_U4:
  case PELTON_DTYPE_F4E2M1: return 4;
  default: return 8 * (uint32_t)pelton_dtype_bytes(dtype);
  }
}

int64_t pn_dtype_wrap(pelton_dtype dtype, int64_t value) {
  switch (dtype) {
  case PELTON_DTYPE_I2: return ((value & 3) ^ 2) - 2;
  case PELTON_DTYPE_U2: return value & 3;
  case PELTON_DTYPE_I4: return ((value & 15) ^ 8) - 8;
  case PELTON_DTYPE_U4: return value & 15;
  case PELTON_DTYPE_I8: return (int8_t)value;
  case PELTON_DTYPE_U8: return (uint8_t)value;
  case PELTON_DTYPE_I16: return (int16_t)value;
  case PELTON_DTYPE_U16: return (uint16_t)value;
  case PELTON_DTYPE_I32: return (int32_t)value;
  case PELTON_DTYPE_U32: return (uint32_t)value;
  default: return value;
  }
}

/* ---- cast modes ------------------------------------------------------------------------------------------------ */

const char *pn_cast_mode_name(uint32_t index) {
  static const char *const names[PN_CAST_MODE_COUNT] = {"",     "overflow", "down", "down_overflow", "nearest",
                                                        "nearest_overflow"};
  return index < PN_CAST_MODE_COUNT ? names[index] : "?";
}

/* The modes' bits, rounding first, are the numbers 0 to 5. */
pn_cast_mode pn_cast_mode_at(uint32_t index) { return (pn_cast_mode)index; }

pn_cast_mode pn_cast_mode_for(pelton_dtype to, pn_cast_mode mode) {
  if (!pn_dtype_is_low_float(to) || to == PELTON_DTYPE_F4E2M1) return PN_CAST_DEFAULT;
  return to == PELTON_DTYPE_F8E8M0 ? mode : (pn_cast_mode)((uint32_t)mode & PN_CAST_OVERFLOW);
}

/* ---- low floats with a sign ------------------------------------------------------------------------------------ */

typedef struct format {
  uint8_t sign;               /* its bit */
  uint8_t fraction_bits;
  uint8_t bias;
  uint8_t greatest;           /* code of the greatest finite value */
  uint8_t infinity;           /* what infinity becomes when it may overflow, before the sign */
  uint8_t nan;                /* the code written for it, before the sign */
  bool has_infinity, one_zero; /* one_zero: -0's code is the only NaN, without a sign */
} format;

static const format *format_of(pelton_dtype dtype) {
  static const format e4m3fn = {0x80, 3, 7, 0x7e, 0x7f, 0x7f, false, false};
  static const format e4m3fnuz = {0x80, 3, 8, 0x7f, 0x80, 0x80, false, true};
  static const format e5m2 = {0x80, 2, 15, 0x7b, 0x7c, 0x7e, true, false};
  static const format e5m2fnuz = {0x80, 2, 16, 0x7f, 0x80, 0x80, false, true};
  static const format e2m1 = {0x08, 1, 1, 0x07, 0x07, 0x08, false, false}; /* neither: the end of its range, and -0 */
  switch (dtype) {
  case PELTON_DTYPE_F8E4M3FN: return &e4m3fn;
  case PELTON_DTYPE_F8E4M3FNUZ: return &e4m3fnuz;
  case PELTON_DTYPE_F8E5M2: return &e5m2;
  case PELTON_DTYPE_F8E5M2FNUZ: return &e5m2fnuz;
  default: return &e2m1;
  }
}

static double signed_to_f64(const format *f, uint8_t bits) {
  bool negative = bits & f->sign;
  uint32_t code = bits & (f->sign - 1u), exponent = code >> f->fraction_bits, one = 1u << f->fraction_bits;
  if (f->one_zero && bits == f->nan) return (double)NAN;
  if (code > f->greatest)
    return f->has_infinity && code == f->infinity ? (negative ? -HUGE_VAL : HUGE_VAL) : (double)NAN;
  uint32_t significand = (code & (one - 1)) + (exponent ? one : 0);
  double size = ldexp(significand, (int)(exponent ? exponent : 1) - f->bias - f->fraction_bits);
  return negative ? -size : size;
}

static uint8_t signed_from_f64(const format *f, double value, bool overflows) {
  uint32_t sign = signbit(value) ? f->sign : 0, code = f->greatest + 1u;
  if (isnan(value)) return (uint8_t)(f->one_zero || f->sign == f->nan ? f->nan : f->nan | sign);
  double size = fabs(value);
  if (size < 0x1p20) { /* beyond all of these types */
    int exponent, least = 1 - f->bias;
    frexp(size, &exponent);
    exponent = size == 0 || exponent - 1 < least ? least : exponent - 1;
    code = (uint32_t)(exponent - least) << f->fraction_bits;
    code += (uint32_t)rint(ldexp(size, f->fraction_bits - exponent));
  }
  if (code > f->greatest) code = overflows ? f->infinity : f->greatest;
  if (f->one_zero && (code == 0 || code == f->nan)) return (uint8_t)code;
  return (uint8_t)(code | sign);
}

/* ---- f8e8m0: powers of two ------------------------------------------------------------------------------------- */

enum { E8M0_BIAS = 127, E8M0_GREATEST = 254, E8M0_NAN = 255 };

static uint8_t e8m0_from_f64(double value, pn_cast_mode mode) {
  int code = isinf(value) ? E8M0_GREATEST + 1 : -1, exponent;
  if (isnan(value)) return E8M0_NAN;
  if (!isinf(value) && value != 0) {
    double fraction = frexp(fabs(value), &exponent); /* from 0.5 up to 1 */
    bool up = mode & PN_CAST_DOWN ? false : mode & PN_CAST_NEAREST ? fraction >= 0.75 : fraction > 0.5;
    code = exponent - 1 + up + E8M0_BIAS;
  }
  if (code >= 0 && code <= E8M0_GREATEST) return (uint8_t)code;
  if (mode & PN_CAST_OVERFLOW) return E8M0_NAN;
  return code < 0 ? 0 : E8M0_GREATEST;
}

/* ---- all ------------------------------------------------------------------------------------------------------- */

double pn_low_float_to_f64(pelton_dtype dtype, uint8_t bits) {
  if (dtype != PELTON_DTYPE_F8E8M0) return signed_to_f64(format_of(dtype), bits);
  return bits == E8M0_NAN ? (double)NAN : ldexp(1, bits - E8M0_BIAS);
}

uint8_t pn_low_float_from_f64(pelton_dtype dtype, double value, pn_cast_mode mode) {
  if (dtype == PELTON_DTYPE_F8E8M0) return e8m0_from_f64(value, mode);
  return signed_from_f64(format_of(dtype), value, mode & PN_CAST_OVERFLOW);
}

uint8_t pn_low_float_nearest(pelton_dtype dtype, double value) {
  bool stays = isinf(value) && dtype == PELTON_DTYPE_F8E5M2;
  return pn_low_float_from_f64(dtype, value, stays ? PN_CAST_OVERFLOW : PN_CAST_NEAREST);
}

double pn_low_float_max(pelton_dtype dtype) {
  return dtype == PELTON_DTYPE_F8E8M0 ? 0x1p127 : signed_to_f64(format_of(dtype), format_of(dtype)->greatest);
}
