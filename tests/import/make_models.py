#!/usr/bin/env python3
"""Writes the models of tests/unit/import/ next to this file. Needs the onnx package; run it after a change."""
import os

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FOLDER = os.path.dirname(os.path.abspath(__file__))
F32, I64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def value(name, shape, elem=F32):
    return helper.make_tensor_value_info(name, elem, shape)


def tensor(name, array):
    return numpy_helper.from_array(np.asarray(array), name)


def floats(name, shape):
    return tensor(name, np.arange(np.prod(shape), dtype=np.float32).reshape(shape))


def write(file, nodes, inputs, outputs, initializers=(), opset=17, ir=8, functions=(), value_info=(), opsets=None):
    graph = helper.make_graph(nodes, os.path.basename(file), inputs, outputs, list(initializers), value_info=list(value_info))
    imports = [helper.make_opsetid(d, v) for d, v in (opsets if opsets is not None else [("", opset)])]
    model = helper.make_model(graph, opset_imports=imports, functions=list(functions))
    model.ir_version = ir
    model.producer_name = model.producer_version = ""
    with open(os.path.join(FOLDER, file + ".onnx"), "wb") as out:
        out.write(model.SerializeToString(deterministic=True))


node = helper.make_node

# ---- what is read

write("old", [node("Add", ["x", "b"], ["s"], broadcast=1, axis=1), node("Clip", ["s"], ["y"], "clip", min=-1.0, max=6.0)],
      [value("x", [2, 3, 4]), value("b", [3])], [value("y", [2, 3, 4])], [floats("b", [3])], opset=6, ir=3)

write("symbols",
      [node("Shape", ["x"], ["shape"]), node("Gather", ["shape", "zero"], ["n"]),
       node("Concat", ["n", "minus"], ["wanted"], axis=0), node("Reshape", ["x", "wanted"], ["y"])],
      [value("x", ["batch", 4, None])], [value("y", None)],
      [tensor("zero", np.array([0], np.int64)), tensor("minus", np.array([-1], np.int64))])

F8E4, F8E5, F8E8 = TensorProto.FLOAT8E4M3FN, TensorProto.FLOAT8E5M2, TensorProto.FLOAT8E8M0
write("few_bits",
      [node("Cast", ["x"], ["a"], to=F8E4), node("Cast", ["x"], ["b"], to=F8E5, saturate=0),
       node("Cast", ["x"], ["c"], to=F8E8, round_mode="nearest", saturate=0),
       node("Cast", ["x"], ["d"], to=F8E8, round_mode="down"), node("CastLike", ["x", "b"], ["e"], saturate=0),
       node("Cast", ["x"], ["f"], to=TensorProto.FLOAT4E2M1, saturate=0),
       node("DequantizeLinear", ["w", "s"], ["g"], axis=0, output_dtype=F32),
       node("QuantizeLinear", ["x", "s"], ["h"], axis=0, output_dtype=F8E5, saturate=0)],
      [value("x", [3])],
      [value(n, [3], e) for n, e in zip("abcdefgh", [F8E4, F8E5, F8E8, F8E8, F8E5, TensorProto.FLOAT4E2M1, F32, F8E5])],
      [helper.make_tensor("w", TensorProto.INT4, [3], b"\x98\x07", raw=True),
       helper.make_tensor("s", F8E8, [3], bytes([127, 128, 126]), raw=True)], opset=25, ir=13)

scale = helper.make_function(
    "local", "Scale", ["a", "b"], ["r"],
    [node("Constant", [], ["k"]), node("Mul", ["a", "k"], ["t"], "times"), node("Add", ["t", "b"], ["r"])],
    [helper.make_opsetid("", 17)], attributes=["factor"])
scale.node[0].attribute.append(onnx.AttributeProto(name="value_float", ref_attr_name="factor", type=onnx.AttributeProto.FLOAT))
twice = helper.make_function(
    "local", "Twice", ["a", "b"], ["r"],
    [node("Scale", ["a", "b"], ["t"], "first", domain="local"), node("Scale", ["t", "b"], ["r"], "second", domain="local")],
    [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)], attribute_protos=[helper.make_attribute("slope", 3.0)])
