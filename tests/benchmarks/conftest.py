"""Scripts are not a package: their folder is put where ``import`` looks."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
