/* The fake driver's version of device.cuh: kernels as C for the host. A block's threads run one after another on one
   thread of the host; where the source has a BARRIER(), each has a stack of its own and they take turns (driver.c). */
#include <math.h>
#include <string.h>
typedef signed char i8;
typedef unsigned char u8;
typedef short i16;
typedef unsigned short u16;
typedef int i32;
typedef unsigned int u32;
typedef long long i64;
typedef unsigned long long u64;
typedef float f32;
typedef double f64;

struct fake_place {
  u32 thread, threads, block[3], blocks[3];
};
struct fake_place fake_place;
void (*fake_barrier)(void);

#define KERNEL(name, type)                                                    \
  static void body_##name(const type a);                                      \
  void name(void **list) { body_##name(*(const type *)list[0]); } \
  static void body_##name(const type a)
#define KERNEL_OF(name, type, threads, blocks) KERNEL(name, type)
#define TENSOR_CORES 0
#define DEVICE    static inline __attribute__((unused))
#define SHARED    static
#define DYNAMIC_SHARED(name, words) static u32 name[words] __attribute__((aligned(16)))
#define BARRIER() fake_barrier()
#define THREAD    (fake_place.thread)
#define THREADS   (fake_place.threads)
#define BLOCK_X   (fake_place.block[0])
#define BLOCK_Y   (fake_place.block[1])
#define BLOCK_Z   (fake_place.block[2])
#define BLOCKS_X  (fake_place.blocks[0])
#define UNROLL
#define ROLLED
#define INFINITE INFINITY
#define PTX 0
#define ALIGNED16 __attribute__((aligned(16)))
#define ALIGNED_TO(bytes) __attribute__((aligned(bytes)))

typedef struct quad {
  u32 x, y, z, w;
} __attribute__((aligned(16))) quad;

#define WARP_REDUCE(type, value, combine)                                                                        \
  do {                                                                                                           \
    static type warp_scratch[256];                                                                               \
    warp_scratch[THREAD] = (value);                                                                              \
    BARRIER();                                                                                                   \
    (value) = warp_scratch[THREAD / 32 * 32];                                                                    \
    for (u32 warp_i = 1; warp_i < 32; warp_i++) (value) = combine((value), warp_scratch[THREAD / 32 * 32 + warp_i]); \
    BARRIER();                                                                                                   \
  } while (0)

DEVICE f32 near_power_of_two(f32 v) { return exp2f(v); }
DEVICE f32 near_reciprocal(f32 v) { return 1 / v; }
DEVICE u32 high_product(u32 a, u32 b) { return (u32)((u64)a * b >> 32); }
DEVICE f32 bits_f32(u32 bits) {
  f32 v;
  memcpy(&v, &bits, 4);
  return v;
}
DEVICE u32 f32_bits(f32 v) {
  u32 bits;
  memcpy(&bits, &v, 4);
  return bits;
}
DEVICE f64 bits_f64(u32 high, u32 low) {
  u64 bits = (u64)high << 32 | low;
  f64 v;
  memcpy(&v, &bits, 8);
  return v;
}
DEVICE f32 f16_to_f32(u16 x) {
  u32 sign = (u32)(x & 0x8000) << 16, exponent = x >> 10 & 31, fraction = x & 1023;
  f32 value = exponent ? (f32)(fraction + 1024) : (f32)fraction;
  if (exponent == 31) return bits_f32(sign | 0x7f800000 | fraction << 13);
  value = ldexpf(value, (int)(exponent ? exponent : 1) - 25);
  return sign ? -value : value;
}
/* To nearest even, in units of the result's last place. */
DEVICE u16 f16_from_f64(f64 v) {
  u16 sign = signbit(v) ? 0x8000 : 0;
  f64 x = fabs(v);
  int exponent;
  if (v != v) return 0x7e00;
  if (x >= 65520) return sign | 0x7c00;
  (void)frexp(x, &exponent);
  if (exponent < -13) exponent = -13;
  u32 units = (u32)rint(ldexp(x, 11 - exponent)); /* 1024 .. 2048 when normal */
  return (u16)(sign | (units < 1024 ? units : ((u32)(exponent + 13) << 10) + units));
}
DEVICE u16 f16_from_f32(f32 v) { return f16_from_f64((f64)v); }
DEVICE void atomic_max(int *p, int v) { *p = *p < v ? v : *p; }
DEVICE int atomic_exchange(int *p, int v) {
  int was = *p;
  *p = v;
  return was;
}

/* ---- tensor maps as the fake driver fills them, and what the copy engine would bring */

struct fake_map {
  u16 *base;
  u64 strides[3];
  u32 dims[4];
  i16 lower[2], upper[2];
  u8 steps[2], rank, windows;
};
DEVICE u16 fetched_at(const struct fake_map *m, i64 c, i64 x, i64 y, i64 z) {
  if (c < 0 || x < 0 || y < 0 || z < 0 || c >= m->dims[0] || x >= m->dims[1] || y >= m->dims[2] || z >= m->dims[3])
    return 0;
  return *(const u16 *)((const char *)(m->base + c) + x * (i64)m->strides[0] + y * (i64)m->strides[1] +
                        z * (i64)m->strides[2]);
}
DEVICE u16 fetched(const void *map, u32 x, u32 y, u32 z) { return fetched_at(map, x, y, z, 0); }
/* The |index|-th place from (x, y, n) on, in the map's steps, line by line within the corners, picture by picture. */
DEVICE u16 fetched_place(const void *map, u32 c, int x, int y, u32 n, u32 right, u32 down, u32 index) {
  const struct fake_map *m = map;
  int last_x = (int)m->dims[1] - 1 + m->upper[0], last_y = (int)m->dims[2] - 1 + m->upper[1];
  for (; index; index--) {
    x += m->steps[0];
    if (x <= last_x) continue;
    x = m->lower[0];
    y += m->steps[1];
    if (y <= last_y) continue;
    y = m->lower[1];
    n++;
  }
  return fetched_at(m, c, x + (int)right, y + (int)down, n);
}
