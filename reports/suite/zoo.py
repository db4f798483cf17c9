"""The kill matrix that `delphic zoo` leaves as JSON, as far as a page shows it."""

from pathlib import Path
from typing import Literal

import msgspec

from ...harness.reading import read_json


class Cell(msgspec.Struct, frozen=True):
    """One mistake and one check: seen, not seen, or nothing that it could see."""

    check: str
    outcome: Literal["caught", "missed", "blind"]
    starts: int = 0
    found: int = 0
    sentence: str = ""
    reason: str = ""


class Row(msgspec.Struct, frozen=True):
    """One mistake and every check."""

    family: str
    name: str
    mistake: str
    cells: tuple[Cell, ...]


class Check(msgspec.Struct, frozen=True):
    """A check, and what it does."""

    name: str
    about: str = ""


class Zoo(msgspec.Struct, frozen=True):
    """All of it. The family `nothing` is no mistake: what is caught there is a false alarm."""

    checks: tuple[Check, ...]
    rows: tuple[Row, ...]


def read(path: Path) -> Zoo:
    """Raises UsageError where there is no such matrix."""
    return read_json(path, Zoo, "a kill matrix of `delphic zoo`")
