/* NVIDIA GPUs through the driver API, which is opened at run time. A device uses its primary context, so that it shares
   memory and streams with whatever else in the process runs on it. */
#include "targets/cuda/convolution.h"
#include "targets/cuda/kernels/arguments.h"
#include "targets/cuda/programs.h"

#include <stdio.h>
#include <string.h>

#define PN_TACTIC(symbol) extern const pn_tactic symbol;
#include "cuda_tactics_list.inc"
#undef PN_TACTIC

#define PN_TACTIC(symbol) &symbol,
static const pn_tactic *const tactic_table[] = {
#include "cuda_tactics_list.inc"
};

static const pn_pattern pattern_table[] = {
    {"attention", {"matmul", "pointwise?", "softmax", "matmul", "transpose?", NULL}, "transpose"},
    {"convs", {"conv", "pointwise?", "conv?", "pointwise?", "conv?", "pointwise?", "conv_transpose?", "pointwise?",
      "depth_to_space?"},
     NULL},
    {"conv_transpose+pointwise", {"conv_transpose", "pointwise", NULL}, NULL},
    {"product", {"matmul", "pointwise?", "split?", NULL}, NULL},
};

enum { LEAST_CAPABILITY = 70, LEAST_DRIVER = 12000, EARLY_DRIVER = 12040};
/* Below this, copying into a staging buffer takes less time than to ask the driver what memory it is. */
enum { PN_CUDA_DIRECT_BYTES = 8192 };

/* ---- errors ------------------------------------------------------------------------------------------------------ */

pelton_status pn_cuda_check(const pn_device *device, int error, const char *what, pelton_diag *diag) {
  if (!error) return PELTON_OK;
  const char *name = NULL, *text = NULL;
  if (error == PN_CU_ERROR_CONTEXT_IS_DESTROYED) /* objects that were in it must not be touched: the driver hangs */
    atomic_store(&((pn_device *)(uintptr_t)device)->gone, true);
  (void)device->api.cuGetErrorName(error, &name);
  (void)device->api.cuGetErrorString(error, &text);
  if (!text) text = "unknown error";
  if (!name) name = "?";
  if (error != PN_CU_ERROR_OUT_OF_MEMORY)
    return pn_fail(diag, PELTON_DEVICE_ERROR, "CUDA device %d: %s failed: %s (%s)", device->ordinal, what, text, name);
  size_t left = 0, all = 0;
  pn_cu_context *current = NULL; /* of which the driver tells: while the device is opened it may be another's */
  if (!device->context || device->api.cuCtxGetCurrent(&current) || current != device->context ||
      device->api.cuMemGetInfo_v2(&left, &all))
    return pn_fail(diag, PELTON_OUT_OF_MEMORY,
                   "CUDA device %d: %s failed: %s (%s); end other programs that use it, or take another device",
                   device->ordinal, what, text, name);
  return pn_fail(diag, PELTON_OUT_OF_MEMORY,
                 "CUDA device %d: %s failed: %s (%s), %zu of its %zu bytes are free; use smaller shapes, fewer "
                 "contexts or another device",
                 device->ordinal, what, text, name, left, all);
}

pelton_status pn_cuda_enter(const pn_device *device, pelton_diag *diag) {
  return pn_cuda_check(device, device->api.cuCtxSetCurrent(device->context), "taking its context", diag);
}

/* The same for |bytes| bytes of pinned memory, which are the host's: what the device has free says nothing of them. */
static pelton_status check_pinned(const pn_device *device, int error, size_t bytes, pelton_diag *diag) {
  if (error == PN_CU_ERROR_OUT_OF_MEMORY)
    return pn_fail(diag, PELTON_OUT_OF_MEMORY,
                   "CUDA device %d: the host has no %zu bytes more that can be pinned; use less, or ordinary memory",
                   device->ordinal, bytes);
  return pn_cuda_check(device, error, "allocating pinned memory of the host", diag);
}

/* The driver forgets nothing: when it does not say what is current, there is nothing to bring back. */
static void *thread_enter(const pn_device *device) {
  pn_cu_context *was = NULL;
  if (device->api.cuCtxGetCurrent(&was)) return device->context;
  if (was != device->context) pn_cuda_enter_anyway(device);
  return was;
}

static void thread_leave(const pn_device *device, void *was) {
  if (was != device->context) (void)device->api.cuCtxSetCurrent(was);
}

/* ---- opening ------------------------------------------------------------------------------------------------------
 */

typedef struct probe {
  pn_device_info info;
  int capability, multiprocessors;
  double fma_per_second, bytes_per_second;
} probe;

