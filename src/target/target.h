/* What a backend offers. A target is a folder under src/targets with a `const pn_target pn_target_<name>`; the list is
   made at configure time. Optional members may be null where the comment says so. Concrete targets see operators and
   these interfaces, never the graph. */
#ifndef PN_TARGET_TARGET_H
#define PN_TARGET_TARGET_H

#include "base/cpu.h"
#include "base/binary.h"
#include "target/tactic.h"

struct pn_pool;

typedef struct pn_device_options {
  const pelton_allocator *allocator;
  uint32_t index;   /* which device of this kind */
  uint32_t threads; /* CPU: of the pool the device makes; 0: all that this process may use */
  bool isa_lowered; /* CPU: |isa| is to be used instead of the machine's */
  pn_isa_set isa;
  int capability;   /* CUDA: to be used as a device of this one, 80 for sm_80; 0, or more than it has: its own */
  bool tf32;        /* CUDA: products in f32 may be of 19 bits */
  bool pin_threads;
  double error_bound;    /* pelton_build_options.error_bound; 0: the default */
  const char *libraries; /* folders, separated by ':', to look for the vendor's libraries first; may be null */
  const pn_device *sibling; /* an open device of this target, to share with it what is the same on both; or null */
  /* Code compiled before, that of the library itself, and where notes go; null, or as long as the device and its
     siblings. */
  const pn_binary_list *binaries;
  const pn_binary_list *(*built_in)(void);
  const pelton_log *log;
} pn_device_options;

/* A vendor's library that the device's tactics would use. */
typedef struct pn_library_info {
  const char *name; /* static storage */
  char version[24]; /* may be empty */
  char reason[480]; /* why it cannot be used; empty when it can */
} pn_library_info;

/* What `pelton devices` says of one device. */
typedef struct pn_device_info {
  uint32_t index;
  char name[128];
  uint64_t memory_bytes; /* 0: not known */
  char detail[160];      /* "sm_90, driver 13.0, 132 multiprocessors" */
  char refusal[240];     /* why it cannot be used; empty when it can */
  uint32_t library_count;
  pn_library_info libraries[4];
} pn_device_info;

/* Recorded work of a stream, to be run again as one. */
typedef struct pn_recording pn_recording;

/* A pattern of operators that the target may run as one step: names in order, each node's result used only by the next
   ("conv", "pointwise"). A name with a trailing '?' may be left out. The partition finds the chains in the graph, and
   asks the tactics about every run of nodes in them: so any part of a pattern is offered as well.

   |front| (may be null) is an operator of one operand whose results the chain may take in as well, where only the chain
   uses them: the group's nodes are then those, in the graph's order, and the chain behind them. */
enum { PN_PATTERN_NODES = 9, PN_PATTERN_FRONTS = 4 };
typedef struct pn_pattern {
  const char *name;
  const char *ops[PN_PATTERN_NODES]; /* all, or ended by null */
  const char *front;
} pn_pattern;

/* What a device reaches at most, measured. Rates a second of one core (0: the device has no such thing) and of all.
   Names of arithmetic begin with the operands' type ("f16_tensor"; "tf32_" are f32 that may be shortened), which is how
   a step's limit is found, those of memory with "read_". */
enum { PN_PEAKS = 8 };
typedef struct pn_peak {
  const char *name, *unit; /* "f32_fma", "flop/s"; static storage */
  double one, all;
  double bytes; /* of reads: as much data as comes at this rate to all cores; 0: no limit, or no read */
} pn_peak;
typedef struct pn_peaks {
  uint32_t count;
  pn_peak peak[PN_PEAKS];
} pn_peaks;

/* Code that a device compiled or was given. */
typedef struct pn_binaries {
  pn_binary_list list;     /* of plans; the bytes live as long as the device */
  uint32_t compiled, taken; /* of all: here, and out of what was compiled before */
  double compile_seconds;   /* all in all, of all threads */
} pn_binaries;

