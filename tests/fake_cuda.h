/* The fake driver as tests see it: where it is, and the functions that make it fail. Where a real driver is, only the
   fake one is opened, by its folder. */
#ifndef PN_TESTS_FAKE_CUDA_H
#define PN_TESTS_FAKE_CUDA_H

#include "harness.h"

#include <dlfcn.h>
#include <stdio.h>

static char folder[1024];
static void (*fail_at)(long n), (*lose)(int forever), (*set_devices)(int devices, int sm), (*answer_text)(int error);
static void (*limit_memory)(long bytes);
static void (*lose_device)(int device, long n);
static int (*get_current)(void **context), (*set_current)(void *context);
static int (*retain_context)(void **context, int device), (*release_context)(int device);
static int (*alloc_managed)(uint64_t *pointer, size_t bytes, unsigned flags), (*free_memory)(uint64_t pointer);
static long (*calls)(void), (*live)(void), (*device_calls)(int device), (*device_bytes)(int device);
static long (*copies)(int kind); /* 0: to a device, 1: from one, 2: within one */

static void fake_symbol(void *library, const char *name, void *function, size_t bytes) {
  void *found = dlsym(library, name);
  REQUIRE(found != NULL);
  memcpy(function, &found, bytes);
}

/* Finds the fake driver, and its functions for tests; one device that works. */
static void use_fake(void) {
  const char *build = getenv("PELTON_BUILD");
  char path[1100];
  if (!build) SKIP("PELTON_BUILD is not set");
  (void)snprintf(folder, sizeof folder, "%s/tests/fake_cuda", build);
  (void)snprintf(path, sizeof path, "%s/libcuda.so.1", folder);
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) SKIP("the fake driver is not built");
  fake_symbol(library, "fake_cuda_fail_at", &fail_at, sizeof fail_at);
  fake_symbol(library, "fake_cuda_lose", &lose, sizeof lose);
  fake_symbol(library, "fake_cuda_set", &set_devices, sizeof set_devices);
  fake_symbol(library, "fake_cuda_text", &answer_text, sizeof answer_text);
  fake_symbol(library, "fake_cuda_lose_device", &lose_device, sizeof lose_device);
  fake_symbol(library, "fake_cuda_limit", &limit_memory, sizeof limit_memory);
  fake_symbol(library, "fake_cuda_calls", &calls, sizeof calls);
  fake_symbol(library, "fake_cuda_live", &live, sizeof live);
  fake_symbol(library, "fake_cuda_copies", &copies, sizeof copies);
  fake_symbol(library, "fake_cuda_device_calls", &device_calls, sizeof device_calls);
  fake_symbol(library, "fake_cuda_device_bytes", &device_bytes, sizeof device_bytes);
  fake_symbol(library, "cuCtxGetCurrent", &get_current, sizeof get_current);
  fake_symbol(library, "cuCtxSetCurrent", &set_current, sizeof set_current);
  fake_symbol(library, "cuDevicePrimaryCtxRetain", &retain_context, sizeof retain_context);
  fake_symbol(library, "cuDevicePrimaryCtxRelease_v2", &release_context, sizeof release_context);
  fake_symbol(library, "cuMemAllocManaged", &alloc_managed, sizeof alloc_managed);
  fake_symbol(library, "cuMemFree_v2", &free_memory, sizeof free_memory);
  fail_at(0);
  lose(0);
  limit_memory(0);
  lose_device(-1, 0);
  set_devices(1, 90);
}

#endif
