#!/usr/bin/env bash
# cpu_layers.sh GEN_MODELS.py OUT [models] [threads]: where the time goes, step by step, and what the kernels alone reach,
# on a machine with many cores.
set -euo pipefail
generator=$1
out=$2
models=${3:-"resnet50 mobilenetv2"}
threads=${4:-"1 16"}
cd "$(dirname "$0")/../.."
cmake -S . -B build/device -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DPELTON_BUILD_TESTS=ON >"$out/build.log" 2>&1
ninja -C build/device pelton test_long_cpu_kernel_speed >>"$out/build.log" 2>&1 || { tail -20 "$out/build.log"; exit 1; }
"$(find build/device -name test_long_cpu_kernel_speed -type f | head -1)" gemm >"$out/kernels.txt" 2>&1 || true
grep -E "avx512" "$out/kernels.txt" | head -40
for m in $models; do
  python3 "$generator" "$m" -o "/tmp/$m.onnx"
  for t in $threads; do
    build/device/pelton build "/tmp/$m.onnx" -o "/tmp/$m.$t.pelton" --threads "$t" 2>/dev/null
    build/device/pelton bench "/tmp/$m.$t.pelton" --threads "$t" --duration 2 --layers >"$out/$m.$t.txt" 2>&1
  done
done
