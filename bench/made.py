"""What benches of pages share: generators of runs that tests have, and how long a thing takes."""

import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TypeVar

T = TypeVar("T")

REPORTS = Path(__file__).resolve().parent.parent / "tests" / "reports"
REPEATS = 3


def generator(name: str, folder: Path = REPORTS) -> ModuleType:
    """A module beside the tests of reports: these are no package."""
    sys.path.insert(0, str(folder))
    try:
        return import_module(name)
    finally:
        sys.path.remove(str(folder))


def timed(do: Callable[[], T], repeats: int = REPEATS) -> tuple[T, float]:
    """The result and the best of a few times, in seconds of this process's own."""
    best = float("inf")
    for _ in range(repeats):
        began = time.process_time()
        result = do()
        best = min(best, time.process_time() - began)
    return result, round(best, 4)
