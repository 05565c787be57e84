#!/usr/bin/env python3
"""Writes tests/fuzz/corpus/onnx_model/: tiny ONNX models and values that hold each message, each way to store elements
and each kind of attribute once. The files are in git; run this again (with the onnx package) after changing it."""
import pathlib

import numpy
import onnx
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper

FOLDER = pathlib.Path(__file__).parent / "corpus" / "onnx_model"
# Fixed, so that the bytes do not depend on the version of the package.
IR, OPSET = 10, 21


def model(graph, **more):
    return h.make_model(graph, ir_version=IR, opset_imports=[h.make_opsetid("", OPSET)], producer_name="corpus", **more)


def vector(name, elem=T.FLOAT, shape=(2, "n", None)):
    return h.make_tensor_value_info(name, elem, shape)


def conv():
    w = numpy_helper.from_array(numpy.arange(18, dtype=numpy.float32).reshape(2, 1, 3, 3), "w")
    b = h.make_tensor("b", T.FLOAT, [2], [0.5, -0.5])
    nodes = [h.make_node("Conv", ["x", "w", "b"], ["c"], "conv1", pads=[1, 1, 1, 1], kernel_shape=[3, 3]),
             h.make_node("LeakyRelu", ["c"], ["y"], alpha=0.1)]
    x, c, y = (vector(name, shape=("n", n, 8, 8)) for name, n in (("x", 1), ("c", 2), ("y", 2)))
    m = model(h.make_graph(nodes, "g", [x], [y], [w, b], value_info=[c]))
    h.set_model_props(m, {"key": "value"})
    return m


def elements():
    """Every element type, as typed data and as raw bytes."""
    typed, raw = [], []
    for elem in range(1, 27):
        bits = {T.UINT4: 4, T.INT4: 4, T.FLOAT4E2M1: 4, T.UINT2: 2, T.INT2: 2}.get(elem)
        t = T(name=f"typed{elem}", data_type=elem, dims=[4])
        r = T(name=f"raw{elem}", data_type=elem, dims=[4])
        if elem == T.STRING:
            t.string_data.extend([b"", b"a", b"bc", b"\xff"])
        elif elem in (T.FLOAT, T.COMPLEX64):
            t.float_data.extend([0, 1, 2, 3] * (2 if elem == T.COMPLEX64 else 1))
            r.raw_data = bytes(16 if elem == T.FLOAT else 32)
        elif elem in (T.DOUBLE, T.COMPLEX128):
            t.double_data.extend([0, 1, 2, 3] * (2 if elem == T.COMPLEX128 else 1))
            r.raw_data = bytes(32 if elem == T.DOUBLE else 64)
        elif elem == T.INT64:
            t.int64_data.extend([0, -1, 2, 2**62])
            r.raw_data = bytes(range(32))
        elif elem in (T.UINT64, T.UINT32):
            t.uint64_data.extend([0, 1, 2, 2**31])
            r.raw_data = bytes(range(32 if elem == T.UINT64 else 16))
        elif bits:
            t.int32_data.extend([18] * (4 * bits // 8))
            r.raw_data = bytes(4 * bits // 8)
        else:
            t.int32_data.extend([0, 1, 1, 0])
            width = {T.INT32: 4, T.INT16: 2, T.UINT16: 2, T.FLOAT16: 2, T.BFLOAT16: 2}.get(elem, 1)
            r.raw_data = bytes(4 * width)
        typed.append(t)
        if elem != T.STRING:
            raw.append(r)
    return model(h.make_graph([], "elements", [], [], typed + raw))


def attributes():
    tensor = h.make_tensor("t", T.INT64, [2], [3, 4])
    sparse = h.make_sparse_tensor(h.make_tensor("v", T.FLOAT, [1], [7.0]), h.make_tensor("i", T.INT64, [1], [2]), [4])
    inner = h.make_graph([h.make_node("Identity", ["x"], ["inner_y"])], "inner", [], [vector("inner_y")])
    branch = h.make_node("If", ["c"], ["z"], then_branch=inner, else_branch=inner)
    inner = h.make_graph([branch], "middle", [], [vector("z")])
    tp = h.make_sequence_type_proto(h.make_optional_type_proto(h.make_tensor_type_proto(T.FLOAT, [1])))
    node = h.make_node("Anything", ["x", "", "c"], ["y"], domain="com.example", overload="o", f=1.5, i=-2, s="text",
                       t=tensor, g=inner, floats=[1.0, 2.0], ints=[1, 2, 3], strings=["a", "b"],
                       tensors=[tensor, tensor], graphs=[inner, inner], sparse=sparse, sparses=[sparse], tp=tp,
                       tps=[tp])
    return model(h.make_graph([node], "attributes", [vector("x"), vector("c", T.BOOL, [])], [vector("y")],
                              sparse_initializer=[sparse]))


def functions():
    alpha = onnx.AttributeProto(name="alpha", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT)
    node = h.make_node("LeakyRelu", ["a"], ["b"])
    node.attribute.append(alpha)
    f = h.make_function("local", "F", ["a"], ["b"], [node], [h.make_opsetid("", OPSET)], ["slope"],
                        [h.make_attribute("other", 3)])
    g = h.make_graph([h.make_node("F", ["x"], ["y"], domain="local", slope=0.2)], "calls", [vector("x")], [vector("y")])
    return model(g, functions=[f])


def types():
    t = h.make_tensor_type_proto(T.FLOAT, None)
    map_type = onnx.TypeProto()
    map_type.map_type.key_type = T.STRING
    map_type.map_type.value_type.CopyFrom(t)
    infos = [h.make_value_info("sequence", h.make_sequence_type_proto(t)),
             h.make_value_info("optional", h.make_optional_type_proto(t)),
             h.make_value_info("map", map_type),
             h.make_value_info("sparse", h.make_sparse_tensor_type_proto(T.FLOAT, [2])),
             onnx.ValueInfoProto(name="untyped")]
    node = h.make_node("Identity", ["map"], ["out"])
    return model(h.make_graph([node], "types", infos, [h.make_value_info("out", map_type)]))


def external():
    t = T(name="w", data_type=T.FLOAT, dims=[4], data_location=T.EXTERNAL)
    for key, value in (("location", "weights.bin"), ("offset", "16"), ("length", "16")):
        t.external_data.add(key=key, value=value)
    return model(h.make_graph([], "external", [], [], [t]))


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    array = numpy.array([[1, 2], [3, 4]], numpy.float32)
    sequence = numpy_helper.from_list([array, array[0]], "s")
    files = {"conv.onnx": conv(), "elements.onnx": elements(), "attributes.onnx": attributes(),
             "functions.onnx": functions(), "types.onnx": types(), "external.onnx": external(),
             "tensor.pb": numpy_helper.from_array(array, "t"), "sequence.pb": sequence,
             "sequences.pb": numpy_helper.from_list([[array], [array, array]], "ss"),
             "optional.pb": numpy_helper.from_optional(array, "o"),
             "map.pb": numpy_helper.from_dict({1: array, 2: array}, "m")}
    for name, message in files.items():
        (FOLDER / name).write_bytes(message.SerializeToString(deterministic=True))


if __name__ == "__main__":
    main()
