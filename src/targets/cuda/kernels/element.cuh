/* Elements of every type, and what kernels share, the same on every machine.

   load_<type> and store_<type> convert between memory and the form in which a type is computed: f32 for f32, f16 and
   bf16; f64; i64 for bool and integers; u64. LOAD and STORE take the type from a macro: LOAD(X, p, i) with X f16. */
DEVICE u32 divide(u32 value, struct divider d) { return (high_product(value, d.magic) + value) >> d.shift; }

/* Leaves for the host which step met what (arguments.h), in one store of 16 bytes, which is whole whoever else stores.
   The first to be seen stays: what follows may come from it. */
DEVICE void tell_fault(int *fault, int step, int kind, i64 number, i64 extent) {
  quad all;
  if (*(volatile int *)fault) return;
  all.x = (u32)step << FAULT_KIND_BITS | (u32)kind;
  all.y = (u32)extent;
  all.z = (u32)(u64)number;
  all.w = (u32)((u64)number >> 32);
  *(quad *)fault = all;
}
#define TELL(kind, number, extent) tell_fault(a.fault, a.step, kind, number, extent)
/* |value|, which was counted from the end when it was negative, as it was given. */
#define GIVEN(value, extent) ((value) < 0 ? (value) - (extent) : (value))

DEVICE f32 bf16_to_f32(u16 x) { return bits_f32((u32)x << 16); }
DEVICE u16 bf16_from_f32(f32 v) {
  u32 bits = f32_bits(v);
  if (v != v) return (u16)((bits >> 16) | 0x40);
  return (u16)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}
DEVICE u16 bf16_from_f64(f64 v) { /* to odd first, so that the second rounding sees what was cut */
  f32 near = (f32)v;
  u32 bits = f32_bits(near);
  if (v == v && (f64)near != v && (bits & 0x7fffffff) < 0x7f800000) {
    int away = (near < 0 ? -(f64)near : (f64)near) > (v < 0 ? -v : v);
    bits = (bits - (u32)away) | 1;
  }
  return bf16_from_f32(bits_f32(bits));
}

#define ELEMENT(name, memory, form)                                                        \
  DEVICE form load_##name(const void *p, u32 i) { return (form)((const memory *)p)[i]; } \
  DEVICE void store_##name(void *p, u32 i, form v) { ((memory *)p)[i] = (memory)v; }
ELEMENT(f32, f32, f32)
ELEMENT(f64, f64, f64)
ELEMENT(i8, i8, i64)
ELEMENT(u8, u8, i64)
ELEMENT(i16, i16, i64)
ELEMENT(u16, u16, i64)
ELEMENT(i32, i32, i64)
ELEMENT(u32, u32, i64)
ELEMENT(i64, i64, i64)
ELEMENT(u64, u64, u64)
ELEMENT(bool, u8, i64)
/* A byte each, as all of the library has them. */
DEVICE i64 load_i4(const void *p, u32 i) { return ((((const u8 *)p)[i] & 15) ^ 8) - 8; }
DEVICE void store_i4(void *p, u32 i, i64 v) { ((i8 *)p)[i] = (i8)(((v & 15) ^ 8) - 8); }
DEVICE i64 load_u4(const void *p, u32 i) { return ((const u8 *)p)[i] & 15; }
DEVICE void store_u4(void *p, u32 i, i64 v) { ((u8 *)p)[i] = (u8)(v & 15); }
DEVICE i64 load_i2(const void *p, u32 i) { return ((((const u8 *)p)[i] & 3) ^ 2) - 2; }
DEVICE void store_i2(void *p, u32 i, i64 v) { ((i8 *)p)[i] = (i8)(((v & 3) ^ 2) - 2); }
DEVICE i64 load_u2(const void *p, u32 i) { return ((const u8 *)p)[i] & 3; }
DEVICE void store_u2(void *p, u32 i, i64 v) { ((u8 *)p)[i] = (u8)(v & 3); }
DEVICE f32 load_f16(const void *p, u32 i) { return f16_to_f32(((const u16 *)p)[i]); }
DEVICE void store_f16(void *p, u32 i, f32 v) { ((u16 *)p)[i] = f16_from_f32(v); }
DEVICE f32 load_bf16(const void *p, u32 i) { return bf16_to_f32(((const u16 *)p)[i]); }
DEVICE void store_bf16(void *p, u32 i, f32 v) { ((u16 *)p)[i] = bf16_from_f32(v); }

