/* Tensor cores as they are since Ampere (mma.sync), and what feeds them: copies into shared memory that go on while
   threads work, and loads of 8 x 8 matrices from there. X is the type: f16, bf16, or f32 (of which 19 bits are
   multiplied: TF32). WORKERS, the threads of a block, is known before. Turing has no such copies, and products half as deep, of f16 alone.

   A product takes 32 bytes of every row and column: 16 elements of 16 bits, 8 of 32. */
#if PTX
#define JOIN_TEXT_(a) #a
#define JOIN_TEXT(a)  JOIN_TEXT_(a)

#if __CUDA_ARCH__ >= 800
#define COPIES_END()      asm volatile("cp.async.commit_group;" ::: "memory")
/* All but the |left| last groups have come. */
#define COPIES_WAIT(left) asm volatile("cp.async.wait_group %0;" ::"n"(left) : "memory")
/* The first |bytes| of 16, then zeros. */
DEVICE void copy16(void *to, const void *from, u32 bytes) {
  u32 place = (u32)__cvta_generic_to_shared(to);
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(place), "l"(from), "r"(bytes) : "memory");
}
DEVICE void copy4(void *to, const void *from, u32 bytes) {
  u32 place = (u32)__cvta_generic_to_shared(to);
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(place), "l"(from), "r"(bytes) : "memory");
}
#else
#define COPIES_END()
#define COPIES_WAIT(left)
DEVICE void copy16(void *to, const void *from, u32 bytes) {
  quad v = {0, 0, 0, 0};
  if (bytes == 16) v = *(const quad *)from;
  for (u32 i = 0; bytes < 16 && i < bytes / 2; i++) ((u16 *)&v)[i] = ((const u16 *)from)[i];
  *(quad *)to = v;
}
DEVICE void copy4(void *to, const void *from, u32 bytes) { *(u32 *)to = bytes ? *(const u32 *)from : 0; }
#endif

/* d += a b: a 16 rows, b 8 columns. Whoever orders products and loads by hand has made it "asm volatile". */
#ifndef PRODUCT
#define PRODUCT asm
#endif
#if BYTES(X) == 4
DEVICE void multiply(f32 *d, const u32 *a, u32 b0, u32 b1) {
#if __CUDA_ARCH__ >= 800
  PRODUCT("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#endif
}
DEVICE u32 shortened(u32 bits) {
#if __CUDA_ARCH__ >= 800
  asm("cvt.rna.tf32.f32 %0, %0;" : "+r"(bits));
#endif
  return bits;
}
#elif __CUDA_ARCH__ >= 800
DEVICE void multiply(f32 *d, const u32 *a, u32 b0, u32 b1) {
  PRODUCT("mma.sync.aligned.m16n8k16.row.col.f32." JOIN_TEXT(X) "." JOIN_TEXT(X) ".f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, "
      "{%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
#else
DEVICE void multiply(f32 *d, const u32 *a, u32 b0, u32 b1) {
  PRODUCT("mma.sync.aligned.m16n8k8.row.col.f32." JOIN_TEXT(X) "." JOIN_TEXT(X) ".f32 {%0,%1,%2,%3}, {%4,%5}, {%8}, "
      "{%0,%1,%2,%3};\n"
      "mma.sync.aligned.m16n8k8.row.col.f32." JOIN_TEXT(X) "." JOIN_TEXT(X) ".f32 {%0,%1,%2,%3}, {%6,%7}, {%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
#endif
/* Four 8 x 8 matrices of 16 bits (8 x 4 of 32); lane l says where row l % 8 of matrix l / 8 is. */
DEVICE void load_matrices(u32 *to, const void *from) {
  u32 place = (u32)__cvta_generic_to_shared(from);
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(place)
               : "memory");
}
DEVICE void load_matrices_turned(u32 *to, const u16 *from) {
  u32 place = (u32)__cvta_generic_to_shared(from);
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(place)
               : "memory");
}
#else
/* On a host the same, by way of memory that all threads write and then read. */
#define COPIES_END()
#define COPIES_WAIT(left)
SHARED u32 parts[WORKERS][6];
SHARED const u16 *places[WORKERS];

DEVICE void copy16(void *to, const void *from, u32 bytes) {
  memset(to, 0, 16);
  memcpy(to, from, bytes);
}
DEVICE void copy4(void *to, const void *from, u32 bytes) {
  memset(to, 0, 4);
  memcpy(to, from, bytes);
}
DEVICE u32 shortened(u32 bits) { return (bits + 0x1000) & ~0x1fffu; }
/* Elements k of row and column of the product, of so many in 4 bytes. */
DEVICE f32 part_of(u32 lane, u32 i, u32 at) { return LOAD(X, &parts[THREAD / 32 * 32 + lane][i], at); }
DEVICE void multiply(f32 *d, const u32 *a, u32 b0, u32 b1) {
  enum { IN = 4 / BYTES(X), HALF_DEPTH = 4 * IN };
  u32 lane = THREAD % 32;
  for (u32 i = 0; i < 4; i++) parts[THREAD][i] = a[i];
  parts[THREAD][4] = b0;
  parts[THREAD][5] = b1;
  BARRIER();
  for (u32 e = 0; e < 4; e++)
    for (u32 k = 0; k < 2 * HALF_DEPTH; k++)
      d[e] += part_of(lane / 4 * 4 + k % HALF_DEPTH / IN, e / 2 + k / HALF_DEPTH * 2, k % IN) *
              part_of((lane % 4 * 2 + e % 2) * 4 + k % HALF_DEPTH / IN, 4 + k / HALF_DEPTH, k % IN);
  BARRIER();
}
DEVICE void load_matrices(u32 *to, const void *from) {
  places[THREAD] = (const u16 *)from;
  BARRIER();
  for (u32 m = 0; m < 4; m++) {
    const u16 *line = places[THREAD / 32 * 32 + m * 8 + THREAD % 32 / 4] + THREAD % 4 * 2;
    to[m] = line[0] | (u32)line[1] << 16;
  }
  BARRIER();
}
DEVICE void load_matrices_turned(u32 *to, const u16 *from) {
  places[THREAD] = from;
  BARRIER();
  for (u32 m = 0; m < 4; m++) {
    const u16 **lines = &places[THREAD / 32 * 32 + m * 8 + THREAD % 4 * 2];
    to[m] = lines[0][THREAD % 32 / 4] | (u32)lines[1][THREAD % 32 / 4] << 16;
  }
  BARRIER();
}
#endif
