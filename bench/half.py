#!/usr/bin/env python3
"""half.py MODEL.onnx OUT.onnx [distinct] [full]: the same network with weights, inputs and outputs in f16, for timing. Not a
conversion for use: nothing is checked for range. "distinct": weights that are equal in a generated network are made
different, so that no compiler finds that three products of an attention are one. "full": that alone, all stays f32."""
import sys

import numpy
import onnx
from onnx import TensorProto, numpy_helper

model = onnx.load(sys.argv[1])
graph = model.graph
kept = {name for node in graph.node if node.op_type == "Resize" for name in node.input[1:]}
if "distinct" in sys.argv[3:]:
    for i, tensor in enumerate(graph.initializer):
        values = numpy_helper.to_array(tensor)
        if values.ndim > 1 and values.dtype == numpy.float32:
            tensor.CopyFrom(numpy_helper.from_array(numpy.roll(values, i), tensor.name))
if "full" in sys.argv[3:]:
    onnx.save(model, sys.argv[2])
    sys.exit()
for tensor in graph.initializer:
    if tensor.data_type == TensorProto.FLOAT and tensor.name not in kept:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(numpy.float16), tensor.name))
for value in (*graph.input, *graph.output, *graph.value_info):
    if value.type.tensor_type.elem_type == TensorProto.FLOAT:
        value.type.tensor_type.elem_type = TensorProto.FLOAT16
for node in graph.node:
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.TENSOR and attribute.t.data_type == TensorProto.FLOAT:
            attribute.t.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(attribute.t).astype(numpy.float16)))
onnx.save(model, sys.argv[2])
