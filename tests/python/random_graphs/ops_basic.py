"""Elementwise operators, casts, reductions, products of matrices."""

import numpy as np

from .core import BF16, BOOL, F16, F32, F64, FLOATS, I8, I32, I64, INTEGERS, U8, Reject, elem

UNARY = """Abs Neg Exp Log Sqrt Reciprocal Sigmoid Tanh Relu LeakyRelu Elu Selu Celu Softplus Softsign HardSigmoid HardSwish Mish
    Gelu Erf Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh Ceil Floor Round Sign Identity Shrink ThresholdedRelu
    Swish""".split()
ATTRIBUTES = {
    "LeakyRelu": ("alpha",), "Elu": ("alpha",), "Selu": ("alpha", "gamma"), "Celu": ("alpha",), "Swish": ("alpha",),
    "HardSigmoid": ("alpha", "beta"), "ThresholdedRelu": ("alpha",), "Shrink": ("lambd", "bias"),
}


def unary(g):
    x = g.pick(lambda v: v.is_float)
    op = g.choose(UNARY)
    attributes = {a: float(np.float32(g.rng.uniform(0.1, 1.5))) for a in ATTRIBUTES.get(op, ()) if g.chance(0.6)}
    if op == "Gelu" and g.chance(0.5):
        attributes["approximate"] = "tanh"
    g.emit(op, [x], **attributes)


def unary_integer(g):
    x = g.pick(lambda v: v.is_integer)
    g.emit(g.choose(["Abs", "Neg", "Sign", "Relu", "BitwiseNot", "Identity"]), [x])


def test_float(g):
    x = g.pick(lambda v: v.is_float)
    if g.chance(0.5):
        g.emit("IsNaN", [x])
    else:
        g.emit("IsInf", [x], **({"detect_negative": g.integer(0, 1)} if g.chance(0.5) else {}))


def broadcastable(a, b):
    try:
        for x, y in zip(a.arrays, b.arrays):
            np.broadcast_shapes(x.shape, y.shape)
    except ValueError:
        return False
    return True


def partner(g, x, low=None, high=None):
    """A second operand for |x|: a value, or a constant that broadcasts."""
    found = [v for v in g.values if v.dtype == x.dtype and broadcastable(x, v)]
    if low is None and found and g.chance(0.6):
        return g.choose(found)
    shape = [d if d is not None and g.chance(0.7) else 1 for d in x.shape]
    shape = shape[g.integer(0, len(shape)):] if g.chance(0.4) else shape
    if g.chance(0.1) and x.rank < 5:
        shape = [g.integer(1, 3)] + shape
    return g.random_constant(shape, x.dtype, low, high)


def binary(g):
    x = g.pick(lambda v: v.is_float)
    op = g.choose(["Add", "Sub", "Mul", "Div", "Pow", "Mul", "Add", "Mod", "PRelu"])
    y = partner(g, x, *((0.5, 2.0) if op in ("Div", "Mod") and g.chance(0.7) else ()))
    if y is x and op in ("Div", "Mod"):
        raise Reject("noise by noise")
    if op == "PRelu":
        g.emit(op, [x, y])
    else:
        g.emit(op, [x, y] if g.chance(0.7) else [y, x], **({"fmod": 1} if op == "Mod" else {}))


