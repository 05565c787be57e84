/* NVIDIA GPUs through the driver API, which is opened at run time. A device uses its primary context, so that it shares
   memory and streams with whatever else in the process runs on it. */
#include "targets/cuda/convolution.h"
#include "targets/cuda/programs.h"
#include "targets/cuda/stream.h"

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
pelton_status pn_cuda_check_pinned(const pn_device *device, int error, size_t bytes, pelton_diag *diag) {
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
    .memory_alloc = pn_cuda_memory_alloc,
    .memory_release = pn_cuda_memory_release,
    .memory_is_device = pn_cuda_memory_is_device,
    .host_alloc = pn_cuda_host_alloc,
    .host_release = pn_cuda_host_release,
    .upload = pn_cuda_upload,
    .download = pn_cuda_download,
    .copy = pn_cuda_copy,
    .stream_create = pn_cuda_stream_create,
    .stream_release = pn_cuda_stream_release,
    .stream_lend = pn_cuda_stream_lend,
    .stream_return = pn_cuda_stream_return,
    .stream_synchronize = pn_cuda_stream_synchronize,
    .stream_fault = pn_cuda_stream_fault,
    .timer_start = pn_cuda_timer_start,
    .timer_stop = pn_cuda_timer_stop,
    .record_begin = pn_cuda_record_begin,
    .record_end = pn_cuda_record_end,
    .recording_play = pn_cuda_recording_play,
    .recording_release = pn_cuda_recording_release,
    .host_memory = false,
    .part_alignment = 16, /* what a thread reads at once */
};
