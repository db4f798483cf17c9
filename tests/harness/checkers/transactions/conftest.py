"""Lets the tests of transactions import what the tests of monitors share."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "monitors"))
