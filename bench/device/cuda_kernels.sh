#!/usr/bin/env bash
# cuda_kernels.sh GEN_MODELS.py OUT [STAGES]: on a machine with an NVIDIA GPU, builds Pelton, checks the case suites of
# convolutions and products on it, times every tactic and config that is worth it on each layer of 16-bit networks, and
# then the networks. STAGES: of "cases layers networks sanitize" those to run. Prints tables last; everything under OUT.
set -uo pipefail
generator=$(realpath "$1")
out=$(realpath "$2")
stages=${3:-cases layers networks}
suites=${CUDA_SUITES:-tensor_cores conv matmul}
layers=${CUDA_LAYERS-resnet50:1 resnet50:64 bert128:64 vit:64}
networks=${CUDA_NETWORKS-resnet50:1 resnet50:8 resnet50:64 resnet50:256 bert128:1 bert128:64 vit:1 vit:64}
cd "$(dirname "$0")/../.."
source bench/device/start.sh
table=$out/table.txt
: >"$table"
wants() { [[ " $stages " == *" $1 "* ]]; }
say() { echo "$*" | tee -a "$table"; }

build_pelton "$out" pelton run_cases
device=(--target cuda --device-libraries "$libraries" --on-device)
say "built after $((SECONDS - start)) s"
work=$(mktemp -d)
for pair in $(printf "%s\n" ${layers:-} ${networks:-} | sort -u); do generate "${pair%:*}" "${pair#*:}" "$work/${pair/:/_}.onnx" half & done
wait

if wants cases; then
  cp bench/device/many_tiles.txt "$work/many_tiles.txt"
  for name in $suites; do cp "tests/cases/$name.txt" "$work/$name.txt"; done
  suites+=" many_tiles"
  for name in $suites; do
    PELTON_CASES_TARGET=cuda PELTON_CASES_LIBRARIES=$libraries timeout 60 build/device/tests/run_cases "$work/$name.txt" >"$out/cases_$name.log" 2>&1 &
  done
  wait $(jobs -p)
  for name in $suites; do
    say "cases $name: $(tail -1 "$out/cases_$name.log")"
    grep "^  cuda" "$out/cases_$name.log" | cut -c1-260 | head -12
  done
  say "at $((SECONDS - start)) s"
fi
if wants layers; then
  for pair in $layers; do
    m=${pair%:*}; b=${pair#*:}
    timeout 60 $pelton bench "$work/${m}_$b.onnx" "${device[@]}" --level 5 --timing-cache "$out/times_${m}_$b.txt" --duration 0.5 --layers \
      >"$out/layers_${m}_$b.txt" 2>&1
    say "== $m b$b"
    python3 bench/device/tactic_table.py "$out/times_${m}_$b.txt" | tee -a "$table"
  done
  say "at $((SECONDS - start)) s"
fi
if wants networks; then
  for pair in $networks; do
    m=${pair%:*}; b=${pair#*:}
    timeout 60 $pelton bench "$work/${m}_$b.onnx" "${device[@]}" --level 2 --timing-cache "$work/times_2" --warmup 200 --duration 0.5 --json \
      >"$work/bench.json" 2>"$work/bench.log" || tail -3 "$work/bench.log" | cut -c1-600
    say "f16 $m b$b: $(python3 -c 'import json,sys; j=json.load(open(sys.argv[1])); print("%.4f ms, %.0f/s, build %.1f s" % (j["latency_ms"]["median"], j["batch"]/j["latency_ms"]["median"]*1e3, j["build_s"]))' "$work/bench.json")"
    timeout 60 $pelton bench "$work/${m}_$b.onnx" "${device[@]}" --level 2 --timing-cache "$work/times_2" --duration 0.2 --layers >"$out/layers2_${m}_$b.txt" 2>&1
  done
  say "at $((SECONDS - start)) s"
fi
if wants sanitize; then
  for tool in memcheck racecheck; do
    PELTON_CASES_TARGET=cuda PELTON_CASES_LIBRARIES=$libraries timeout 60 compute-sanitizer --tool $tool \
      build/device/tests/run_cases tests/cases/tensor_cores.txt >"$out/sanitize_$tool.txt" 2>&1
    say "$tool: $(tail -1 "$out/sanitize_$tool.txt")"
  done
fi
rm -rf "$work"
