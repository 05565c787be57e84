#!/usr/bin/env python3
"""torch_peer.py MODEL.onnx FOLDER [compile]: a network in f16 by PyTorch on the GPU, and what is to be compared with it.

Writes random inputs to FOLDER/in/NAME.npy (f16) and the outputs of the same network in strict f32, weights and inputs
the same, to FOLDER/expected/NAME.npy. Prints one JSON object: ms of eager calls, replayed as a CUDA graph, and with
"compile" of torch.compile (inductor, max-autotune-no-cudagraphs, replayed as a graph), medians by events; error: the
f16 outputs' relative distance from f32's."""

import json
import statistics
import sys
from pathlib import Path

import numpy as np
import onnx
import torch

sys.path.insert(0, str(Path(__file__).parent.parent / "runtimes"))
import torch_onnx

torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False
torch.backends.cudnn.benchmark = True


def median_ms(call, runs=40):
    for _ in range(10):
        call()
    times = []
    for _ in range(runs):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        call()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end))
    return statistics.median(times)


def recorded(call):
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        for _ in range(5):
            call()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    return graph.replay


def key(name):
    return "".join(c if c.isalnum() or c in "._-" else "_" for c in name)


def main():
    path, folder = sys.argv[1], Path(sys.argv[2])
    rng = np.random.default_rng(1)
    feed = {}
    for i in onnx.load(path, load_external_data=False).graph.input:
        value = rng.standard_normal([d.dim_value for d in i.type.tensor_type.shape.dim]).astype(np.float16)
        (folder / "in").mkdir(parents=True, exist_ok=True)
        np.save(folder / "in" / f"{key(i.name)}.npy", value)
        feed[i.name] = torch.from_numpy(value).cuda()
    result = {"version": torch.__version__}
    with torch.inference_mode():
        half = torch_onnx.Graph(path, "cuda", channels_last=True)
        outputs = half(feed)
        full = torch_onnx.Graph(path, "cuda")
        full.constants = {n: v.float() if v.dtype == torch.float16 else v for n, v in full.constants.items()}
        expected = full({n: v.float() for n, v in feed.items()})
        (folder / "expected").mkdir(exist_ok=True)
        for name, value in expected.items():
            np.save(folder / "expected" / f"{key(name)}.npy", value.cpu().numpy())
        result["error"] = max(float((outputs[n].float() - v).norm() / v.norm()) for n, v in expected.items())
        del full, expected, outputs
        result["eager"] = median_ms(lambda: half(feed), 20)
        result["graph"] = median_ms(recorded(lambda: half(feed)))
        if "compile" in sys.argv[3:]:
            compiled = torch.compile(half, mode="max-autotune-no-cudagraphs", dynamic=False)
            result["compile"] = median_ms(recorded(lambda: compiled(feed)))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
