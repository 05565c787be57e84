/* Hopper's tensor cores and copy engine, a function an instruction: barriers in shared memory that count bytes, copies
   of tiles by tensor maps, products of a warpgroup, clusters. Shared memory is addressed by 32-bit numbers.

   Tiles are of DEPTH = 64 elements (128 bytes) a row, rows one behind the other, and the 16-byte pieces of row r of
   eight are permuted by xor with r: the "128-byte swizzle", which the copy engine writes and the tensor cores read
   without two of them meeting in a bank. Tiles begin at a multiple of 1024. */
enum { DEPTH = 64 };

#if TENSOR_CORES
#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)

/* ---- barriers in shared memory */

DEVICE u32 shared_address(const void *p) { return (u32)__cvta_generic_to_shared(p); }
DEVICE void meeting_init(u32 meeting, u32 arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(meeting), "r"(arrivals) : "memory");
}
DEVICE void meeting_arrive(u32 meeting) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(meeting) : "memory");
}
/* An arrival, and so many bytes that copies will bring before the phase ends. */
DEVICE void meeting_expect(u32 meeting, u32 bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(meeting), "r"(bytes) : "memory");
}
DEVICE void meeting_wait(u32 meeting, u32 phase) {
  asm volatile("{\n"
               ".reg .pred done;\n"
               "again:\n"
               "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
               "@done bra leave;\n"
               "bra again;\n"
               "leave:\n"
               "}" ::"r"(meeting),
               "r"(phase)
               : "memory");
}
/* Meetings are seen by the copy engine, and by the cluster's other blocks. */
DEVICE void meetings_publish(void) { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }
/* What this thread stored to shared memory is seen by the copy engine and the tensor cores. */
DEVICE void stores_publish(void) { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
/* A part of the block's threads meets: barrier |id|, of |threads| threads. */
DEVICE void some_meet(u32 id, u32 threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}
/* The same without waiting for the others. */
DEVICE void some_arrive(u32 id, u32 threads) {
  asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

/* Registers of the calling warpgroup's threads from here on: more than at the beginning, once others have given theirs. */
#define registers_more(count)  asm volatile("setmaxnreg.inc.sync.aligned.u32 " TEXT(count) ";")
#define registers_fewer(count) asm volatile("setmaxnreg.dec.sync.aligned.u32 " TEXT(count) ";")

/* ---- the grid before in the stream, which may still run when this one starts: its results are there after the wait */

DEVICE void grid_wait(void) { asm volatile("griddepcontrol.wait;" ::: "memory"); }
/* The next one may start as far as there is room. */
DEVICE void grid_let_next(void) { asm volatile("griddepcontrol.launch_dependents;" ::: "memory"); }

/* ---- the copy engine: a box at the given element into shared memory, zeros outside of the tensor */

DEVICE void map_prefetch(const struct tensor_map *map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(map) : "memory");
}
DEVICE void copy_box(u32 to, const struct tensor_map *map, u32 meeting, int x, int y, int z) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2];"
               ::"r"(to), "l"(map), "r"(meeting), "r"(x), "r"(y), "r"(z)
               : "memory");
}
DEVICE void copy_box4(u32 to, const struct tensor_map *map, u32 meeting, int x, int y, int z, int w) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], "
               "[%1, {%3, %4, %5, %6}], [%2];" ::"r"(to),
               "l"(map), "r"(meeting), "r"(x), "r"(y), "r"(z), "r"(w)
               : "memory");
}
/* A box of shared memory to the given element; what is outside of the tensor is left out. Copies of a thread that are
   committed together end together. */
DEVICE void copy_out(const struct tensor_map *map, u32 from, int x, int y, int z) {
  asm volatile("cp.async.bulk.tensor.3d.global.shared::cta.bulk_group [%0, {%2, %3, %4}], [%1];" ::"l"(map), "r"(from),
               "r"(x), "r"(y), "r"(z)
               : "memory");
}
DEVICE void copies_out_commit(void) { asm volatile("cp.async.bulk.commit_group;" ::: "memory"); }
/* What the calling thread has committed is read: its place may be written again. */
DEVICE void copies_out_wait(void) { asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory"); }
/* As many places of pictures from place (w, h, n) on as the map says, each |right| and |down| of it. */
DEVICE void copy_places(u32 to, const struct tensor_map *map, u32 meeting, int c, int w, int h, int n, u32 right,
                        u32 down) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], "
               "[%1, {%3, %4, %5, %6}], [%2], {%7, %8};" ::"r"(to),
               "l"(map), "r"(meeting), "r"(c), "r"(w), "r"(h), "r"(n), "h"((u16)right), "h"((u16)down)
               : "memory");
}

/* The same number for all of a warp, which the compiler is to see: what follows from it is computed once for 32 threads. */
DEVICE u32 warpgroup(void) { return __shfl_sync(0xffffffffu, THREAD / 128, 0); }

/* ---- tensor cores: sum[64 x COLUMNS] += a[64 x 16] b[COLUMNS x 16]^T (of f32: x 8), both in shared memory */

