#!/usr/bin/env python3
"""Writes docs/ops.md, docs/onnx.md and docs/targets.md from what the tree says itself.

    docs/generate.py [PELTON] [--check]

The operators, their types and what runs them come from `pelton ops --json` (PELTON: the command, default $PELTON_BIN, then
build/release/pelton), what their operands mean from the comments of src/op/ops.def, the tactics from the files of src/targets/*/tactics, whose head
comment's first sentence says what each does. --check writes nothing and says which page is stale (exit code 1)."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import onnx_operators

ROOT = Path(__file__).resolve().parent.parent
NOTE = "Made by `docs/generate.py`: do not edit.\n"


def operators(pelton, *which):
    text = subprocess.run([pelton, "ops", "--json", *which], check=True, capture_output=True, text=True).stdout
    return json.loads(text)


def operator_comments():
    """What ops.def says beside each row: the names and meaning of operands."""
    table = (ROOT / "src/op/ops.def").read_text()
    comments = {}
    for match in re.finditer(r"^PN_OP\((\w+),.*?PN_OP_END\(\1\)[^\n]*", table, re.M | re.S):
        found = re.findall(r"/\*\s*(.*?)\s*\*/", match.group(0), re.S)
        comments[match.group(1)] = " ".join(" ".join(part.split()) for part in found)
    return comments


def without_tactic():
    """What runs operators that no tactic names, by the flags of their rows."""
    table = (ROOT / "src/op/ops.def").read_text()
    found = {}
    for name, flags in re.findall(r"^PN_OP\((\w+),[^)]*,\s*([\w |]+)\)", table, re.M):
        if "PN_OP_VIEW" in flags:
            found[name] = "nothing to run: a view"
        elif any(flag in flags for flag in ("PN_OP_DATA_SHAPE", "PN_OP_CONTROL", "PN_OP_LASTING")):
            found[name] = "the runtime"
    return found


def count(least, most):
    if most < 0:
        return f"{least} or more"
    return f"{least}" if least == most else f"{least} to {most}"


def default_of(attribute):
    value = attribute.get("default")
    if value is None:
        return "empty" if attribute["type"] in ("ints", "floats", "string") else ""
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    return f"`{value}`"


# Targets that every machine can ask: the page must not depend on who makes it. Of others it says what their files name.
TARGETS = ("cpu",)
READ_TARGETS = ("cuda",)


def types_text(types):
    """Types in few words: "all", or a list in which families that are complete have one word."""
    families = {"float8": "f8e4m3fn f8e4m3fnuz f8e5m2 f8e5m2fnuz f8e8m0", "floats": "f16 bf16 f32 f64",
                "integers": "i8 i16 i32 i64 u8 u16 u32 u64", "integers of 2 and 4 bits": "i4 u4 i2 u2"}
    left, words = list(types), []
    if len(left) == sum(len(f.split()) for f in families.values()) + 2:  # bool, f4e2m1
        return "all"
    for family, members in families.items():
        if all(m in left for m in members.split()):
            left = [t for t in left if t not in members.split()]
            words.append(family)
    return ", ".join(words + [f"`{t}`" for t in left])


def support(op, read):
    """Which types the operator takes, and what runs them on each target; |read| are the rows of READ_TARGETS' tactics."""
    if op["runner"] == "view":
        return [f"Types: {types_text(op['types'])}. Nothing runs: the result is a view of its operand's memory.\n"]
    if op["runner"] == "runtime":
        said = f"Types: {types_text(op['types'])}. The runtime itself runs it, between plans, on the host"
        counts = [row[0] for row in read["cuda"] if op["op"] in row[2]]
        if counts:
            said += f"; on cuda {', '.join(f'`{name}`' for name in counts)} does, and counts its results, except for texts"
        return [said + ".\n"]
    rows = {}
    for kind in op["types"]:
        cells = tuple(", ".join(f"`{t}`" for t in op["tactics"].get(target, {}).get(kind, [])) or "reference" for target in TARGETS)
        rows.setdefault(cells, []).append(kind)
    lines = [f"| types | {' | '.join(TARGETS)} |", "|---" * (1 + len(TARGETS)) + "|"]
    lines += [f"| {types_text(kinds)} | {' | '.join(cells)} |" for cells, kinds in rows.items()]
    for target in READ_TARGETS:
        own = [f"`{row[0]}`" for row in read[target] if op["op"] in row[2]]
        lines += ["", f"On {target}: {', '.join(own)}." if own else f"On {target}: reference."]
    return lines + [""]


