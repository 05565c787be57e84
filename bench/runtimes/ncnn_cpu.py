"""ncnn through pnnx, which converts the model first (not counted as loading): fp32 storage and arithmetic, Winograd on,
as ncnn's own benchmark sets it. Inputs are without the batch, which must be 1."""

import os
import subprocess
import sys
from pathlib import Path

import measure


def convert(model, shapes, folder):
    converted = Path(folder) / "model.ncnn.param", Path(folder) / "model.ncnn.bin"
    if converted[1].exists():  # by the round before
        return converted
    program = Path(sys.executable).parent / "pnnx"
    link = Path(folder) / "model.onnx"
    if not link.exists():
        os.symlink(Path(model).resolve(), link)
    sizes = ",".join("[" + ",".join(map(str, s)) + "]" for s in shapes.values())
    command = [str(program) if program.exists() else "pnnx", str(link), "inputshape=" + sizes, "fp16=0", "optlevel=2"]
    subprocess.run(command, cwd=folder, stdout=sys.stderr, stderr=sys.stderr, check=True)
    return converted


def load(model, threads, shapes, folder):
    if any(not s or s[0] != 1 for s in shapes.values()):
        raise SystemExit("a batch of 1 only")
    param, weights = convert(model, shapes, folder)
    measure.loading_starts()
    import ncnn
    import numpy as np

    net = ncnn.Net()
    net.opt.num_threads = threads
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.opt.use_bf16_storage = False
    net.load_param(str(param))
    net.load_model(str(weights))

    def run(feed):
        extractor = net.create_extractor()
        for name, value in zip(net.input_names(), feed.values()):
            extractor.input(name, ncnn.Mat(np.ascontiguousarray(value[0])))
        # pnnx names outputs anew and drops the batch: they are compared in order, as runs of numbers.
        return {str(i): np.array(extractor.extract(name)[1]) for i, name in enumerate(net.output_names())}

    return ncnn.__version__, run


if __name__ == "__main__":
    measure.main(load)