def binary_integer(g):
    x = g.pick(lambda v: v.is_integer and v.dtype.itemsize < 16)
    op = g.choose(["Add", "Sub", "Mul", "Div", "Mod", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitShift", "Pow", "Max", "Min"])
    if op in ("Div", "Mod", "Pow", "BitShift"):
        y = partner(g, x, 1 if op in ("Div", "Mod") else 0, 3)
    else:
        y = partner(g, x)
    attributes = {"direction": g.choose(["LEFT", "RIGHT"])} if op == "BitShift" else {}
    if op == "Mod" and g.chance(0.3):
        attributes["fmod"] = 1
    if op == "Pow" and x.dtype in (U8, I8):
        raise Reject("powers that wrap")
    g.emit(op, [x, y], **attributes)


def compare(g):
    x = g.pick(lambda v: v.is_float or v.is_integer)
    op = g.choose(["Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual"])
    g.emit(op, [x, partner(g, x)])


def logic(g):
    x = g.pick(lambda v: v.dtype == BOOL)
    if g.chance(0.3):
        g.emit("Not", [x])
    else:
        g.emit(g.choose(["And", "Or", "Xor"]), [x, partner(g, x)])


def variadic(g):
    x = g.pick(lambda v: v.is_float)
    op = g.choose(["Max", "Min", "Sum", "Mean"])
    g.emit(op, [x] + [partner(g, x) for _ in range(g.integer(0, 3))])


def where(g):
    c = g.pick(lambda v: v.dtype == BOOL)
    found = [v for v in g.values if broadcastable(c, v) and v.dtype != BOOL]
    x = g.choose(found) if found else g.random_constant([d or 1 for d in c.shape], F32)
    y = partner(g, x)
    if not broadcastable(c, y):
        raise Reject("does not broadcast")
    g.emit("Where", [c, x, y])


def clip(g):
    x = g.pick(lambda v: v.is_float or v.is_integer)
    low, high = sorted(g.rng.uniform(-2, 2, 2)) if x.is_float else sorted(g.rng.integers(0, 5, 2))
    if g.opset < 11:
        g.emit("Clip", [x], **({"min": float(low)} if g.chance(0.8) else {}), **({"max": float(high)} if g.chance(0.8) else {}))
        return
    bounds = [g.constant(np.array(b, x.dtype)) if g.chance(0.8) else None for b in (low, high)]
    g.emit("Clip", [x, *bounds])


def cast(g):
    x = g.pick()
    to = g.choose([F32, F32, F64, F16, BF16, I64, I32, I8, U8, BOOL, np.dtype(np.int16), np.dtype(np.uint32)])
    if x.is_float and to in INTEGERS:
        if any(a.size and (np.abs(a.astype(F64)).max() > 100 or (to.kind == "u" and a.astype(F64).min() <= -1)) for a in x.arrays):
            raise Reject("out of range")
    if g.chance(0.2):
        g.emit("CastLike", [x, g.constant(np.zeros((), to))])
    else:
        g.emit("Cast", [x], to=elem(to))


def axes_of(g, x, most=None):
    count = g.integer(1, min(x.rank, most or x.rank))
    axes = sorted(int(a) for a in g.rng.permutation(x.rank)[:count])
    return [a - x.rank if g.chance(0.4) else a for a in axes]


REDUCTIONS = "ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceSumSquare".split()


def reduce(g):
    op = g.choose(REDUCTIONS)
    x = g.pick(lambda v: (v.is_float or (v.dtype in (I32, I64) and op not in ("ReduceLogSum", "ReduceLogSumExp", "ReduceL2", "ReduceMean"))
                          or (v.dtype in (I8, U8) and op in ("ReduceMax", "ReduceMin"))) and v.rank > 0 and v.elements > 0)
    if any(a.size == 0 for a in x.arrays):
        raise Reject("nothing to reduce")
    axes = axes_of(g, x) if g.chance(0.85) else None
    attributes = {"keepdims": g.integer(0, 1)} if g.chance(0.7) else {}
    if g.opset >= (13 if op == "ReduceSum" else 18):
        if axes is None and g.chance(0.3):
            attributes["noop_with_empty_axes"] = 1
            if op not in ("ReduceSum", "ReduceMax", "ReduceMin", "ReduceMean", "ReduceProd"):
                raise Reject("what an empty reduction does is read in two ways")
        g.emit(op, [x, g.ints(*axes) if axes is not None else None], **attributes)
    else:
        g.emit(op, [x], axes=axes, **attributes)


def arg_reduce(g):
    x = g.pick(lambda v: (v.is_float or v.dtype in (I32, I8, U8)) and v.rank > 0 and all(a.size for a in v.arrays))
    attributes = {"keepdims": g.integer(0, 1)} if g.chance(0.7) else {}
    if g.opset >= 12 and g.chance(0.3):
        attributes["select_last_index"] = 1
    g.emit(g.choose(["ArgMax", "ArgMin"]), [x], axis=g.integer(-x.rank if g.opset >= 11 else 0, x.rank - 1), **attributes)


def softmax(g):
    x = g.pick_float()
    axis = g.integer(-x.rank if g.opset >= 11 else 0, x.rank - 1)
    if any(a.size == 0 for a in x.arrays):
        raise Reject("empty")
    g.emit(g.choose(["Softmax", "Softmax", "LogSoftmax", "Hardmax"]), [x], **({"axis": axis} if g.chance(0.8) else {}))


def cumulate(g):
    x = g.pick(lambda v: (v.dtype in (F32, F64, I32, I64)) and v.rank > 0)
    axis = g.constant(np.array(g.integer(-x.rank, x.rank - 1), g.choose([I32, I64])))
    g.emit("CumSum", [x, axis], exclusive=g.integer(0, 1), reverse=g.integer(0, 1))


def topk(g):
    x = g.pick(lambda v: (v.is_float or v.dtype in (I64, I32)) and v.rank > 0 and v.elements > 0)
    axis = g.integer(-x.rank, x.rank - 1)
    least = min(a.shape[axis] for a in x.arrays)
    if not least:
        raise Reject("empty")
    k = g.integer(1, least)
    if g.opset < 10:
        g.emit("TopK", [x], 2, axis=axis % x.rank, k=k)
    elif g.opset < 11:
        g.emit("TopK", [x, g.ints(k)], 2, axis=axis)
    else:
        g.emit("TopK", [x, g.ints(k)], 2, axis=axis, largest=g.integer(0, 1), sorted=1)


# ---- products


def matmul(g):
    x = g.pick_float(1, 4, lambda v: v.shape[-1] is not None and v.shape[-1] > 0)
    k = x.shape[-1]
    found = [v for v in g.values if v.dtype == x.dtype and v.rank >= 2 and v.shape[-2] == k and v.rank <= 4]
    if found and g.chance(0.4):
        y = g.choose(found)
    else:
        shape = [k] if g.chance(0.1) else [k, g.integer(1, 20)]
        if len(shape) == 2 and x.rank > 2 and g.chance(0.3):
            shape = [d if d else 1 for d in x.shape[:-2]] + shape
        y = g.constant((g.random_array(shape, F32) / np.sqrt(k)).astype(x.dtype))
    g.emit("MatMul", [x, y])


def gemm(g):
    x = g.pick_float(2, 2)
    transposed = g.integer(0, 1)
    k = x.shape[0 if transposed else 1]
    if not k:
        raise Reject("unknown depth")
    n, trans_b = g.integer(1, 20), g.integer(0, 1)
    b = g.constant((g.random_array([n, k] if trans_b else [k, n], F32) / np.sqrt(k)).astype(x.dtype))
    c = None
    if g.opset < 11 or g.chance(0.7):
        c = g.random_constant(g.choose([[n], [1, n], [1], []] if g.opset >= 7 else [[n]]), x.dtype)
    attributes = {"transA": transposed, "transB": trans_b}
    if g.chance(0.4):
        attributes.update(alpha=0.5, beta=1.5)
    g.emit("Gemm", [x, b, c], **attributes)


def einsum(g):
    x = g.pick(lambda v: v.dtype in (F32, F64) and 2 <= v.rank <= 4 and v.elements > 0)
    letters = "abcd"[:x.rank]
    kind = g.integer(0, 3)
    if kind == 0:
        g.emit("Einsum", [x], equation=f"{letters}->{''.join(g.rng.permutation(list(letters[:g.integer(1, x.rank)])))}")
    elif kind == 1 and x.static:
        y = g.constant((g.random_array([x.shape[-1], 5], F32) * 0.3).astype(x.dtype))
        g.emit("Einsum", [x, y], equation=f"{letters},{letters[-1]}z->{letters[:-1]}z")
    elif kind == 2:
        g.emit("Einsum", [x, x], equation=f"{letters},{letters[:-1]}z->{letters[:-1]}" if x.rank > 1 else "a,a->")
    else:
        g.emit("Einsum", [x, x], equation=f"{letters[:-2]}{letters[-2]}x,{letters[:-2]}{letters[-1]}x->{letters[:-2]}{letters[-2]}{letters[-1]}")


TABLE = [
    (10, unary), (2, unary_integer), (0.4, test_float), (9, binary), (4, binary_integer), (2, compare), (1.5, logic), (2, variadic),
    (2, where), (2, clip), (3, cast), (5, reduce), (1.5, arg_reduce), (3, softmax), (1, cumulate), (1.5, topk), (5, matmul),
    (2.5, gemm), (1.2, einsum),
]
