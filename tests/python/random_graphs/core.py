"""A graph that grows by one node at a time. Each node is run as it is added, alone, by onnxruntime or where that lacks the
operator by onnx's reference: so every value is known, at every size that dynamic dimensions take, and what the graph
should give is what its nodes gave one after another, without anybody's optimisations.

How far another correct implementation may be off is found the same way. Each value has a twin that was disturbed behind
each node by about what rounding does; the distance of value and twin is the error to expect. A node whose integers
differ from its twin's (a rounding or a comparison that hangs on a last digit), or whose error is no longer small, is not
taken: hard edges are avoided by choice, so that tolerances stay tight."""

import warnings

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

onnxruntime.set_default_logger_severity(4)
F16, F32, F64, BF16 = np.dtype(np.float16), np.dtype(np.float32), np.dtype(np.float64), np.dtype(ml_dtypes.bfloat16)
I8, I16, I32, I64 = (np.dtype(f"int{n}") for n in (8, 16, 32, 64))
U8, U16, U32, U64 = (np.dtype(f"uint{n}") for n in (8, 16, 32, 64))
BOOL = np.dtype(bool)
FLOATS, WIDE_FLOATS = (F32, F64, F16, BF16), (F32, F64)
INTEGERS = (I8, I16, I32, I64, U8, U16, U32, U64)
ROUNDING = {F16: 2.0 ** -11, BF16: 2.0 ** -8, F32: 1e-6, F64: 1e-12}
# Operators that compute nothing: what they give is as exact as what they take.
EXACT = set("""Identity Reshape Flatten Squeeze Unsqueeze Transpose Slice Split Concat Gather GatherElements GatherND Expand Tile
    Pad DepthToSpace SpaceToDepth Trilu ReverseSequence Compress Where Abs Neg Relu Max Min MaxPool GlobalMaxPool Clip
    Dropout ReduceMax ReduceMin Constant ConstantOfShape EyeLike Unique CenterCropPad Sign Ceil Floor Round OneHot Range
    MaxUnpool TopK""".split())
# Where results jump: at which operand. They are run again with that a little larger and a little smaller.
JUMPING = {"Mod": 1, "QuantizeLinear": 0, "DynamicQuantizeLinear": 0, "Floor": 0, "Ceil": 0, "Round": 0, "Sign": 0, "Cast": 0, "Less": 0,
           "Greater": 0, "Equal": 0, "LessOrEqual": 0, "GreaterOrEqual": 0, "NonZero": 0, "Div": 1, "Reciprocal": 0,
           "ThresholdedRelu": 0, "Shrink": 0}
NEWEST_IN_RUNTIME = 24  # what changed in newer operator sets goes to the reference
# What onnx's reference does otherwise than the standard says.
WRONG_IN_REFERENCE = {"LpNormalization", "GlobalMaxPool", "Loop"}


class Reject(Exception):
    """This node does not fit; another is tried."""


class Value:
    def __init__(self, name, arrays, twins=None, constant=False):
        self.name, self.arrays, self.twins, self.constant = name, arrays, twins or arrays, constant
        self.dtype = arrays[0].dtype
        self.uses = 0

    @property
    def rank(self):
        return self.arrays[0].ndim

    @property
    def shape(self):
        """Extents; None where they differ from size to size."""
        shapes = [a.shape for a in self.arrays]
        return tuple(d[0] if len(set(d)) == 1 else None for d in zip(*shapes))

    @property
    def static(self):
        return None not in self.shape

    @property
    def elements(self):
        return max(a.size for a in self.arrays)

    @property
    def is_float(self):
        return self.dtype in FLOATS

    @property
    def is_integer(self):
        return self.dtype in INTEGERS

    def error(self):
        """How far each size's twin is away at most."""
        if not self.is_float:
            return 0.0
        return max((float(np.abs(a.astype(F64) - b.astype(F64)).max()) if a.size else 0.0)
                   for a, b in zip(self.arrays, self.twins))

    def scale(self):
        return max((float(np.abs(a.astype(F64)).max()) if a.size else 0.0) for a in self.arrays)


def elem(dtype):
    return helper.np_dtype_to_tensor_dtype(dtype)


SCHEMAS = {}
for _schema in onnx.defs.get_all_schemas_with_history():
    SCHEMAS.setdefault((_schema.domain, _schema.name), []).append(_schema)


