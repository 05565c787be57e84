/* Sources become functions: device.cuh, a head and a file of kernels/ are one text, whose program (programs.c) is
   loaded into the device and stays there as long as it. */
#include "targets/cuda/programs.h"

#include "base/hash.h"

#include <stdio.h>
#include <string.h>

typedef struct pn_cuda_module {
  struct pn_cuda_module *next;
  uint64_t key[2];
  pn_cuda_program *program;
  pn_cu_module *module;
  pn_cu_function *function;
} pn_cuda_module;

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

/* Whether |error| of cuModuleLoadData is about the image, and not about the device: it is none, it is of another kind
   of device, it needs something that this driver does not have, or it is PTX that this driver does not translate. */
static bool is_of_image(int error) {
  switch (error) {
  case PN_CU_ERROR_INVALID_IMAGE:
  case PN_CU_ERROR_NO_BINARY:
  case PN_CU_ERROR_INVALID_PTX:
  case PN_CU_ERROR_NO_JIT_COMPILER:
  case PN_CU_ERROR_UNSUPPORTED_PTX:
  case PN_CU_ERROR_JIT_DISABLED:
  case PN_CU_ERROR_INVALID_SOURCE: return true;
  default: return false;
  }
}

static pelton_status load(pn_device *device, const pn_cuda_source *source, const char *text, pn_cuda_module *m,
                          pelton_diag *diag) {
  PN_TRY(pn_cuda_programs_get(device, source, text, m->key, NULL, &m->program, diag));
  PN_TRY(pn_cuda_enter(device, diag));
  int error = device->api.cuModuleLoadData(&m->module, m->program->is.data);
  if (is_of_image(error) && !m->program->owned) { /* a file's */
    PN_TRY(pn_cuda_programs_get(device, source, text, m->key, m->program, &m->program, diag));
    error = device->api.cuModuleLoadData(&m->module, m->program->is.data);
  }
  PN_TRY(pn_cuda_check(device, error, "loading a kernel", diag));
  error = device->api.cuModuleGetFunction(&m->function, m->module, source->entry);
  if (error) (void)device->api.cuModuleUnload(m->module);
  return pn_cuda_check(device, error, "finding a kernel", diag);
}

static pn_cuda_module *find(const pn_device *device, const uint64_t *key) {
  for (pn_cuda_module *m = device->modules; m; m = m->next)
    if (m->key[0] == key[0] && m->key[1] == key[1]) return m;
  return NULL;
}

/* Only looking and adding is under the device's lock, so that several threads compile at a time. What two of them
   loaded at once stays loaded once. */
static pelton_status find_or_load(pn_device *device, const pn_cuda_source *source, const pn_text *text,
                                  pn_cu_function **out, pelton_diag *diag) {
  uint64_t key[2] = {device->compile_key, ~device->compile_key};
  for (int i = 0; i < 2; i++) {
    key[i] = pn_hash_bytes(source->entry, strlen(source->entry), key[i] + source->exact);
    key[i] = pn_hash_bytes(text->data, text->size, key[i]);
  }
  (void)pthread_mutex_lock(&device->lock);
  pn_cuda_module *m = find(device, key);
  (void)pthread_mutex_unlock(&device->lock);
  if (!m) {
    pn_cuda_module *made = pn_alloc(device->allocator, sizeof *made, _Alignof(pn_cuda_module));
    if (!made) return pn_fail_memory(diag, "a kernel");
    memcpy(made->key, key, sizeof key);
    pelton_status status = load(device, source, text->data, made, diag);
    if (status) {
      pn_release(device->allocator, made);
      return status;
    }
    (void)pthread_mutex_lock(&device->lock);
    m = find(device, key);
    if (!m) {
      m = made;
      m->next = device->modules;
      device->modules = m;
    }
    (void)pthread_mutex_unlock(&device->lock);
    if (m != made) {
      (void)device->api.cuModuleUnload(made->module);
      pn_release(device->allocator, made);
    }
  }
  pn_cuda_programs_use(device, m->program);
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
  pelton_status status =
      text.failed ? pn_fail_memory(diag, "a kernel") : find_or_load(own, source, &text, out, diag);
  pn_text_deinit(&text);
  return status;
}