static int attribute(const pn_cuda_api *api, int which, int device) {
  int value = 0;
  return api->cuDeviceGetAttribute(&value, which, device) ? 0 : value;
}

/* The driver, ready to be asked; else the reason. */
static bool start_driver(pn_cuda_api *api, const char *folders, int *version, int *count, char *why, size_t room) {
  const char *text = NULL;
  if (!pn_cuda_library_open(api, PN_CUDA_LIBRARY_DRIVER, folders, why, room)) return false;
  int error = api->cuInit(0);
  if (!error) error = api->cuDriverGetVersion(version);
  if (!error) error = api->cuDeviceGetCount(count);
  if (error) {
    (void)api->cuGetErrorString(error, &text);
    (void)snprintf(why, room, "the NVIDIA driver does not start: %s (error %d)", text ? text : "unknown error", error);
  } else if (*count < 1) {
    (void)snprintf(why, room, "the NVIDIA driver sees no device");
  } else {
    return true;
  }
  pn_cuda_library_close(api);
  return false;
}

/* f32 units of a multiprocessor. */
static double cores_of(int capability) { return capability <= 80 ? 64 : 128; }

/* Everything about device |index|; info.refusal says why it cannot be used. */
static void ask(const pn_cuda_api *api, int index, int driver, probe *out) {
  pn_device_info *info = &out->info;
  size_t bytes = 0;
  memset(out, 0, sizeof *out);
  info->index = (uint32_t)index;
  int device = 0, error = api->cuDeviceGet(&device, index);
  if (!error) error = api->cuDeviceGetName(info->name, (int)sizeof info->name, device);
  if (!error) error = api->cuDeviceTotalMem_v2(&bytes, device);
  if (error) {
    (void)snprintf(info->refusal, sizeof info->refusal, "the driver does not describe it (error %d)", error);
    return;
  }
  info->memory_bytes = bytes;
  int major = attribute(api, PN_CU_CAPABILITY_MAJOR, device), minor = attribute(api, PN_CU_CAPABILITY_MINOR, device);
  out->capability = 10 * major + minor;
  out->multiprocessors = attribute(api, PN_CU_MULTIPROCESSORS, device);
  int clock = attribute(api, PN_CU_CLOCK_KHZ, device), memory_clock = attribute(api, PN_CU_MEMORY_CLOCK_KHZ, device);
  int bus = attribute(api, PN_CU_MEMORY_BUS_BITS, device);
  out->fma_per_second = (double)out->multiprocessors * cores_of(out->capability) * (clock ? clock : 1500000) * 1e3;
  out->bytes_per_second = memory_clock && bus ? 2e3 * memory_clock * (bus / 8) * 0.85 : 1e12;
  (void)snprintf(info->detail, sizeof info->detail, "sm_%d, %d multiprocessors, driver %d.%d", out->capability,
                 out->multiprocessors, driver / 1000, driver % 1000 / 10);
  if (out->capability < LEAST_CAPABILITY)
    (void)snprintf(info->refusal, sizeof info->refusal, "it is too old: compute capability %d.%d, 7.0 is wanted", major,
                   minor);
  else if (driver < LEAST_DRIVER)
    (void)snprintf(info->refusal, sizeof info->refusal, "its driver is too old: it knows CUDA %d.%d, 12.0 is wanted",
                   driver / 1000, driver % 1000 / 10);
}

/* All but the driver. */
static void ask_libraries(pn_cuda_api *api, const char *folders, pn_library_info *out) {
  for (uint32_t i = PN_CUDA_LIBRARY_NVRTC; i < PN_CUDA_LIBRARY_COUNT; i++, out++) {
    *out = (pn_library_info){.name = pn_cuda_library_title((pn_cuda_library)i)};
    if (pn_cuda_library_open(api, (pn_cuda_library)i, folders, out->reason, sizeof out->reason))
      pn_cuda_library_version(api, (pn_cuda_library)i, out->version, sizeof out->version);
  }
}

static pelton_status device_list(const pn_device_options *options, void (*each)(void *self, const pn_device_info *info),
                                 void *self, pelton_diag *diag) {
  pn_cuda_api api = {.handles = {NULL}};
  int version = 0, count = 0;
  char why[PN_CUDA_WHY] = "";
  if (!start_driver(&api, options->libraries, &version, &count, why, sizeof why))
    return pn_fail(diag, PELTON_DEVICE_ERROR, "no CUDA device: %s", why);
  pn_library_info others[PN_CUDA_LIBRARY_COUNT - 1];
  ask_libraries(&api, options->libraries, others);
  for (int i = 0; i < count; i++) {
    probe one;
    ask(&api, i, version, &one);
    size_t used = strlen(one.info.detail);
    if (!one.info.refusal[0] && !pn_cuda_library_has(&api, PN_CUDA_LIBRARY_NVRTC))
      (void)snprintf(one.info.detail + used, sizeof one.info.detail - used,
                     ", runs only engines that hold its kernels, for want of NVRTC");
    one.info.library_count = (uint32_t)PN_COUNT(others);
    memcpy(one.info.libraries, others, sizeof others);
    each(self, &one.info);
  }
  pn_cuda_library_close(&api);
  return PELTON_OK;
}