def ops_page(ops):
    comments = operator_comments()
    read = {target: tactics(target, [op["op"] for op in ops]) for target in READ_TARGETS}
    lines = ["# Operators", "", NOTE]
    lines.append("The graph is made of these operators; importers map every model format onto them. Beside each name stand the")
    lines.append("numbers of its operands and results, and `x?` is an operand that may be absent. A table says which types its data may")
    lines.append("have, and by which tactics a target runs them; \"reference\" is the operator's definition, which runs everywhere but")
    lines.append("is slow. Which tactic takes a problem also depends on its extents, constants and layouts: a build report")
    lines.append("(`pelton build --report`) says it. What [targets.md](targets.md) has of cuda stands below each table. The sample is a whole graph, as `pelton run FILE.pir` takes it.\n")
    for op in ops:
        lines.append(f"## {op['op']}\n")
        lines.append(f"Operands: {count(op['min_inputs'], op['max_inputs'])}. Results: {count(op['min_outputs'], op['max_outputs'])}.\n")
        if comments.get(op["op"]):
            lines.append(f"`{comments[op['op']]}`\n")
        lines += support(op, read)
        lines += ["```", op["sample"].rstrip(), "```", ""]
        if not op["attributes"]:
            continue
        lines += ["| attribute | type | default |", "|---|---|---|"]
        for attribute in op["attributes"]:
            kind = attribute["type"]
            if "words" in attribute:
                kind = ", ".join(f"`{word}`" for word in attribute["words"])
            lines.append(f"| `{attribute['name']}` | {kind} | {default_of(attribute)} |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def first_sentence(path):
    match = re.match(r"\s*/\*(.*?)\*/", path.read_text(), re.S)
    if not match:
        sys.exit(f"{path.relative_to(ROOT)}: no comment at its head says what it does")
    text = " ".join(match.group(1).split("\n\n")[0].split())
    return re.split(r"(?<=[.:])\s+(?=[A-Z])", text)[0].rstrip(":")


def mentioned(text, names):
    return [name for name in names if re.search(rf"\bPN_OP_{name.upper()}\b", text)]


def function_body(target, function):
    """The definition of |function|, somewhere in the target's folder."""
    for path in sorted((ROOT / "src/targets" / target).glob("*.c")):
        match = re.search(rf"^\w[^;{{}}]*\b{function}\([^;{{}}]*\) {{.*?^}}", path.read_text(), re.M | re.S)
        if match:
            return match.group(0)
    return ""


def tactics(target, names):
    """(name, sentence, operators, is_reference) of each file in the target's tactics."""
    rows = []
    for path in sorted((ROOT / "src/targets" / target / "tactics").rglob("*.c")):
        text = path.read_text()
        found = mentioned(text, names)
        if re.search(r"^static bool accepts\([^}]*pn_movement_describe\(", text, re.M):  # all that it describes
            found = mentioned(text + (ROOT / "src/target/movement.c").read_text(), names)
        described = re.search(r"^#define DESCRIBE\(.*?\) (\w+)\(", text, re.M)  # of a template
        if described:
            found = mentioned(function_body(target, described.group(1)), names)
        for header in re.findall(r'#include "(targets?/[^"]+)\.h"', text):  # shared by several tactics of one family
            source = ROOT / "src" / f"{header}.c"
            moves = header == "target/movement" and "pn_movement_describe(" in text  # whatever it describes
            if (moves or not found) and source.exists():
                found = found + mentioned(source.read_text(), names)
        declared = re.findall(r'\.name = "([^"]+)"', text)
        name = declared[0] if declared else f"{target}.{path.stem}"
        rows.append((name, first_sentence(path), found, ".is_reference = true" in text))
    return rows


def target_section(target, names, intro):
    """Which tactics run each operator, then what each tactic does."""
    rows = tactics(target, names)
    lines = [f"## {target}\n", *intro, ""]
    lines += ["| operator | tactics |", "|---|---|"]
    others = without_tactic()
    for name in names:
        own = [f"`{row[0]}`" for row in rows if name in row[2]]
        lines.append(f"| `{name}` | {', '.join(own) if own else others.get(name, f'`{target}.reference`')} |")
    lines += ["", "| tactic | what it does |", "|---|---|"]
    for name, sentence, _, _ in rows:
        lines.append(f"| `{name}` | {sentence} |")
    return lines


def targets_page(ops):
    names = [op["op"] for op in ops]
    lines = ["# Targets", "", NOTE]
    lines += target_section("cpu", names, [
        "What runs each operator, by the tactics' names in reports and profiles. `cpu.reference` is the operator's",
        "definition, which takes what no other tactic does and which a build report counts as a fallback."])
    lines += ["", *target_section("cuda", names, [
        "NVIDIA GPUs: see [cuda.md](cuda.md). `cuda.reference` is the operator's definition on the host: its operands are",
        "copied from the device and its results back; a build report counts it as a fallback."])]
    lines += ["", "## null\n"]
    lines.append("Accepts every problem and computes nothing: for tests of the compiler, and the skeleton of a new target.\n")
    lines += ["| tactic | what it does |", "|---|---|"]
    for name, sentence, _, _ in tactics("null", names):
        lines.append(f"| `{name}` | {sentence} |")
    return "\n".join(lines) + "\n"


def main(arguments):
    check = "--check" in arguments
    paths = [a for a in arguments if a != "--check"]
    pelton = paths[0] if paths else os.environ.get("PELTON_BIN", str(ROOT / "build/release/pelton"))
    ops = operators(pelton)
    onnx = operators(pelton, "--onnx")
    pages = (("ops.md", ops_page(ops)), ("onnx.md", onnx_operators.page(onnx, ops, types_text, NOTE)), ("targets.md", targets_page(ops)))
    stale = []
    for name, text in pages:
        path = ROOT / "docs" / name
        if path.exists() and path.read_text() == text:
            continue
        stale.append(name)
        if not check:
            path.write_text(text)
            print(f"docs/{name}: written")
    if check and stale:
        print(f"stale: {', '.join('docs/' + name for name in stale)}; run docs/generate.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
