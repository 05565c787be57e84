"""SqueezeNet over the pictures of the shared folder, preprocessed by `pelton classify`: the same first answer as the
reference list for at least 98 of 100. The standard library suffices."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

PELTON = os.environ.get("PELTON_BIN", "build/release/pelton")
SHARED = Path(os.environ.get("PELTON_SHARED", "../shared"))
MODEL = SHARED / "models/ncnn-squeezenet-v1.1/squeezenet_v1.1_from-ncnn-fp16.onnx"
PICTURES = SHARED / "models/images-imagenet"


def main():
    if not MODEL.exists() or not PICTURES.exists():
        print(f"skipped: {MODEL} or {PICTURES} is not there")
        sys.exit(77)
    pictures = sorted((PICTURES / "images200").iterdir())
    lines = (PICTURES / "reference_squeezenet_v1.1_ncnn-fp16.txt").read_text().splitlines()
    reference = {int(l.split()[0]): int(l.split()[1]) for l in lines if l and not l.startswith("#")}
    with tempfile.TemporaryDirectory() as folder:
        engine = str(Path(folder) / "squeezenet.pelton")
        subprocess.run([PELTON, "build", str(MODEL), "-o", engine], check=True, capture_output=True)
        out = subprocess.run([PELTON, "classify", engine, *map(str, pictures), "--resize", "227x227", "--order", "bgr", "--mean", "104,117,123", "--json"],
                             check=True, capture_output=True, text=True)
    answers = {int(Path(r["file"]).name[:4]): r["top"][0] for r in json.loads(out.stdout)}
    same = [k for k, a in answers.items() if a["class"] == reference[k]]
    print(f"{len(same)} of {len(answers)} pictures have the reference's first answer; others: "
          + ", ".join(f"{k}: {a['class']} for {reference[k]}" for k, a in answers.items() if k not in same))
    ok = len(answers) >= 100 and len(same) >= 0.98 * len(answers)
    print(f"{int(ok)} passed, {int(not ok)} failed, 0 skipped")
    sys.exit(0 if ok else 1)


main()
