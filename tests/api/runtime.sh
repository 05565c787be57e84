#!/usr/bin/env bash
# A program that links the runtime library alone opens and runs an engine, and nothing in that library parses models.
set -euo pipefail
build=${PELTON_BUILD:?the build folder}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$PELTON_BIN" build demo/digits.onnx -o "$work/digits.pelton" 2>"$work/log"
cat >"$work/app.c" <<'APP'
#include <pelton/run.h>
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv) {
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
  if (pelton_context_create(engine, NULL, &context, &diag) || pelton_context_run(context, &in, 1, &out, 1, &diag)) return 2;
  printf("%u dims\n", (unsigned)out.shape.rank);
  pelton_context_release(context);
  pelton_engine_release(engine);
  free(in.data);
  return 0;
}
APP
library=$(find "$build" -maxdepth 1 -name 'libpelton_rt.a')
sanitize=$(grep -oP '^PELTON_SANITIZE:STRING=\K.*' "$build/CMakeCache.txt" || true)
${CC:-cc} -std=c99 -Iinclude "$work/app.c" "$library" ${sanitize:+-fsanitize=$sanitize} -lm -pthread -o "$work/app"
[ "$("$work/app" "$work/digits.pelton")" = "2 dims" ]
if nm "$library" 2>/dev/null | grep -E " T pn_(import|onnx|pass)_"; then
  echo "libpelton_rt holds importers or passes"
  exit 1
fi
echo "1 passed, 0 failed, 0 skipped"
