"""Random ONNX graphs, a few: the many are in tests/long. --seed N makes one again (random_graphs/driver.py)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from peer import skip  # noqa: E402

try:
    from random_graphs.driver import main  # noqa: E402
except ImportError as error:
    skip(f"{error}; ./run test makes an environment that has it")

sys.exit(main())
