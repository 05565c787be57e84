#!/usr/bin/env bash
# two_gpus.sh GEN_MODELS.py OUT [SECONDS]: on a machine with two NVIDIA GPUs, builds Pelton, then serves ResNet-50 and
# BERT-base in f16 (random weights) with one GPU and with two: requests a second, p50 and p99 at several numbers of
# requests at once, every answer compared bit by bit with the first. Then one GPU is broken in the middle, in two ways,
# and hidden at the start. Prints a table last; everything else is under OUT. SECONDS: of each measurement (1.5).
set -uo pipefail
generator=$(realpath "$1")
out=$(realpath "$2")
seconds=${3:-1.5}
contexts=${TWO_GPUS_CONTEXTS:-4}
others=${TWO_GPUS_OTHER_CONTEXTS-2 8} # what else is tried, with ResNet-50
models=${TWO_GPUS_MODELS:-resnet50:1 bert128:1 resnet50:8}
at_once=${TWO_GPUS_AT_ONCE:-1,8,32,64,128}
cd "$(dirname "$0")/../.."
source bench/device/start.sh
table=$out/table.txt
: >"$table"
say() { echo "$*" | tee -a "$table"; }
work=$(mktemp -d)

for pair in $models; do
  m=${pair%:*}; b=${pair#*:}
  generate "$m" "$b" "$work/${m}_$b.onnx" half >"$out/generate_${m}_$b.log" 2>&1 &
done
build_pelton "$out" pelton
wait
device=(--target cuda --device-libraries "$libraries")
say "built after $((SECONDS - start)) s; $(nproc) processors"
$pelton devices --device-libraries "$libraries" 2>&1 | tee -a "$table"

# serve ENGINE OPTIONS...: a measurement, its lines in the table
serve() {
  local engine=$1
  shift
  timeout 25 $pelton bench "$engine" "${device[@]}" --pinned --warmup 300 --duration "$seconds" "$@" >"$work/serve.txt" 2>&1
  local code=$?
  grep -v -e "^model" "$work/serve.txt" | cut -c1-700 | sed 's/^/    /' | tee -a "$table"
  [[ $code == 0 ]] || say "    exit code $code"
}

for pair in $models; do
  m=${pair%:*}; b=${pair#*:}
  engine=$work/${m}_$b.pelton
  timeout 100 $pelton build "$work/${m}_$b.onnx" -o "$engine" "${device[@]}" --level 2 --timing-cache "$work/times" >"$out/engine_${m}_$b.log" 2>&1 ||
    { tail -3 "$out/engine_${m}_$b.log"; continue; }
  $pelton inspect "$engine" "${device[@]}" 2>/dev/null | grep "^# device" | tee -a "$table"
  for devices in 0 0,1; do
    say "$m b$b f16, devices $devices, $contexts contexts a device"
    serve "$engine" --devices $devices --contexts "$contexts" --concurrency "$at_once"
  done
  [[ $m$b == resnet501 ]] && for count in $others; do
    for devices in 0 0,1; do
      say "$m b$b f16, devices $devices, $count contexts a device"
      serve "$engine" --devices $devices --contexts "$count" --concurrency 64
    done
  done
  say "at $((SECONDS - start)) s"
done

engine=$work/resnet50_1.pelton
for retries in 0 1; do
  say "device 1 lost in the middle (its context is destroyed), requests are tried $retries times more"
  serve "$engine" --devices 0,1 --contexts "$contexts" --concurrency 64 --lose-device 1:reset --retries $retries
done
say "device 1 lost in the middle (a kernel that traps)"
serve "$engine" --devices 0,1 --contexts "$contexts" --concurrency 64 --lose-device 1:trap --retries 1 --duration 2.5
say "device 0 hidden at the start, --devices all"
CUDA_VISIBLE_DEVICES=1 serve "$engine" --devices all --contexts "$contexts" --concurrency 8
say "device 1 named although it is hidden"
CUDA_VISIBLE_DEVICES=0 serve "$engine" --devices 0,1 --contexts "$contexts" --concurrency 8
say "at $((SECONDS - start)) s"
rm -rf "$work"
echo "==== table"
cat "$table"