def schema_of(op, opset, domain=""):
    known = [s for s in SCHEMAS.get((domain, op), ()) if s.since_version <= opset]
    best = max(known, key=lambda s: s.since_version, default=None)
    return best if best and not best.deprecated else None


class Graph:
    def __init__(self, rng, opset, sizes):
        self.rng, self.opset, self.sizes = rng, opset, sizes
        self.values, self.inputs, self.initializers, self.nodes = [], [], [], []
        self.counter = 0
        self.wanted = None  # an operator that is chosen wherever it may be
        self.rejections = {}
        self.reference_used = False

    # ---- values

    def fresh(self, prefix="v"):
        self.counter += 1
        return f"{prefix}{self.counter}"

    def chance(self, p):
        return self.rng.random() < p

    def choose(self, options):
        options = list(options)
        if not options:
            raise Reject("nothing to choose from")
        if self.wanted:
            for option in options:
                if isinstance(option, (str, tuple)) and self.wanted in (option, option[0]):
                    return option
        return options[self.rng.integers(len(options))]

    def integer(self, low, high):
        """Both inclusive."""
        return int(self.rng.integers(low, high + 1))

    def random_array(self, shape, dtype, low=None, high=None):
        if dtype == BOOL:
            return self.rng.integers(0, 2, shape).astype(bool)
        if dtype in INTEGERS:
            low = (0 if dtype.kind == "u" else -5) if low is None else low
            return self.rng.integers(low, (6 if high is None else high) + 1, shape).astype(dtype)
        if low is not None:
            return self.rng.uniform(low, high, shape).astype(F32).astype(dtype)
        return self.rng.standard_normal(shape).astype(F32).astype(dtype)

    def constant(self, array, as_node=None):
        """An initializer, or now and then a node."""
        array = np.asarray(array)
        name = self.fresh("c")
        if as_node if as_node is not None else self.chance(0.1):
            self.nodes.append(helper.make_node("Constant", [], [name], value=numpy_helper.from_array(array)))
        else:
            self.initializers.append(numpy_helper.from_array(array, name))
        value = Value(name, [array] * len(self.sizes), constant=True)
        self.values.append(value)
        return value

    def ints(self, *numbers):
        return self.constant(np.array(numbers, I64))

    def random_constant(self, shape, dtype, low=None, high=None):
        """A new constant, or one that is there already and serves."""
        if low is None and self.chance(0.3):
            for v in self.values:
                if v.constant and v.dtype == dtype and v.shape == tuple(shape):
                    return v
        return self.constant(self.random_array(shape, dtype, low, high))

    def graph_input(self, dims, dtype):
        """|dims|: numbers, and names of symbols of |sizes|."""
        arrays = [self.random_array([s.get(d, d) for d in dims], dtype) for s in self.sizes]
        value = Value(self.fresh("x"), arrays)
        self.inputs.append((value, dims))
        self.values.append(value)
        return value

    def pick(self, test=lambda v: True, constants=0.1):
        """One of the values that pass |test|: rather a late or unused one, rarely a constant."""
        found = [v for v in self.values if (not v.constant or self.chance(constants)) and test(v)]
        if not found:
            raise Reject("no operand")
        weights = np.array([(i + 1) * (3 if v.uses == 0 else 1) for i, v in enumerate(found)], float)
        return found[self.rng.choice(len(found), p=weights / weights.sum())]

    def pick_float(self, low=1, high=6, test=lambda v: True):
        return self.pick(lambda v: v.is_float and low <= v.rank <= high and v.elements > 0 and test(v))

    # ---- nodes

    def emit(self, op, operands, outputs=1, domain="", extra=(), exact=False, **attributes):
        """Adds a node; its results. |operands| may hold None. |extra|: values that subgraphs take from outside. |exact|: its
        numbers are such that nothing is rounded."""
        attributes = {k: v for k, v in attributes.items() if v is not None}
        if schema_of(op, self.opset, domain) is None:
            raise Reject("not in this operator set")
        self.check_types(op, domain, operands)
        names = [self.fresh() for _ in range(outputs)]
        given = [v.name if v is not None else "" for v in operands]
        while given and not given[-1]:
            given.pop()
        node = helper.make_node(op, given, names, domain=domain, **attributes)
        feeding = {v.name: v for v in [*operands, *extra] if v is not None}
        results = [self.run(node, feeding, size, twin) for size in range(len(self.sizes)) for twin in (0, 1)]
        if op in JUMPING and operands[JUMPING[op]].is_float:
            self.check_margin(node, feeding, operands[JUMPING[op]], results[0::2])
        made = []
        for i, name in enumerate(names):
            arrays, twins = [r[i] for r in results[0::2]], [r[i] for r in results[1::2]]
            made.append(self.take(exact or op in EXACT, name, arrays, twins))
        for v in feeding.values():
            v.uses += 1
        self.nodes.append(node)
        self.values += made
        return made[0] if outputs == 1 else made

    def check_types(self, op, domain, operands):
        schema = schema_of(op, self.opset, domain)
        allowed = {t.type_param_str: t.allowed_type_strs for t in schema.type_constraints}
        names = {F16: "float16", F32: "float", F64: "double", BF16: "bfloat16"}
        for i, v in enumerate(operands):
            if v is None or not schema.inputs:
                continue
            formal = schema.inputs[min(i, len(schema.inputs) - 1)]
            text = f"tensor({names.get(v.dtype, v.dtype.name)})"
            types = allowed.get(formal.type_str, [formal.type_str])
            if text not in types and text not in formal.types:
                raise Reject("a type that it does not take")

    def check_margin(self, node, feeding, operand, results):
        """No element of |operand| may lie so near to a jump that its error could carry it over."""
        margin = 3 * operand.error()
        for size in range(len(self.sizes) if margin > 0 else 0):
            for shift in (margin, -margin):
                for got, want in zip(self.run(node, feeding, size, 0, (operand.name, shift)), results[size]):
                    if got.shape != want.shape or (want.dtype not in FLOATS and not np.array_equal(got, want)):
                        raise Reject("integers that hang on a last digit")
                    if want.dtype in FLOATS and want.size:
                        apart = np.abs(got.astype(F64) - want.astype(F64)).max()
                        if not apart <= 0.02 * max(1.0, np.abs(want.astype(F64)).max()):
                            raise Reject("a jump that is near")

    def run(self, node, feeding, size, twin, shift=(None, 0)):
        feed = {n: np.asarray((v.twins if twin else v.arrays)[size]) for n, v in feeding.items()}
        if shift[0] is not None:
            feed[shift[0]] = np.asarray((feed[shift[0]].astype(F64) + shift[1]).astype(feed[shift[0]].dtype))
        key = node.output[0]
        if getattr(self, "prepared_for", None) != key:
            self.prepared_for, self.prepared = key, self.prepare(node, feeding)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                got = self.prepared.run(None, feed)
        except Exception as error:
            raise Reject(f"run: {type(error).__name__}: {str(error)[:160]}") from error
        if any(g is None or isinstance(g, list) for g in got):
            raise Reject("run: no tensor")
        return [np.asarray(g) for g in got]

    def prepare(self, node, feeding):
        inputs = [helper.make_tensor_value_info(n, elem(v.dtype), [None] * v.rank) for n, v in feeding.items()]
        graph = helper.make_graph([node], "one", inputs, [helper.make_empty_tensor_value_info(n) for n in node.output])
        # New versions of these only take more types.
        asked = [n for n in [node, *subnodes(node)] if n.op_type not in ("If", "Loop", "Scan", "Constant", "Identity")]
        versions = [schema_of(n.op_type, self.opset, n.domain).since_version for n in asked]
        opset = min(self.opset, max([NEWEST_IN_RUNTIME, *versions]))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
        if opset <= NEWEST_IN_RUNTIME and all(v.dtype != BF16 for v in feeding.values()):
            options = onnxruntime.SessionOptions()
            options.log_severity_level = 4
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
            try:
                return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
            except Exception as error:
                if "NOT_IMPLEMENTED" not in str(error):
                    raise Reject(f"refused: {str(error)[:160]}") from error
        if node.op_type in WRONG_IN_REFERENCE:
            raise Reject("the reference is wrong")
        if self.opset < 13:
            raise Reject("the reference does not keep to old operator sets")
        self.reference_used = True
        try:
            return ReferenceEvaluator(model)
        except Exception as error:
            raise Reject(f"reference: {str(error)[:120]}") from error

    def take(self, exact, name, arrays, twins):
        """A result, when its values are ones that can be compared."""
        if any(a.shape != b.shape or a.dtype != b.dtype for a, b in zip(arrays, twins)):
            raise Reject("a shape that hangs on a last digit")
        if len({a.ndim for a in arrays}) != 1 or any(a.size > 200000 for a in arrays) or arrays[0].ndim > 7:
            raise Reject("too large")
        dtype = arrays[0].dtype
        if dtype not in FLOATS:
            if dtype not in INTEGERS and dtype != BOOL:
                raise Reject("a type that is not compared")
            if any(not np.array_equal(a, b) for a, b in zip(arrays, twins)):
                raise Reject("integers that hang on a last digit")
            if dtype in (I32, I64, U32, U64) and any(a.size and np.abs(a.astype(F64)).max() > 1e6 for a in arrays):
                raise Reject("large integers")
            return Value(name, arrays, twins)
        for i, a in enumerate(arrays):
            if not (np.isfinite(a.astype(F64)).all() and np.isfinite(twins[i].astype(F64)).all()):
                raise Reject("not finite")
            scale = float(np.abs(a.astype(F64)).max()) if a.size else 0.0
            if scale > (100 if dtype in (F16, BF16) else 1000):
                raise Reject("large numbers")
            if not exact:
                noise = self.rng.uniform(-1, 1, a.shape) * ROUNDING[dtype] * scale
                twins[i] = np.asarray((twins[i].astype(F64) + noise).astype(dtype))
        value = Value(name, arrays, twins)
        # Beside 0 nothing is small: an error of some elements' noise is an error of the whole.
        if value.error() > max(2e-3, 16 * ROUNDING[dtype]) * max(value.scale(), 1e-2):
            raise Reject("an error that grows")
        return value

    def attempt(self, build):
        """Adds what |build| adds, or nothing."""
        marks = [len(x) for x in (self.values, self.inputs, self.initializers, self.nodes)]
        uses = [v.uses for v in self.values]
        try:
            build(self)
            return True
        except Reject as reason:
            key = (build.__name__, str(reason)[:140])
            self.rejections[key] = self.rejections.get(key, 0) + 1
            for x, mark in zip((self.values, self.inputs, self.initializers, self.nodes), marks):
                del x[mark:]
            for v, n in zip(self.values, uses):
                v.uses = n
            return False

    # ---- the whole

    def outputs(self):
        """What nobody uses, and some of the rest."""
        made = {o for n in self.nodes for o in n.output if n.op_type != "Constant"}
        return [v for v in self.values if v.name in made and (v.uses == 0 or self.chance(0.1))]

    def model(self, outputs):
        """The nodes that |outputs| need, with their inputs in the order of the graph's."""
        needed, kept = {v.name for v in outputs}, []
        for node in reversed(self.nodes):
            if needed & set(node.output):
                kept.append(node)
                needed |= set(node.input) | captured(node)
        inputs = [(v, dims) for v, dims in self.inputs if v.name in needed]
        infos = [helper.make_tensor_value_info(v.name, elem(v.dtype), list(dims)) for v, dims in inputs]
        results = [helper.make_tensor_value_info(v.name, elem(v.dtype), None) for v in outputs]
        graph = helper.make_graph(kept[::-1], "random", infos, results, [i for i in self.initializers if i.name in needed])
        domains = {n.domain for n in kept if n.domain}
        imports = [helper.make_opsetid("", self.opset)] + [helper.make_opsetid(d, 1) for d in sorted(domains)]
        model = helper.make_model(graph, opset_imports=imports, ir_version=10)
        return model, [v for v, _ in inputs]


def subnodes(node):
    """The nodes of |node|'s subgraphs."""
    for a in node.attribute:
        if a.type == onnx.AttributeProto.GRAPH:
            for n in a.g.node:
                yield n
                yield from subnodes(n)


def captured(node):
    """Names that subgraphs of |node| take from outside."""
    names = set()
    for a in node.attribute:
        if a.type == onnx.AttributeProto.GRAPH:
            inside = {o for n in a.g.node for o in n.output} | {i.name for i in a.g.input} | {i.name for i in a.g.initializer}
            for n in a.g.node:
                names |= (set(n.input) | captured(n)) - inside
            names |= {o.name for o in a.g.output} - inside
    return names


def tolerance(outputs):
    """Absolute: ten times the error that the twins show, and some last digits."""
    return max([10 * v.error() + 20 * ROUNDING[v.dtype] * max(v.scale(), 1e-2) for v in outputs if v.is_float], default=0.0)
