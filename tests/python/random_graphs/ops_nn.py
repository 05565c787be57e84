"""Layers of networks: convolutions, pools, normalisations, resizing, quantisation, recurrent layers, attention."""

import numpy as np

from .core import F16, F32, F64, I8, I32, I64, U8, Reject, elem


def image(g, low=3, high=5, types=(F32, F64, F16)):
    """A value [n, c, ...] whose channels are known."""
    x = g.pick(lambda v: v.dtype in types and low <= v.rank <= high and v.shape[1] and all(a.size for a in v.arrays))
    return x, x.shape[1], [min(a.shape[i] for a in x.arrays) for i in range(2, x.rank)]


def weights(g, shape, dtype, fan):
    return g.constant((g.random_array(shape, F32) / np.sqrt(max(fan, 1))).astype(dtype))


def window(g, spatial, dilated=True, ceil=False):
    """Attributes of a window that fits."""
    n = len(spatial)
    kernel = [g.integer(1, min(3, s)) for s in spatial]
    attributes = {"kernel_shape": kernel}
    if g.chance(0.5):
        attributes["strides"] = [g.integer(1, 2) for _ in range(n)]
    if dilated and g.chance(0.25):
        dilations = [g.integer(1, 2) for _ in range(n)]
        if all((k - 1) * d + 1 <= s for k, d, s in zip(kernel, dilations, spatial)):
            attributes["dilations"] = dilations
    if g.chance(0.25):
        attributes["auto_pad"] = g.choose(["SAME_UPPER", "SAME_LOWER", "VALID"])
    elif g.chance(0.6):
        attributes["pads"] = [g.integer(0, (k - 1)) for k in kernel * 2]
    if ceil and g.opset >= 10 and g.chance(0.2):
        attributes["ceil_mode"] = 1
    return kernel, attributes


