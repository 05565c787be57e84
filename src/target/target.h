/* What a backend offers. A target is a folder under src/targets with a `const pn_target pn_target_<name>`; the list is
   made at configure time. Optional members may be null where the comment says so. Concrete targets see operators and
   these interfaces, never the graph. */
#ifndef PN_TARGET_TARGET_H
#define PN_TARGET_TARGET_H

#include "base/cpu.h"
#include "target/tactic.h"

struct pn_pool;

typedef struct pn_device_options {
  const pelton_allocator *allocator;
  uint32_t index;   /* which device of this kind */
  uint32_t threads; /* CPU: of the pool the device makes; 0: all that this process may use */
  bool isa_lowered; /* CPU: |isa| is to be used instead of the machine's */
  pn_isa_set isa;
  bool pin_threads;
} pn_device_options;

/* A pattern of operators that the target may run as one step: names in order, each node's result used only by the next
   ("conv", "pointwise"). A name with a trailing '?' may be left out. The partition finds the chains in the graph, and
   asks the tactics about every run of nodes in them: so any part of a pattern is offered as well. */
enum { PN_PATTERN_NODES = 8 };
typedef struct pn_pattern {
  const char *name;
  const char *ops[PN_PATTERN_NODES]; /* all, or ended by null */
} pn_pattern;

/* What a device reaches at most, measured. Rates a second of one core (0: the device has no such thing) and of all. */
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

typedef struct pn_target {
  const char *name; /* "cpu", "cuda", ... */
  /* Opens a device. PELTON_DEVICE_ERROR with the reason when there is none or it is not usable. */
  pelton_status (*device_open)(const pn_device_options *options, pn_device **out, pelton_diag *diag);
  void (*device_close)(pn_device *device);
  /* What makes timings and plans valid here: "cpu AMD EPYC 9R14 avx512 threads=2". Lives as long as the device. */
  const char *(*fingerprint)(const pn_device *device);
  /* Tactics in a fixed order, the reference last. */
  uint32_t (*tactics)(const pn_device *device, const pn_tactic *const **out);
  uint32_t (*patterns)(const pn_device *device, const pn_pattern **out); /* longest first */
  /* Measures, in some tenths of a second. May be null. */
  pelton_status (*peaks)(pn_device *device, pn_peaks *out, pelton_diag *diag);
  /* Device memory, 64-byte aligned; null when there is none left. The CPU's is host memory. */
  void *(*memory_alloc)(pn_device *device, size_t bytes);
  void (*memory_release)(pn_device *device, void *memory);
  pelton_status (*upload)(pn_stream *stream, void *to, const void *from_host, size_t bytes, pelton_diag *diag);
  pelton_status (*download)(pn_stream *stream, void *to_host, const void *from, size_t bytes, pelton_diag *diag);
  /* A queue of work; one thread at a time. */
  pelton_status (*stream_create)(pn_device *device, pn_stream **out, pelton_diag *diag);
  void (*stream_release)(pn_stream *stream);
  pelton_status (*stream_synchronize)(pn_stream *stream, pelton_diag *diag);
  bool host_memory; /* device pointers are host pointers: no copies at the edges */
} pn_target;

/* All targets of this build, in order of preference for a caller who names none: the CPU. */
uint32_t pn_target_list(const pn_target *const **out);
const pn_target *pn_target_find(pn_str name);

#endif