typedef struct pn_target {
  const char *name; /* "cpu", "cuda", ... */
  /* Opens a device. PELTON_DEVICE_ERROR with the reason when there is none or it is not usable. */
  pelton_status (*device_open)(const pn_device_options *options, pn_device **out, pelton_diag *diag);
  void (*device_close)(pn_device *device);
  /* A driver may keep something current in each thread (CUDA its context), which calls of a device change. On a caller's
     thread thread_enter, which returns what was current, and thread_leave, which brings it back, stand around them all,
     but for device_open, device_close and device_list, which leave it as it was. They may be nested. Threads of our own
     need neither. Both null: nothing is current. */
  void *(*thread_enter)(const pn_device *device);
  void (*thread_leave)(const pn_device *device, void *was);
  /* What makes timings and plans valid here: "cpu AMD EPYC 9R14 avx512 threads=2". Lives as long as the device. */
  const char *(*fingerprint)(const pn_device *device);
  /* Tells devices apart that pack weights differently: of the CPU its kernels' instructions. Null: all alike. */
  uint64_t (*packing)(const pn_device *device);
  /* Tactics in a fixed order, the reference last. */
  uint32_t (*tactics)(const pn_device *device, const pn_tactic *const **out);
  uint32_t (*patterns)(const pn_device *device, const pn_pattern **out); /* longest first */
  /* Whether tactics write parts of a product's columns as results of their own; null: no. */
  bool (*splits_products)(const pn_device *device);
  /* Gives |each| every device of this kind, usable or not; null: the one that device_open opens. An error says why
     there can be none. */
  pelton_status (*device_list)(const pn_device_options *options, void (*each)(void *self, const pn_device_info *info),
                               void *self, pelton_diag *diag);
  /* What the largest cache holds. Constants of a network with more of them come from memory at every run, which is how
     they are timed then: |evict| takes memory out of the caches. Both null: they are timed as they come. */
  size_t (*cache_bytes)(const pn_device *device);
  void (*evict)(pn_device *device, const void *memory, size_t bytes);
  /* Measures, in some tenths of a second. May be null. */
  pelton_status (*peaks)(pn_device *device, pn_peaks *out, pelton_diag *diag);
  /* Both null: steps need no code that is compiled while Pelton runs. What is prepared between binaries_keep(true) and
     (false) is a plan's, and its code is in the list that binaries makes in |arena|. */
  void (*binaries_keep)(pn_device *device, bool keep);
  pelton_status (*binaries)(pn_device *device, pn_arena *arena, pn_binaries *out, pelton_diag *diag);
  /* Device memory, 64-byte aligned, for |what| ("weights"), which errors name with the bytes: PELTON_OUT_OF_MEMORY when
     there is none left, PELTON_DEVICE_ERROR when the device is lost. On failure |*out| is null. The CPU's is host
     memory. */
  pelton_status (*memory_alloc)(pn_device *device, size_t bytes, const char *what, void **out, pelton_diag *diag);
  void (*memory_release)(pn_device *device, void *memory);
  /* Whether the |bytes| bytes at |pointer| are device memory that steps can use as it is. PELTON_INVALID_ARGUMENT, with
     the reason, for device memory that they cannot use: another device's, or fewer bytes. Null: what host_memory says. */
  pelton_status (*memory_is_device)(const pn_device *device, const void *pointer, size_t bytes, bool *out,
                                    pelton_diag *diag);
  /* Host memory that the device reads and writes by itself, so that copies need no staging. Null: any host memory. */
  pelton_status (*host_alloc)(pn_device *device, size_t bytes, void **out, pelton_diag *diag);
  void (*host_release)(pn_device *device, void *memory);
  /* Copies in the stream's order. |from_host| may be written again at once when upload returns (if it is host_alloc's:
     when the stream was waited for), |to_host| is complete when download does. */
  pelton_status (*upload)(pn_stream *stream, void *to, const void *from_host, size_t bytes, pelton_diag *diag);
  pelton_status (*download)(pn_stream *stream, void *to_host, const void *from, size_t bytes, pelton_diag *diag);
  /* The same within the device, without waiting: |rows| pieces of |bytes| bytes, neither of them 0, which begin
     |to_pitch| and |from_pitch| bytes apart. Null with host_memory. */
  pelton_status (*copy)(pn_stream *stream, void *to, size_t to_pitch, const void *from, size_t from_pitch, size_t bytes,
                        size_t rows, pelton_diag *diag);
  /* A queue of work; one thread at a time. */
  pelton_status (*stream_create)(pn_device *device, pn_stream **out, pelton_diag *diag);
  void (*stream_release)(pn_stream *stream);
  /* From here until stream_return, steps and recordings that are played go into the caller's queue |native|, behind all
     work of the stream so far; what comes into the stream after stream_return is behind them. The host never waits.
     Only steps without host_work. Both null: there are no such queues. stream_return even where something failed. */
  pelton_status (*stream_lend)(pn_stream *stream, void *native, pelton_diag *diag);
  pelton_status (*stream_return)(pn_stream *stream, pelton_diag *diag);
  /* Waits for all work so far. Also where errors come up that steps met on the device (an index out of range). */
  pelton_status (*stream_synchronize)(pn_stream *stream, pelton_diag *diag);
  /* The number of the step whose error the latest stream_synchronize told, once; 0: it told none, or the step has none.
     Null: run tells errors itself. */
  uint32_t (*stream_fault)(pn_stream *stream);
  /* The device's own time between the two calls, for the work put into the stream in between; the second waits for it.
     Null: the host's clock does. */
  pelton_status (*timer_start)(pn_stream *stream, pelton_diag *diag);
  pelton_status (*timer_stop)(pn_stream *stream, double *seconds, pelton_diag *diag);
  /* Work put into the stream between begin and end is not done but recorded; play does it. Null: the target cannot. */
  pelton_status (*record_begin)(pn_stream *stream, pelton_diag *diag);
  pelton_status (*record_end)(pn_stream *stream, pn_recording **out, pelton_diag *diag);
  pelton_status (*recording_play)(pn_stream *stream, pn_recording *recording, pelton_diag *diag);
  void (*recording_release)(pn_device *device, pn_recording *recording);
  bool host_memory; /* device pointers are host pointers: no copies at the edges */
  /* Where a part may begin in the memory of what it is a part of: at multiples of so many bytes; others are copied. 0:
     anywhere. */
  uint32_t part_alignment;
} pn_target;

/* thread_enter and thread_leave, where there are any; |device| null: nothing. */
PN_INLINE void *pn_target_enter(const pn_target *target, const pn_device *device) {
  return device && target->thread_enter ? target->thread_enter(device) : NULL;
}
PN_INLINE void pn_target_leave(const pn_target *target, const pn_device *device, void *was) {
  if (device && target->thread_leave) target->thread_leave(device, was);
}

/* All targets of this build, in order of preference for a caller who names none: the CPU. */
uint32_t pn_target_list(const pn_target *const **out);
const pn_target *pn_target_find(pn_str name);
/* |status|, with the targets that there are as its reason. */
pelton_status pn_target_unknown(const char *name, pelton_status status, pelton_diag *diag) PN_CHECKED;
/* A target without a list has one device: any other |index| is refused here. */
pelton_status pn_target_has_index(const pn_target *target, uint32_t index, pelton_diag *diag) PN_CHECKED;

#endif
