/* Results eight at a time, as the kernels of products finish them: their operands and results from and to memory, and
   what expressions use in 16 bits. Addresses are multiples of 16 bytes. */
enum { PIECE = 8 };
/* With SPREAD a piece is four pairs, from eight to eight, as tensor cores leave a thread's sums: what take() reads goes by
   PLACE_OF(its place in the piece). A host's pieces are never so. */
#if !defined(SPREAD) || !TENSOR_CORES
#undef SPREAD
#define SPREAD 0
#endif
#define PLACE_OF(i)    (SPREAD ? (i) / 2 * 8 + (i) % 2 : (i))
#define PIECE_OF_EIGHT 1

/* Eight elements next to each other, as they lie in memory: f16, bf16; f32. */
struct ALIGNED16 eight {
  u16 at[PIECE];
};
struct ALIGNED16 eight_f32 {
  f32 at[PIECE];
};
#define eight_f16  eight
#define eight_bf16 eight
#if TENSOR_CORES /* from the word that has it: halves by themselves take an instruction more each */
DEVICE u32 word_at8(const struct eight *v, u32 k) { return ((const u32 *)v->at)[k / 2]; }
DEVICE f32 at8_f16(const struct eight *v, u32 k) {
  f32 low, high;
  asm("{\n.reg .b16 l, h;\nmov.b32 {l, h}, %2;\ncvt.f32.f16 %0, l;\ncvt.f32.f16 %1, h;\n}"
      : "=f"(low), "=f"(high)
      : "r"(word_at8(v, k)));
  return k % 2 ? high : low;
}
DEVICE f32 at8_bf16(const struct eight *v, u32 k) {
  return __uint_as_float(k % 2 ? word_at8(v, k) & 0xffff0000u : word_at8(v, k) << 16);
}
#else
DEVICE f32 at8_f16(const struct eight *v, u32 k) { return f16_to_f32(v->at[k]); }
DEVICE f32 at8_bf16(const struct eight *v, u32 k) { return bf16_to_f32(v->at[k]); }
#endif
DEVICE f32 at8_f32(const struct eight_f32 *v, u32 k) { return v->at[k]; }

/* Of 16 bits, and zeros where they are not |there|. */
DEVICE void take8_if(const void *p, int i, u32 there, struct eight *out) {
  *(quad *)out->at = load_quad_if((const u16 *)p + i, there);
}

#if !TENSOR_CORES
#define EIGHT(type, bits)                                                                    \
  DEVICE void take8_##type(const void *p, int i, struct eight_##type *out) {                 \
    for (u32 k = 0; k < PIECE; k++) out->at[k] = ((const bits *)p)[i + k];                   \
  }                                                                                          \
  DEVICE void store8_##type(void *p, int i, const f32 *in) {                                 \
    for (u32 k = 0; k < PIECE; k++) store_##type(p, i + k, in[k]);                           \
  }
EIGHT(f16, u16)
EIGHT(bf16, u16)
EIGHT(f32, f32)
#else

#if SPREAD
DEVICE void take8_f16(const void *p, int i, struct eight *out) {
  const u32 *from = (const u32 *)((const u16 *)p + i);
  UNROLL
  for (int k = 0; k < PIECE; k += 2) ((u32 *)out->at)[k / 2] = from[PLACE_OF(k) / 2];
}
DEVICE void take8_f32(const void *p, int i, struct eight_f32 *out) {
  const float2 *from = (const float2 *)((const f32 *)p + i);
  UNROLL
  for (int k = 0; k < PIECE; k += 2) ((float2 *)out->at)[k / 2] = from[PLACE_OF(k) / 2];
}
#else
DEVICE void take8_f16(const void *p, int i, struct eight *out) { *out = *(const struct eight *)((const u16 *)p + i); }
DEVICE void take8_f32(const void *p, int i, struct eight_f32 *out) {
  *out = *(const struct eight_f32 *)((const f32 *)p + i);
}
#endif
#define take8_bf16 take8_f16
DEVICE struct eight round8_f16(const f32 *in) {
  struct eight v;
  UNROLL
  for (int k = 0; k < PIECE; k++) v.at[k] = f16_from_f32(in[k]);
  return v;
}
DEVICE void store8_f16(void *p, int i, const f32 *in) { *(struct eight *)((u16 *)p + i) = round8_f16(in); }
#if __CUDA_ARCH__ >= 800
DEVICE u16 bf16_rounded(f32 v) {
  u16 x;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(x) : "f"(v));
  return x;
}
#else
#define bf16_rounded bf16_from_f32
#endif
DEVICE struct eight round8_bf16(const f32 *in) {
  struct eight v;
  UNROLL
  for (int k = 0; k < PIECE; k++) v.at[k] = bf16_rounded(in[k]);
  return v;
}
DEVICE void store8_bf16(void *p, int i, const f32 *in) { *(struct eight *)((u16 *)p + i) = round8_bf16(in); }
DEVICE void store8_f32(void *p, int i, const f32 *in) {
  float4 *to = (float4 *)((f32 *)p + i);
  to[0] = *(const float4 *)in;
  to[1] = *(const float4 *)(in + 4);
}

#if HALF /* for results of 16 bits: to 2e-7 of one, or relative */
DEVICE f32 quick_erf(f32 x) {
  f32 a = fabsf(x), t = __fdividef(1, 1 + 0.3275911f * a);
  f32 p = ((((1.061405429f * t - 1.453152027f) * t + 1.421413741f) * t - 0.284496736f) * t + 0.254829592f) * t;
  return copysignf(1 - p * __expf(-a * a), x);
}
DEVICE f32 quick_tanh(f32 x) { return 1 - __fdividef(2, 1 + __expf(2 * x)); }
#define erff  quick_erf
#define tanhf quick_tanh
#define expf  __expf
#endif
#endif
