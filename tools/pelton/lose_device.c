/* A CUDA device made unusable on purpose, to see what becomes of those that use it. A kernel that traps leaves its
   context, which the whole process shares, with an error that never goes away, as a fault of the hardware does; a reset
   of the primary context takes it from under everybody's feet. */
#define _POSIX_C_SOURCE 200809L
#include "serving.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

static const char trap[] = ".version 7.0\n.target sm_70\n.address_size 64\n"
                           ".visible .entry pelton_trap()\n{\n  trap;\n  ret;\n}\n";

/* The driver that is in use already: the first of |folders| that has it, else the system's. */
static void *open_driver(const char *folders) {
  void *library = NULL;
  for (const char *at = folders; at && *at && !library;) {
    const size_t size = strcspn(at, ":");
    char *path = memory_format("%.*s/libcuda.so.1", (int)size, at);
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    free(path);
    at += size + (at[size] == ':');
  }
  return library ? library : dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
}

/* ISO C has no conversion from dlsym's pointer to that of a function, POSIX has. */
static bool find(void *library, const char *name, void *function, size_t bytes) {
  void *found = dlsym(library, name);
  memcpy(function, &found, bytes);
  return found != NULL;
}
#define FIND(name) find(library, #name, &name, sizeof name)

static int run_trap(void *library, int index) {
  int (*cuDevicePrimaryCtxRetain)(void **, int), (*cuCtxSetCurrent)(void *), (*cuModuleLoadData)(void **, const void *);
  int (*cuModuleGetFunction)(void **, void *, const char *);
  int (*cuLaunchKernel)(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *, void **,
                        void **);
  void *context, *module, *function;
  if (!FIND(cuDevicePrimaryCtxRetain) || !FIND(cuCtxSetCurrent) || !FIND(cuModuleLoadData) ||
      !FIND(cuModuleGetFunction) || !FIND(cuLaunchKernel))
    return -1;
  int error = cuDevicePrimaryCtxRetain(&context, index);
  if (!error) error = cuCtxSetCurrent(context);
  if (!error) error = cuModuleLoadData(&module, trap);
  if (!error) error = cuModuleGetFunction(&function, module, "pelton_trap");
  return error ? error : cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL);
}

bool lose_device(const char *device_libraries, int index, bool by_reset) {
  void *library = open_driver(device_libraries);
  int (*cuDevicePrimaryCtxReset_v2)(int);
  int error = -1;
  if (!library)
    print_error("there is no driver to lose a device of");
  else if (!by_reset)
    error = run_trap(library, index);
  else if (FIND(cuDevicePrimaryCtxReset_v2))
    error = cuDevicePrimaryCtxReset_v2(index);
  if (error && library) print_error("device %d could not be broken: error %d of the driver", index, error);
  return !error; /* the library stays open: its state is the process's */
}
