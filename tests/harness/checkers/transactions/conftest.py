"""Lets the tests of transactions import what they share, and what the tests of monitors share."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "monitors")]
