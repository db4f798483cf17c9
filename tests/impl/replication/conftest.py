"""Let the tests of this folder import the helpers beside them, and those of the folders around."""

import sys
from pathlib import Path

HERE = Path(__file__).parent

for folder in (HERE.parent / "raft", HERE.parent, HERE):
    sys.path.insert(0, str(folder))
