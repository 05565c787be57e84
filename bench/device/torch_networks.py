#!/usr/bin/env python3
"""PyTorch's times on the GPU for the networks that torchvision has, eager, in strict f32 and f16: medians by events."""
import statistics

import torch
import torchvision

torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False
torch.backends.cudnn.benchmark = True


def measure(model, x):
    for _ in range(10):
        model(x)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        model(x)
    times = {"eager": [], "graph": []}
    for _ in range(30):
        for name, call in (("eager", lambda: model(x)), ("graph", graph.replay)):
            begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            begin.record()
            call()
            end.record()
            end.synchronize()
            times[name].append(begin.elapsed_time(end))
    return {name: statistics.median(values) for name, values in times.items()}


with torch.no_grad():
    for name, shape, batches in (("resnet50", (3, 224, 224), (1, 8, 64)), ("mobilenet_v2", (3, 224, 224), (1, 64)),
                                 ("vit_b_16", (3, 224, 224), (1, 64))):
        for dtype in (torch.float32, torch.float16):
            model = torchvision.models.get_model(name, weights=None).cuda().eval().to(dtype)
            if dtype == torch.float16:
                model = model.to(memory_format=torch.channels_last)
            for batch in batches:
                x = torch.randn(batch, *shape, device="cuda", dtype=dtype)
                if dtype == torch.float16:
                    x = x.to(memory_format=torch.channels_last)
                t = measure(model, x)
                print(f"torch {name} b{batch} {str(dtype)[6:]}: eager {t['eager']:.4f} ms, graph {t['graph']:.4f} ms "
                      f"({batch / t['graph'] * 1e3:.0f}/s)", flush=True)
