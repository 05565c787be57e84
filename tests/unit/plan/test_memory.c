/* Memory runs out at every point of a model's life: import of an ONNX file, build, save, open, run. Each end is an error
   with its reason, nothing leaks, and no half-written engine stays behind. */
#define _XOPEN_SOURCE 700 /* mkdtemp, access */
#include "harness.h"
#include "pelton/build.h"

#include <stdio.h>
#include <unistd.h>

enum { MAX_TENSORS = 8, ZEROS_BYTES = 1 << 16 };

static char folder[256], engine_path[300];

static void make_folder(void) {
  const char *base = getenv("TMPDIR");
  snprintf(folder, sizeof folder, "%s/pelton-memory-XXXXXX", base && *base ? base : "/tmp");
  REQUIRE(mkdtemp(folder) != NULL);
  snprintf(engine_path, sizeof engine_path, "%s/e.pelton", folder);
}

/* Compiles |path| into engine_path. */
static pelton_status compile(const char *path, const pelton_allocator *allocator, pelton_diag *diag) {
  pelton_import_options import = PELTON_IMPORT_OPTIONS_INIT;
  pelton_build_options build = PELTON_BUILD_OPTIONS_INIT;
  pelton_model *model = NULL;
  pelton_engine *engine = NULL;
  import.allocator = build.allocator = allocator;
  build.threads = 1;
  build.level = 0;
  pelton_status status = pelton_model_import(path, &import, &model, diag);
  if (!status) status = pelton_engine_build(model, &build, &engine, diag);
  if (!status) status = pelton_engine_save(engine, engine_path, diag);
  pelton_engine_release(engine);
  pelton_model_release(model);
  return status;
}

/* Runs |engine| on zeros, with 2 for a dynamic dim. */
static pelton_status run(pelton_engine *engine, pelton_diag *diag) {
  static uint64_t zeros[ZEROS_BYTES / sizeof(uint64_t)];
  pelton_tensor in[MAX_TENSORS] = {{0}}, out[MAX_TENSORS] = {{0}};
  uint32_t inputs = pelton_engine_input_count(engine), outputs = pelton_engine_output_count(engine);
  REQUIRE(inputs <= MAX_TENSORS && outputs <= MAX_TENSORS);
  for (uint32_t i = 0; i < inputs; i++) {
    pelton_io_info info;
    REQUIRE_OK(pelton_engine_input(engine, i, &info), diag);
    static pelton_tensor item = {PELTON_DTYPE_NONE, {1, {1}}, zeros, sizeof zeros};
    static const pelton_tensor *items[] = {&item, &item};
    if (info.dtype == PELTON_DTYPE_TENSOR) item.dtype = info.item;
    in[i] = (pelton_tensor){info.dtype, info.shape, zeros, sizeof zeros};
    if (info.dtype == PELTON_DTYPE_TENSOR) in[i].data = items;
    for (uint32_t d = 0; d < info.shape.rank; d++)
      if (info.shape.dims[d] < 0) in[i].shape.dims[d] = 2;
  }
  pelton_context *context = NULL;
  pelton_status status = pelton_context_create(engine, NULL, &context, diag);
  for (int i = 0; i < 2 && !status; i++) status = pelton_context_run(context, in, inputs, out, outputs, diag);
  pelton_context_release(context);
  return status;
}

static pelton_status open_and_run(const pelton_allocator *allocator, pelton_diag *diag) {
  pelton_run_options options = PELTON_RUN_OPTIONS_INIT;
  pelton_engine *engine = NULL;
  options.allocator = allocator;
  options.threads = 1;
  pelton_status status = pelton_engine_open(engine_path, &options, &engine, diag);
  if (!status) status = run(engine, diag);
  pelton_engine_release(engine);
  return status;
}

/* |status| is right for |a|, and has its reason. */
static void check(const harness_allocator *a, pelton_status status, const pelton_diag *diag, const char *path) {
  const bool right = status == (a->failed ? PELTON_OUT_OF_MEMORY : PELTON_OK) && a->live == 0 && (diag->count > 0) == a->failed;
  if (!right)
    printf("  %s, allocation %llu: %s, %u reasons (%s), %llu left\n", path, (unsigned long long)a->fail_at, pelton_status_name(status),
           diag->count, diag->count ? pelton_diag_message(diag, 0) : "none", (unsigned long long)a->live);
  EXPECT(right);
}

TEST(any_allocation_of_a_life_may_fail) {
  static const char *const paths[] = {
      "tests/fuzz/corpus/onnx_model/conv.onnx", "tests/import/function.onnx", "tests/import/if.onnx", "tests/import/loop.onnx",
      "tests/import/scan.onnx",                 "tests/import/symbols.onnx",  "tests/import/old.onnx",
      "tests/import/sequence_map.onnx"};
  make_folder();
  for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
    harness_allocator a;
    uint64_t compiling = 0, running = 0;
    do {
      pelton_diag diag = PELTON_DIAG_INIT;
      remove(engine_path);
      const pelton_status status = compile(paths[i], harness_allocator_init(&a, ++compiling), &diag);
      check(&a, status, &diag, paths[i]);
      EXPECT_EQ(access(engine_path, F_OK) == 0, status == PELTON_OK);
    } while (a.failed);
    do {
      pelton_diag diag = PELTON_DIAG_INIT;
      const pelton_status status = open_and_run(harness_allocator_init(&a, ++running), &diag);
      check(&a, status, &diag, paths[i]);
    } while (a.failed);
    printf("  %s: %llu allocations to an engine, %llu from there to a result\n", paths[i], (unsigned long long)compiling - 1,
           (unsigned long long)running - 1);
  }
  remove(engine_path);
  EXPECT(rmdir(folder) == 0); /* nothing else was left in it */
}

TEST_MAIN(T(any_allocation_of_a_life_may_fail))
