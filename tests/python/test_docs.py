"""The generated pages of docs/ are what docs/generate.py makes of this tree, and hold what they should."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PELTON = os.environ.get("PELTON_BIN", str(ROOT / "build/release/pelton"))


def main():
    done = subprocess.run([sys.executable, str(ROOT / "docs/generate.py"), PELTON, "--check"], capture_output=True, text=True)
    print(done.stdout + done.stderr, end="")
    failed = done.returncode != 0
    ops, onnx, targets = ((ROOT / "docs" / page).read_text() for page in ("ops.md", "onnx.md", "targets.md"))
    for page, part in ((ops, "## conv\n"), (ops, "| `group` | int | `1` |"), (ops, "`cpu.conv_direct`, `cpu.conv_"),
                       (onnx, "| Conv | 1+ | [`conv`](ops.md#conv)"), (onnx, "| ReduceSum | 1+ | [`reduce`](ops.md#reduce)"),
                       (onnx, "| Relu | 1+ | [`pointwise`](ops.md#pointwise)"), (onnx, "it trains: its result is random"),
                       (targets, "| `conv` | `cpu.conv_"), (targets, "`cpu.conv_direct`"),
                       (targets, "| `depth_to_space` | `cuda.move` |"), (ops, "On cuda: `cuda.move`.")):
        if part not in page:
            print(f"a page lacks {part!r}")
            failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
