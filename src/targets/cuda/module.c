/* Sources become functions: NVRTC compiles device.cuh, a head and a file of kernels/ for the device at hand, and the
   result is kept for the life of the device. The same text is compiled once, also where several devices of an engine
   want it: who comes while another compiles waits. */
#include "targets/cuda/cuda.h"

#include "base/hash.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

typedef struct pn_cuda_module {
  struct pn_cuda_module *next;
  uint64_t hash;
  size_t source_bytes;
  char entry[48];
  pn_cu_module *module;
  pn_cu_function *function;
} pn_cuda_module;

/* A compiled source, and all of them. */
typedef struct compiled {
  struct compiled *next;
  uint64_t hash;
  size_t source_bytes;
  int capability;
  char *data;
} compiled;
typedef struct pn_cuda_cubins {
  atomic_uint devices;
  pthread_mutex_t lock;
  compiled *first;
} pn_cuda_cubins;

typedef struct embedded {
  const char *name, *text;
} embedded;
static const embedded sources[] = {
#include "cuda_sources_list.inc"
    {NULL, NULL}};

const char *pn_cuda_source_text(const char *name) {
  for (const embedded *e = sources; e->name; e++)
    if (!strcmp(e->name, name)) return e->text;
  return NULL;
}

void pn_cuda_modules_forget(pn_device *device) {
  while (device->modules) {
    pn_cuda_module *m = device->modules;
    device->modules = m->next;
    pn_release(device->allocator, m);
  }
}

void pn_cuda_modules_release(pn_device *device) {
  while (device->modules) {
    pn_cuda_module *m = device->modules;
    device->modules = m->next;
    (void)device->api.cuModuleUnload(m->module);
    pn_release(device->allocator, m);
  }
}

pelton_status pn_cuda_cubins_join(pn_device *device, const pn_device *sibling, pelton_diag *diag) {
  if (sibling) {
    device->cubins = sibling->cubins;
    atomic_fetch_add_explicit(&device->cubins->devices, 1, memory_order_relaxed);
    return PELTON_OK;
  }
  pn_cuda_cubins *cubins = pn_alloc(device->allocator, sizeof *cubins, _Alignof(pn_cuda_cubins));
  if (!cubins || pthread_mutex_init(&cubins->lock, NULL)) {
    pn_release(device->allocator, cubins);
    return pn_fail_memory(diag, "the CUDA device");
  }
  atomic_init(&cubins->devices, 1);
  device->cubins = cubins;
  return PELTON_OK;
}

void pn_cuda_cubins_leave(pn_device *device) {
  pn_cuda_cubins *cubins = device->cubins;
  if (!cubins || atomic_fetch_sub_explicit(&cubins->devices, 1, memory_order_acq_rel) != 1) return;
  while (cubins->first) {
    compiled *c = cubins->first;
    cubins->first = c->next;
    pn_release(device->allocator, c->data);
    pn_release(device->allocator, c);
  }
  (void)pthread_mutex_destroy(&cubins->lock);
  pn_release(device->allocator, cubins);
}

/* ---- compiling -----------------------------------------------------------------------------------------------------
 */

