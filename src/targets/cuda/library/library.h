/* The vendor's libraries, opened at run time: their handles as types of our own, and a table of functions made from
   driver.def. Constants are the documented, never changing values of the CUDA headers. */
#ifndef PN_TARGETS_CUDA_LIBRARY_H
#define PN_TARGETS_CUDA_LIBRARY_H

#include "base/str.h"

typedef struct pn_cu_context pn_cu_context;
typedef struct pn_cu_stream pn_cu_stream;
typedef struct pn_cu_event pn_cu_event;
typedef struct pn_cu_module pn_cu_module;
typedef struct pn_cu_function pn_cu_function;
typedef struct pn_cu_graph pn_cu_graph;
typedef struct pn_cu_graph_exec pn_cu_graph_exec;
typedef struct pn_nvrtc_program pn_nvrtc_program;
typedef uint64_t pn_cu_pointer;
typedef struct pn_lt_handle pn_lt_handle;
typedef struct pn_lt_matmul pn_lt_matmul;
typedef struct pn_lt_layout pn_lt_layout;
typedef struct pn_lt_preference pn_lt_preference;
typedef struct pn_dnn_handle pn_dnn_handle;
typedef void pn_dnn_descriptor;

typedef struct pn_lt_algorithm {
  uint64_t data[8];
} pn_lt_algorithm;
typedef struct pn_lt_heuristic {
  pn_lt_algorithm algorithm;
  size_t workspace_bytes;
  int state;
  float waves;
  int reserved[4];
} pn_lt_heuristic;

enum { /* CUdevice_attribute */
       PN_CU_MULTIPROCESSORS = 16,
       PN_CU_CLOCK_KHZ = 13,
       PN_CU_CAPABILITY_MAJOR = 75,
       PN_CU_CAPABILITY_MINOR = 76,
       PN_CU_MEMORY_CLOCK_KHZ = 36,
       PN_CU_MEMORY_BUS_BITS = 37,
       PN_CU_L2_BYTES = 38
};
typedef struct pn_cu_launch_attribute { /* CUlaunchAttribute */
  int id, padding;
  int value[16];
} pn_cu_launch_attribute;
typedef struct pn_cu_launch { /* CUlaunchConfig */
  unsigned grid[3], block[3], shared_bytes;
  pn_cu_stream *stream;
  pn_cu_launch_attribute *attributes;
  unsigned attribute_count;
} pn_cu_launch;

/* CUDA_MEMCPY2D */
typedef struct pn_cu_copy {
  size_t source_x, source_y;
  unsigned source_kind;
  const void *source_host;
  pn_cu_pointer source;
  void *source_array;
  size_t source_pitch, target_x, target_y;
  unsigned target_kind;
  void *target_host;
  pn_cu_pointer target;
  void *target_array;
  size_t target_pitch, bytes, rows;
} pn_cu_copy;

enum { /* of tensor maps, and CUfunction_attribute */
       PN_CU_TYPE_F16 = 6,
       PN_CU_TYPE_BF16 = 9,
       PN_CU_SWIZZLE_128_BYTES = 3,
       PN_CU_PROMOTION_256_BYTES = 3,
       PN_CU_FUNCTION_MOST_SHARED_BYTES = 8,
       PN_CU_LAUNCH_EARLY = 6 /* programmatic stream serialization */
};
enum {
  PN_CU_ERROR_OUT_OF_MEMORY = 2,
  PN_CU_ERROR_NO_DEVICE = 100,
  PN_CU_ERROR_INVALID_IMAGE = 200,
  PN_CU_ERROR_NO_BINARY = 209,
  PN_CU_ERROR_INVALID_PTX = 218,
  PN_CU_ERROR_NO_JIT_COMPILER = 221,
  PN_CU_ERROR_UNSUPPORTED_PTX = 222, /* of a newer compiler than the driver knows */
  PN_CU_ERROR_JIT_DISABLED = 223,
  PN_CU_ERROR_INVALID_SOURCE = 300,
  PN_CU_ERROR_CONTEXT_IS_DESTROYED = 709,
  PN_CU_STREAM_NON_BLOCKING = 1,
  PN_CU_EVENT_NO_TIMING = 2,
  PN_CU_HOST_PORTABLE = 1,
  PN_CU_HOST_MAPPED = 2,
  PN_CU_POINTER_MEMORY_TYPE = 2, /* CUpointer_attribute */
  PN_CU_POINTER_IS_MANAGED = 8,
  PN_CU_POINTER_DEVICE = 9,
  PN_CU_POINTER_RANGE_BEGIN = 11, /* of mapped memory (cuMemMap): of the addresses that were reserved, all pieces */
  PN_CU_POINTER_RANGE_BYTES = 12,
  PN_CU_MEMORY_HOST = 1, /* pinned; of other host memory the driver knows nothing */
  PN_CU_MEMORY_DEVICE = 2,
  PN_CU_CAPTURE_THREAD_LOCAL = 1
};

typedef enum pn_cuda_library {
  PN_CUDA_LIBRARY_DRIVER,
  PN_CUDA_LIBRARY_NVRTC,
  PN_CUDA_LIBRARY_CUBLASLT,
  PN_CUDA_LIBRARY_CUDNN,
  PN_CUDA_LIBRARY_COUNT
} pn_cuda_library;

enum { PN_CUDA_WHY = 480 }; /* room for why a library cannot be used: paths are in it */

/* Every function of every library; null where its library is absent. */
typedef struct pn_cuda_api {
  void *handles[PN_CUDA_LIBRARY_COUNT];
  bool confined; /* the driver is from the caller's folders: nothing is looked for elsewhere */
#define PN_CUDA_FN(library, symbol, result, arguments) result(*symbol) arguments;
#include "targets/cuda/library/driver.def"
} pn_cuda_api;

/* Opens |library| into |api|, from |folders| (separated by ':'; may be null) first, then where the system finds it.
   False with the reason in |why| (|room| bytes, PN_CUDA_WHY are enough): where it was looked for, or what was found and
   why that does not load, and the remedy. */
bool pn_cuda_library_open(pn_cuda_api *api, pn_cuda_library library, const char *folders, char *why, size_t room);
void pn_cuda_library_close(pn_cuda_api *api);
/* "13.0" of an open library; empty where it does not say. Not of the driver. */
void pn_cuda_library_version(const pn_cuda_api *api, pn_cuda_library library, char *out, size_t room);
const char *pn_cuda_library_title(pn_cuda_library library);
PN_INLINE bool pn_cuda_library_has(const pn_cuda_api *api, pn_cuda_library library) {
  return api->handles[library] != NULL;
}

#endif
