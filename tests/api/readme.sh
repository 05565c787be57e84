#!/usr/bin/env bash
# README.md is true: every C program in it compiles without a warning and runs, and every line that begins with `pelton `
# ends with exit code 0 when it is run as printed.   readme.sh [C-COMPILER]
#
# PELTON_BIN names the command, PELTON_BUILD the folder of the build; without the command only the programs are compiled.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${PELTON_BUILD-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

# check WHAT COMMAND...
check() {
  local what=$1
  shift
  if "$@" >"$work/log" 2>&1; then
    passed=$((passed + 1))
  else
    echo "FAILED  $what: exit code $?"
    tail -n 20 "$work/log"
    failed=$((failed + 1))
  fi
}

# ---- the programs ------------------------------------------------------------------------------------------------

awk -v folder="$work" '
  /^```c$/ { inside = 1; count++; next }
  /^```/   { inside = 0 }
  inside   { print > (folder "/readme" count ".c") }' README.md
mkdir "$work/tree"
ln -s "$PWD/demo" "$work/tree/demo"
# Linked with what this build made, and so with its sanitizers.
sanitize=$(sed -n 's/^PELTON_SANITIZE:STRING=//p' "$build/CMakeCache.txt" 2>/dev/null)
for program in "$work"/readme*.c; do
  [ -e "$program" ] || break
  check "$(basename "$program") compiles" "${1:-cc}" -std=c17 -Wall -Wextra -Wpedantic -Wconversion -Werror -Iinclude \
    -c "$program" -o "$program.o"
  [ -n "${PELTON_LIBRARY-}" ] || continue
  check "$(basename "$program") links" "${1:-cc}" ${sanitize:+-fsanitize=$sanitize} "$program.o" -o "$program.exe" \
    -L"$build" -Wl,-rpath,"$(realpath "$build")" -lpelton
  check "$(basename "$program") runs" env -C "$work/tree" "$program.exe"
done

# ---- the command's lines -----------------------------------------------------------------------------------------

# conformance/, a folder with one case: what the network answers to zeros, as files of tensors.
make_case() {
  local case=$work/tree/conformance/digits/test_data_set_0
  mkdir -p "$case"
  cp demo/digits.onnx "$work/tree/conformance/digits/model.onnx"
  python3 - "$PELTON_BIN" "$case" "$work" <<'PYTHON'
import pathlib, subprocess, sys

pelton, case, work = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])


def varint(value):
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + varint(value >> 7)


def write(path, dims, data):
    path.write_bytes(b"".join(b"\x08" + varint(d) for d in dims) + b"\x10\x01\x4a" + varint(len(data)) + data)


write(case / "input_0.pb", (1, 3, 32, 32), bytes(4 * 3 * 32 * 32))
command = [pelton, "run", "demo/digits.onnx", "--input", f"image={case / 'input_0.pb'}", "--output-dir", work / "answer"]
subprocess.run(command, check=True, capture_output=True)
write(case / "output_0.pb", (1, 10), (work / "answer/probabilities.npy").read_bytes()[-40:])
PYTHON
}

if [ -n "${PELTON_BIN-}" ]; then
  check "a case for the examples" make_case
  mkdir "$work/bin"
  ln -s "$(realpath "$PELTON_BIN")" "$work/bin/pelton"
  while read -r line; do
    line=${line#\`}
    check "${line%%#*}" env -C "$work/tree" PATH="$work/bin:$PATH" bash -c "${line%%\`*}"
  done < <(awk '/^```sh$/ { inside = 1; next } /^```/ { inside = 0 } inside && /^pelton / || /^`pelton / { print }' README.md)
fi

echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
