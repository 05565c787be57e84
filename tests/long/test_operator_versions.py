"""Each operator in each of its versions from operator set 7 on, in random graphs of its own (python/random_graphs)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "python"))
from peer import skip  # noqa: E402

try:
    from random_graphs.versions import main  # noqa: E402
except ImportError as error:
    skip(f"{error}; ./run test makes an environment that has it")

sys.exit(main())
