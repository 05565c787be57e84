#!/usr/bin/env python3
"""table.py FILE.json...: figures of peers.py as a Markdown table, a file a column: Pelton's least time in ms, and in
parentheses the best peer's divided by it. "-": not measured; a peer that failed is not the best one."""

import json
import sys
from pathlib import Path

files = [json.loads(Path(f).read_text()) for f in sys.argv[1:]]
models = list(dict.fromkeys(row["model"] for f in files for row in f["rows"]))


def cell(file, model):
    for row in file["rows"]:
        if row["model"] == model and "pelton" in row:
            ratio = f" ({row['ratio']:.2f} {row['best_peer']})" if "ratio" in row else ""
            return f"{row['pelton']['min_ms']:.2f}{ratio}"
    return "-"


print("| network | " + " | ".join(f"{f['machine']['cpu']}, {f['threads']} threads" for f in files) + " |")
print("|---" * (len(files) + 1) + "|")
for model in models:
    print(f"| {model} | " + " | ".join(cell(f, model) for f in files) + " |")
