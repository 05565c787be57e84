/* Engine files of strangers: open, and run what opens. The input is the file without its checksums, which are made to
   fit first, so that mutations reach the readers behind them. */
#include "engine/format.h"
#include "pelton/run.h"

#include <stdlib.h>

enum { MOST_BYTES = 1 << 24 };

static void *limited_alloc(void *self, size_t bytes, size_t align) {
  (void)self;
  if (align < 64) align = 64;
  return bytes > MOST_BYTES ? NULL : aligned_alloc(align, (bytes + align - 1) / align * align);
}

static void limited_release(void *self, void *pointer) {
  (void)self;
  free(pointer);
}

static void repair(uint8_t *bytes, size_t size) {
  if (size < PN_HEADER_BYTES) return;
  uint64_t total = size;
  memcpy(bytes + 16, &total, sizeof total);
  uint32_t count = pn_load_u32(bytes + 24);
  if (count > PN_MAX_SECTIONS || PN_HEADER_BYTES + (size_t)count * PN_SECTION_ROW_BYTES > size) return;
  for (uint32_t i = 0; i < count; i++) {
    uint8_t *row = bytes + PN_HEADER_BYTES + (size_t)i * PN_SECTION_ROW_BYTES;
    uint64_t offset = pn_load_u64(row + 8), length = pn_load_u64(row + 16);
    if (offset > size || length > size - offset) continue;
    uint64_t sum = pn_hash_bytes(bytes + offset, (size_t)length, pn_load_u32(row));
    memcpy(row + 24, &sum, sizeof sum);
  }
  uint64_t sum = pn_hash_bytes(bytes + PN_HEADER_BYTES, (size_t)count * PN_SECTION_ROW_BYTES, pn_hash_bytes(bytes, 32, 0));
  memcpy(bytes + 32, &sum, sizeof sum);
}

static void run_engine(pelton_engine *engine) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_context *context;
  pelton_tensor in[4] = {{0}}, out[8] = {{0}};
  static float zeros[1 << 16];
  uint32_t inputs = pelton_engine_input_count(engine), outputs = pelton_engine_output_count(engine);
  if (inputs > 4 || outputs > 8 || pelton_context_create(engine, NULL, &context, &diag)) return;
  for (uint32_t i = 0; i < inputs; i++) {
    pelton_io_info info;
    if (pelton_engine_input(engine, i, &info)) continue;
    in[i].dtype = info.dtype;
    in[i].shape = info.shape;
    for (uint32_t d = 0; d < info.shape.rank; d++)
      if (info.shape.dims[d] < 0) in[i].shape.dims[d] = 1;
    in[i].data = zeros;
    in[i].bytes = sizeof zeros;
  }
  if (pelton_context_run(context, in, inputs, out, outputs, &diag) != PELTON_OK && diag.count == 0) abort();
  pelton_context_release(context);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_allocator allocator = {NULL, limited_alloc, limited_release};
  pelton_run_options options = PELTON_RUN_OPTIONS_INIT;
  pelton_engine *engine;
  uint8_t *copy = malloc(size ? size : 1);
  if (!copy) return 0;
  memcpy(copy, data, size);
  repair(copy, size);
  options.allocator = &allocator;
  options.threads = 1;
  if (pelton_engine_open_memory(copy, size, &options, &engine, &diag) == PELTON_OK) {
    run_engine(engine);
    pelton_engine_release(engine);
  } else if (diag.count == 0) {
    abort();
  }
  free(copy);
  return 0;
}