static void device_close(pn_device *device) {
  if (!device) return;
  pn_cuda_api *api = &device->api;
  const bool whole = device->context && !atomic_load(&device->gone);
  if (!whole) pn_cuda_modules_forget(device);
  if (whole) {
    void *was = thread_enter(device);
    pn_cuda_modules_release(device);
    if (device->lt) (void)api->cublasLtDestroy(device->lt);
    if (device->dnn) pn_dnn_convolutions_release(device);
    if (device->dnn) (void)api->cudnnDestroy(device->dnn);
    thread_leave(device, was);
  }
  if (whole) (void)api->cuDevicePrimaryCtxRelease_v2(device->ordinal);
  pn_cuda_library_close(api);
  pn_cuda_programs_leave(device);
  (void)pthread_mutex_destroy(&device->lock);
  (void)pthread_mutex_destroy(&device->dnn_lock);
  pn_release(device->allocator, device->libraries);
  pn_release(device->allocator, device);
}

/* What makes tactics possible beyond our own kernels; without them the others run. */
static void open_vendor_tactics(pn_device *device, const char *folders) {
  pn_cuda_api *api = &device->api;
  int error = 0;
  if (pn_cuda_library_open(api, PN_CUDA_LIBRARY_CUBLASLT, folders, device->lt_why, sizeof device->lt_why) &&
      (error = api->cublasLtCreate(&device->lt)) != 0) {
    device->lt = NULL;
    (void)snprintf(device->lt_why, sizeof device->lt_why, "cuBLASLt does not start (error %d)", error);
  }
  if (pn_cuda_library_open(api, PN_CUDA_LIBRARY_CUDNN, folders, device->dnn_why, sizeof device->dnn_why) &&
      (error = api->cudnnCreate(&device->dnn)) != 0) {
    device->dnn = NULL;
    (void)snprintf(device->dnn_why, sizeof device->dnn_why, "cuDNN does not start: %s (error %d)",
                   api->cudnnGetErrorString(error), error);
  }
}

/* With the driver, which sees |count| devices. */
static pelton_status fill_device(pn_device *device, const pn_device_options *options, int version, int count,
                                 pelton_diag *diag) {
  pn_cuda_api *api = &device->api;
  probe found;
  if (options->index >= (uint32_t)count)
    return pn_fail(diag, PELTON_DEVICE_ERROR, "there is no CUDA device %u: the driver sees %d", options->index, count);
  ask(api, (int)options->index, version, &found);
  if (found.info.refusal[0])
    return pn_fail(diag, PELTON_DEVICE_ERROR, "CUDA device %u (%s) cannot be used: %s", options->index, found.info.name,
                   found.info.refusal);
  PN_TRY(pn_cuda_check(device, api->cuDeviceGet(&device->ordinal, (int)options->index), "opening it", diag));
  PN_TRY(pn_cuda_check(device, api->cuDevicePrimaryCtxRetain(&device->context, device->ordinal), "making a context",
                       diag));
  PN_TRY(pn_cuda_enter(device, diag));
  device->lowered = options->capability >= LEAST_CAPABILITY && options->capability < found.capability;
  if (device->lowered) {
    found.fma_per_second *= cores_of(options->capability) / cores_of(found.capability);
    found.capability = options->capability;
  }
  device->capability = found.capability;
  device->tf32 = options->tf32 && found.capability >= 80;
  (void)snprintf(device->form, sizeof device->form, "%s_%d%s", device->lowered ? "compute" : "sm", found.capability,
                 found.capability == 90 && !device->lowered ? "a" : "");
  device->compile_key = pn_cuda_compile_key();
  device->launches_early = found.capability >= 90 && version >= EARLY_DRIVER;
  device->multiprocessors = found.multiprocessors;
  device->memory_bytes = found.info.memory_bytes;
  device->fma_per_second = found.fma_per_second;
  device->half_fma_per_second = found.fma_per_second * (found.capability >= 90 ? 14 : 8);
  device->bytes_per_second = found.bytes_per_second;
  open_vendor_tactics(device, options->libraries);
  /* NVRTC's version is not in it: that would have to be opened here, and takes longer than to load all kernels. */
  (void)snprintf(device->fingerprint, sizeof device->fingerprint, "cuda %s sm_%d%s driver=%d cublaslt=%zu cudnn=%zu",
                 found.info.name, device->capability, device->tf32 ? " tf32" : "", version,
                 device->lt ? api->cublasLtGetVersion() : (size_t)0,
                 device->dnn ? api->cudnnGetVersion() : (size_t)0);
  return PELTON_OK;
}