for n in twice.node:
    n.attribute.append(onnx.AttributeProto(name="factor", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT))
both = [("", 17), ("local", 1)]
write("function", [node("Twice", ["x", "x"], ["m"], "a", domain="local"),
                   node("Twice", ["m", "x"], ["y"], "b", domain="local", slope=0.5)],
      [value("x", [2])], [value("y", [2])], functions=[scale, twice], opsets=both)

again = helper.make_function("local", "Again", ["a"], ["r"], [node("Again", ["a"], ["r"], domain="local")],
                             [helper.make_opsetid("local", 1)])
write("refused/recursive", [node("Again", ["x"], ["y"], "loops", domain="local")], [value("x", [2])], [value("y", [2])],
      functions=[again], opsets=both)

then_branch = helper.make_graph([node("Mul", ["x", "w"], ["a"]), node("Add", ["a", "early"], ["then_y"])], "then", [],
                                [value("then_y", [2])])
else_branch = helper.make_graph([node("Sub", ["early", "late"], ["else_y"])], "else", [], [value("else_y", [2])])
write("if", [node("Relu", ["x"], ["early"]), node("If", ["c"], ["y"], "choice", then_branch=then_branch, else_branch=else_branch),
             node("Neg", ["x"], ["late"])],
      [value("x", [2]), value("c", [], BOOL)], [value("y", [2])], [floats("w", [2])])

fits = helper.make_graph([node("Squeeze", ["x", "axis"], ["s"])], "fits", [], [value("s", [3])])
fits_not = helper.make_graph([node("Reshape", ["x", "seven"], ["r"])], "fits_not", [], [value("r", [7])])
write("if_known", [node("Shape", ["x"], ["shape"]), node("Gather", ["shape", "axis"], ["d"]), node("Equal", ["d", "one"], ["c"]),
                   node("If", ["c"], ["y"], then_branch=fits, else_branch=fits_not)],
      [value("x", [1, 3])], [value("y", [3])],
      [tensor("axis", np.array([0], np.int64)), tensor("one", np.array([1], np.int64)), tensor("seven", np.array([7], np.int64))])

body = helper.make_graph(
    [node("Add", ["sum", "step"], ["sum_out"]), node("Identity", ["go"], ["go_out"]), node("Mul", ["sum_out", "w"], ["each"])],
    "body", [value("i", [], I64), value("go", [], BOOL), value("sum", [2])],
    [value("go_out", [], BOOL), value("sum_out", [2]), value("each", [2])])
write("loop", [node("Relu", ["x"], ["step"]), node("Loop", ["trip", "", "x"], ["last", "all"], "l", body=body)],
      [value("x", [2])], [value("last", [2]), value("all", [5, 2])], [tensor("trip", np.array(5, np.int64)), floats("w", [2])])

scan_body = helper.make_graph([node("Add", ["s", "e"], ["s_out"]), node("Identity", ["s_out"], ["copy"])], "body",
                              [value("s", [2]), value("e", [2])], [value("s_out", [2]), value("copy", [2])])
write("scan", [node("Scan", ["s0", "x"], ["", "y"], body=scan_body, num_scan_inputs=1, scan_input_directions=[1])],
      [value("s0", [2]), value("x", ["n", 2])], [value("y", ["n", 2])])

write("unsorted", [node("Neg", ["m"], ["y"]), node("Relu", ["x"], ["m"])], [value("x", [2])], [value("y", [2])])

write("outputs", [node("Relu", ["x"], ["r"]), node("Identity", ["r"], ["s"]), node("Identity", ["x"], ["t"]),
                  node("Identity", ["w"], ["u"])],
      [value("x", [2])], [value("r", [2]), value("s", [2]), value("t", [2]), value("u", [2]), value("w", [2])], [floats("w", [2])])

# "ab" in front leaves the raw data at an odd place in the file
write("unaligned", [node("Add", ["x", "w"], ["y"])], [value("x", [2])], [value("y", [2])],
      [floats("w", [2]), helper.make_tensor("unused", TensorProto.STRING, [1], [b"text"]), floats("odd", [3])])

