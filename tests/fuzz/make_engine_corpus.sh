#!/usr/bin/env bash
# Writes tests/fuzz/corpus/engine/: engines of small networks (some of the text corpus), each without the bytes between its sections, which is the
# form that fuzz_engine.c expects. The files are in git; run this again when the engine's format changes. One of them is for the
# tests' imaginary GPU and holds the first bytes of a compiled kernel.
#
#   tests/fuzz/make_engine_corpus.sh build/release/pelton
set -euo pipefail
pelton=$(realpath "${1:?usage: make_engine_corpus.sh PELTON}")
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/conv.pir" <<'END'
graph "conv"(%x: f32[n<=64,3,6,6]) -> (%y, %m)
  %w1: f32[4,3,3,3] = const random(1)
  %b1: f32[4] = const random(2)
  %c1 = conv(%x, %w1, %b1) pads=[1,1,1,1]
  %r1 = pointwise(%c1) expr="relu(x0)"
  %w2: f32[4,1,3,3] = const random(3)
  %c2 = conv(%r1, %w2) pads=[1,1,1,1] group=4
  %r2 = pointwise(%c2, %r1) expr="relu(add(x0,x1))"
  %p = pool(%r2) kernel=[2,2] strides=[2,2]
  %f = flatten(%p)
  %w3: f32[36,5] = const random(4)
  %g = matmul(%f, %w3)
  %b3: f32[5] = const random(5)
  %h = pointwise(%g, %b3) expr="add(x0,x1)"
  %y = softmax(%h)
  %axes: i64[2] = const [2, 3]
  %m = reduce(%p, %axes) kind=mean keep_dims=false
end
END
cat >"$work/plain.pir" <<'END'
graph "plain"(%x: f32[2,3]) -> (%y)
  %y = pointwise(%x) expr="t0=sigmoid(x0);mul(x0,t0)"
end
END

mkdir -p corpus/engine
cp "$work/plain.pir" "$work/kernels.pir"
for model in "$work"/*.pir corpus/text/{shapes,loop,scan,branches,split,texts,sequences}.pir; do
  name=$(basename "$model" .pir)
  options=(--cpu-isa portable)
  [ "$name" != kernels ] || options=(--target cuda --device-libraries "$(dirname "$pelton")/tests/fake_cuda")
  "$pelton" build "$model" -o "$work/$name.pelton" --level 0 --threads 1 "${options[@]}" >&2
  python3 - "$work/$name.pelton" "corpus/engine/$name" <<'PYTHON'
import pathlib, struct, sys

file = pathlib.Path(sys.argv[1]).read_bytes()
head = 64 + 32 * struct.unpack("<I", file[24:28])[0]
out, bodies = bytearray(file[:head]), b""
for at in range(64, head, 32):
    kind, _, offset, size, _ = struct.unpack("<IIQQQ", file[at:at + 32])
    body = bytearray(file[offset:offset + size])
    if kind == 7 and struct.unpack("<I", body[8:12])[0] == 1:  # one kernel: only its first 64 bytes
        start = struct.unpack("<Q", body[:8])[0]
        end = 12 + 16
        for _ in range(3):  # three texts, then offset and bytes
            end += 4 + struct.unpack("<I", body[end:end + 4])[0]
        body[end + 8:end + 16] = struct.pack("<Q", 64)
        body = body[:start + 64]
        out[at + 16:at + 24] = struct.pack("<Q", len(body))
    bodies += body
pathlib.Path(sys.argv[2]).write_bytes(out + bodies)
PYTHON
done
