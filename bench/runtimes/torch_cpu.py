"""PyTorch's CPU kernels, eager, in inference mode; oneDNN as it comes with PyTorch."""

import measure


def load(model, threads, shapes, folder):
    import torch
    import torch_onnx

    torch.set_num_threads(threads)
    graph = torch_onnx.Graph(model)

    def run(feed):
        with torch.inference_mode():
            results = graph({name: torch.from_numpy(value) for name, value in feed.items()})
        return {name: value.numpy() for name, value in results.items()}

    return torch.__version__, run


if __name__ == "__main__":
    measure.main(load)
