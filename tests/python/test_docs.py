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
    ops, targets = (ROOT / "docs/ops.md").read_text(), (ROOT / "docs/targets.md").read_text()
    for page, part in ((ops, "## conv\n"), (ops, "| `group` | int | `1` |"), (targets, "| `conv` | `cpu.conv_depthwise`, `cpu.conv_direct`")):
        if part not in page:
            print(f"a page lacks {part!r}")
            failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
