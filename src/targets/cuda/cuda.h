/* The CUDA target's own types: its device (libraries, context, compiled modules, rates for estimates), its stream, and
   what tactics use of them: functions from sources, launches, device tables. */
#ifndef PN_TARGETS_CUDA_CUDA_H
#define PN_TARGETS_CUDA_CUDA_H

#include "target/target.h"
#include "targets/cuda/library/library.h"

#include <pthread.h>
#include <stdatomic.h>

struct pn_cuda_module;
typedef struct pn_cuda_program pn_cuda_program;
typedef struct pn_cuda_programs pn_cuda_programs;
struct pn_dnn_convolution;

struct pn_device {
  const pelton_allocator *allocator;
  pn_cuda_api api;
  int ordinal;
  pn_cu_context *context;
  atomic_bool gone; /* the context was destroyed, and with it all that was in it: nothing is to be released */
  int capability; /* 90: sm_90 */
  char form[16];  /* what its kernels best are: "sm_90a", Hopper with what only Hopper has; lowered: "compute_80" */
  char *libraries; /* folders to look in for what is opened later; null: none */
  uint64_t compile_key;
  bool lowered;   /* it has a higher one, and kernels are compiled to PTX for |capability| */
  bool tf32; /* products in f32 may be of 19 bits: the caller allowed it */
  bool launches_early; /* a kernel may begin before the one in front ends, in recordings too */
  int multiprocessors;
  uint64_t memory_bytes;
  /* Rates for estimates: f32 multiply-adds, f16 matrix multiply-adds and bytes a second. */
  double fma_per_second, half_fma_per_second, bytes_per_second;
  pthread_mutex_t lock; /* of what follows */
  struct pn_cuda_module *modules;
  char compiler[24];           /* "NVRTC 13.0"; empty: nothing was compiled yet */
  char compile_form[16];       /* |form|, or PTX of what that compiler knows */
  pn_cuda_programs *programs; /* shared with other devices, have a lock of their own */
  pn_lt_handle *lt;         /* null: no cuBLASLt, and why */
  pn_dnn_handle *dnn;       /* null: no cuDNN, and why */
  char lt_why[PN_CUDA_WHY], dnn_why[PN_CUDA_WHY];
  pthread_mutex_t dnn_lock; /* of the handle's stream and of |convolutions| */
  struct pn_dnn_convolution *convolutions;
  char fingerprint[200];
};

enum { PN_CUDA_STAGES = 2, PN_CUDA_STAGE_BYTES = 1 << 21 };

struct pn_stream {
  pn_device *device;
  pn_cu_stream *stream; /* where work goes: |own|, or the caller's while it is lent */
  pn_cu_stream *own;
  pn_cu_event *order; /* between |own| and the callers' streams */
  struct {
    char *memory; /* pinned */
    pn_cu_event *done;
    bool busy;
  } stages[PN_CUDA_STAGES];
  uint32_t next_stage;
  int32_t *fault; /* pinned and mapped: tell_fault of element.cuh writes what went wrong, synchronize reads it */
  uint32_t faulty_step; /* what it was about, until somebody asks */
  pn_cu_event *begin, *end;
  pn_arena scratch; /* of host references */
};

/* PELTON_OK, or the driver's reason for |error| while doing |what|. */
pelton_status pn_cuda_check(const pn_device *device, int error, const char *what, pelton_diag *diag) PN_CHECKED;
/* Makes the device's context the calling thread's. */
pelton_status pn_cuda_enter(const pn_device *device, pelton_diag *diag) PN_CHECKED;
/* Before something is released: goes on whatever the driver says, which knows best what a lost device still holds. */
PN_INLINE void pn_cuda_enter_anyway(const pn_device *device) { (void)device->api.cuCtxSetCurrent(device->context); }

/* ---- modules: sources compiled once for all devices that share programs, loaded once a device */

/* The names of the sources in kernels/, in order, ended by null; "device.cuh" stands before all of them. |entry| is the
   kernel. |head| (may be null) is text in front: macros that choose a variant, rendered functions. */
typedef struct pn_cuda_source {
  const char *head;
  const char *file; /* "pool.cu"; null: |head| is all */
  const char *entry;
  bool exact; /* products and sums are not contracted */
} pn_cuda_source;

/* Finds (or compiles) and loads; slow, for prepare. From any thread. The function lives as long as the device. */
pelton_status pn_cuda_function(const pn_device *device, const pn_cuda_source *source, pn_cu_function **out,
                               pelton_diag *diag) PN_CHECKED;