static pelton_status open_context(pn_device *device, const pn_device_options *options, pelton_diag *diag) {
  pn_cuda_api *api = &device->api;
  int version = 0, count = 0;
  char why[PN_CUDA_WHY] = "";
  if (!start_driver(api, options->libraries, &version, &count, why, sizeof why))
    return pn_fail(diag, PELTON_DEVICE_ERROR, "no CUDA device: %s", why);
  pn_cu_context *was = NULL;
  const bool known = !api->cuCtxGetCurrent(&was);
  pelton_status status = fill_device(device, options, version, count, diag);
  if (known) (void)api->cuCtxSetCurrent(was);
  return status;
}

static pelton_status device_open(const pn_device_options *options, pn_device **out, pelton_diag *diag) {
  *out = NULL;
  pn_device *device = pn_alloc(options->allocator, sizeof *device, _Alignof(pn_device));
  if (!device) return pn_fail_memory(diag, "the CUDA device");
  device->allocator = options->allocator;
  bool locked = !pthread_mutex_init(&device->lock, NULL);
  if (!locked || pthread_mutex_init(&device->dnn_lock, NULL)) {
    if (locked) (void)pthread_mutex_destroy(&device->lock);
    pn_release(options->allocator, device);
    return pn_fail_memory(diag, "the CUDA device");
  }
  pelton_status status = pn_cuda_programs_join(device, options, diag);
  if (!status && options->libraries) {
    const size_t bytes = strlen(options->libraries) + 1;
    device->libraries = pn_alloc(options->allocator, bytes, 1);
    if (device->libraries)
      memcpy(device->libraries, options->libraries, bytes);
    else
      status = pn_fail_memory(diag, "the CUDA device");
  }
  if (!status) status = open_context(device, options, diag);
  if (status)
    device_close(device);
  else
    *out = device;
  return status;
}

static const char *fingerprint(const pn_device *device) { return device->fingerprint; }

static uint32_t tactics(const pn_device *device, const pn_tactic *const **out) {
  (void)device;
  *out = tactic_table;
  return (uint32_t)PN_COUNT(tactic_table);
}

static uint32_t patterns(const pn_device *device, const pn_pattern **out) {
  (void)device;
  *out = pattern_table;
  return (uint32_t)PN_COUNT(pattern_table);
}

/* As gemm_wgmma does, which a lowered device has not. */
static bool splits_products(const pn_device *device) { return device->capability == 90 && !device->lowered; }

/* ---- memory -------------------------------------------------------------------------------------------------------
 */

static pelton_status memory_alloc(pn_device *device, size_t bytes, const char *what, void **out, pelton_diag *diag) {
  pn_cu_pointer pointer = 0;
  *out = NULL;
  PN_TRY(pn_cuda_enter(device, diag));
  const int error = device->api.cuMemAlloc_v2(&pointer, bytes ? bytes : 1);
  if (error) {
    char doing[96];
    (void)snprintf(doing, sizeof doing, "allocating %zu bytes for %s", bytes, what);
    return pn_cuda_check(device, error, doing, diag);
  }
  *out = (void *)(uintptr_t)pointer;
  return PELTON_OK;
}

static void memory_release(pn_device *device, void *memory) {
  if (!memory || atomic_load(&device->gone)) return;
  pn_cuda_enter_anyway(device);
  (void)device->api.cuMemFree_v2(pn_cuda_pointer(memory));
}

/* 0: the driver does not know it. The call for one attribute would say so by an error, which tools that watch for
   errors count. */
static unsigned memory_kind(const pn_device *device, const void *pointer) {
  unsigned kind = 0;
  int attributes[1] = {PN_CU_POINTER_MEMORY_TYPE};
  void *data[1] = {&kind};
  return device->api.cuPointerGetAttributes(1, attributes, data, pn_cuda_pointer(pointer)) ? 0 : kind;
}

