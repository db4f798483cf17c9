"""What came of one file: what --json prints, and what the page is made of."""

from typing import Any, Literal

import msgspec

from ..checkers.operations import UNKNOWN, Finding, Operation
from ..verdict import Provenance, Validity

FINDINGS_MAX = 20
"""Of more findings than these only the number is told."""


class Shown(msgspec.Struct, frozen=True):
    """One operation of a witness. `answered` is false where nobody knows what became of it."""

    process: int | str
    f: str
    key: Any
    argument: Any
    result: Any
    answered: bool
    invoked: int
    returned: int | None
    invoked_ns: int
    returned_ns: int | None
    node: str | None
    line: int | None


class Told(msgspec.Struct, frozen=True):
    """One thing that is wrong; `meaning` says what such an anomaly is."""

    anomaly: str
    meaning: str
    sentence: str
    witness: tuple[int, ...]


class Judged(msgspec.Struct, frozen=True):
    """A judgement with all that a person or program wants to know beside it.

    `witness` is the smallest history that is itself wrong, and `picture` the same in characters.
    """

    schema: Literal[1]
    file: str
    format: str
    spec: str
    partition: str
    validity: Validity
    exit_code: int
    sentence: str
    method: str
    operations: int
    unanswered: int
    failed: int
    decided_up_to: int | None
    findings: tuple[Told, ...]
    findings_count: int
    witness: tuple[Shown, ...]
    picture: tuple[str, ...]
    notes: tuple[str, ...]
    read_s: float
    judged_s: float
    statistics: dict[str, Any]
    provenance: Provenance | None = None


def told(finding: Finding, meanings: dict[str, str]) -> Told:
    meaning = meanings.get(finding.anomaly, "")
    return Told(finding.anomaly, meaning, finding.sentence, finding.witness)


def shown(operation: Operation, line: int | None) -> Shown:
    is_answered = operation.result is not UNKNOWN
    return Shown(
        operation.process,
        operation.f,
        plain(operation.key),
        plain(operation.argument),
        plain(operation.result) if is_answered else None,
        is_answered,
        operation.invoked,
        operation.returned,
        operation.invoked_ns,
        operation.returned_ns,
        operation.node,
        line,
    )


def plain(value: Any) -> Any:
    """A value as JSON may hold it; sets in an order, for they have none."""
    if isinstance(value, tuple):
        return [plain(part) for part in value]
    if isinstance(value, frozenset):
        return [plain(part) for part in sorted(value, key=repr)]
    return value if value is None or isinstance(value, str | int | float | bool) else repr(value)
