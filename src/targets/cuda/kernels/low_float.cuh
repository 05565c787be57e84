/* Floats of 4 and 8 bits, as op/quantisation/low_bits rounds them: counted from zero, codes are multiples of the
   smallest step, then of twice it, and so on. In f32 form, which holds all of them. */
struct low_format {
  int sign, fraction_bits, bias, greatest, infinity, nan, has_infinity, one_zero;
};

DEVICE f32 low_to_f32(struct low_format f, int bits) {
  int code = bits & (f.sign - 1), exponent = code >> f.fraction_bits, one = 1 << f.fraction_bits;
  f32 nan = bits_f32(0x7fc00000);
  if (f.one_zero && bits == f.nan) return nan;
  if (code > f.greatest) return f.has_infinity && code == f.infinity ? (bits & f.sign ? -INFINITE : INFINITE) : nan;
  f32 size = ldexpf((f32)((code & (one - 1)) + (exponent ? one : 0)),
                    (exponent ? exponent : 1) - f.bias - f.fraction_bits);
  return bits & f.sign ? -size : size;
}

DEVICE u8 low_from_f64(struct low_format f, f64 v, int overflows) {
  int negative = copysign(1.0, v) < 0, sign = negative ? f.sign : 0, code = f.greatest + 1;
  f64 size = fabs(v);
  if (v != v) return (u8)(f.one_zero || f.sign == f.nan ? f.nan : f.nan | sign);
  if (size < 1048576.0) { /* beyond all of these types */
    int exponent, least = 1 - f.bias;
    (void)frexp(size, &exponent);
    exponent = size == 0 || exponent - 1 < least ? least : exponent - 1;
    code = (exponent - least) << f.fraction_bits;
    code += (int)rint(ldexp(size, f.fraction_bits - exponent));
  }
  if (code > f.greatest) code = overflows ? f.infinity : f.greatest;
  if (f.one_zero && (code == 0 || code == f.nan)) return (u8)code;
  return (u8)(code | sign);
}

/* Stores saturate, but for infinity where the type has one. */
#define LOW_FLOAT(name, sign, fraction_bits, bias, greatest, infinity, nan, has_infinity, one_zero)            \
  DEVICE struct low_format format_##name(void) {                                                              \
    struct low_format f = {sign, fraction_bits, bias, greatest, infinity, nan, has_infinity, one_zero};       \
    return f;                                                                                                 \
  }                                                                                                           \
  DEVICE u8 name##_from_f64(f64 v, int overflows) { return low_from_f64(format_##name(), v, overflows); }      \
  DEVICE f32 load_##name(const void *p, u32 i) { return low_to_f32(format_##name(), ((const u8 *)p)[i]); }     \
  DEVICE void store_##name(void *p, u32 i, f32 v) {                                                           \
    ((u8 *)p)[i] = low_from_f64(format_##name(), (f64)v, (has_infinity) && v - v != 0);                        \
  }
LOW_FLOAT(f8e4m3fn, 0x80, 3, 7, 0x7e, 0x7f, 0x7f, 0, 0)
LOW_FLOAT(f8e4m3fnuz, 0x80, 3, 8, 0x7f, 0x80, 0x80, 0, 1)
LOW_FLOAT(f8e5m2, 0x80, 2, 15, 0x7b, 0x7c, 0x7e, 1, 0)
LOW_FLOAT(f8e5m2fnuz, 0x80, 2, 16, 0x7f, 0x80, 0x80, 0, 1)
LOW_FLOAT(f4e2m1, 0x08, 1, 1, 0x07, 0x07, 0x08, 0, 0)

/* Powers of two, stored to the nearest; the ends of its range for what lies beyond. */
DEVICE f32 load_f8e8m0(const void *p, u32 i) {
  int bits = ((const u8 *)p)[i];
  return bits == 255 ? bits_f32(0x7fc00000) : ldexpf(1, bits - 127);
}
DEVICE void store_f8e8m0(void *p, u32 i, f32 v) {
  int exponent = 0, code = -1;
  f64 size = fabs((f64)v);
  if (v != v) {
    ((u8 *)p)[i] = 255;
    return;
  }
  if (v - v != 0) {
    code = 255;
  } else if (size != 0) {
    f64 fraction = frexp(size, &exponent);
    code = exponent - 1 + (fraction >= 0.75) + 127;
  }
  ((u8 *)p)[i] = (u8)(code < 0 ? 0 : code > 254 ? 254 : code);
}

DEVICE f32 f8e4m3fn_of_wide(f64 v) { return (f32)v; }
DEVICE f32 f8e4m3fnuz_of_wide(f64 v) { return (f32)v; }
DEVICE f32 f8e5m2_of_wide(f64 v) { return (f32)v; }
DEVICE f32 f8e5m2fnuz_of_wide(f64 v) { return (f32)v; }
DEVICE f32 f4e2m1_of_wide(f64 v) { return (f32)v; }
DEVICE f32 f8e8m0_of_wide(f64 v) { return (f32)v; }
