#!/usr/bin/env bash
# cuda_check.sh OUT [CASES] [STAGES]: on a machine with an NVIDIA GPU, builds Pelton and checks it there, without timing anything:
# the folder CASES of ONNX backend cases, the case suites, and these again under compute-sanitizer's memcheck and racecheck.
# STAGES: of "conformance suites memcheck racecheck" those to run. Suites go in parts of a few lines, as many at once as there are
# cores; what they compile stays in the driver's cache, so that the stages behind are quicker. Prints a table last: lines that
# passed, failed, and were cut by a limit, each of them by name under OUT.
#   CUDA_SUITES   files of cases (all of tests/cases)
#   CUDA_LINES    of a part (3)
#   CUDA_EACH     seconds that a part may take (150)
#   CUDA_LIMIT    seconds for all together (570)
#   CUDA_RESUME   1: parts that OUT says have passed or failed are not run again
# Under compute-sanitizer the vendor's libraries are left out: their kernels are not ours to check, and slow to instrument.
set -uo pipefail
out=$(realpath "$1")
cases=${2:-}
stages=${3:-conformance suites memcheck racecheck}
cases=${cases:+$(realpath "$cases")}
cd "$(dirname "$0")/../.."
source bench/device/start.sh
suites=${CUDA_SUITES:-$(echo tests/cases/*.txt bench/device/many_tiles.txt)}
export out limit=${CUDA_LIMIT:-570} each=${CUDA_EACH:-150}
export PELTON_CASES_TARGET=cuda PELTON_CASES_LIBRARIES=$libraries
table=$out/table.txt
: >"$table"
wants() { [[ " $stages " == *" $1 "* ]]; }
say() { echo "$*" | tee -a "$table"; }

build_pelton "$out" pelton run_cases
say "built after $((SECONDS - start)) s"
parts=$(mktemp -d)
for file in $suites; do
  grep -v '^#' "$file" | grep . | split -l "${CUDA_LINES:-3}" -d -a 3 --additional-suffix=.txt - "$parts/$(basename "$file" .txt)."
done
# The clock that parts see: their shells begin at zero.
export began=$(($(date +%s) - SECONDS + start))

# part TOOL FILE: one line of $out/TOOL.txt: what came of the part, how many lines it has, and its name.
part() {
  local name left=$((limit - $(date +%s) + began)) run=(build/device/tests/run_cases "$2") log status=0 result=failed
  name=$(basename "$2" .txt)
  log=$out/$1.$name.log
  grep -q " $name\$" "$out/$1.txt" && return
  [[ $1 == suites ]] || run=(env PELTON_CASES_WITHOUT=cudnn,cublaslt compute-sanitizer --tool "$1" --error-exitcode 9 "${run[@]}")
  if ((left < 5)); then
    status=124
  else
    timeout $((left < each ? left : each)) "${run[@]}" >"$log" 2>&1 || status=$?
  fi
  ((status == 124)) && result=cut
  if ((status == 0)) && grep -q " 0 failures" "$log"; then result=passed; fi
  echo "$result $(wc -l <"$2") $name" >>"$out/$1.txt"
  if [[ $result == passed ]]; then rm -f "$log"; fi
}
export -f part

if wants conformance && [[ $cases ]]; then
  timeout $((limit - SECONDS + start)) "$pelton" test "$cases" --target cuda --device-libraries "$libraries" --level 0 -j "$(nproc)" \
    >"$out/conformance.txt" 2>&1
  say "conformance: $(tail -1 "$out/conformance.txt"); lines passed $(grep -c ^passed "$out/conformance.txt"), failed $(grep -c ^failed "$out/conformance.txt")"
  grep ^failed "$out/conformance.txt" | cut -c1-200 | head -20
fi
for stage in suites memcheck racecheck; do
  wants $stage || continue
  touch "$out/$stage.txt"
  if [[ ${CUDA_RESUME:-} ]]; then sed -i '/^cut/d' "$out/$stage.txt"; else : >"$out/$stage.txt"; fi
  find "$parts" -name '*.txt' | shuf --random-source=README.md | xargs -P "$(nproc)" -I{} bash -c "part $stage {}"
  say "$stage: $(awk '{n[$1] += $2} END {printf "lines passed %d, failed %d, cut %d", n["passed"], n["failed"], n["cut"]}' "$out/$stage.txt") at $((SECONDS - start)) s"
  for name in $(awk '$1 == "failed" {print $3}' "$out/$stage.txt" | head -10); do
    echo "-- $stage $name"; grep -a -E "^  cuda|failures|ERROR SUMMARY|RACECHECK SUMMARY|Invalid|hazard" "$out/$stage.$name.log" | cut -c1-200 | head -6
  done
done
(cd "$out" && tar czf logs.tgz --remove-files -- *.log) 2>/dev/null
rm -rf "$parts"
echo "==== $((SECONDS - start)) s"
cat "$table"
