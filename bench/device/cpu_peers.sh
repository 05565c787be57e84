#!/usr/bin/env bash
# cpu_peers.sh GEN_MODELS.py OUT [MODELS] [THREADS]: on a machine with many cores, builds Pelton and times it against the
# peers that are installed at 1, 4 and 16 threads on generated networks. Prints the tables last; JSON under OUT.
#   PEERS_ROUNDS, PEERS_SECONDS, PEERS_PATIENCE   as peers.py's options (3, 1, 100)
set -euo pipefail
generator=$1
out=$2
models=${3:-"resnet50 mobilenetv1 mobilenetv2 ssd_mnv1 yolov8n bert128 bert384 vit vgg16 ssd300 srcnn915 srcnn955 espcn fsrcnn"}
threads=${4:-"1 4 16"}
here=$(cd "$(dirname "$0")/../.." && pwd)
cd "$here"
cmake -S . -B build/device -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DPELTON_BUILD_TESTS=OFF >"$out/build.log" 2>&1
ninja -C build/device pelton >>"$out/build.log" 2>&1 || { tail -20 "$out/build.log"; exit 1; }
lscpu | grep -E "Model name|^CPU\(s\)|Thread|MHz|L2|L3" || true
work=$(mktemp -d)
files=()
for m in $models; do
  python3 "$generator" "$m" -o "$work/$m.onnx"
  files+=("$work/$m.onnx")
done
for t in $threads; do
  python3 bench/peers.py --pelton build/device/pelton --threads "$t" --rounds "${PEERS_ROUNDS:-3}" --seconds "${PEERS_SECONDS:-1}" \
    --patience "${PEERS_PATIENCE:-100}" --json "$out/cpu_peers_$t.json" "${files[@]}" 2>&1 | tee -a "$out/table.txt"
done
