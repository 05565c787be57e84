/* Engines of the target cuda over the fake driver, for tests. */
#ifndef PN_TESTS_FAKE_ENGINE_H
#define PN_TESTS_FAKE_ENGINE_H

#include "base/compiler.h"
#include "fake_cuda.h"
#include "pelton/build.h"

static pelton_status build_at(int level, const char *text, const char *target, const pelton_allocator *allocator,
                              pelton_engine **out, pelton_diag *diag) {
  pelton_import_options import = PELTON_IMPORT_OPTIONS_INIT;
  pelton_build_options options = PELTON_BUILD_OPTIONS_INIT;
  pelton_model *model = NULL;
  *out = NULL;
  import.allocator = options.allocator = allocator;
  options.level = level;
  options.threads = 1;
  options.targets = target;
  options.device_libraries = folder;
  pelton_status status = pelton_model_parse(text, strlen(text), &import, &model, diag);
  if (!status) status = pelton_engine_build(model, &options, out, diag);
  pelton_model_release(model);
  return status;
}

PN_UNUSED static pelton_status build(const char *text, const char *target, const pelton_allocator *allocator,
                                     pelton_engine **out, pelton_diag *diag) {
  return build_at(0, text, target, allocator, out, diag);
}

/* Device memory for |bytes| bytes at |from|, or for as many to come. */
PN_UNUSED static void *place(pelton_engine *engine, const void *from, size_t bytes) {
  pelton_diag diag = PELTON_DIAG_INIT;
  void *there;
  REQUIRE_OK(pelton_memory_create(engine, bytes, &there, &diag), &diag);
  if (from) REQUIRE_OK(pelton_memory_write(engine, there, from, bytes, &diag), &diag);
  return there;
}

#endif
