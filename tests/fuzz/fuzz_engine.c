/* Engine files of strangers: open, and run what opens. The input is the file with nothing between its sections; offsets
   and checksums are made here, so that mutations reach the readers behind them. make_engine_corpus.sh makes such
   inputs. The header's own checks are met by tests/unit/runtime/test_engine_file.c. */
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

/* Makes the checksums fit what is there. */
static void repair(uint8_t *bytes, size_t size, uint32_t count) {
  uint64_t total = size;
  memcpy(bytes + 16, &total, sizeof total);
  for (uint32_t i = 0; i < count; i++) {
    uint8_t *row = bytes + PN_HEADER_BYTES + (size_t)i * PN_SECTION_ROW_BYTES;
    uint64_t sum = pn_hash_bytes(bytes + pn_load_u64(row + 8), (size_t)pn_load_u64(row + 16), pn_load_u32(row));
    memcpy(row + 24, &sum, sizeof sum);
  }
  uint64_t sum =
      pn_hash_bytes(bytes + PN_HEADER_BYTES, (size_t)count * PN_SECTION_ROW_BYTES, pn_hash_bytes(bytes, 32, 0));
  memcpy(bytes + 32, &sum, sizeof sum);
}

/* The file that |data| stands for, for free(), its size in |*size|; null when |data| ends within the header. */
static uint8_t *expand(const uint8_t *data, size_t *size) {
  if (*size < PN_HEADER_BYTES) return NULL;
  uint32_t count = pn_load_u32(data + 24);
  size_t head = PN_HEADER_BYTES + (size_t)count * PN_SECTION_ROW_BYTES;
  if (count > PN_MAX_SECTIONS || head > *size) return NULL;
  uint8_t *file = calloc(1, pn_align_up(*size + (size_t)count * PN_SECTION_ALIGN, PN_SECTION_ALIGN) + PN_SECTION_ALIGN);
  if (!file) return NULL;
  memcpy(file, data, head);
  const uint8_t *from = data + head;
  size_t left = *size - head, at = head;
  for (uint32_t i = 0; i < count; i++) {
    uint8_t *row = file + PN_HEADER_BYTES + (size_t)i * PN_SECTION_ROW_BYTES;
    uint64_t length = pn_load_u64(row + 16);
    if (length > left) length = left;
    uint64_t offset = pn_align_up(at, PN_SECTION_ALIGN);
    memcpy(file + offset, from, (size_t)length);
    memcpy(row + 8, &offset, sizeof offset);
    memcpy(row + 16, &length, sizeof length);
    from += length;
    left -= (size_t)length;
    at = (size_t)(offset + length);
  }
  repair(file, at, count);
  *size = at;
  return file;
}

static void run_engine(pelton_engine *engine) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_context *context;
  pelton_tensor in[4] = {{0}}, out[8] = {{0}}, items[4];
  const pelton_tensor *list[4];
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
    if (info.dtype != PELTON_DTYPE_TENSOR) continue;
    items[i] = (pelton_tensor){info.item_depth > 1 ? PELTON_DTYPE_TENSOR : info.item, {1, {0}}, zeros, sizeof zeros};
    if (info.item_depth == 1) items[i].shape.dims[0] = 3;
    list[i] = &items[i];
    in[i].data = &list[i];
    in[i].bytes = in[i].shape.dims[0] > 1 ? 0 : sizeof list[i];
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
  uint8_t *file = expand(data, &size);
  if (!file) return 0;
  options.allocator = &allocator;
  options.threads = 1;
  options.cpu_isa = "portable"; /* the same on every machine */
  if (pelton_engine_open_memory(file, size, &options, &engine, &diag) == PELTON_OK) {
    char *text = NULL;
    if (pelton_engine_json(engine, &text, &diag) == PELTON_OK) pelton_text_release(text);
    run_engine(engine);
    pelton_engine_release(engine);
  } else if (diag.count == 0) {
    abort();
  }
  free(file);
  return 0;
}
