"""OpenVINO's CPU plugin: latency hint, one stream, the precision of the model (no silent bf16)."""

import measure


def load(model, threads, shapes, folder):
    import openvino

    core = openvino.Core()
    network = core.read_model(str(model))
    network.reshape({name: list(shape) for name, shape in shapes.items()})
    compiled = core.compile_model(network, "CPU", {
        "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": "1", "INFERENCE_NUM_THREADS": str(threads),
        "INFERENCE_PRECISION_HINT": "f32"})
    request = compiled.create_infer_request()

    def run(feed):
        results = request.infer(feed, share_inputs=True, share_outputs=True)
        return {port.get_any_name(): results[port] for port in compiled.outputs}

    return openvino.__version__.split("-")[0], run


if __name__ == "__main__":
    measure.main(load)
