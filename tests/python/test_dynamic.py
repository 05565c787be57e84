"""One engine with dynamic batch, height and width answers 50 random shapes as onnxruntime does, without being built
again."""

import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from peer import PELTON, Tally, np, skip  # noqa: E402

try:
    import onnx
    from onnx import TensorProto, helper, numpy_helper
except ImportError as error:
    skip(f"{error}; ./run test makes an environment that has it")


def make(path):
    rng = np.random.default_rng(3)

    def weights(name, *shape):
        return numpy_helper.from_array((rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32), name)

    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("Conv", ["r1", "w2"], ["c2"], pads=[1, 1, 1, 1], strides=[2, 2], group=16),
        helper.make_node("MaxPool", ["c2"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Resize", ["p", "", "scales"], ["u"], mode="linear"),
        helper.make_node("Shape", ["u"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["n"], axis=0),
        helper.make_node("Concat", ["n", "tail"], ["target"], axis=0),
        helper.make_node("Reshape", ["u", "target"], ["flat"]),
        helper.make_node("ReduceMean", ["flat"], ["m"], axes=[2], keepdims=0),
        helper.make_node("Gemm", ["m", "w3", "b3"], ["g"], transB=1),
        helper.make_node("Softmax", ["g"], ["y"], axis=1),
    ]
    initializers = [weights("w1", 16, 3, 3, 3), weights("b1", 16), weights("w2", 16, 1, 3, 3), weights("w3", 10, 16), weights("b3", 10),
                    numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales"), numpy_helper.from_array(np.array([0]), "zero"),
                    numpy_helper.from_array(np.array([16, -1]), "tail")]
    graph = helper.make_graph(nodes, "dynamic", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w"])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 10]), helper.make_tensor_value_info("u", TensorProto.FLOAT, None)],
                              initializers)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)


def main():
    tally = Tally()
    rng = np.random.default_rng(11)
    with tempfile.TemporaryDirectory() as folder:
        model, engine = Path(folder) / "dynamic.onnx", Path(folder) / "dynamic.pelton"
        make(model)
        subprocess.run([PELTON, "build", str(model), "-o", str(engine)], check=True, capture_output=True)
        for _ in range(50):
            shape = [int(rng.integers(1, 5)), 3, int(rng.integers(8, 65)), int(rng.integers(8, 65))]
            x = rng.standard_normal(shape).astype(np.float32)
            tally.compare("x".join(map(str, shape)), model, {"x": x}, 1e-4, engine=engine)
    tally.end()


main()
