#!/usr/bin/env bash
# bench.sh PELTON [model names of gen_models.py, or .onnx files]: Pelton against onnxruntime on generated networks.
# bench.sh PELTON operators [options of operators.py]: the same for single operators.
# Wants python3 with onnxruntime and numpy (PELTON_PYTHON), and gen_models.py beneath PELTON_SHARED for names.
set -euo pipefail
pelton=$1
shift
here=$(cd "$(dirname "$0")" && pwd)
shared=${PELTON_SHARED:-$here/../../shared}
python=${PELTON_PYTHON:-python3}
if [ "${1-}" = operators ]; then
  shift
  exec "$python" "$here/operators.py" --pelton "$pelton" "$@"
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ $# -gt 0 ] || set -- resnet50 mobilenetv2 ssd300 bert128
models=()
for name in "$@"; do
  case $name in
  *.onnx) models+=("$name") ;;
  *)
    "$python" "$shared/bench/gen_models.py" "$name" -o "$work/$name.onnx"
    models+=("$work/$name.onnx")
    ;;
  esac
done
"$python" "$here/peers.py" --pelton "$pelton" ${PELTON_BENCH_OPTIONS:-} "${models[@]}"