def conv(g):
    x, channels, spatial = image(g)
    kernel, attributes = window(g, spatial)
    group = g.choose([d for d in range(1, channels + 1) if channels % d == 0]) if g.chance(0.4) else 1
    out = group * g.integer(1, max(1, 12 // group))
    inside = channels // group
    operands = [x, weights(g, [out, inside, *kernel], x.dtype, inside * np.prod(kernel))]
    if g.chance(0.6):
        operands.append(g.random_constant([out], x.dtype))
    y = g.emit("Conv", operands, group=group, **attributes)
    if g.chance(0.4):
        y = g.emit(g.choose(["Relu", "Sigmoid", "LeakyRelu", "Tanh", "HardSwish"] if g.opset >= 14 else ["Relu", "Sigmoid"]), [y])
    if g.chance(0.3):
        g.emit("Add", [y, y if g.chance(0.3) else g.choose([v for v in g.values if v.dtype == y.dtype and [a.shape for a in v.arrays] == [a.shape for a in y.arrays]])])


def conv_transpose(g):
    x, channels, spatial = image(g, types=(F32,))
    group = g.choose([1, 1, channels])
    kernel = [g.integer(1, 3) for _ in spatial]
    strides = [g.integer(1, 2) for _ in spatial]
    attributes = {"strides": strides}
    if g.chance(0.3):
        attributes["pads"] = [g.integer(0, (k - 1) // 2) for k in kernel * 2]
    if g.chance(0.3):
        attributes["output_padding"] = [g.integer(0, s - 1) for s in strides]
    elif g.chance(0.2):
        attributes["dilations"] = [g.integer(1, 2) for _ in spatial]
    out = g.integer(1, 5)
    operands = [x, weights(g, [channels, out, *kernel], x.dtype, channels // group * np.prod(kernel))]
    if g.chance(0.5):
        operands.append(g.random_constant([out * group], x.dtype))
    g.emit("ConvTranspose", operands, group=group, kernel_shape=kernel, **attributes)


def pool(g):
    op = g.choose(["MaxPool", "AveragePool", "MaxPool", "LpPool"])
    x, _, spatial = image(g, types=(F32, F64, F16) if op == "MaxPool" else (F32,))
    kernel, attributes = window(g, spatial, op == "MaxPool" and g.opset >= 10 or g.opset >= 19, op != "LpPool")
    if "dilations" in attributes and attributes.get("auto_pad", "").startswith("SAME"):
        raise Reject("onnxruntime pads without regard to dilations")
    if op == "AveragePool" and g.chance(0.4):
        attributes["count_include_pad"] = 1
    if attributes.get("ceil_mode") and op == "AveragePool" and g.opset < 19:
        raise Reject("windows beyond the padding: runtimes differ")
    if op == "MaxPool" and g.opset >= 8 and g.chance(0.2):
        g.emit(op, [x], 2, **attributes)
    else:
        g.emit(op, [x], **({"p": g.integer(1, 3)} if op == "LpPool" else {}), **attributes)


def global_pool(g):
    x, _, _ = image(g, types=(F32, F64))
    op = g.choose(["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"])
    g.emit(op, [x], **({"p": g.integer(1, 3)} if op == "GlobalLpPool" else {}))


def norm(g):
    x, c, _ = image(g, 2, 5, (F32,))
    op = g.choose(["BatchNormalization", "BatchNormalization", "InstanceNormalization", "LRN", "LpNormalization",
                   "MeanVarianceNormalization", "GroupNormalization"])
    scale, bias = g.random_constant([c], F32), g.random_constant([c], F32)
    if op == "BatchNormalization":
        g.emit(op, [x, scale, bias, g.random_constant([c], F32), g.random_constant([c], F32, 0.5, 2.0)], epsilon=1e-3)
    elif op == "LpNormalization":
        g.emit(op, [x], axis=g.integer(-1, x.rank - 1), p=g.integer(1, 2))
    elif op == "LRN":
        if x.rank != 4:
            raise Reject("four dimensions")
        g.emit(op, [x], size=g.choose([1, 3, 5]), alpha=0.01, beta=0.75, bias=1.5)
    elif op == "MeanVarianceNormalization":
        if x.rank != 4:
            raise Reject("four dimensions")
        g.emit(op, [x], **({"axes": [0, 2, 3]} if g.chance(0.5) else {}))
    elif x.rank < 3:
        raise Reject("no space")
    elif op == "InstanceNormalization":
        g.emit(op, [x, scale, bias], epsilon=1e-3)
    else:
        groups = g.choose([d for d in range(1, c + 1) if c % d == 0])
        if g.opset < 21:
            scale, bias = g.random_constant([groups], F32), g.random_constant([groups], F32)
        g.emit(op, [x, scale, bias], num_groups=groups, epsilon=1e-3)


def layer_norm(g):
    x = g.pick(lambda v: v.dtype in (F32, F64, F16) and v.rank >= 2 and all(a.size for a in v.arrays))
    axis = g.integer(1, x.rank - 1)
    shape = x.shape[axis:]
    if None in shape:
        raise Reject("unknown extents")
    scale, bias = g.random_constant(shape, x.dtype), g.random_constant(shape, x.dtype) if g.chance(0.7) else None
    if g.opset >= 23 and g.chance(0.3):
        g.emit("RMSNormalization", [x, scale], axis=axis, epsilon=1e-3)
    else:
        g.emit("LayerNormalization", [x, scale, bias], axis=g.choose([axis, axis - x.rank]), epsilon=1e-3)


def resize(g):
    x, _, spatial = image(g, 4, 4, (F32,))
    scales = [g.choose([0.5, 1.0, 1.5, 2.0, 3.0]) for _ in spatial]
    if any(s * f < 1 for s, f in zip(spatial, scales)):
        raise Reject("nothing left")
    whole = all(float(s * f).is_integer() for s, f in zip(spatial, scales)) and x.static
    full = g.constant(np.array([1, 1, *scales], F32))
    if g.opset < 10:
        scales = [max(1.0, s) for s in scales]
        mode = g.choose(["nearest", "linear"])
        if g.opset < 9:
            g.emit("Upsample", [x], scales=[1.0, 1.0, *scales], mode=mode)
        else:
            g.emit("Upsample", [x, g.constant(np.array([1, 1, *scales], F32))], mode=mode)
        return
    mode = g.choose(["nearest", "linear"] + (["cubic"] if g.opset >= 11 else []))
    if g.opset == 10:
        g.emit("Resize", [x, full], mode=mode)
        return
    transform = g.choose(["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"])
    if transform == "align_corners" and not whole:
        raise Reject("whether the last corner lies on an element is read in two ways")
    attributes = {"mode": mode, "coordinate_transformation_mode": transform}
    if mode == "nearest":
        attributes["nearest_mode"] = g.choose(["round_prefer_floor", "floor", "ceil", "round_prefer_ceil"])
        if transform == "align_corners" or any(s in (1.5, 3.0) for s in scales):
            raise Reject("coordinates that hang on a last digit")
    if mode == "cubic" and g.chance(0.3):
        attributes["exclude_outside"] = 1
    if g.chance(0.4) and x.static:
        sizes = g.ints(*x.shape[:2], *[max(1, int(s * f)) for s, f in zip(spatial, scales)])
        g.emit("Resize", [x, g.constant(np.zeros(0, F32)) if g.opset < 13 else None, None if g.opset >= 13 else g.constant(np.zeros(0, F32)), sizes], **attributes)
    else:
        g.emit("Resize", [x, g.constant(np.zeros(0, F32)) if g.opset < 13 else None, full], **attributes)


def grid_sample(g):
    x, _, _ = image(g, 4, 4, (F32,))
    if x.shape[0] is None:
        raise Reject("batch")
    grid = g.constant(g.rng.uniform(-1.1, 1.1, [x.shape[0], g.integer(1, 4), g.integer(1, 4), 2]).astype(F32))
    mode = g.choose(["bilinear", "bicubic"] if g.opset < 20 else ["linear", "cubic"])
    g.emit("GridSample", [x, grid], mode=mode, padding_mode=g.choose(["zeros", "border", "reflection"]), align_corners=g.integer(0, 1))


# ---- quantisation


def scale_of(g, x):
    return np.float32(max(x.scale(), 0.1) / 100)


def quantize(g):
    """To eight bits and back, often around a layer."""
    x = g.pick(lambda v: v.dtype == F32 and v.rank >= 1 and v.elements > 0)
    dtype = g.choose([U8, I8])
    if g.opset >= 13 and g.chance(0.3) and x.shape[-1]:
        n = x.shape[-1]
        s = g.constant((g.rng.uniform(0.5, 1.5, [n]) * scale_of(g, x)).astype(F32))
        z = g.constant(g.rng.integers(0, 5, [n]).astype(dtype))
        attributes = {"axis": x.rank - 1}
    else:
        s, z = g.constant(scale_of(g, x)), g.constant(np.array(g.integer(0, 20), dtype))
        attributes = {}
    q = g.emit("QuantizeLinear", [x, s, z], **attributes)
    if g.chance(0.8):
        g.emit("DequantizeLinear", [q, s, z], **attributes)


def dequantize(g):
    x = g.pick(lambda v: v.dtype in (U8, I8, I32) and v.rank >= 1)
    z = None if x.dtype == I32 or g.chance(0.3) else g.constant(np.array(g.integer(0, 5), x.dtype))
    g.emit("DequantizeLinear", [x, g.constant(np.float32(0.0517)), z])


def dynamic_quantize(g):
    x = g.pick(lambda v: v.dtype == F32 and v.rank >= 1 and v.elements > 0)
    if any(not a.any() for a in x.arrays):
        raise Reject("the scale of nothing but zeros is read in two ways")
    g.emit("DynamicQuantizeLinear", [x], 3)


def matmul_integer(g):
    x = g.pick(lambda v: v.dtype in (U8, I8) and v.rank >= 2 and v.shape[-1])
    k = x.shape[-1]
    w = g.constant(g.rng.integers(-20, 20, [k, g.integer(1, 9)]).astype(I8))
    zero = g.constant(np.array(g.integer(0, 5), x.dtype)) if g.chance(0.5) else None
    if g.chance(0.5):
        g.emit("MatMulInteger", [x, w, zero])
    else:
        one = g.constant(np.float32(0.0213))
        z = zero or g.constant(np.array(0, x.dtype))
        out = g.constant(np.float32(0.5171))
        g.emit("QLinearMatMul", [x, one, z, w, one, g.constant(np.array(0, I8)), out, g.constant(np.array(3, x.dtype))])


def conv_integer(g):
    x, c, spatial = image(g, 4, 4, (U8, I8))
    kernel, attributes = window(g, spatial)
    w = g.constant(g.rng.integers(-20, 20, [g.integer(1, 6), c, *kernel]).astype(x.dtype if x.dtype == I8 else g.choose([U8, I8])) if x.dtype == U8
                   else g.rng.integers(-20, 20, [g.integer(1, 6), c, *kernel]).astype(I8))
    zero = g.constant(np.array(g.integer(0, 5), x.dtype))
    if g.chance(0.5) and x.dtype == U8:
        g.emit("ConvInteger", [x, w, zero], **attributes)
    else:
        s = g.constant(np.float32(0.0517))
        z_w = g.constant(np.array(0, w.dtype))
        g.emit("QLinearConv", [x, s, zero, w, s, z_w, g.constant(np.float32(0.3137)), g.constant(np.array(4, x.dtype))], **attributes)


# ---- sequences


def recurrent(g):
    x = g.pick(lambda v: v.dtype == F32 and v.rank == 3 and v.shape[2] and all(a.size for a in v.arrays))
    op, gates = g.choose([("RNN", 1), ("GRU", 3), ("LSTM", 4)])
    hidden, depth = g.integer(1, 6), x.shape[2]
    direction = g.choose(["forward", "reverse", "bidirectional"])
    d = 2 if direction == "bidirectional" else 1
    w, r = weights(g, [d, gates * hidden, depth], F32, depth), weights(g, [d, gates * hidden, hidden], F32, hidden)
    b = g.random_constant([d, 2 * gates * hidden], F32) if g.chance(0.7) else None
    operands = [x, w, r, b]
    attributes = {"hidden_size": hidden, "direction": direction}
    if x.shape[1] and g.chance(0.4):
        operands += [None, g.random_constant([d, x.shape[1], hidden], F32)]
        if op == "LSTM":
            operands.append(g.random_constant([d, x.shape[1], hidden], F32))
    if op == "GRU" and g.chance(0.5):
        attributes["linear_before_reset"] = 1
    g.emit(op, operands, 3 if op == "LSTM" else 2, **attributes)


def attention_by_parts(g):
    """Products and a softmax, as exporters write attention."""
    x = g.pick(lambda v: v.dtype in (F32,) and v.rank == 3 and v.shape[2] and v.shape[2] % 2 == 0 and all(a.size for a in v.arrays))
    d = x.shape[2]
    heads = []
    for _ in range(3):
        y = g.emit("MatMul", [x, weights(g, [d, d], x.dtype, d)])
        y = g.emit("Reshape", [y, g.ints(0, 0, 2, d // 2)])
        heads.append(y)
    q, k, v = heads
    q, v = (g.emit("Transpose", [t], perm=[0, 2, 1, 3]) for t in (q, v))
    k = g.emit("Transpose", [k], perm=[0, 2, 3, 1])
    s = g.emit("MatMul", [q, k])
    s = g.emit(g.choose(["Div", "Mul"]), [s, g.constant(np.array(1.7, x.dtype))])
    p = g.emit("Softmax", [s], axis=3)
    y = g.emit("Transpose", [g.emit("MatMul", [p, v])], perm=[0, 2, 1, 3])
    g.emit("Reshape", [y, g.ints(0, 0, d)])


def attention(g):
    x = g.pick(lambda v: v.dtype in (F32, F16) and v.rank == 4 and all(a.size for a in v.arrays) and v.elements < 4000)
    attributes = {"is_causal": g.integer(0, 1)}
    mask = None
    if g.chance(0.4) and x.shape[2]:
        mask = g.random_constant([x.shape[2], x.shape[2]], x.dtype)
    if g.chance(0.3):
        attributes["softcap"] = 2.0
    if g.chance(0.3):
        attributes["scale"] = 0.5
    if g.opset >= 25 and g.chance(0.5):
        attributes["left_window_size"] = g.integer(0, 3)
    g.emit("Attention", [x, x, x, mask], **attributes)


def rotary(g):
    x = g.pick(lambda v: v.dtype == F32 and v.rank == 4 and v.static and v.shape[3] and v.shape[3] % 2 == 0 and v.elements > 0)
    shape = [x.shape[0], x.shape[2], x.shape[3] // 2]
    g.emit("RotaryEmbedding", [x, g.random_constant(shape, F32), g.random_constant(shape, F32)], interleaved=g.integer(0, 1))


def dropout(g):
    x = g.pick(lambda v: v.is_float)
    if g.opset < 12:
        g.emit("Dropout", [x], ratio=0.3)
    else:
        g.emit("Dropout", [x, g.constant(np.float32(0.3))], 1)


def suppress(g):
    boxes = g.rng.uniform(0, 1, [1, 9, 4]).astype(F32)
    scores = g.pick(lambda v: v.dtype == F32 and v.static and v.elements >= 9 and v.rank >= 1)
    flat = g.emit("Reshape", [scores, g.ints(-1)])
    if flat.shape[0] < 9:
        raise Reject("few")
    nine = g.emit("Slice", [flat, g.ints(0), g.ints(9), g.ints(0)]) if g.opset >= 10 else g.emit("Slice", [flat], starts=[0], ends=[9], axes=[0])
    s = g.emit("Reshape", [nine, g.ints(1, 1, 9)])
    g.emit("NonMaxSuppression", [g.constant(boxes), s, g.constant(np.array(5, I64)), g.constant(np.float32(0.4)), g.constant(np.float32(0.0))])


TABLE = [
    (7, conv), (2, conv_transpose), (3, pool), (1, global_pool), (3, norm), (2, layer_norm), (1.5, resize), (0.5, grid_sample), (2.5, quantize),
    (1, dequantize), (0.5, dynamic_quantize), (1, matmul_integer), (1, conv_integer), (1.5, recurrent), (1.2, attention_by_parts),
    (1.5, attention), (0.6, rotary), (0.4, dropout), (0.3, suppress),
]
