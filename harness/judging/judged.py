"""A judgement as it is told: in words, as JSON, and to the page that is made of it."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

import msgspec

from ..characters import printable
from ..checkers.operations import UNKNOWN, Finding, Judgement, Operation
from ..checkers.search.second_opinion import CONTRADICTION
from ..checkers.specs.spec import Spec
from ..errors import ExitCode
from ..evidence import Budget
from ..schema import schema_of, schema_text
from ..verdict import Validity
from .picture import label, layout, picture
from .witness import Cut, cut

FINDINGS_MAX = 20
"""Of more findings than these only the number is told."""

FINDINGS_SHOWN = 5
"""More than these are told to programs only."""

WITNESS_MAX = 12
"""More operations than these nobody looks at."""

WITNESS_BUDGET = Budget(seconds=2.0)

EXIT_CODES = {
    Validity.PASS: ExitCode.AS_EXPECTED,
    Validity.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
    Validity.UNKNOWN: ExitCode.INCONCLUSIVE,
    Validity.HARNESS_ERROR: ExitCode.HARNESS,
    Validity.FAIL: ExitCode.PROMISE_BROKEN,
}


class Shown(msgspec.Struct, frozen=True):
    """One operation of a witness. `answered` is false where nobody knows what became of it.

    In a picture it reaches from one of the `columns` to the other, and is called `label`.
    """

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
    label: str
    columns: tuple[int, int]


class Told(msgspec.Struct, frozen=True):
    """One thing that is wrong; `meaning` says what such an anomaly is."""

    anomaly: str
    meaning: str
    sentence: str
    witness: tuple[int, ...]


class Judged(msgspec.Struct, frozen=True):
    """A judgement with all that a person or program wants to know beside it.

    `witness` are the few operations that show it, some of `witness_count`, and `picture` the
    same in characters. `is_proof`: they are wrong whatever all others did.
    """

    schema: Literal[1]
    spec: str
    validity: Validity
    exit_code: int
    sentence: str
    method: str
    operations: int
    unanswered: int
    decided_up_to: int | None
    findings: tuple[Told, ...]
    findings_count: int
    witness: tuple[Shown, ...]
    witness_count: int
    is_proof: bool
    proof: str
    picture: tuple[str, ...]
    statistics: dict[str, Any]
    file: str = ""
    format: str = ""
    partition: str = "key"
    failed: int = 0
    notes: tuple[str, ...] = ()
    read_s: float = 0.0
    judged_s: float = 0.0


def judged_schema_text() -> bytes:
    """The file docs/schemas/judged.schema.json: what --json prints."""
    return schema_text(schema_of(Judged, "delphic check FILE --json"))


def lines_of(found: Judged) -> list[str]:
    """For a person: the sentence first, then what shows it."""
    lines = [f"{found.validity.value}: {found.sentence}"]
    lines += [f"  {told.anomaly}: {told.meaning}" for told in found.findings[:1] if told.meaning]
    if found.picture:
        lines += ["", *(f"  {line}" for line in found.picture)]
        places = [f"{printable(o.f)} #{o.invoked}: line {o.line}" for o in found.witness if o.line]
        lines += [f"  ({'; '.join(places)})"] if places else []
        lines += [f"  {found.proof}", ""]
    lines += [f"  also: {told.sentence}" for told in found.findings[1:FINDINGS_SHOWN]]
    if found.findings_count > FINDINGS_SHOWN:
        lines.append(f"  … and {found.findings_count - FINDINGS_SHOWN} more (--json)")
    return lines


def _proof(found: Cut, total: int) -> str:
    """What the operations shown prove by themselves."""
    count = len(found.operations)
    if not count:
        return ""
    if count > WITNESS_MAX:
        return f"These are {WITNESS_MAX} of {count:,} operations that show it together."
    if not found.is_proof:
        return "These show it, but do not prove it by themselves."
    if found.is_simpler:
        return "No order explains these answers, from which all that does not matter was left out."
    if count == total:
        return "No order explains these answers."
    return "No order explains these answers, whatever all other operations did."


def judged(
    operations: Sequence[Operation],
    spec: Spec,
    judgement: Judgement,
    lines: Mapping[int, int] = MappingProxyType({}),
) -> Judged:
    """What is to be told of a judgement; `lines` are those of a file, by position."""
    found = _cut(operations, judgement.findings, spec)
    few = _nearest(found.operations, judgement.findings)
    places = layout(few)
    meanings = dict(spec.anomalies)
    return Judged(
        schema=1,
        spec=spec.name,
        validity=judgement.validity,
        exit_code=EXIT_CODES[judgement.validity],
        sentence=printable(judgement.sentence),
        method=judgement.method,
        operations=len(operations),
        unanswered=sum(operation.is_open for operation in operations),
        decided_up_to=judgement.decided_up_to,
        findings=tuple(_told(one, meanings) for one in judgement.findings[:FINDINGS_MAX]),
        findings_count=len(judgement.findings),
        witness=tuple(_shown(o, lines.get(o.invoked), places[o.invoked]) for o in few),
        witness_count=len(found.operations),
        is_proof=found.is_proof,
        proof=_proof(found, len(operations)),
        picture=tuple(picture(few)),
        statistics=judgement.statistics,
    )


def _cut(operations: Sequence[Operation], findings: Sequence[Finding], spec: Spec) -> Cut:
    if not findings or findings[0].anomaly == CONTRADICTION:
        return Cut((), is_proof=False)
    return cut(operations, findings[0], spec, WITNESS_BUDGET)


def _nearest(few: Sequence[Operation], findings: Sequence[Finding]) -> Sequence[Operation]:
    """Of too many operations those around the one that fits nowhere."""
    if len(few) <= WITNESS_MAX:
        return few
    positions = [operation.invoked for operation in few]
    stuck = findings[0].details.get("stuck", positions[-1])
    at = positions.index(stuck) if stuck in positions else len(few) - 1
    start = max(0, min(at - WITNESS_MAX // 2, len(few) - WITNESS_MAX))
    return few[start : start + WITNESS_MAX]


def _told(finding: Finding, meanings: Mapping[str, str]) -> Told:
    meaning = meanings.get(finding.anomaly, "")
    return Told(finding.anomaly, meaning, printable(finding.sentence), finding.witness)


def _shown(operation: Operation, line: int | None, columns: tuple[int, int]) -> Shown:
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
        label(operation),
        columns,
    )


def plain(value: Any) -> Any:
    """A value as JSON may hold it; sets in an order, for they have none."""
    if isinstance(value, tuple):
        return [plain(part) for part in value]
    if isinstance(value, frozenset):
        return [plain(part) for part in sorted(value, key=repr)]
    return value if value is None or isinstance(value, str | int | float | bool) else repr(value)
