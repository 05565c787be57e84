#!/usr/bin/env python3
"""Writes the models of tests/unit/import/test_import_nn.c next to this file. Needs the onnx package; run it after a change.

One model an operator set: many nodes side by side, each on inputs of its own."""
import os

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FOLDER = os.path.dirname(os.path.abspath(__file__))


class Model:
    def __init__(self, file, opset, ir=8, domains=()):
        self.file, self.ir, self.opsets = file, ir, [("", opset), *domains]
        self.nodes, self.inputs, self.outputs, self.constants = [], [], [], []

    def node(self, op, operands, results=1, domain="", **attributes):
        """|operands|: a shape (an f32 input), (shape, element type), an array (a constant) or None."""
        names = []
        for operand in operands:
            name = "" if operand is None else f"v{len(self.inputs) + len(self.constants)}"
            if isinstance(operand, np.ndarray):
                self.constants.append(numpy_helper.from_array(operand, name))
            elif operand is not None:
                shape, elem = operand if isinstance(operand, tuple) else (operand, TensorProto.FLOAT)
                self.inputs.append(helper.make_tensor_value_info(name, elem, shape))
            names.append(name)
        results = [f"r{len(self.outputs)}_{i}" for i in range(results)] if isinstance(results, int) else results
        self.outputs += [onnx.ValueInfoProto(name=r) for r in results if r]
        self.nodes.append(helper.make_node(op, names, results, f"{op}{len(self.nodes)}", domain=domain, **attributes))

    def write(self):
        graph = helper.make_graph(self.nodes, self.file, self.inputs, self.outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid(d, v) for d, v in self.opsets])
        model.ir_version = self.ir
        model.producer_name = model.producer_version = ""
        with open(os.path.join(FOLDER, self.file + ".onnx"), "wb") as out:
            out.write(model.SerializeToString(deterministic=True))


def f32(*numbers):
    return np.array(numbers, np.float32)


# ---- one word changes what a node means

m = Model("nn_7", 7)
m.node("Conv", [[1, 4, 8, 8], [6, 2, 3, 3], [6]], group=2, auto_pad="SAME_LOWER", pads=[0, 0, 0, 0], strides=[2, 2], kernel_shape=[3, 3])
m.node("Gemm", [[4, 3], [4, 5], [5]], transA=1, alpha=0.5, beta=2.0)
m.node("Gemm", [[3, 4], [4, 5], [5]])
m.node("Gemm", [[3, 4], [4, 5], [5]], beta=0.0)
m.node("Softmax", [[2, 3, 4]])
m.node("Softmax", [[2, 3, 1, 1]])
m.node("LogSoftmax", [[2, 3]], axis=1)
m.node("BatchNormalization", [[1, 3, 4, 4], [3], [3], [3], [3]], epsilon=0.001)
m.node("BatchNormalization", [[1, 3, 4], [3, 4], [3, 4], [3, 4], [3, 4]], spatial=0)
m.node("GlobalAveragePool", [[1, 3, 4, 4]])
m.node("GlobalLpPool", [[1, 3, 4, 4]], p=3)
m.node("LpPool", [[1, 3, 4, 4]], kernel_shape=[2, 2])
m.node("Upsample", [[1, 3, 4, 4]], mode="linear", scales=[1.0, 1.0, 2.0, 2.0])
m.write()

m = Model("nn_10", 10)
m.node("MaxPool", [[1, 3, 9, 9]], 2, kernel_shape=[3, 2], storage_order=1, ceil_mode=1, dilations=[2, 1])
m.node("AveragePool", [[1, 3, 9, 9]], kernel_shape=[3, 2], count_include_pad=1, pads=[1, 0, 1, 0])
m.node("Resize", [[1, 3, 4, 4], f32(1, 1, 2, 0.5)])
m.node("Resize", [[1, 3, 4, 4], f32(1, 1, 2, 0.5)], mode="linear")
m.node("QuantizeLinear", [[3, 4], []])
byte = lambda *shape: (list(shape), TensorProto.UINT8)
m.node("DequantizeLinear", [byte(3, 4), [], byte()])
m.node("QLinearMatMul", [byte(3, 4), [], byte(), byte(4, 5), [5], byte(5), [], byte()])
m.node("QLinearConv", [byte(1, 3, 8, 8), [], byte(), byte(6, 3, 3, 3), [6], byte(6), [], byte(), ([6], TensorProto.INT32)])
m.write()

m = Model("nn_18", 18)
m.node("GroupNormalization", [[1, 6, 4, 4], [3], [3]], num_groups=3)
m.node("BatchNormalization", [[1, 3, 4, 4], [3], [3], [3], [3]], 3, training_mode=1, momentum=0.5)
m.node("LayerNormalization", [[2, 3, 4], [4], [4]], ["layer", "", "deviation"], stash_type=11)
m.node("MeanVarianceNormalization", [[1, 3, 4, 4]])
m.node("Resize", [[1, 3, 4, 4], f32(), f32(), np.array([1, 3, 9, 9])], mode="cubic", coordinate_transformation_mode="align_corners")
m.node("Resize", [[1, 3, 4, 4], None, f32(2, 2)], axes=[2, 3], antialias=1, mode="linear")
m.write()

