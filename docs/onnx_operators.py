"""The page docs/onnx.md: which ONNX operators are imported, in which versions, onto which of Pelton's operators, and what
of them is refused.

Operators and versions are what `pelton ops --onnx --json` says. What an operator becomes and what is refused is read from
the functions of src/import/onnx that import it: the PN_OP_... they and the functions they call name, and the texts with
which they fail as unsupported."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
IMPORTER = ROOT / "src/import/onnx"

INTRODUCTION = """
What Pelton's importer understands of ONNX. A version is that of the operator set (opset) that a model imports for the
domain; `7` to the newest is written `7+`. The last columns come from the importer's own code: onto which of
[Pelton's operators](ops.md) an operator is mapped (several: one of them, or all together), and what of it is refused with
a message. Types are those of the operators it becomes; expressions (`pointwise`) take all types for which their
arithmetic means something.

Operators that are not listed are expanded when the model carries a function of their name, and otherwise refused, all
of them at once, when the model is imported. Maps are not supported.

No attribute is ignored in silence. Each that the standard gives an operator in its version is heeded, or is known to make
no difference (`src/import/onnx/attribute_use.c` lists those, with reasons), or the node is refused. One that the operator
does not have in that version, as exporters leave behind, is a warning: on stderr, to the log of pelton_model_import, and
in the build report.

A name that is both an initializer and an input of the graph is a constant, as a runtime of ONNX takes it when it is given
nothing for it. Files of IR version 4 and newer list as inputs what may be replaced:
`pelton build MODEL --override NAME` (pelton_import_options.overrides) makes such a constant an input of the engine, which
must then be given at each run.

Axes, sizes, pads, a `k` and whatever else may be an operand need not be constants. Where shapes follow from their values,
a context plans when it meets values for the first time, and remembers the latest 64 plans of a part of the network.
"""


class Function:
    def __init__(self, path, name, body, static):
        self.path, self.name, self.body, self.static = path, name, body, static


def functions():
    """Every function of the operators' files, and of those that they share."""
    found = []
    for path in sorted((IMPORTER / "operators").glob("*.c")) + [IMPORTER / "call.c"]:
        text = path.read_text()
        for match in re.finditer(r"^(static )?\w[\w *]*?(\w+)\([^;{}]*?\) \{", text, re.M):
            start, line_end = match.end(), text.find("\n", match.end())
            end = line_end if text[start:line_end].rstrip().endswith("}") else text.index("\n}", start)
            found.append(Function(path, match.group(2), text[start:end], bool(match.group(1))))
    return found


def importers_of():
    """operator -> names of (file, function) that import it, from the tables of rows and their macros."""
    rows = {}
    for path in sorted((IMPORTER / "operators").glob("*.c")):
        text = re.sub(r"\\\n", " ", path.read_text())
        for name, function in re.findall(r'\{"(\w+)", "[^"]*", \d+, \d+, (import_\w+)\}', text):
            rows.setdefault(name, set()).add((path, function))
        for macro, body in re.findall(r"^#define (\w+)\([^)]*\)\s+(.*import_.*)$", text, re.M):
            named = set(re.findall(r"\bimport_\w+", body))
            uses = re.findall(rf'^\s+{macro}\("(\w+)"', text, re.M)
            for each in re.findall(rf"^\s*(\w+)\({macro}\)", text, re.M):  # a list that takes the macro
                listed = re.search(rf"^#define {each}\((\w+)\)(.*)$", text, re.M)
                uses += re.findall(rf"\b{listed.group(1)}\((\w+),", listed.group(2))
            for name in uses:
                rows.setdefault(name, set()).update((path, function) for function in named)
    return rows


def reach(start, everything):
    """The functions that |start| may call, itself included."""
    seen, todo = set(), [start]
    while todo:
        function = todo.pop()
        if function in seen:
            continue
        seen.add(function)
        for other in everything:
            if other.static and other.path != function.path:
                continue
            if re.search(rf"\b{other.name}\b", function.body):
                todo.append(other)
    return seen


def refusals(functions_reached):
    notes = []
    for function in sorted(functions_reached, key=lambda f: (f.path, f.name)):
        for literal in re.findall(r'PELTON_UNSUPPORTED,\s*((?:"(?:[^"\\]|\\.)*"\s*|PRI\w+\s*)+)', function.body):
            text = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', literal)).replace('\\"', '"')
            notes.append(re.sub(r"%[-+.*\d]*[a-z]+|%(?=\s|$)", "…", text))
    return sorted(set(notes))


def versions(rows):
    """since and until of an operator's rows, as "1 to 9", "10+"."""
    spans = []
    for since, until in sorted({(row["since"], row["until"] or 10**6) for row in rows}):
        if spans and since <= spans[-1][1] + 1:
            spans[-1][1] = max(spans[-1][1], until)
        else:
            spans.append([since, until])
    return ", ".join(f"{a}+" if b == 10**6 else f"{a}" if a == b else f"{a} to {b}" for a, b in spans)


def page(onnx, ops, types_text, note):
    everything, tables = functions(), importers_of()
    lines = ["# ONNX operators", "", note] + INTRODUCTION.strip().split("\n") + [""]
    by_name = {op["op"]: op for op in ops}
    for domain in sorted({row["domain"] for row in onnx}):
        lines += [f"## {domain or 'ai.onnx'}", "", "| operator | versions | becomes | types | refused |", "|---|---|---|---|---|"]
        for name in sorted({row["op"] for row in onnx if row["domain"] == domain}, key=str.lower):
            starts = [f for f in everything if (f.path, f.name) in tables.get(name, ())]
            if not starts:
                sys.exit(f"ONNX operator {name}: no function in {IMPORTER.relative_to(ROOT)}/operators imports it")
            reached = set().union(*(reach(f, everything) for f in starts))
            named = {op.lower() for f in reached for op in re.findall(r"\bPN_OP_([A-Z0-9_]+)\b", f.body)}
            if any(re.search(r"\bpn_\w*pointwise\(", f.body) for f in reached):
                named.add("pointwise")
            becomes = [op for op in by_name if op in named]
            main = [op for op in becomes if op not in ("pointwise", "reshape", "unsqueeze", "squeeze", "transpose", "slice")]
            single = main[0] if len(main) == 1 else becomes[0] if len(becomes) == 1 else None
            types = types_text(by_name[single]["types"]) if single and single != "pointwise" else ""
            links = [f"[`{op}`](ops.md#{op})" for op in becomes]
            if any(re.search(r"outputs\[\w+\] = (c->inputs\[|pn_onnx_input\()", f.body) for f in reached):
                links.insert(0, "its operand")
            listed = ", ".join(links) or "a constant"
            refused = "; ".join(refusals(reached)).replace("|", "\\|")
            lines.append(f"| {name} | {versions([r for r in onnx if r['op'] == name and r['domain'] == domain])} | {listed} | {types} | {refused} |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"
