"""Two thousand random graphs, in every variant; the fewer of every day are in tests/python."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "python"))
from peer import skip  # noqa: E402

try:
    from random_graphs.driver import VARIANTS, main  # noqa: E402
except ImportError as error:
    skip(f"{error}; ./run test makes an environment that has it")

sys.exit(main(["--seed", "100001", "--count", "2000", "--variants", ",".join(VARIANTS), *sys.argv[1:]]))
