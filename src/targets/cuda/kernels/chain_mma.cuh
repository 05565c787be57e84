/* Products of a warp on tensor cores (mma.sync, from sm_80 on), X f16 or bf16. Thread |lane| has, of four rows or
   columns each, g = lane / 4 and t = lane % 4:
     a (16 x 16): rows g and g + 8, columns 2t, 2t + 1 in the first two, columns 2t + 8, 2t + 9 in the last two
     b (16 x 8):  rows 2t, 2t + 1 and 2t + 8, 2t + 9 of column g
     d (16 x 8):  columns 2t, 2t + 1 of rows g and g + 8
   so that two results d beside each other, rounded, are the a of the next product.

   A host does the same by way of memory that all threads of the block write and then read: MMA_THREADS of them, who all
   come to every product. */
#if PTX
#define MMA_TEXT_(a) #a
#define MMA_TEXT(a)  MMA_TEXT_(a)

DEVICE void multiply(f32 *d, const u32 *a, u32 b0, u32 b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32." MMA_TEXT(X) "." MMA_TEXT(X) ".f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, "
      "{%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
/* The same from zero. */
DEVICE void multiply_first(f32 *d, const u32 *a, u32 b0, u32 b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32." MMA_TEXT(X) "." MMA_TEXT(X) ".f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, "
      "{%8,%9}, {%10,%10,%10,%10};"
      : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1), "f"(0.0f));
}
/* Keeps a number in a register where the compiler would rather compute it again. */
#define KEEP(v) asm volatile("" : "+r"(v))
DEVICE u32 pack(f32 low, f32 high) {
  u32 v;
  asm("cvt.rn." MMA_TEXT(X) "x2.f32 %0, %1, %2;" : "=r"(v) : "f"(high), "f"(low));
  return v;
}
/* The same of relu(low) and relu(high), in the same instruction. */
DEVICE u32 pack_relu(f32 low, f32 high) {
  u32 v;
  asm("cvt.rn.relu." MMA_TEXT(X) "x2.f32 %0, %1, %2;" : "=r"(v) : "f"(high), "f"(low));
  return v;
}
/* For results of 16 bits: errors near 1e-6. */
DEVICE f32 near_tanh(f32 x) { return 1 - 2 * near_reciprocal(1 + near_power_of_two(x * 2.88539008f)); }
#define tanhf near_tanh
#define expf  __expf
#else
SHARED u32 mma_parts[MMA_THREADS][6];

DEVICE f32 mma_half(u32 lane, u32 i, u32 high) { return LOAD(X, &mma_parts[THREAD / 32 * 32 + lane][i], high); }
DEVICE void multiply(f32 *d, const u32 *a, u32 b0, u32 b1) {
  u32 lane = THREAD % 32;
  for (u32 i = 0; i < 4; i++) mma_parts[THREAD][i] = a[i];
  mma_parts[THREAD][4] = b0;
  mma_parts[THREAD][5] = b1;
  BARRIER();
  for (u32 e = 0; e < 4; e++)
    for (u32 k = 0; k < 16; k++)
      d[e] += mma_half(lane / 4 * 4 + k % 8 / 2, e / 2 + k / 8 * 2, k % 2) *
              mma_half((lane % 4 * 2 + e % 2) * 4 + k % 8 / 2, 4 + k / 8, k % 2);
  BARRIER();
}
DEVICE void multiply_first(f32 *d, const u32 *a, u32 b0, u32 b1) {
  d[0] = d[1] = d[2] = d[3] = 0;
  multiply(d, a, b0, b1);
}
#define KEEP(v)
DEVICE u32 pack(f32 low, f32 high) {
  u32 v;
  STORE(X, &v, 0, low);
  STORE(X, &v, 1, high);
  return v;
}
DEVICE u32 pack_relu(f32 low, f32 high) {
  return pack(low > 0 || low != low ? low : 0, high > 0 || high != high ? high : 0);
}
#endif
