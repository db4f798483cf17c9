"""Make `delphic` importable from a bare checkout, whatever the checkout's folder is called."""

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

if importlib.util.find_spec("delphic") is None:
    spec = importlib.util.spec_from_file_location(
        "delphic", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["delphic"] = package
    spec.loader.exec_module(package)
