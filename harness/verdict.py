"""What a checker concludes, and how conclusions combine."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Literal

import msgspec


class Validity(StrEnum):
    """The lattice used everywhere: fail > harness_error > unknown > inconclusive > pass."""

    PASS = "pass"  # noqa: S105 - no password
    INCONCLUSIVE = "inconclusive"
    UNKNOWN = "unknown"
    HARNESS_ERROR = "harness_error"
    FAIL = "fail"

    @property
    def severity(self) -> int:
        return _ORDER.index(self)


_ORDER = (
    Validity.PASS,
    Validity.INCONCLUSIVE,
    Validity.UNKNOWN,
    Validity.HARNESS_ERROR,
    Validity.FAIL,
)


def worst(validities: Iterable[Validity]) -> Validity:
    """The most severe of them; nothing checked is inconclusive, never a pass."""
    found = list(validities)
    return max(found, key=lambda v: v.severity) if found else Validity.INCONCLUSIVE


class Verdict(msgspec.Struct, frozen=True, omit_defaults=True):
    """One checker's conclusion about one run.

    `sentence` is for a person; `promises` are ids (HS-2, PR-7, …) that the checker checks or, in a
    failure, those that broke; `witness` holds the indices of the few ops that show it.
    """

    checker: str
    validity: Validity
    sentence: str
    promises: tuple[str, ...] = ()
    witness: tuple[int, ...] = ()
    details: dict[str, Any] = {}
    cost_s: float = 0.0


class Provenance(msgspec.Struct, frozen=True):
    """Which Delphic judged, and where. `git` is None outside a checkout."""

    version: str
    git: str | None = None
    dirty: bool | None = None
    python: str = ""
    platform: str = ""


class RunVerdict(msgspec.Struct, frozen=True):
    """verdict.json, version 1: what came of one run.

    `started` is UTC in ISO 8601; `expected` is what the scenario asked for, `exit_code` what
    `delphic run` returned. docs/schemas/verdict.schema.json is made from this type.
    """

    schema: Literal[1]
    scenario: str
    seed: int
    target: str
    started: str
    duration_s: float
    validity: Validity
    expected: Literal["pass", "fail"]
    as_expected: bool
    exit_code: int
    sentence: str
    verdicts: tuple[Verdict, ...]
    statistics: dict[str, Any]
    provenance: Provenance