/* 16 bytes at once, the |i|-th of them; in twos where the memory is not |aligned| so. 2^31 elements of eight bytes are
   more twos than 32 bits count. */
DEVICE quad load_quad(const void *p, u32 i, int aligned) {
  if (aligned) return ((const quad *)p)[i];
  const u16 *from = (const u16 *)p + (u64)i * 8;
  quad all;
  UNROLL
  for (u32 k = 0; k < 8; k++) ((u16 *)&all)[k] = from[k];
  return all;
}
DEVICE void store_quad(void *p, u32 i, quad all, int aligned) {
  if (aligned) {
    ((quad *)p)[i] = all;
    return;
  }
  u16 *to = (u16 *)p + (u64)i * 8;
  UNROLL
  for (u32 k = 0; k < 8; k++) to[k] = ((const u16 *)&all)[k];
}

/* Sixteen bytes at |p|, which is aligned, where they are |there|; else zeros. Without a branch, so that loads behind
   one another wait together: the compiler keeps those of branches apart. */
DEVICE quad load_quad_if(const void *p, u32 there) {
  quad v = {0, 0, 0, 0};
#if PTX
  asm volatile("{\n"
               ".reg .pred there;\n"
               "setp.ne.u32 there, %5, 0;\n"
               "@there ld.global.v4.b32 {%0, %1, %2, %3}, [%4];\n"
               "}"
               : "+r"(v.x), "+r"(v.y), "+r"(v.z), "+r"(v.w)
               : "l"(p), "r"(there));
#else
  if (there) v = *(const quad *)p;
#endif
  return v;
}

#define JOIN_(a, b)         a##b
#define JOIN(a, b)          JOIN_(a, b)
#define LOAD(type, p, i)    JOIN(load_, type)((p), (i))
#define STORE(type, p, i, v) JOIN(store_, type)((p), (i), (v))
#define BYTES_f32   4
#define BYTES_f16   2
#define BYTES_bf16  2
#define BYTES(type) JOIN(BYTES_, type)

/* |value| of every thread of the block combined into one that all get. THREADS is a power of two. */
#define BLOCK_REDUCE(type, value, combine)                                                            \
  do {                                                                                                \
    SHARED type reduce_scratch[256];                                                                  \
    reduce_scratch[THREAD] = (value);                                                                 \
    BARRIER();                                                                                        \
    for (u32 reduce_half = THREADS / 2; reduce_half > 0; reduce_half >>= 1) {                         \
      if (THREAD < reduce_half)                                                                       \
        reduce_scratch[THREAD] = combine(reduce_scratch[THREAD], reduce_scratch[THREAD + reduce_half]); \
      BARRIER();                                                                                      \
    }                                                                                                 \
    (value) = reduce_scratch[0];                                                                      \
    BARRIER();                                                                                        \
  } while (0)
/* The sums of |value| over the threads in front of this one, and over all of the block. */
#define BLOCK_SCAN(value, before, all)                                   \
  do {                                                                   \
    SHARED u32 scan_scratch[256];                                        \
    scan_scratch[THREAD] = (value);                                      \
    BARRIER();                                                           \
    for (u32 scan_step = 1; scan_step < THREADS; scan_step <<= 1) {      \
      u32 scan_other = THREAD >= scan_step ? scan_scratch[THREAD - scan_step] : 0; \
      BARRIER();                                                         \
      scan_scratch[THREAD] += scan_other;                                \
      BARRIER();                                                         \
    }                                                                    \
    (before) = scan_scratch[THREAD] - (value);                           \
    (all) = scan_scratch[THREADS - 1];                                   \
    BARRIER();                                                           \
  } while (0)
#define SUM_OF(a, b)     ((a) + (b))
#define GREATER_OF(a, b) ((a) != (a) || (a) > (b) ? (a) : (b))
#define LESSER_OF(a, b)  ((a) != (a) || (a) < (b) ? (a) : (b))
