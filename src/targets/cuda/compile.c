/* A kernel's text becomes code: by NVRTC, which is opened when the first has to be compiled, since an engine that
   holds its kernels needs none. */
#include "targets/cuda/programs.h"

#include "base/hash.h"

#include <stdio.h>
#include <string.h>

static const char *const header_names[] = {
    "device.cuh",       "arguments.h",         "element.cuh",      "expression.cuh", "conv.cuh",      "low_float.cuh",
    "sample.cuh",       "wgmma.cuh",           "eight.cuh",        "mma.cuh",        "chain_mma.cuh", "conv_chain.cuh",
    "wgmma_gather.cuh", "wgmma_depthwise.cuh", "wgmma_finish.cuh", "scores.cuh"};
#define STANDARD "--std=c++17"

uint64_t pn_cuda_compile_key(void) {
  uint64_t h = pn_hash_bytes(STANDARD, sizeof STANDARD, 1);
  for (size_t i = 0; i < PN_COUNT(header_names); i++) {
    const char *text = pn_cuda_source_text(header_names[i]);
    h = pn_hash_bytes(text, strlen(text), h);
  }
  return h;
}

/* A device that is newer than NVRTC gets PTX, which its driver translates. */
static void choose_form(pn_device *device) {
  enum { MOST = 64 };
  int known[MOST], count = 0;
  if (device->api.nvrtcGetNumSupportedArchs(&count) || count < 0 || count > MOST ||
      device->api.nvrtcGetSupportedArchs(known))
    count = 0;
  pn_cuda_form_to_compile(device, known, count, device->compile_form, sizeof device->compile_form);
}

pelton_status pn_cuda_compile_open(pn_device *device, const char *entry, pelton_diag *diag) {
  char why[PN_CUDA_WHY] = "";
  (void)pthread_mutex_lock(&device->lock);
  bool open = pn_cuda_library_has(&device->api, PN_CUDA_LIBRARY_NVRTC) ||
              pn_cuda_library_open(&device->api, PN_CUDA_LIBRARY_NVRTC, device->libraries, why, sizeof why);
  if (open && !device->compiler[0]) {
    int major = 0, minor = 0;
    if (device->api.nvrtcVersion(&major, &minor)) major = minor = 0;
    (void)snprintf(device->compiler, sizeof device->compiler, "NVRTC %d.%d", major, minor);
    choose_form(device);
  }
  (void)pthread_mutex_unlock(&device->lock);
  if (open) return PELTON_OK;
  return pn_fail(diag, PELTON_DEVICE_ERROR,
                 "CUDA device %d: the kernel '%s' has to be compiled for %s, and %s; or use an engine that was built "
                 "on such a device, which holds its kernels compiled",
                 device->ordinal, entry, device->form, why);
}

static pelton_status failed(const pn_device *device, pn_nvrtc_program *program, int error, const char *entry,
                            pelton_diag *diag) {
  const pn_cuda_api *api = &device->api;
  size_t bytes = 0;
  char *log = NULL;
  if (program && !api->nvrtcGetProgramLogSize(program, &bytes) && bytes)
    log = pn_alloc(device->allocator, bytes + 1, 1);
  if (log && api->nvrtcGetProgramLog(program, log)) log[0] = 0;
  pelton_status status = pn_fail(diag, PELTON_DEVICE_ERROR, "NVRTC does not compile the kernel %s: %s%s%s", entry,
                                 api->nvrtcGetErrorString(error), log && *log ? ": " : "", log && *log ? log : "");
  pn_release(device->allocator, log);
  return status;
}

static pelton_status to_code(const pn_device *device, const pn_cuda_source *source, pn_nvrtc_program *program,
                             void **out, size_t *bytes, pelton_diag *diag) {
  const pn_cuda_api *api = &device->api;
  const bool text = pn_str_starts(pn_str_from(device->compile_form), "compute_");
  char arch[40];
  (void)snprintf(arch, sizeof arch, "--gpu-architecture=%s", device->compile_form);
  const char *options[] = {arch, STANDARD, source->exact ? "--fmad=false" : "--fmad=true"};
  int error = api->nvrtcCompileProgram(program, (int)PN_COUNT(options), options);
  if (!error) error = (text ? api->nvrtcGetPTXSize : api->nvrtcGetCUBINSize)(program, bytes);
  if (error) return failed(device, program, error, source->entry, diag);
  char *code = pn_alloc(device->allocator, *bytes + 1, 64);
  if (!code) return pn_fail_memory(diag, "a kernel");
  error = (text ? api->nvrtcGetPTX : api->nvrtcGetCUBIN)(program, code);
  if (error) {
    pn_release(device->allocator, code);
    return failed(device, program, error, source->entry, diag);
  }
  *out = code;
  return PELTON_OK;
}

pelton_status pn_cuda_compile(const pn_device *device, const pn_cuda_source *source, const char *text, void **out,
                              size_t *bytes, pelton_diag *diag) {
  const char *headers[PN_COUNT(header_names)];
  pn_nvrtc_program *program = NULL;
  for (size_t i = 0; i < PN_COUNT(header_names); i++) headers[i] = pn_cuda_source_text(header_names[i]);
  int error = device->api.nvrtcCreateProgram(&program, text, source->file ? source->file : "rendered.cu",
                                             (int)PN_COUNT(header_names), headers, header_names);
  if (error) return failed(device, NULL, error, source->entry, diag);
  pelton_status status = to_code(device, source, program, out, bytes, diag);
  (void)device->api.nvrtcDestroyProgram(&program);
  return status;
}
