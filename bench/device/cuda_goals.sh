#!/usr/bin/env bash
# cuda_goals.sh GEN_MODELS.py OUT: the networks of the goals in f16 on one NVIDIA GPU, Pelton and PyTorch side by side on
# the same weights (which all differ, half.py) and inputs, outputs of both against PyTorch's f32. Data stays on the device;
# medians. Prints the table last, and ResNet-50's kernels; everything else under OUT.
set -uo pipefail
generator=$(realpath "$1")
out=$(realpath "$2")
pairs=${CUDA_GOALS:-resnet50:256 resnet50:64 resnet50:8 resnet50:1 ssd300:32 ssd300:1 srcnn915:1 mobilenetv2:64 mobilenetv2:1 vit:64 vit:1 bert128:64 bert128:1 yolov8n:32 yolov8n:1 espcn:1 fsrcnn:1}
compiled=${CUDA_COMPILED:-}       # pairs that torch.compile takes as well; each costs up to a minute
layered=${CUDA_LAYERS:-resnet50:256 resnet50:1}
cd "$(dirname "$0")/../.."
source bench/device/start.sh
table=$out/goals.txt
: >"$table"
say() { echo "$*" | tee -a "$table"; }

build_pelton "$out" pelton
device=(--target cuda --device-libraries "$libraries")
work=$(mktemp -d)
for pair in $pairs; do
  generate "${pair%:*}" "${pair#*:}" "$work/${pair/:/.}.onnx" distinct &
done
wait
echo "built and generated after $((SECONDS - start)) s"
# What a bench run says: median ms, seconds of the build.
figures='import json,sys; j=json.load(open(sys.argv[1])); print("%.4f %.2f" % (j["latency_ms"]["median"], j["build_s"]))'
say "$(printf '%-12s %5s %9s %9s %9s %8s %8s %8s %9s %9s %9s %7s %9s %9s' network batch level2 items/s level0 build2 rebuild2 build0 graph eager compile ratio error torch)"
for pair in $pairs; do
  m=${pair%:*} b=${pair#*:} model=$work/${pair/:/.}.onnx data=$work/data
  compile=""; [[ " $compiled " == *" $pair "* ]] && compile=compile
  timeout 200 python3 bench/device/torch_peer.py "$model" "$data" $compile >"$work/torch.json" 2>"$work/torch.log" || tail -3 "$work/torch.log"
  row=""
  for options in "--level 2 --timing-cache $work/times_$m$b" "--level 2 --timing-cache $work/times_$m$b" "--level 0"; do
    timeout 100 $pelton bench "$model" "${device[@]}" $options --on-device --warmup 200 --duration 0.6 --json >"$work/bench.json" 2>"$work/bench.log" ||
      tail -3 "$work/bench.log" | cut -c1-400
    row+=" $(python3 -c "$figures" "$work/bench.json" 2>/dev/null || echo "- -")"
  done
  inputs=(); for f in "$data"/in/*.npy; do inputs+=(--input "$(basename "$f" .npy)=$f"); done
  timeout 100 $pelton run "$model" "${device[@]}" --level 2 --timing-cache "$work/times_$m$b" "${inputs[@]}" --output-dir "$data/pelton" >"$work/run.log" 2>&1 ||
    tail -3 "$work/run.log" | cut -c1-400
  say "$(python3 - "$m" "$b" "$work/torch.json" "$data" $row <<'P'
import glob, json, os, sys
import numpy as np
network, batch, torch, data, best, build2, again, rebuild2, plain, build0 = sys.argv[1:]
try:
    t = json.load(open(torch))
except (OSError, ValueError):
    t = {}
error = 0.0
for f in glob.glob(data + "/expected/*.npy"):
    e = np.load(f).astype(np.float64)
    try:
        error = max(error, float(np.linalg.norm(np.load(data + "/pelton/" + os.path.basename(f)).astype(np.float64) - e) / np.linalg.norm(e)))
    except OSError:
        error = float("nan")
best = min((float(x) for x in (best, again) if x != "-"), default=float("nan"))
peer = min([t[k] for k in ("graph", "eager", "compile") if k in t], default=float("nan"))
show = lambda k: "%9.4f" % t[k] if k in t else "        -"
print("%-12s %5s %9.4f %9.0f %9s %8s %8s %8s %s %s %s %7.2f %9.1e %9.1e" % (network, batch, best, int(batch) / best * 1e3, plain, build2, rebuild2,
      build0, show("graph"), show("eager"), show("compile"), peer / best, error, t.get("error", float("nan"))))
P
)"
  if [[ " $layered " == *" $pair "* ]]; then
    timeout 60 $pelton bench "$model" "${device[@]}" --level 2 --timing-cache "$work/times_$m$b" --on-device --duration 0.3 --layers >"$out/kernels_${m}_$b.txt" 2>&1
  fi
  rm -rf "$data" "$model"
done
rm -rf "$work"
for pair in $layered; do cut -c1-150 "$out/kernels_${pair/:/_}.txt" 2>/dev/null; done
echo "==== $((SECONDS - start)) s; level 2 and level 0 in ms, builds in s (rebuild2: with the timing cache), PyTorch in ms, ratio: the best of PyTorch's over Pelton"
cat "$table"