/* One question for all, since every run asks it of every input and output. Managed memory is any device's. */
static pelton_status memory_is_device(const pn_device *device, const void *pointer, size_t bytes, bool *out,
                                      pelton_diag *diag) {
  unsigned kind = 0, managed = 0;
  int ordinal = device->ordinal;
  pn_cu_pointer begin = 0;
  size_t range_bytes = 0;
  int attributes[] = {PN_CU_POINTER_MEMORY_TYPE, PN_CU_POINTER_IS_MANAGED, PN_CU_POINTER_DEVICE,
                      PN_CU_POINTER_RANGE_BEGIN, PN_CU_POINTER_RANGE_BYTES};
  void *data[PN_COUNT(attributes)] = {&kind, &managed, &ordinal, &begin, &range_bytes};
  *out = false;
  PN_TRY(pn_cuda_enter(device, diag));
  PN_TRY(pn_cuda_check(device,
                       device->api.cuPointerGetAttributes(PN_COUNT(attributes), attributes, data,
                                                          pn_cuda_pointer(pointer)),
                       "asking whose memory it is", diag));
  if (kind != PN_CU_MEMORY_DEVICE) return PELTON_OK;
  if (!managed && ordinal != device->ordinal)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                   "it is memory of CUDA device %d, the engine is on device %d: give it memory of that device "
                   "(pelton_memory_create), or take an engine on device %d (pelton_engine_on_device)",
                   ordinal, device->ordinal, ordinal);
  const size_t left = begin ? range_bytes - (size_t)(pn_cuda_pointer(pointer) - begin) : 0;
  if (begin && bytes > left)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                   "%zu bytes are wanted of memory of CUDA device %d that has %zu from that address on: allocate more",
                   bytes, device->ordinal, left);
  *out = true;
  return PELTON_OK;
}

static pelton_status host_alloc(pn_device *device, size_t bytes, void **out, pelton_diag *diag) {
  *out = NULL;
  PN_TRY(pn_cuda_enter(device, diag));
  pelton_status status = check_pinned(
      device, device->api.cuMemHostAlloc(out, bytes ? bytes : 1, PN_CU_HOST_PORTABLE), bytes, diag);
  if (status) *out = NULL;
  return status;
}

static void host_release(pn_device *device, void *memory) {
  if (!memory || atomic_load(&device->gone)) return;
  pn_cuda_enter_anyway(device);
  (void)device->api.cuMemFreeHost(memory);
}

static bool is_pinned(const pn_device *device, const void *pointer) {
  return memory_kind(device, pointer) == PN_CU_MEMORY_HOST;
}

/* The next staging buffer, once the copies that used it are done. */
static pelton_status take_stage(pn_stream *s, uint32_t *out, pelton_diag *diag) {
  uint32_t k = s->next_stage;
  s->next_stage = (k + 1) % PN_CUDA_STAGES;
  *out = k;
  if (!s->stages[k].busy) return PELTON_OK;
  s->stages[k].busy = false;
  return pn_cuda_check(s->device, s->device->api.cuEventSynchronize(s->stages[k].done), "a copy", diag);
}

static pelton_status upload(pn_stream *s, void *to, const void *from, size_t bytes, pelton_diag *diag) {
  const pn_cuda_api *api = &s->device->api;
  PN_TRY(pn_cuda_enter(s->device, diag));
  if (bytes > PN_CUDA_DIRECT_BYTES && is_pinned(s->device, from))
    return pn_cuda_check(s->device, api->cuMemcpyHtoDAsync_v2(pn_cuda_pointer(to), from, bytes, s->stream), "an upload",
                         diag);
  for (size_t done = 0; done < bytes;) {
    size_t n = bytes - done < PN_CUDA_STAGE_BYTES ? bytes - done : PN_CUDA_STAGE_BYTES;
    uint32_t k;
    PN_TRY(take_stage(s, &k, diag));
    memcpy(s->stages[k].memory, (const char *)from + done, n);
    PN_TRY(pn_cuda_check(s->device,
                         api->cuMemcpyHtoDAsync_v2(pn_cuda_pointer(to) + done, s->stages[k].memory, n, s->stream),
                         "an upload", diag));
    PN_TRY(pn_cuda_check(s->device, api->cuEventRecord(s->stages[k].done, s->stream), "an upload", diag));
    s->stages[k].busy = true;
    done += n;
  }
  return PELTON_OK;
}

