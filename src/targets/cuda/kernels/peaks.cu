/* What the device reaches at most, one kernel by WHAT: MULTIPLY_ADDS in f32, READS of memory around the first cache,
   PRODUCTS of tensor cores as mma.sync has them (or Volta's), GROUP_PRODUCTS as Hopper's warpgroups have them, of the
   type X. Operands stay in registers or in shared memory: nothing but the unit itself can be waited for. On a host all
   but reads are a few multiply-adds. */
#define MULTIPLY_ADDS  0
#define READS          1
#define PRODUCTS       2
#define GROUP_PRODUCTS 3
#define PRODUCT        asm volatile
#if PTX && WHAT == PRODUCTS
#include "mma.cuh"
#elif PTX && WHAT == GROUP_PRODUCTS
#define COLUMNS 256
#include "wgmma.cuh"
#endif

/* A result that nobody wants is stored all the same, if it is this: the compiler does not know that it never is. */
DEVICE void want(const struct peak_arguments *a, f32 value) {
  if (value == 1.2345e33f) *(f32 *)a->memory = value;
}

#if WHAT == PRODUCTS || WHAT == GROUP_PRODUCTS
/* Numbers of every type that are neither zero nor large. */
DEVICE u32 some_bits(u32 i) { return (i * 2654435761u & 0x83ff83ffu) | 0x3c003c00u; }
#endif

#if WHAT == READS
DEVICE quad read_quad(const quad *from) {
#if PTX
  quad v;
  asm volatile("ld.global.cg.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(from));
  return v;
#else
  return *from;
#endif
}
KERNEL(peak, struct peak_arguments) {
  const quad *memory = (const quad *)a.memory;
  u32 step = BLOCKS_X * THREADS, seen = 0;
  for (u32 r = 0; r < a.rounds; r++)
    for (u32 i = BLOCK_X * THREADS + THREAD; i < a.quads; i += PEAK_CHAINS * step) {
      UNROLL
      for (u32 k = 0; k < PEAK_CHAINS; k++)
        if (i + k * step < a.quads) {
          quad v = read_quad(memory + i + k * step);
          seen ^= v.x ^ v.y ^ v.z ^ v.w;
        }
    }
  want(&a, bits_f32(seen));
}

#elif WHAT == PRODUCTS && PTX
#if __CUDA_ARCH__ < 750
enum { SUMS = 8 };
/* As much as one product of later ones, 16 x 8 x 16: each of four groups of eight threads has 8 x 8 x 4, twice. */
DEVICE void multiply_once(f32 *d, const u32 *a, const u32 *b) {
  for (u32 i = 0; i < 2; i++)
    asm volatile("mma.sync.aligned.m8n8k4.row.col.f32.f16.f16.f32 {%0,%1,%2,%3,%4,%5,%6,%7}, {%8,%9}, {%10,%11}, "
                 "{%0,%1,%2,%3,%4,%5,%6,%7};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7])
                 : "r"(a[0]), "r"(a[1]), "r"(b[0]), "r"(b[1]));
}
#else
enum { SUMS = 4 };
DEVICE void multiply_once(f32 *d, const u32 *a, const u32 *b) { multiply(d, a, b[0], b[1]); }
#endif
KERNEL(peak, struct peak_arguments) {
  f32 sums[PEAK_CHAINS][SUMS];
  u32 left[4], right[2];
  for (u32 i = 0; i < 4; i++) left[i] = some_bits(THREAD * 4 + i);
  for (u32 i = 0; i < 2; i++) right[i] = some_bits(THREAD * 2 + i + 7);
  UNROLL
  for (u32 c = 0; c < PEAK_CHAINS; c++)
    for (u32 i = 0; i < SUMS; i++) sums[c][i] = 0;
  for (u32 r = 0; r < a.rounds; r++) {
    UNROLL
    for (u32 c = 0; c < PEAK_CHAINS * PEAK_TURNS; c++) multiply_once(sums[c % PEAK_CHAINS], left, right);
  }
  f32 all = 0;
  UNROLL
  for (u32 c = 0; c < PEAK_CHAINS; c++)
    for (u32 i = 0; i < SUMS; i++) all += sums[c][i];
  want(&a, all);
}

#elif WHAT == GROUP_PRODUCTS && PTX
/* 64 x 256 sums a warpgroup, over a row of DEPTH elements of 16 bits or half as many of 32. */
DEVICE void multiply_row(f32 (&sum)[COLUMNS / 2], u64 left, u64 right) {
  UNROLL
  for (u32 k = 0; k < DEPTH / 16; k++) multiply(sum, left + 2 * k, right + 2 * k);
}
KERNEL(peak, struct peak_arguments) {
  enum { ROW_WORDS = 32 };
  SHARED ALIGNED_TO(1024) u32 left[64 * ROW_WORDS];
  SHARED ALIGNED_TO(1024) u32 right[COLUMNS * ROW_WORDS];
  f32 sum[COLUMNS / 2];
  for (u32 i = THREAD; i < 64 * ROW_WORDS; i += THREADS) left[i] = some_bits(i);
  for (u32 i = THREAD; i < COLUMNS * ROW_WORDS; i += THREADS) right[i] = some_bits(i + 7);
  UNROLL
  for (u32 i = 0; i < COLUMNS / 2; i++) sum[i] = 0;
  stores_publish();
  some_meet(1, THREADS);
  u64 a_tile = tile_descriptor(shared_address(left)), b_tile = tile_descriptor(shared_address(right));
  for (u32 r = 0; r < a.rounds; r++) {
    products_begin();
    multiply_row(sum, a_tile, b_tile);
    products_commit();
    PRODUCTS_WAIT(1);
  }
  PRODUCTS_WAIT(0);
  f32 all = 0;
  UNROLL
  for (u32 i = 0; i < COLUMNS / 2; i++) all += sum[i];
  want(&a, all);
}

#else
KERNEL(peak, struct peak_arguments) {
  f32 v[PEAK_CHAINS], scale = a.scale - (f32)THREAD, shift = 1.0f + (f32)THREAD;
  for (u32 c = 0; c < PEAK_CHAINS; c++) v[c] = (f32)(THREAD + c);
  for (u32 r = 0; r < a.rounds; r++) {
    UNROLL
    for (u32 c = 0; c < PEAK_CHAINS * PEAK_TURNS; c++) v[c % PEAK_CHAINS] = v[c % PEAK_CHAINS] * scale + shift;
  }
  f32 all = 0;
  for (u32 c = 0; c < PEAK_CHAINS; c++) all += v[c];
  want(&a, all);
}
#endif
