/* In front of every kernel: types, element access, division by divisors known at launch, reductions over a block.

   Kernels are written in what C and CUDA C++ share: KERNEL(name, struct ..._arguments) { ... } with the arguments as
   |a|, BARRIER() where all threads of a block meet, SHARED for memory of the block. So a host can run them too: the
   fake driver of the tests gives its own version of this file. */
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

/* A kernel may begin while the one before it in the stream still runs (launch.c), and lets the next one begin as soon
   as all its blocks have; it touches no memory until the one before is done. */
#if __CUDA_ARCH__ >= 900
#define BEGIN_EARLY() asm volatile("griddepcontrol.launch_dependents;\ngriddepcontrol.wait;" ::: "memory")
#else
#define BEGIN_EARLY()
#endif
#define KERNEL_BODY(bounds, name, arguments)                            \
  static __device__ __forceinline__ void body_##name(const arguments &a); \
  extern "C" __global__ void bounds name(const arguments a) {           \
    BEGIN_EARLY();                                                      \
    body_##name(a);                                                     \
  }                                                                     \
  static __device__ __forceinline__ void body_##name(const arguments &a)
#define KERNEL(name, arguments) KERNEL_BODY(__launch_bounds__(256), name, arguments)
/* |blocks| of |threads| threads are to fit a multiprocessor: what registers are shared by. */
#define KERNEL_OF(name, arguments, threads, blocks) KERNEL_BODY(__launch_bounds__(threads, blocks), name, arguments)
/* With more than 256 threads, at least |blocks| of them on a multiprocessor, arguments that instructions may point to;
   |cluster| is empty or __cluster_dims__. */
#define WIDE_KERNEL(threads, blocks, cluster, name, arguments) \
  extern "C" __global__ void cluster __launch_bounds__(threads, blocks) name(const __grid_constant__ arguments a)
#define TENSOR_CORES            1
#define DEVICE                  static __device__ __forceinline__
#define SHARED                  __shared__
/* Memory of the block as large as the launch says, |words| where a kernel is run by a host. */
#define DYNAMIC_SHARED(name, words) extern __shared__ __align__(16) u32 name[]
#define BARRIER()               __syncthreads()
#define THREAD                  (threadIdx.x)
#define THREADS                 (blockDim.x)
#define BLOCK_X                 (blockIdx.x)
#define BLOCK_Y                 (blockIdx.y)
#define BLOCK_Z                 (blockIdx.z)
#define BLOCKS_X                (gridDim.x)
#define UNROLL                  _Pragma("unroll")
#define ROLLED                  _Pragma("unroll 1")
#define INFINITE                __int_as_float(0x7f800000)
#define PTX                     1 /* kernels that are written in it have another body for a host */

#define ALIGNED16               __align__(16)
#define ALIGNED_TO(bytes)       __align__(bytes)
typedef uint4 quad; /* 16 bytes, the most that a thread reads at once */

/* |value| of the 32 threads that go together combined into one that all get. All threads of a block come here. */
#define WARP_REDUCE(type, value, combine)                                             \
  do {                                                                                \
    _Pragma("unroll") for (u32 warp_step = 16; warp_step > 0; warp_step >>= 1) {      \
      type warp_other = __shfl_xor_sync(0xffffffffu, (value), warp_step);             \
      (value) = combine((value), warp_other);                                         \
    }                                                                                 \
  } while (0)

DEVICE f32 near_power_of_two(f32 v) {
  f32 y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(v));
  return y;
}
DEVICE f32 near_reciprocal(f32 v) {
  f32 y;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(v));
  return y;
}
DEVICE u32 high_product(u32 a, u32 b) { return __umulhi(a, b); }

DEVICE f32 f16_to_f32(u16 x) {
  f32 v;
  asm("cvt.f32.f16 %0, %1;" : "=f"(v) : "h"(x));
  return v;
}
DEVICE u16 f16_from_f32(f32 v) {
  u16 x;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(x) : "f"(v));
  return x;
}
DEVICE u16 f16_from_f64(f64 v) {
  u16 x;
  asm("cvt.rn.f16.f64 %0, %1;" : "=h"(x) : "d"(v));
  return x;
}
DEVICE f32 bits_f32(u32 bits) { return __uint_as_float(bits); }
DEVICE u32 f32_bits(f32 v) { return __float_as_uint(v); }
DEVICE f64 bits_f64(u32 high, u32 low) { return __hiloint2double((int)high, (int)low); }
DEVICE void atomic_max(int *p, int v) { atomicMax(p, v); }
DEVICE int atomic_exchange(int *p, int v) { return atomicExch(p, v); }