/* Two buffers: while one piece is copied out by the host, the next comes in. */
static pelton_status download(pn_stream *s, void *to, const void *from, size_t bytes, pelton_diag *diag) {
  const pn_cuda_api *api = &s->device->api;
  size_t asked = 0, taken = 0;
  uint32_t stage[2] = {0, 0}, first = 0, held = 0;
  PN_TRY(pn_cuda_enter(s->device, diag));
  if (bytes > PN_CUDA_DIRECT_BYTES && is_pinned(s->device, to)) {
    PN_TRY(pn_cuda_check(s->device, api->cuMemcpyDtoHAsync_v2(to, pn_cuda_pointer(from), bytes, s->stream),
                         "a download", diag));
    return pn_cuda_check(s->device, api->cuStreamSynchronize(s->stream), "a download", diag);
  }
  while (taken < bytes) {
    while (held < PN_CUDA_STAGES && asked < bytes) {
      size_t n = bytes - asked < PN_CUDA_STAGE_BYTES ? bytes - asked : PN_CUDA_STAGE_BYTES;
      uint32_t k;
      PN_TRY(take_stage(s, &k, diag));
      PN_TRY(pn_cuda_check(s->device,
                           api->cuMemcpyDtoHAsync_v2(s->stages[k].memory, pn_cuda_pointer(from) + asked, n, s->stream),
                           "a download", diag));
      PN_TRY(pn_cuda_check(s->device, api->cuEventRecord(s->stages[k].done, s->stream), "a download", diag));
      s->stages[k].busy = true;
      stage[(first + held++) % 2] = k;
      asked += n;
    }
    uint32_t k = stage[first % 2];
    size_t n = bytes - taken < PN_CUDA_STAGE_BYTES ? bytes - taken : PN_CUDA_STAGE_BYTES;
    s->stages[k].busy = false;
    PN_TRY(pn_cuda_check(s->device, api->cuEventSynchronize(s->stages[k].done), "a download", diag));
    memcpy((char *)to + taken, s->stages[k].memory, n);
    taken += n;
    first++;
    held--;
  }
  return PELTON_OK;
}

static pelton_status copy(pn_stream *s, void *to, size_t to_pitch, const void *from, size_t from_pitch, size_t bytes,
                          size_t rows, pelton_diag *diag) {
  const pn_cuda_api *api = &s->device->api;
  const pn_cu_pointer target = pn_cuda_pointer(to), source = pn_cuda_pointer(from);
  PN_TRY(pn_cuda_enter(s->device, diag));
  if (to_pitch == bytes && from_pitch == bytes) bytes *= rows, rows = 1;
  if (rows > 1 && to_pitch <= INT32_MAX && from_pitch <= INT32_MAX) { /* as far as all devices' pitches go */
    const pn_cu_copy plane = {.source_kind = PN_CU_MEMORY_DEVICE, .source = source, .source_pitch = from_pitch,
                              .target_kind = PN_CU_MEMORY_DEVICE, .target = target, .target_pitch = to_pitch,
                              .bytes = bytes, .rows = rows};
    return pn_cuda_check(s->device, api->cuMemcpy2DAsync_v2(&plane, s->stream), "a copy", diag);
  }
  for (size_t i = 0; i < rows; i++)
    PN_TRY(pn_cuda_check(s->device,
                         api->cuMemcpyDtoDAsync_v2(target + i * to_pitch, source + i * from_pitch, bytes, s->stream),
                         "a copy", diag));
  return PELTON_OK;
}

/* ---- streams ------------------------------------------------------------------------------------------------------
 */

static void release_contents(pn_stream *s) {
  const pn_cuda_api *api = &s->device->api;
  pn_cuda_enter_anyway(s->device);
  if (s->own) (void)api->cuStreamSynchronize(s->own);
  for (uint32_t i = 0; i < PN_CUDA_STAGES; i++) {
    if (s->stages[i].done) (void)api->cuEventDestroy_v2(s->stages[i].done);
    if (s->stages[i].memory) (void)api->cuMemFreeHost(s->stages[i].memory);
  }
  if (s->fault) (void)api->cuMemFreeHost(s->fault);
  if (s->begin) (void)api->cuEventDestroy_v2(s->begin);
  if (s->end) (void)api->cuEventDestroy_v2(s->end);
  if (s->order) (void)api->cuEventDestroy_v2(s->order);
  if (s->own) (void)api->cuStreamDestroy_v2(s->own);
}

static void stream_release(pn_stream *s) {
  if (!s) return;
  if (!atomic_load(&s->device->gone)) release_contents(s);
  pn_arena_deinit(&s->scratch);
  pn_release(s->device->allocator, s);
}

