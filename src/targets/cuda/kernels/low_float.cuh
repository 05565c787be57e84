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

/* |mode| is a pn_cast_mode: 1 overflows; 2 down and 4 to nearest are of f8e8m0 alone. Steps overflow, casts saturate
   unless told otherwise, stores do but for infinity where the type has one. */
#define LOW_FLOAT(name, sign, fraction_bits, bias, greatest, infinity, nan, has_infinity, one_zero)       \
  DEVICE struct low_format format_##name(void) {                                                         \
    struct low_format f = {sign, fraction_bits, bias, greatest, infinity, nan, has_infinity, one_zero};  \
    return f;                                                                                            \
  }                                                                                                      \
  DEVICE u8 name##_from_f64(f64 v, int mode) { return low_from_f64(format_##name(), v, mode & 1); }       \
  DEVICE f32 name##_to_f32(u8 bits) { return low_to_f32(format_##name(), bits); }                         \
  LOW_FLOAT_USES(name, has_infinity)
#define LOW_FLOAT_USES(name, has_infinity)                                                               \
  DEVICE f32 load_##name(const void *p, u32 i) { return name##_to_f32(((const u8 *)p)[i]); }              \
  DEVICE void store_##name(void *p, u32 i, f32 v) {                                                      \
    ((u8 *)p)[i] = name##_from_f64((f64)v, 4 | ((has_infinity) && v - v != 0));                           \
  }                                                                                                      \
  DEVICE f32 cast_##name(f64 v, int mode) { return name##_to_f32(name##_from_f64(v, mode)); }             \
  DEVICE f32 round_to_##name(f32 v) { return cast_##name((f64)v, 5); }                                    \
  DEVICE f32 name##_of_wide(f64 v) { return (f32)v; } /* stores round */
LOW_FLOAT(f8e4m3fn, 0x80, 3, 7, 0x7e, 0x7f, 0x7f, 0, 0)
LOW_FLOAT(f8e4m3fnuz, 0x80, 3, 8, 0x7f, 0x80, 0x80, 0, 1)
LOW_FLOAT(f8e5m2, 0x80, 2, 15, 0x7b, 0x7c, 0x7e, 1, 0)
LOW_FLOAT(f8e5m2fnuz, 0x80, 2, 16, 0x7f, 0x80, 0x80, 0, 1)
LOW_FLOAT(f4e2m1, 0x08, 1, 1, 0x07, 0x07, 0x08, 0, 0)

/* f8e8m0: powers of two. */
DEVICE f32 f8e8m0_to_f32(u8 bits) { return bits == 255 ? bits_f32(0x7fc00000) : ldexpf(1, bits - 127); }
DEVICE u8 f8e8m0_from_f64(f64 v, int mode) {
  int exponent = 0, code = -1;
  if (v != v) return 255;
  if (v - v != 0) {
    code = 255;
  } else if (v != 0) {
    f64 fraction = frexp(fabs(v), &exponent); /* from 0.5 up to 1 */
    int up = mode & 2 ? 0 : mode & 4 ? fraction >= 0.75 : fraction > 0.5;
    code = exponent - 1 + up + 127;
  }
  if (code >= 0 && code <= 254) return (u8)code;
  return mode & 1 ? 255 : code < 0 ? 0 : 254;
}
LOW_FLOAT_USES(f8e8m0, 0)