/* The low half of a descriptor; the high one is always the same: 1024 bytes from 8 rows to 8 rows, the swizzle. */
#define DESCRIPTOR_HIGH "0x40000040"
DEVICE u32 tile_descriptor(u32 address) { return address >> 4 & 0x3fff; }
DEVICE void products_begin(void) { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
DEVICE void products_commit(void) { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
#define PRODUCTS_WAIT(left) asm volatile("wgmma.wait_group.sync.aligned " #left ";" ::: "memory")

#define SUM4(i)  "+f"(sum[(i)]), "+f"(sum[(i) + 1]), "+f"(sum[(i) + 2]), "+f"(sum[(i) + 3])
#define SUM16(i) SUM4(i), SUM4((i) + 4), SUM4((i) + 8), SUM4((i) + 12)
#define SUM64(i) SUM16(i), SUM16((i) + 16), SUM16((i) + 32), SUM16((i) + 48)
#define NAMES_0  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15"
#define NAMES_16 "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define NAMES_32                                                                      \
  "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, " \
  "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define NAMES_64                                                                                        \
  "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, "                   \
  "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95"
#define NAMES_96                                                                                        \
  "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111, "       \
  "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"
#define COMMA    ,
/* Of f32 (TF32) half as deep, and never turned. */
#if BYTES(X) == 4
#define KIND  "k8.f32.tf32.tf32"
#define TURNS ""
#else
#define KIND  "k16.f32." TEXT(X) "." TEXT(X)
#define TURNS ", 0, 0"
#endif
#define WGMMA(names, a_name, b_name, sums)                                                                        \
  asm volatile("{\n"                                                                                              \
               ".reg .pred adds;\n"                                                                               \
               ".reg .b64 left, right;\n"                                                                         \
               "setp.eq.u32 adds, 0, 0;\n"                                                                        \
               "mov.b64 left, {" a_name ", " DESCRIPTOR_HIGH "};\n"                                               \
               "mov.b64 right, {" b_name ", " DESCRIPTOR_HIGH "};\n"                                              \
               "wgmma.mma_async.sync.aligned.m64n" TEXT(COLUMNS) KIND " {" names "}, "                            \
               "left, right, adds, 1, 1" TURNS ";\n"                                                              \
               "}"                                                                                                \
               : sums                                                                                             \
               : "r"(a), "r"(b))

#ifdef COLUMNS
DEVICE void multiply(f32 (&sum)[COLUMNS / 2], u32 a, u32 b) {
#if COLUMNS == 32
  WGMMA(NAMES_0, "%16", "%17", SUM16(0));
#elif COLUMNS == 64
  WGMMA(NAMES_0 ", " NAMES_16, "%32", "%33", SUM16(0) COMMA SUM16(16));
#elif COLUMNS == 128
  WGMMA(NAMES_0 ", " NAMES_16 ", " NAMES_32, "%64", "%65", SUM64(0));
#elif COLUMNS == 192
  WGMMA(NAMES_0 ", " NAMES_16 ", " NAMES_32 ", " NAMES_64, "%96", "%97", SUM64(0) COMMA SUM16(64) COMMA SUM16(80));
#else
  WGMMA(NAMES_0 ", " NAMES_16 ", " NAMES_32 ", " NAMES_64 ", " NAMES_96, "%128", "%129", SUM64(0) COMMA SUM64(64));
#endif
}
#endif

/* ---- four matrices of eight rows of 16 bytes, between shared memory and a warp as the tensor cores' sums lie in it: each
   thread gives the place of a row, and has two neighbours of a row of each. They stay in order among themselves, and other
   memory is none of theirs. */

#ifdef PIECE_OF_EIGHT
DEVICE struct eight matrices_load(u32 row) {
  struct eight v;
  u32 *w = (u32 *)v.at;
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(w[0]), "=r"(w[1]), "=r"(w[2]), "=r"(w[3])
               : "r"(row));
  return v;
}
DEVICE void matrices_store(u32 row, struct eight v) {
  const u32 *w = (const u32 *)v.at;
  asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(row), "r"(w[0]), "r"(w[1]),
               "r"(w[2]), "r"(w[3]));
}
#endif

/* ---- clusters: blocks that run at the same time and read each other's shared memory */

DEVICE void cluster_meet(void) {
  asm volatile("barrier.cluster.arrive.release.aligned;\nbarrier.cluster.wait.acquire.aligned;" ::: "memory");
}
/* Four numbers of block |rank|'s shared memory, at this block's |address|. */
DEVICE void cluster_load4(u32 address, u32 rank, f32 *out) {
  asm volatile("{\n"
               ".reg .u32 there;\n"
               "mapa.shared::cluster.u32 there, %4, %5;\n"
               "ld.shared::cluster.v4.f32 {%0, %1, %2, %3}, [there];\n"
               "}"
               : "=f"(out[0]), "=f"(out[1]), "=f"(out[2]), "=f"(out[3])
               : "r"(address), "r"(rank)
               : "memory");
}
#endif