static pelton_status nvrtc_failed(const pn_device *device, pn_nvrtc_program *program, int error, const char *entry,
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

static pelton_status to_cubin(const pn_device *device, const pn_cuda_source *source, pn_nvrtc_program *program,
                              char **out, pelton_diag *diag) {
  const pn_cuda_api *api = &device->api;
  char arch[40];
  size_t bytes = 0;
  /* 90a: Hopper with what only Hopper has. A lowered device's driver compiles PTX for what it really is. */
  (void)snprintf(arch, sizeof arch, "--gpu-architecture=%s_%d%s", device->lowered ? "compute" : "sm",
                 device->capability, device->capability == 90 ? "a" : "");
  const char *options[] = {arch, "--std=c++17", source->exact ? "--fmad=false" : "--fmad=true"};
  int error = api->nvrtcCompileProgram(program, (int)PN_COUNT(options), options);
  if (!error) error = (device->lowered ? api->nvrtcGetPTXSize : api->nvrtcGetCUBINSize)(program, &bytes);
  if (error) return nvrtc_failed(device, program, error, source->entry, diag);
  char *cubin = pn_alloc(device->allocator, bytes + 1, 64);
  if (!cubin) return pn_fail_memory(diag, "a kernel");
  error = (device->lowered ? api->nvrtcGetPTX : api->nvrtcGetCUBIN)(program, cubin);
  if (error) {
    pn_release(device->allocator, cubin);
    return nvrtc_failed(device, program, error, source->entry, diag);
  }
  *out = cubin;
  return PELTON_OK;
}

static pelton_status compile(const pn_device *device, const pn_cuda_source *source, const char *text, char **out,
                             pelton_diag *diag) {
  static const char *const names[] = {"device.cuh",     "arguments.h", "element.cuh",
                                      "expression.cuh", "conv.cuh",    "low_float.cuh",
                                      "sample.cuh",     "wgmma.cuh", "eight.cuh",
                                      "mma.cuh"};
  const char *headers[PN_COUNT(names)];
  pn_nvrtc_program *program = NULL;
  for (size_t i = 0; i < PN_COUNT(names); i++) headers[i] = pn_cuda_source_text(names[i]);
  int error = device->api.nvrtcCreateProgram(&program, text, source->file ? source->file : "rendered.cu",
                                             (int)PN_COUNT(names), headers, names);
  if (error) return nvrtc_failed(device, NULL, error, source->entry, diag);
  pelton_status status = to_cubin(device, source, program, out, diag);
  (void)device->api.nvrtcDestroyProgram(&program);
  return status;
}

static pelton_status load(const pn_device *device, pn_cuda_module *m, const void *cubin, pelton_diag *diag) {
  PN_TRY(pn_cuda_enter(device, diag));
  PN_TRY(pn_cuda_check(device, device->api.cuModuleLoadData(&m->module, cubin), "loading a kernel", diag));
  int error = device->api.cuModuleGetFunction(&m->function, m->module, m->entry);
  if (error) (void)device->api.cuModuleUnload(m->module);
  return pn_cuda_check(device, error, "finding a kernel", diag);
}

/* Under the lock of the cubins. They stay as they are until the last device goes, so that |*out| may be read without.
 */
static pelton_status find_or_compile(const pn_device *device, const pn_cuda_source *source, const char *text,
                                     const pn_cuda_module *m, const char **out, pelton_diag *diag) {
  pn_cuda_cubins *all = device->cubins;
  for (const compiled *c = all->first; c; c = c->next) {
    if (c->hash != m->hash || c->source_bytes != m->source_bytes || c->capability != device->capability) continue;
    *out = c->data;
    return PELTON_OK;
  }
  compiled *c = pn_alloc(device->allocator, sizeof *c, _Alignof(compiled));
  if (!c) return pn_fail_memory(diag, "a kernel");
  *c = (compiled){all->first, m->hash, m->source_bytes, device->capability, NULL};
  pelton_status status = compile(device, source, text, &c->data, diag);
  if (status) {
    pn_release(device->allocator, c);
    return status;
  }
  all->first = c;
  *out = c->data;
  return PELTON_OK;
}

static pelton_status add_module(pn_device *device, const pn_cuda_source *source, const char *text, pn_cuda_module *m,
                                pelton_diag *diag) {
  const char *image = NULL;
  (void)pthread_mutex_lock(&device->cubins->lock);
  pelton_status status = find_or_compile(device, source, text, m, &image, diag);
  (void)pthread_mutex_unlock(&device->cubins->lock);
  (void)snprintf(m->entry, sizeof m->entry, "%s", source->entry);
  if (!status) status = load(device, m, image, diag);
  if (status) return status;
  m->next = device->modules;
  device->modules = m;
  return PELTON_OK;
}

static pelton_status find_or_add(pn_device *device, const pn_cuda_source *source, const pn_text *text,
                                 pn_cu_function **out, pelton_diag *diag) {
  uint64_t hash = pn_hash_bytes(text->data, text->size, source->exact);
  hash = pn_hash_bytes(source->entry, strlen(source->entry), hash);
  for (const pn_cuda_module *m = device->modules; m; m = m->next) {
    if (m->hash != hash || m->source_bytes != text->size) continue;
    *out = m->function;
    return PELTON_OK;
  }
  pn_cuda_module *m = pn_alloc(device->allocator, sizeof *m, _Alignof(pn_cuda_module));
  if (!m) return pn_fail_memory(diag, "a kernel");
  m->hash = hash;
  m->source_bytes = text->size;
  pelton_status status = add_module(device, source, text->data, m, diag);
  if (status) {
    pn_release(device->allocator, m);
    return status;
  }
  *out = m->function;
  return PELTON_OK;
}

pelton_status pn_cuda_function(const pn_device *device, const pn_cuda_source *source, pn_cu_function **out,
                               pelton_diag *diag) {
  pn_device *own = (pn_device *)(uintptr_t)device; /* the table of modules is the device's own, under its lock */
  const char *file = source->file ? pn_cuda_source_text(source->file) : "";
  if (!file) return PN_INTERNAL(diag, "a kernel's source is not embedded");
  pn_text text;
  pn_text_init(&text, device->allocator);
  static const char *const always[] = {"device.cuh", "arguments.h", "element.cuh", "low_float.cuh"};
  for (size_t i = 0; i < PN_COUNT(always); i++) pn_text_printf(&text, "#include \"%s\"\n", always[i]);
  if (source->head) pn_text_add(&text, pn_str_from(source->head));
  pn_text_add(&text, pn_str_from(file));
  pelton_status status = text.failed ? pn_fail_memory(diag, "a kernel") : PELTON_OK;
  if (!status) {
    (void)pthread_mutex_lock(&own->lock);
    status = find_or_add(own, source, &text, out, diag);
    (void)pthread_mutex_unlock(&own->lock);
  }
  pn_text_deinit(&text);
  return status;
}