# "w" and "b" may be replaced, "k" may not
write("override", [node("MatMul", ["x", "w"], ["m"]), node("Add", ["m", "b"], ["s"]), node("Mul", ["s", "k"], ["y"])],
      [value("x", [2, 3]), value("w", [3, "n"]), value("b", [4])], [value("y", None)], [floats("w", [3, 4]), floats("b", [4]), floats("k", [1])])
# ---- sequences and optionals

SEQ = helper.make_sequence_type_proto(helper.make_tensor_type_proto(F32, None))
I64 = TensorProto.INT64
write("sequence_map",
      [node("SequenceMap", ["s", "k"], ["u", "v"], "map", body=helper.make_graph(
          [node("Mul", ["x", "kk"], ["m"]), node("Add", ["m", "outside"], ["y"]), node("Shape", ["x"], ["z"])], "body",
          [value("x", None), value("kk", None)], [value("y", None), value("z", None, I64)]))],
      [helper.make_value_info("s", SEQ), value("k", [1]), value("outside", [1])],
      [helper.make_value_info("u", SEQ),
       helper.make_value_info("v", helper.make_sequence_type_proto(helper.make_tensor_type_proto(I64, None)))])
write("sequence_optional",
      [node("Loop", ["n", "", "o"], ["r"], "grow", body=helper.make_graph(
          [node("OptionalHasElement", ["p"], ["has"]),
           node("If", ["has"], ["q"], then_branch=helper.make_graph(
               [node("OptionalGetElement", ["p"], ["a"])], "then", [], [helper.make_value_info("a", SEQ)]),
                else_branch=helper.make_graph(
               [node("SequenceEmpty", [], ["b"])], "else", [], [helper.make_value_info("b", SEQ)])),
           node("Cast", ["i"], ["f"], to=F32), node("SequenceInsert", ["q", "f"], ["grown"]), node("Identity", ["c"], ["go"])],
          "body", [value("i", [], I64), value("c", [], TensorProto.BOOL), helper.make_value_info("p", helper.make_optional_type_proto(SEQ))],
          [value("go", [], TensorProto.BOOL), helper.make_value_info("grown", SEQ)])),
       node("Identity", ["o"], ["same"])],
      [value("n", [], I64), helper.make_value_info("o", helper.make_optional_type_proto(SEQ))],
      [helper.make_value_info("r", SEQ), helper.make_value_info("same", helper.make_optional_type_proto(SEQ))], opset=18)
write("refused/sequence_missing", [node("SequenceAt", ["x", "i"], ["y"], "at")], [value("x", [2]), value("i", [], I64)], [value("y", [2])])
write("refused/sequence_of_maps", [node("SequenceLength", ["m"], ["y"], "length")],
      [helper.make_value_info("m", helper.make_sequence_type_proto(helper.make_map_type_proto(I64, helper.make_tensor_type_proto(F32, None))))],
      [value("y", [], I64)])

# ---- what is refused

write("refused/unsupported",
      [node("Frobnicate", ["x"], ["a"], "frob"), node("Relu", ["a"], ["b"], "fine"), node("Bend", ["b"], ["c"], "bend", domain="far"),
       node("Cast", ["x"], ["f"], "cast", to=TensorProto.COMPLEX64)]
      + [node("Wiggle", ["x"], ["w%d" % i], "wiggle%d" % i) for i in range(7)] + [node("Add", ["x", "p"], ["y"])],
      [value("x", [2]), value("p", [2], TensorProto.COMPLEX64)], [value("y", [2]), value("c", [2])], opsets=[("", 17), ("far", 1)])
