/* The CPU target's own types: its device (instruction set, threads, rates for estimates) and its stream. */
#ifndef PN_TARGETS_CPU_CPU_H
#define PN_TARGETS_CPU_CPU_H

#include "base/pool.h"
#include "target/target.h"
#include "targets/cpu/kernels.h"

struct pn_device {
  const pelton_allocator *allocator;
  pn_pool *pool;
  pn_isa_set isa;
  uint32_t threads;
  size_t l1_bytes, l2_bytes, l3_bytes; /* of one core; the last as one core sees it */
  /* Rates for estimates, all threads together: multiply-adds and bytes of streamed memory a second. They order
     candidates; measurements decide. */
  double fma_per_second, bytes_per_second;
  double error_bound; /* pelton_build_options.error_bound */
  const pn_cpu_gemm_f32 *gemm;
  const pn_cpu_vec_f32 *vec;
  const pn_cpu_reduce_f32 *reduce;
  const pn_cpu_transpose_f32 *transpose;
  char fingerprint[160];
};

/* Work runs at once on the caller's thread and the pool; a stream only holds the scratch of references. */
struct pn_stream {
  pn_device *device;
  pn_arena scratch;
};

/* pn_target.peaks */
pelton_status pn_cpu_peaks(pn_device *device, pn_peaks *out, pelton_diag *diag) PN_CHECKED;

/* The form in which elements lie in memory; PN_CPU_FORM_COUNT for what is no native type: f16, fewer than 8 bits. */
PN_INLINE pn_cpu_form pn_cpu_stored_form(pelton_dtype dtype) {
  switch (dtype) {
  case PELTON_DTYPE_BOOL:
  case PELTON_DTYPE_U8: return PN_CPU_FORM_u8;
  case PELTON_DTYPE_I8: return PN_CPU_FORM_i8;
  case PELTON_DTYPE_U16: return PN_CPU_FORM_u16;
  case PELTON_DTYPE_I16: return PN_CPU_FORM_i16;
  case PELTON_DTYPE_U32: return PN_CPU_FORM_u32;
  case PELTON_DTYPE_I32: return PN_CPU_FORM_i32;
  case PELTON_DTYPE_U64: return PN_CPU_FORM_u64;
  case PELTON_DTYPE_I64: return PN_CPU_FORM_i64;
  case PELTON_DTYPE_F32: return PN_CPU_FORM_f32;
  case PELTON_DTYPE_F64: return PN_CPU_FORM_f64;
  default: return PN_CPU_FORM_COUNT;
  }
}

/* Estimates: the larger of arithmetic and memory time, and what it costs to start a job on the pool. */
double pn_cpu_estimate(const pn_device *device, double fmas, double bytes, double efficiency);
/* How many times longer |tasks| equal tasks take than work that all threads share evenly: threads without a task wait. */
PN_INLINE double pn_cpu_idle(const pn_device *device, int64_t tasks) {
  int64_t threads = device->threads;
  return tasks > 0 ? (double)(pn_div_up(tasks, threads) * threads) / (double)tasks : 1;
}
/* Bytes of all operands that lie in memory. */
double pn_cpu_operand_bytes(const pn_problem *problem);

/* How tactics share rows of work: [begin, end) of |count| for part |index| of |parts|, in multiples of |unit|. */
PN_INLINE void pn_cpu_share(int64_t count, int64_t unit, uint32_t index, uint32_t parts, int64_t *begin, int64_t *end) {
  int64_t units = (count + unit - 1) / unit;
  *begin = units * index / parts * unit;
  *end = units * (index + 1) / parts * unit;
  if (*end > count) *end = count;
  if (*begin > count) *begin = count;
}

/* |tasks| pieces of work over |panels| panels of columns become |wanted| or so: returns into how many blocks the panels
   are cut for that, none of them empty, and how many panels a block has. */
PN_INLINE int64_t pn_cpu_panel_blocks(int64_t panels, int64_t tasks, int64_t wanted, int64_t *panels_a_block) {
  int64_t blocks = tasks >= wanted ? 1 : pn_min_i64(panels, pn_div_up(wanted, tasks));
  *panels_a_block = pn_div_up(panels, blocks);
  return pn_div_up(panels, *panels_a_block);
}

/* Into how many tasks to cut |units| of work that stream |bytes| altogether, or take as long: one when waking a thread
   costs more than it gives. */
PN_INLINE uint32_t pn_cpu_parts(const pn_device *device, int64_t units, double bytes) {
  int64_t most = 4 * (int64_t)device->threads;
  if (units <= 1 || bytes < 128 * 1024) return units > 0;
  return (uint32_t)(units < most ? units : most);
}

#endif
