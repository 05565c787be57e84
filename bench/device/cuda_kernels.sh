#!/usr/bin/env bash
# cuda_kernels.sh GEN_MODELS.py OUT: on a machine with an NVIDIA GPU, builds Pelton and times every tactic and config that
# is worth it on each layer of 16-bit networks (CUDA_LAYERS). Prints tables last; everything under OUT.
set -uo pipefail
generator=$(realpath "$1")
out=$(realpath "$2")
layers=${CUDA_LAYERS-resnet50:1 resnet50:64 bert128:64 vit:64}
cd "$(dirname "$0")/../.."
source bench/device/start.sh
table=$out/table.txt
: >"$table"
say() { echo "$*" | tee -a "$table"; }

build_pelton "$out" pelton
device=(--target cuda --device-libraries "$libraries" --on-device)
say "built after $((SECONDS - start)) s"
work=$(mktemp -d)
for pair in $(printf "%s\n" $layers | sort -u); do generate "${pair%:*}" "${pair#*:}" "$work/${pair/:/_}.onnx" distinct & done
wait

for pair in $layers; do
  m=${pair%:*}; b=${pair#*:}
  timeout 60 $pelton bench "$work/${m}_$b.onnx" "${device[@]}" --level 5 --timing-cache "$out/times_${m}_$b.txt" --duration 0.5 --layers \
    >"$out/layers_${m}_$b.txt" 2>&1
  say "== $m b$b"
  python3 bench/device/tactic_table.py "$out/times_${m}_$b.txt" | tee -a "$table"
done
say "at $((SECONDS - start)) s"
rm -rf "$work"