m = Model("nn_23", 23, 11, [("com.microsoft", 1)])
m.node("GroupNormalization", [[1, 6, 4, 4], [6], [6]], num_groups=3)
m.node("RMSNormalization", [[2, 3, 4], [4]], epsilon=0.001)
m.node("QuantizeLinear", [([4, 6], TensorProto.FLOAT16), ([2, 6], TensorProto.FLOAT16)], axis=0, block_size=2, output_dtype=3, precision=1)
m.node("Gelu", [[3, 4]], domain="com.microsoft")
m.node("LSTM", [[5, 2, 3], [2, 16, 3], [2, 16, 4], None, None, [2, 2, 4]], ["", "hidden"], hidden_size=4, direction="bidirectional", clip=0.5)
m.node("GRU", [[5, 2, 3], [1, 12, 3], [1, 12, 4]], ["all"], activations=["HardSigmoid", "ScaledTanh"], activation_alpha=[0.25, 1.5],
       activation_beta=[0.5, 0.75], linear_before_reset=1)
m.write()

# Scan in its first form: three sequences of four steps, backwards; the body takes a name from around it.
value = lambda name, shape=None: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
body = helper.make_graph([helper.make_node("Add", ["state", "element"], ["sum"]), helper.make_node("Mul", ["sum", "v0"], ["product"])],
                         "body", [value("state", [2]), value("element", [2])], [value("sum", [2]), value("product", [2])])
m = Model("nn_8", 8)
m.node("Neg", [[2]])
m.node("Scan", [None, [3, 2], [3, 4, 2]], ["last", "products"], num_scan_inputs=1, directions=[1], body=body)
m.write()

labels = ([4], TensorProto.INT64)
m = Model("nn_losses", 13)
m.node("NegativeLogLikelihoodLoss", [[4, 5], labels], reduction="none")
m.node("NegativeLogLikelihoodLoss", [[4, 5], labels, [5]])
m.node("NegativeLogLikelihoodLoss", [[4, 5], labels, [5]], reduction="sum", ignore_index=-1)
m.node("SoftmaxCrossEntropyLoss", [[4, 5], ([4], TensorProto.INT32)], ["cross", "logarithms"], ignore_index=7)
m.node("SoftmaxCrossEntropyLoss", [["n", "c", "h", "w"], (["n", "h", "w"], TensorProto.INT64)])
m.write()

number = lambda value: np.array(value, np.int64)
m = Model("nn_signal", 17, 8, [("ai.onnx.ml", 1)])
m.node("DFT", [[2, 10, 1]], onesided=1)
m.node("DFT", [[2, 10, 1], number(16)], axis=-2)
m.node("STFT", [[2, 128, 1], number(8), [16]])
m.node("STFT", [[2, "samples", 2], number(8), None, number(16)], onesided=0)
m.node("MelWeightMatrix", [number(4), number(16), number(8000), np.array(0, np.float32), np.array(4000, np.float32)])
m.node("Binarizer", [[2, 3]], domain="ai.onnx.ml", threshold=0.5)
m.node("Binarizer", [([2, 3], TensorProto.INT64)], domain="ai.onnx.ml", threshold=0.5)
m.node("ArrayFeatureExtractor", [[7], number([1, 3])], domain="ai.onnx.ml")
m.node("ArrayFeatureExtractor", [[2, 7], number([[1, 3]])], domain="ai.onnx.ml")
m.write()

# The subgraph takes a name from around it.
bias = helper.make_graph([helper.make_node("Add", ["scores", "v0"], ["biased"])], "bias", [helper.make_tensor_value_info("scores", TensorProto.FLOAT, None)],
                         [helper.make_tensor_value_info("biased", TensorProto.FLOAT, None)])
m = Model("nn_27", 27, 11, [("ai.onnx.preview", 1)])
m.node("FlexAttention", [[1], [2, 4, 3, 8], [2, 2, 5, 8], [2, 2, 5, 6]], ["y"], domain="ai.onnx.preview", score_mod=bias, scale=0.25)
m.nodes[-1].input.remove("v0")
m.node("FlexAttention", [[2, 4, 3, 8], [2, 2, 5, 8], [2, 2, 5, 6]], domain="ai.onnx.preview")
m.node("LinearAttention", [[2, 3, 8], [2, 3, 4], [2, 3, 6], None, None, [2, 3, 2]], 2, q_num_heads=4, kv_num_heads=2, update_rule="delta")
m.node("CausalConvWithState", [[2, 4, 8], [4, 1, 3], [4], [2, 4, 2]], 2, activation="swish")
m.node("CausalConvWithState", [[2, 4, 8], [4, 1, 1]], 2)
m.node("Col2Im", [[1, 8, 9], number([4, 4]), number([2, 2])])
m.write()

# ---- what cannot be

m = Model("nn_refused", 9)
m.node("BatchNormalization", [[1, 3, 4, 4], [3], [3], [3], [3]], 3)
m.node("Conv", [[1, 4, 8, 8], [6, 4, 3, 3]], auto_pad="same")
m.node("RNN", [[5, 2, 3], [1, 4, 3], [1, 4, 4]], activations=["Swish"])
m.write()

m = Model("nn_gemm_rank", 9)
m.node("Gemm", [[2, 3, 4], [4, 5], [5]])
m.write()

scores = helper.make_graph([], "none", [], [helper.make_tensor_value_info("v0", TensorProto.FLOAT, None)])
m = Model("nn_flex_refused", 27, 11, [("ai.onnx.preview", 1)])
m.node("FlexAttention", [[1, 1, 2, 2], [1, 1, 2, 2], [1, 1, 2, 2]], domain="ai.onnx.preview", prob_mod=scores)
m.write()

m = Model("nn_resize_unknown", 10)
m.node("Resize", [[1, 3, 4, 4], [4]])
m.node("QLinearMatMul", [byte(3, 4), [3, 1], byte(3, 1), byte(4, 5), [], byte(), [], byte()])
m.write()
