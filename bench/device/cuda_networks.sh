#!/usr/bin/env bash
# cuda_networks.sh GEN_MODELS.py OUT [STAGES]: on a machine with an NVIDIA GPU, builds Pelton, compares generated networks
# on the target cuda with the target cpu, and times them with inputs and outputs on the device, f16 beside f32 (PyTorch
# beside them: cuda_goals.sh; operators' cases: cuda_check.sh). STAGES: of "compare time layers half" those to run. Prints a
# table last; everything else under OUT.
set -uo pipefail
generator=$(realpath "$1")
out=$(realpath "$2")
stages=${3:-compare time layers half}
models=${CUDA_MODELS:-resnet50 mobilenetv1 mobilenetv2 ssd300 srcnn915 espcn fsrcnn yolov8n bert128 vit}
timed=${CUDA_TIMED:-resnet50:1 resnet50:8 resnet50:64 mobilenetv1:1 mobilenetv2:1 mobilenetv2:64 ssd300:1 ssd300:32 srcnn915:1 espcn:1 fsrcnn:1 yolov8n:1 bert128:1 bert128:64 vit:1 vit:64}
layered=${CUDA_LAYERS:-resnet50:1 resnet50:64 bert128:1 yolov8n:1}
half_layers=${CUDA_HALF_LAYERS:-resnet50:1 resnet50:64 mobilenetv2:64 bert128:64 vit:64} # of the f16 networks, those with times of layers
distinct=${CUDA_DISTINCT:-} # "distinct": see half.py
halves=${CUDA_HALVES:-resnet50:1 resnet50:8 resnet50:64 resnet50:256 mobilenetv2:1 mobilenetv2:64 ssd300:1 bert128:1 bert128:64 vit:1 vit:64}
cd "$(dirname "$0")/../.."
source bench/device/start.sh
table=$out/table.txt
: >"$table"
wants() { [[ " $stages " == *" $1 "* ]]; }
say() { echo "$*" | tee -a "$table"; }

build_pelton "$out" pelton
device=(--target cuda --device-libraries "$libraries")
say "build $((SECONDS - start)) s; libraries $libraries"
$pelton devices --device-libraries "$libraries" | tee -a "$table"
work=$(mktemp -d)

for m in $models; do generate "$m" 1 "$work/${m}_1.onnx" & done
wait
if wants compare; then
  for m in $models; do
    timeout 100 $pelton run "$work/${m}_1.onnx" --level 0 --output-dir "$work/cpu" >"$out/run.log" 2>&1 || tail -3 "$out/run.log"
    if timeout 100 $pelton run "$work/${m}_1.onnx" --level 0 "${device[@]}" --output-dir "$work/cuda" >"$out/run.log" 2>&1; then
      say "compare $m: $($pelton compare "$work/cpu" "$work/cuda" 2>&1 | tr -s ' ' | sort -t/ -k2 | head -2 | tr '\n' ';')"
    else
      say "compare $m: $(tail -3 "$out/run.log" | cut -c1-500)"
    fi
    rm -rf "$work/cpu" "$work/cuda"
  done
  say "at $((SECONDS - start)) s"
fi
if wants time; then
  say "$(printf '%-14s %6s %9s %9s %9s %10s %8s' network batch level0 level2 'ms+copies' images/s build_s)"
  for pair in $timed; do
    m=${pair%:*}; b=${pair#*:}
    generate "$m" "$b" "$work/${m}_$b.onnx"
    row=""
    for options in "--level 0 --on-device" "--level 2 --on-device" "--level 2"; do
      timeout 60 $pelton bench "$work/${m}_$b.onnx" "${device[@]}" $options --timing-cache "$work/times_${options:8:1}" --warmup 300 --duration 1 --json \
        >"$work/bench.json" 2>"$work/bench.log" || tail -3 "$work/bench.log" | cut -c1-400
      row+=" $(python3 -c 'import json,sys; j=json.load(open(sys.argv[1])); print("%.4f %.2f" % (j["latency_ms"]["median"], j["build_s"]))' "$work/bench.json" 2>/dev/null || echo "- -")"
      cat "$work/bench.json" >>"$out/bench.jsonl"
    done
    set -- $row
    say "$(printf '%-14s %6s %9s %9s %9s %10s %8s' "$m" "$b" "$1" "$3" "$5" "$(python3 -c "print('%.1f' % ($b / $3 * 1000))" 2>/dev/null)" "$4")"
    [[ $b != 1 ]] && rm -f "$work/${m}_$b.onnx"
  done
  say "at $((SECONDS - start)) s"
fi
if wants layers; then
  for pair in $layered; do
    m=${pair%:*}; b=${pair#*:}
    generate "$m" "$b" "$work/${m}_$b.onnx"
    for level in 0 2; do
      timeout 60 $pelton bench "$work/${m}_$b.onnx" "${device[@]}" --level $level --on-device --timing-cache "$work/times_$level" --duration 0.3 \
        --layers >"$out/layers_${m}_${b}_$level.txt" 2>&1
    done
  done
fi
if wants half; then
  for pair in $halves; do
    m=${pair%:*}; b=${pair#*:}
    { generate "$m" "$b" "$work/${m}_$b.onnx"; generate "$m" "$b" "$work/half_${m}_$b.onnx" "${distinct:-half}"; } &
  done
  wait
  say "half: generated at $((SECONDS - start)) s"
  for pair in $halves; do
    m=${pair%:*}; b=${pair#*:}
    mv "$work/half_${m}_$b.onnx" "$work/half.onnx"
    timeout 60 $pelton bench "$work/half.onnx" "${device[@]}" --level 2 --on-device --timing-cache "$work/times_2" --warmup 300 --duration 1 --json \
      >"$work/bench.json" 2>"$work/bench.log" || tail -3 "$work/bench.log" | cut -c1-600
    say "fp16 $m b$b: $(python3 -c 'import json,sys; j=json.load(open(sys.argv[1])); print("%.4f ms, %.0f/s, build %.1f s" % (j["latency_ms"]["median"], j["batch"]/j["latency_ms"]["median"]*1e3, j["build_s"]))' "$work/bench.json")"
    [[ " $half_layers " == *" $pair "* ]] && timeout 60 $pelton bench "$work/half.onnx" "${device[@]}" --level 2 --on-device \
      --timing-cache "$work/times_2" --duration 0.3 --layers >"$out/layers_half_${m}_$b.txt" 2>&1
    if [[ $b == 1 && ! $distinct ]]; then # the same random inputs, rounded
      $pelton run "$work/${m}_1.onnx" --level 0 "${device[@]}" --output-dir "$work/full" >/dev/null 2>&1
      $pelton run "$work/half.onnx" --level 0 "${device[@]}" --output-dir "$work/half" >/dev/null 2>&1
      say "  against f32: $(python3 -c '
import glob, math, numpy, os, sys
worst = min((10 * math.log10((a ** 2).sum() / max(((a - b) ** 2).sum(), 1e-300)), os.path.basename(f)) for f in glob.glob(sys.argv[1] + "/*.npy")
            for a in [numpy.load(f).astype(float)] for b in [numpy.load(sys.argv[2] + "/" + os.path.basename(f)).astype(float)])
print("SQNR %.1f dB (%s)" % worst)' "$work/full" "$work/half" 2>&1 | tail -1)"
      rm -rf "$work/full" "$work/half"
    fi
    [[ $b != 1 ]] && rm -f "$work/${m}_$b.onnx"
  done
fi
rm -rf "$work"
echo "==== table"
cat "$table"