void pn_cuda_modules_release(pn_device *device);
void pn_cuda_modules_forget(pn_device *device); /* the driver has none of them any more */
/* The compiled ones: |device| joins its sibling's, or gets its own. */
pelton_status pn_cuda_programs_join(pn_device *device, const pn_device_options *options, pelton_diag *diag) PN_CHECKED;
void pn_cuda_programs_leave(pn_device *device); /* when it has none, nothing */
/* |program| was asked for: while a plan keeps programs, it is one of them. */
void pn_cuda_programs_use(const pn_device *device, pn_cuda_program *program);
/* pn_target's binaries_keep and binaries. */
void pn_cuda_programs_keep(pn_device *device, bool keep);
pelton_status pn_cuda_programs_list(pn_device *device, pn_arena *arena, pn_binaries *out,
                                    pelton_diag *diag) PN_CHECKED;
/* pn_target.peaks */
pelton_status pn_cuda_peaks(pn_device *device, pn_peaks *out, pelton_diag *diag) PN_CHECKED;
/* The embedded text of kernels/|name|; null when there is none. */
const char *pn_cuda_source_text(const char *name);

/* ---- for tactics */

enum { PN_CUDA_BLOCK = 256 }; /* threads of a block in all kernels */

/* Puts |function| into the stream with one argument: the struct at |arguments|. */
pelton_status pn_cuda_launch(pn_stream *stream, pn_cu_function *function, uint32_t grid_x, uint32_t grid_y,
                             uint32_t grid_z, uint32_t threads, const void *arguments, pelton_diag *diag) PN_CHECKED;
/* The same with |shared_bytes| of DYNAMIC_SHARED memory, which prepare has asked for. */
pelton_status pn_cuda_launch_shared(pn_stream *stream, pn_cu_function *function, const uint32_t *grid, uint32_t threads,
                                    uint32_t shared_bytes, const void *arguments, pelton_diag *diag) PN_CHECKED;
pelton_status pn_cuda_allow_shared(const pn_device *device, pn_cu_function *function, uint32_t bytes,
                                   pelton_diag *diag) PN_CHECKED;
/* What a block may ask for at most: a tactic that wants more cannot be prepared. */
uint32_t pn_cuda_most_shared_bytes(const pn_device *device);
/* Blocks for |items| pieces of work of one thread each, which then go round: enough to fill the device. */
uint32_t pn_cuda_blocks(const pn_device *device, int64_t items);

/* Device memory with a copy of |bytes| bytes, for a tactic's state. */
pelton_status pn_cuda_table_create(const pn_device *device, const void *data, size_t bytes, void **out,
                                   pelton_diag *diag) PN_CHECKED;
void pn_cuda_table_release(const pn_device *device, void *table);

/* Estimates: the larger of arithmetic (at |efficiency| of the f32 rate) and memory time, and a launch. */
double pn_cuda_estimate(const pn_device *device, double fmas, double bytes, double efficiency);
/* The same for the kernels of 64 x 64 tiles, |blocks| of them with |depth| steps each: few blocks leave most of the
   device idle, and a block alone on a multiprocessor waits for memory. */
double pn_cuda_tile_estimate(const pn_device *device, double blocks, double depth, double bytes);
/* A tactic's |error| where products of f32 are TF32's on devices that may shorten them; else none. */
double pn_cuda_product_error(const pn_problem *problem, const pn_device *device, const pn_config *config);
/* Bytes of all operands that lie in memory. */
double pn_cuda_operand_bytes(const pn_problem *problem);
/* Elements that 32-bit indices reach, in every operand; else refuses. */
bool pn_cuda_fits(const pn_problem *problem, pn_reason *why);

/* Vendor libraries want their workspace at a multiple of this; tactics ask for as much more and move up. */
enum { PN_CUDA_WORKSPACE_ALIGN = 256 };
PN_INLINE void *pn_cuda_workspace(const pn_step *step) {
  return (void *)pn_align_up((uintptr_t)step->workspace, PN_CUDA_WORKSPACE_ALIGN);
}

/* Whether kernels may read 16 bytes at once there: a caller's memory need not lie so. */
PN_INLINE bool pn_cuda_aligned(const void *p) { return (uintptr_t)p % 16 == 0; }

PN_INLINE pn_cu_pointer pn_cuda_pointer(const void *p) { return (pn_cu_pointer)(uintptr_t)p; }

#endif