static pelton_status fill_stream(pn_stream *s, pelton_diag *diag) {
  const pn_device *device = s->device;
  const pn_cuda_api *api = &device->api;
  PN_TRY(pn_cuda_enter(device, diag));
  PN_TRY(pn_cuda_check(device, api->cuStreamCreate(&s->own, PN_CU_STREAM_NON_BLOCKING), "making a stream", diag));
  s->stream = s->own;
  PN_TRY(pn_cuda_check(device, api->cuEventCreate(&s->order, PN_CU_EVENT_NO_TIMING), "making an event", diag));
  PN_TRY(pn_cuda_check(device, api->cuEventCreate(&s->begin, 0), "making an event", diag));
  PN_TRY(pn_cuda_check(device, api->cuEventCreate(&s->end, 0), "making an event", diag));
  for (uint32_t i = 0; i < PN_CUDA_STAGES; i++) {
    void *memory = NULL;
    PN_TRY(
        pn_cuda_check(device, api->cuEventCreate(&s->stages[i].done, PN_CU_EVENT_NO_TIMING), "making an event", diag));
    PN_TRY(check_pinned(device, api->cuMemHostAlloc(&memory, PN_CUDA_STAGE_BYTES, PN_CU_HOST_PORTABLE),
                        PN_CUDA_STAGE_BYTES, diag));
    s->stages[i].memory = memory;
  }
  void *fault = NULL;
  PN_TRY(check_pinned(device, api->cuMemHostAlloc(&fault, 64, PN_CU_HOST_PORTABLE | PN_CU_HOST_MAPPED), 64, diag));
  memset(fault, 0, 64);
  s->fault = fault;
  return PELTON_OK;
}

static pelton_status stream_create(pn_device *device, pn_stream **out, pelton_diag *diag) {
  *out = NULL;
  pn_stream *s = pn_alloc(device->allocator, sizeof *s, _Alignof(pn_stream));
  if (!s) return pn_fail_memory(diag, "a stream");
  s->device = device;
  pn_arena_init(&s->scratch, device->allocator);
  pelton_status status = fill_stream(s, diag);
  if (status)
    stream_release(s);
  else
    *out = s;
  return status;
}

/* What tell_fault left. */
static pelton_status take_fault(pn_stream *s, pelton_diag *diag) {
  volatile int32_t *at = s->fault;
  const uint32_t what = (uint32_t)at[0], extent = (uint32_t)at[1];
  const long long number = (int64_t)((uint64_t)(uint32_t)at[3] << 32 | (uint32_t)at[2]);
  at[0] = 0;
  s->faulty_step = what >> FAULT_KIND_BITS;
  switch (what & ((1u << FAULT_KIND_BITS) - 1)) {
  case FAULT_INDEX:
    return pn_fail(diag, PELTON_INVALID_DATA,
                   "index %lld lies outside an extent of %u; give indices that are in it, or a larger tensor",
                   number, extent);
  case FAULT_LENGTH:
    return pn_fail(diag, PELTON_INVALID_DATA, "length %lld is not one from 0 to %u; mend the operand of lengths",
                   number, extent);
  case FAULT_AXIS:
    return pn_fail(diag, PELTON_INVALID_DATA, "axis %lld lies outside a tensor of rank %u; mend the operand of axes",
                   number, extent);
  default:
    return pn_fail(diag, PELTON_INVALID_DATA,
                   "an operand holds numbers that it cannot do with; the target cpu tells which");
  }
}

static pelton_status stream_synchronize(pn_stream *s, pelton_diag *diag) {
  PN_TRY(pn_cuda_enter(s->device, diag));
  PN_TRY(pn_cuda_check(s->device, s->device->api.cuStreamSynchronize(s->stream), "running the network", diag));
  return *(volatile int32_t *)s->fault ? take_fault(s, diag) : PELTON_OK;
}

static uint32_t stream_fault(pn_stream *s) {
  const uint32_t step = s->faulty_step;
  s->faulty_step = 0;
  return step;
}

static pelton_status stream_lend(pn_stream *s, void *native, pelton_diag *diag) {
  const pn_cuda_api *api = &s->device->api;
  PN_TRY(pn_cuda_enter(s->device, diag));
  PN_TRY(pn_cuda_check(s->device, api->cuEventRecord(s->order, s->own), "ordering streams", diag));
  PN_TRY(pn_cuda_check(s->device, api->cuStreamWaitEvent(native, s->order, 0), "ordering streams", diag));
  s->stream = native;
  return PELTON_OK;
}

static pelton_status stream_return(pn_stream *s, pelton_diag *diag) {
  const pn_cuda_api *api = &s->device->api;
  pn_cu_stream *native = s->stream;
  s->stream = s->own;
  PN_TRY(pn_cuda_enter(s->device, diag));
  PN_TRY(pn_cuda_check(s->device, api->cuEventRecord(s->order, native), "ordering streams", diag));
  return pn_cuda_check(s->device, api->cuStreamWaitEvent(s->own, s->order, 0), "ordering streams", diag);
}

