#!/usr/bin/env bash
# A program that links the runtime library alone opens and runs an engine, and nothing in that library parses models.
set -euo pipefail
build=${PELTON_BUILD:?the build folder}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$PELTON_BIN" build demo/digits.onnx -o "$work/digits.pelton" 2>"$work/log"
# What is not zero among eight numbers, delivered to the caller's allocator.
cat >"$work/where.pir" <<'PIR'
graph where(%x: f32[8]) -> (%found)
  %found = non_zero(%x)
end
PIR
"$PELTON_BIN" build "$work/where.pir" -o "$work/where.pelton" 2>"$work/log"
cat >"$work/app.c" <<'APP'
#include <pelton/run.h>
#include <stdio.h>
#include <stdlib.h>
static void *allocate(void *self, const pelton_output_request *request) {
  *(void **)self = malloc(request->bytes + 1);
  return *(void **)self;
}
int main(int argc, char **argv) {
  void *memory = NULL;
  pelton_output_allocator allocator = {NULL, allocate};
  allocator.self = &memory;
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine;
  pelton_context *context;
  pelton_io_info info;
  if (argc < 2 || pelton_engine_open(argv[1], NULL, &engine, &diag) || pelton_engine_input(engine, 0, &info)) return 1;
  pelton_tensor in = {info.dtype, info.shape, NULL, sizeof(float)}, out = {0};
  for (uint32_t d = 0; d < in.shape.rank; d++) {
    if (in.shape.dims[d] < 0) in.shape.dims[d] = 1;
    in.bytes *= (size_t)in.shape.dims[d];
  }
  in.data = calloc(1, in.bytes);
  ((float *)in.data)[in.bytes / sizeof(float) - 1] = 1;
  if (pelton_context_create(engine, NULL, &context, &diag) ||
      pelton_context_set_output_allocator(context, PELTON_ALL_OUTPUTS, &allocator, &diag) ||
      pelton_context_run(context, &in, 1, &out, 1, &diag) || !out.data || out.data != memory) return 2;
  printf("%u dims, %u elements\n", (unsigned)out.shape.rank, (unsigned)(out.bytes / pelton_dtype_bytes(out.dtype)));
  if (out.dtype == PELTON_DTYPE_I64) printf("first %d\n", (int)*(int64_t *)out.data);
  pelton_context_release(context);
  pelton_engine_release(engine);
  free(in.data);
  free(memory);
  return 0;
}
APP
library=$(find "$build" -maxdepth 1 -name 'libpelton_rt.a')
sanitize=$(grep -oP '^PELTON_SANITIZE:STRING=\K.*' "$build/CMakeCache.txt" || true)
${CC:-cc} -std=c99 -Iinclude "$work/app.c" "$library" ${sanitize:+-fsanitize=$sanitize} -lm -pthread -o "$work/app"
[ "$("$work/app" "$work/digits.pelton")" = "2 dims, 10 elements" ]
[ "$("$work/app" "$work/where.pelton")" = "2 dims, 1 elements
first 7" ]
if nm "$library" 2>/dev/null | grep -E " T pn_(import|onnx|pass)_"; then
  echo "libpelton_rt holds importers or passes"
  exit 1
fi
echo "1 passed, 0 failed, 0 skipped"