write("refused/cycle", [node("Neg", ["b"], ["a"], "n1"), node("Relu", ["a"], ["b"], "n2")], [value("x", [2])], [value("b", [2])])
write("refused/duplicate", [node("Neg", ["x"], ["a"], "n1"), node("Relu", ["x"], ["a"], "n2")], [value("x", [2])], [value("a", [2])])
write("refused/shadow", [node("Neg", ["x"], ["x"], "n1")], [value("x", [2])], [value("x", [2])])
write("refused/missing", [node("Add", ["x", "nowhere"], ["y"], "sum")], [value("x", [2])], [value("y", [2])])
write("refused/no_output", [node("Neg", ["x"], ["y"])], [value("x", [2])], [value("z", [2])])
write("refused/old_ir", [node("Neg", ["x"], ["y"])], [value("x", [2])], [value("y", [2])], ir=2)
write("refused/no_opset", [node("Neg", ["x"], ["y"], "n")], [value("x", [2])], [value("y", [2])], opsets=[("other", 1)])
write("refused/rank", [node("Neg", ["x"], ["y"])], [value("x", [1] * 9)], [value("y", [1] * 9)])
write("refused/shapes", [node("Add", ["x", "w"], ["y"], "sum")], [value("x", [2])], [value("y", [2])], [floats("w", [3])])
write("refused/too_new", [node("CastLike", ["x", "x"], ["y"], "cl")], [value("x", [2])], [value("y", [2])], opset=14)

# ---- attributes that nobody reads

write("attribute_stray",
      [node("Gather", ["x", "one"], ["row"], "pick", axis=0, batch_dims=1),
       node("ReduceMean", ["row"], ["y"], "mean", axes=[0], noop_with_empty_axes=1)],
      [value("x", [2, 3])], [value("y", None)], [tensor("one", np.array(1, np.int64))])
write("refused/attribute_unread", [node("Constant", [], ["k"], "both", value_float=1.0, value_int=3), node("Add", ["x", "k"], ["y"])],
      [value("x", [2])], [value("y", [2])])
write("refused/attribute_kernel", [node("Conv", ["x", "w"], ["y"], "conv", kernel_shape=[3, 1])],
      [value("x", [1, 2, 8, 8])], [value("y", None)], [floats("w", [4, 2, 3, 3])])

# ---- what is only described, and what is wrong with a file

write("survey",
      [node("RandomNormalLike", ["x"], ["noise"], seed=1.0), node("Add", ["x", "noise"], ["y"]),
       node("SequenceConstruct", ["x", "y"], ["pair"]), node("SequenceAt", ["pair", "zero"], ["one"]),
       node("Reshape", ["x", "any"], ["turned"]), node("Relu", ["turned"], ["z"]),
       node("Identity", ["names"], ["same_names"]),
       node("LSTM", ["steps", "w", "r"], ["all", "last"], hidden_size=6)],
      [value("x", ["n", 4]), value("any", [None], I64), value("names", ["n"], TensorProto.STRING),
       value("steps", [5, 3, 4]), value("w", [1, 24, 4]), value("r", [1, 24, 4])],
      [value("z", [None, None, 2]), value("all", [5, 1, 3, 6])], [tensor("zero", np.array(0, np.int64))],
      value_info=[value("turned", [2, "n", 2])])

write("refused/mistakes",
      [node("Conv", ["x", "w"], ["a"], name="conv", paddings=[1, 1]),
       node("Softmax", ["a", "b"], ["b"], name="softmax", axis=1.5),
       node("Relu", [""], ["c"], name="relu"), node("Cast", ["c"], ["a"], name="cast"),
       node("Frobnicate", ["c"], ["d"], name="frob"), node("Mish", ["c"], ["e"], name="mish"),
       node("Far", ["c"], ["f"], name="far", domain="far")],
      [value("x", [1, 1, 4, 4]), onnx.ValueInfoProto(name="q")],
      [value("a", [1, 1, 4, 4])],
      [floats("w", [1, 1, 3, 3]), onnx.TensorProto(name="w", data_type=F32, dims=[2], raw_data=b"1234"),
       onnx.TensorProto(name="", data_type=99, dims=[1])], opset=17)

write("refused/contradiction", [node("Relu", ["x"], ["y"], name="relu"), node("Neg", ["y"], ["z"], name="neg")],
      [value("x", [2, 3])], [value("z", [2, 4])], value_info=[value("y", [2, 3], I64)])