static pelton_status timer_start(pn_stream *s, pelton_diag *diag) {
  PN_TRY(pn_cuda_enter(s->device, diag));
  return pn_cuda_check(s->device, s->device->api.cuEventRecord(s->begin, s->stream), "timing", diag);
}

static pelton_status timer_stop(pn_stream *s, double *seconds, pelton_diag *diag) {
  const pn_cuda_api *api = &s->device->api;
  float milliseconds = 0;
  PN_TRY(pn_cuda_enter(s->device, diag));
  PN_TRY(pn_cuda_check(s->device, api->cuEventRecord(s->end, s->stream), "timing", diag));
  PN_TRY(pn_cuda_check(s->device, api->cuEventSynchronize(s->end), "timing", diag));
  PN_TRY(pn_cuda_check(s->device, api->cuEventElapsedTime(&milliseconds, s->begin, s->end), "timing", diag));
  *seconds = 1e-3 * (double)milliseconds;
  return PELTON_OK;
}

/* ---- recordings: CUDA graphs ---------------------------------------------------------------------------------------
 */

struct pn_recording {
  pn_cu_graph_exec *exec;
};

/* Always in the stream's own: a caller's may be the default one, which cannot be recorded. */
static pelton_status record_begin(pn_stream *s, pelton_diag *diag) {
  PN_TRY(pn_cuda_enter(s->device, diag));
  return pn_cuda_check(s->device, s->device->api.cuStreamBeginCapture_v2(s->own, PN_CU_CAPTURE_THREAD_LOCAL),
                       "recording", diag);
}

static pelton_status record_end(pn_stream *s, pn_recording **out, pelton_diag *diag) {
  const pn_cuda_api *api = &s->device->api;
  pn_cu_graph *graph = NULL;
  *out = NULL;
  pn_cuda_enter_anyway(s->device); /* the stream must leave this state, whatever comes */
  PN_TRY(pn_cuda_check(s->device, api->cuStreamEndCapture(s->own, &graph), "recording", diag));
  pn_recording *recording = pn_alloc(s->device->allocator, sizeof *recording, _Alignof(pn_recording));
  pelton_status status = recording ? PELTON_OK : pn_fail_memory(diag, "a recording");
  if (!status)
    status = pn_cuda_check(s->device, api->cuGraphInstantiateWithFlags(&recording->exec, graph, 0), "recording", diag);
  if (graph) (void)api->cuGraphDestroy(graph);
  if (status)
    pn_release(s->device->allocator, recording);
  else
    *out = recording;
  return status;
}

static pelton_status recording_play(pn_stream *s, pn_recording *recording, pelton_diag *diag) {
  PN_TRY(pn_cuda_enter(s->device, diag));
  return pn_cuda_check(s->device, s->device->api.cuGraphLaunch(recording->exec, s->stream), "launching a graph", diag);
}

static void recording_release(pn_device *device, pn_recording *recording) {
  if (!recording) return;
  pn_cuda_enter_anyway(device);
  if (!atomic_load(&device->gone)) (void)device->api.cuGraphExecDestroy(recording->exec);
  pn_release(device->allocator, recording);
}

const pn_target pn_target_cuda = {
    .name = "cuda",
    .device_open = device_open,
    .device_close = device_close,
    .thread_enter = thread_enter,
    .thread_leave = thread_leave,
    .fingerprint = fingerprint,
    .tactics = tactics,
    .patterns = patterns,
    .splits_products = splits_products,
    .device_list = device_list,
    .peaks = pn_cuda_peaks,
    .binaries_keep = pn_cuda_programs_keep,
    .binaries = pn_cuda_programs_list,
    .memory_alloc = memory_alloc,
    .memory_release = memory_release,
    .memory_is_device = memory_is_device,
    .host_alloc = host_alloc,
    .host_release = host_release,
    .upload = upload,
    .download = download,
    .copy = copy,
    .stream_create = stream_create,
    .stream_release = stream_release,
    .stream_lend = stream_lend,
    .stream_return = stream_return,
    .stream_synchronize = stream_synchronize,
    .stream_fault = stream_fault,
    .timer_start = timer_start,
    .timer_stop = timer_stop,
    .record_begin = record_begin,
    .record_end = record_end,
    .recording_play = recording_play,
    .recording_release = recording_release,
    .host_memory = false,
    .part_alignment = 16, /* what a thread reads at once */
};
