#!/usr/bin/env bash
# The whole way once: builds an engine of demo/digits.onnx, classifies the pictures, and says what was right, how long a
# picture takes, and what the compiler fused.
#
#   demo/demo.sh PELTON_BINARY
#
# Exit codes: 0 all answers right, 1 a wrong one, 2 bad usage, otherwise that of the pelton command that failed.
set -euo pipefail
if [ $# -ne 1 ]; then
  echo "usage: demo/demo.sh PELTON_BINARY" >&2
  exit 2
fi
pelton=$1
demo=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$pelton" build "$demo/digits.onnx" -o "$work/digits.pelton" --report "$work/report.json"
"$pelton" classify "$work/digits.pelton" "$demo"/pictures/*.png --labels "$demo/labels.txt" --top 1 --json \
  --resize 36x36 --crop 32x32 --scale 0.00392156862745098 --mean 0.5,0.5,0.5 --std 0.25,0.25,0.25 --order rgb \
  >"$work/answers.json"
"$pelton" bench "$work/digits.pelton" --duration 1 --json >"$work/bench.json"

python3 - "$work" "$demo" <<'PYTHON'
import json, pathlib, sys

work, demo = map(pathlib.Path, sys.argv[1:])
answers, bench, report = (json.loads((work / f"{name}.json").read_text()) for name in ("answers", "bench", "report"))
labels = (demo / "labels.txt").read_text().split()
pictures = sorted(p.name for p in (demo / "pictures").glob("*.png"))

print(f"{'picture':<16} {'expected':<9} {'answer':<9} {'score':>6}  right?")
right = 0
for answer in answers:
    name = pathlib.Path(answer["file"]).name
    expected, top = labels[int(name.split("-")[1])], answer["top"][0]
    ok = top["label"] == expected
    right += ok
    print(f"{name:<16} {expected:<9} {top['label']:<9} {top['score']:>6.3f}  {'yes' if ok else 'NO'}")
missing = set(pictures) - {pathlib.Path(a["file"]).name for a in answers}
for name in sorted(missing):
    print(f"{name:<16} has no answer")
print(f"{right} of {len(pictures)} right")

latency = bench["latency_ms"]
print(f"\ntime per picture: median {latency['median'] / bench['batch']:.4f} ms, p99 {latency['p99'] / bench['batch']:.4f} ms "
      f"({bench['target']}, {bench['precision']}, {bench['threads']} threads, batch {bench['batch']})")

passes = [f"{p['pass']} {p['changed']}" for p in report.get("passes", [])]
print("\npasses that changed the graph: " + (", ".join(passes) or "none"))
# A step of the plan that stands for several of the model's nodes is what was fused.
fused = [step for step in report["plan"] if len(step.get("sources", [])) > 1]
print(f"fused: {len(fused)} of the plan's {len(report['plan'])} steps hold several nodes of the model")
for step in fused:
    print(f"  {' + '.join(step['sources'])}  by {step['tactic']}")
sys.exit(0 if right == len(pictures) and not missing else 1)
PYTHON
