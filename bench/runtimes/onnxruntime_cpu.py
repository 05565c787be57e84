"""onnxruntime's CPU provider, sequential, all optimisations."""

import measure


def load(model, threads, shapes, folder):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]

    def run(feed):
        return dict(zip(names, session.run(None, feed)))

    return onnxruntime.__version__, run


if __name__ == "__main__":
    measure.main(load)
