"""Lets the tests of this folder share how a cluster is started."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
