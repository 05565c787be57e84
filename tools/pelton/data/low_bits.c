/* The command sees the library's public headers only, so that it has its own reading of these types; the conformance
   cases hold both against a third. */
#include "data/low_bits.h"

#include <math.h>

typedef struct format {
  uint32_t sign, fraction_bits, bias;
  uint32_t greatest; /* the code of the greatest finite value */
  uint32_t nan;      /* without the sign; of ..uz types with it: the only one */
} format;

static format format_of(pelton_dtype dtype) {
  switch (dtype) {
  case PELTON_DTYPE_F8E4M3FN: return (format){0x80, 3, 7, 0x7e, 0x7f};
  case PELTON_DTYPE_F8E4M3FNUZ: return (format){0x80, 3, 8, 0x7f, 0x80};
  case PELTON_DTYPE_F8E5M2: return (format){0x80, 2, 15, 0x7b, 0x7e};
  case PELTON_DTYPE_F8E5M2FNUZ: return (format){0x80, 2, 16, 0x7f, 0x80};
  default: return (format){0x08, 1, 1, 0x07, 0}; /* f4e2m1 */
  }
}

bool is_low_float(pelton_dtype dtype) { return dtype >= PELTON_DTYPE_F8E4M3FN && dtype <= PELTON_DTYPE_F4E2M1; }

uint32_t packed_bits(pelton_dtype dtype) {
  switch (dtype) {
  case PELTON_DTYPE_F4E2M1:
  case PELTON_DTYPE_I4:
  case PELTON_DTYPE_U4: return 4;
  case PELTON_DTYPE_I2:
  case PELTON_DTYPE_U2: return 2;
  default: return 0;
  }
}

double low_float_get(pelton_dtype dtype, uint8_t bits) {
  if (dtype == PELTON_DTYPE_F8E8M0) return bits == 255 ? (double)NAN : ldexp(1, bits - 127);
  const format f = format_of(dtype);
  const uint32_t code = bits & (f.sign - 1), exponent = code >> f.fraction_bits, one = 1u << f.fraction_bits;
  if (f.nan == f.sign && bits == f.nan) return (double)NAN;
  double size = ldexp((code & (one - 1)) + (exponent ? one : 0),
                      (int)(exponent ? exponent : 1) - (int)f.bias - (int)f.fraction_bits);
  if (code > f.greatest) size = dtype == PELTON_DTYPE_F8E5M2 && code == 0x7c ? (double)INFINITY : (double)NAN;
  return bits & f.sign ? -size : size;
}

static uint8_t e8m0_set(double value) {
  int exponent;
  const double size = fabs(value);
  if (isnan(value)) return 255;
  if (size >= ldexp(1, 127)) return 254;
  if (size <= ldexp(1, -127)) return 0;
  const double fraction = frexp(size, &exponent);
  return (uint8_t)(exponent - 1 + (fraction >= 0.75) + 127);
}

uint8_t low_float_set(pelton_dtype dtype, double value) {
  if (dtype == PELTON_DTYPE_F8E8M0) return e8m0_set(value);
  const format f = format_of(dtype);
  const uint32_t sign = signbit(value) ? f.sign : 0;
  const int least = 1 - (int)f.bias;
  const double size = fabs(value);
  if (isnan(value)) return (uint8_t)f.nan;
  if (dtype == PELTON_DTYPE_F8E5M2 && isinf(value)) return (uint8_t)(sign | 0x7c);
  uint32_t code = f.greatest;
  if (size < low_float_get(dtype, (uint8_t)f.greatest)) {
    int exponent;
    frexp(size, &exponent);
    exponent = size < ldexp(1, least) ? least : exponent - 1;
    code = ((uint32_t)(exponent - least) << f.fraction_bits) +
           (uint32_t)nearbyint(ldexp(size, (int)f.fraction_bits - exponent));
  }
  if (code == 0 && f.nan == f.sign) return 0;
  return (uint8_t)(sign | code);
}

void unpack_elements(pelton_dtype dtype, const uint8_t *from, size_t count, uint8_t *to) {
  const uint32_t bits = packed_bits(dtype), a_byte = 8 / bits, mask = (1u << bits) - 1;
  const uint32_t sign = dtype == PELTON_DTYPE_I4 || dtype == PELTON_DTYPE_I2 ? 1u << (bits - 1) : 0;
  for (size_t i = 0; i < count; i++) {
    const uint32_t value = (uint32_t)from[i / a_byte] >> (i % a_byte * bits) & mask;
    to[i] = (uint8_t)((value ^ sign) - sign);
  }
}
