"""Make `delphic` importable from a bare checkout, whatever the checkout's folder is called."""

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

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


@pytest.fixture(scope="session")
def require() -> Callable[[object, str], None]:
    """What a test needs of the machine: without it the test is skipped, or fails where CI runs."""

    def demand(there: object, otherwise: str) -> None:
        if not there and os.environ.get("DELPHIC_REQUIRE_ALL"):
            pytest.fail(otherwise)
        if not there:
            pytest.skip(otherwise)

    return demand
