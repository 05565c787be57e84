"""The generated benchmark networks, fp32 and quantised, against onnxruntime. Arguments: names; none: all."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "python"))
from peer import Tally, random_feed, rms_difference, session, shared  # noqa: E402

NETWORKS = ("resnet50 mobilenetv1 mobilenetv2 ssd300 ssd_mnv1 vgg16 srcnn915 srcnn955 espcn fsrcnn yolov8n bert128 bert384 "
            "bertl384 vit").split()
LARGE = {"srcnn915", "srcnn955", "bertl384"}  # batch 1 only
QUANTISED = "resnet50 mobilenetv1 mobilenetv2 ssd300 ssd_mnv1 vgg16 espcn yolov8n bert128 vit".split()


def main():
    generator = shared("bench/gen_models.py")
    tally = Tally()
    names = sys.argv[1:] or NETWORKS
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        for name in names:
            for mode in ("fp32", "int8"):
                if mode == "int8" and name not in QUANTISED:
                    continue
                for batch in (1,) if name in LARGE or mode == "int8" else (1, 2):
                    path = Path(folder) / "model.onnx"
                    subprocess.run([sys.executable, str(generator), name, "--batch", str(batch), "--mode", mode, "-o", str(path)], check=True)
                    feed = random_feed(session(path), seed=batch)
                    if mode == "fp32":
                        tally.compare(f"{name} fp32 batch {batch}", path, feed, 1e-4)
                        path.unlink()
                        continue
                    # Where a sum lies on the edge between two quantised steps, its order decides, and the next layers
                    # carry that on. So no value is compared alone; and a network that spreads such edges (the peer's own
                    # fused and unfused runs differ) may differ as much as they do.
                    spread = max(map(rms_difference, session(path).run(None, feed), session(path, False).run(None, feed)))
                    tally.compare(f"{name} int8", path, feed, max(0.05, spread), optimised=False, measure=rms_difference)
                    path.unlink()
    tally.end()


main()
