"""From a file to what is to be told about it."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from ..checkers.checker import plural
from ..checkers.judging import Misfit, check
from ..checkers.operations import Finding, Judgement, Operation
from ..checkers.specs import SPECS
from ..checkers.specs.spec import Spec
from ..errors import ExitCode, HistoryError, UsageError
from ..evidence import Budget
from ..formats.read import Source, read
from ..verdict import Validity
from .judged import FINDINGS_MAX, Judged, shown, told
from .own import spec_of
from .partition import Partition, is_by_first, partitioned
from .picture import picture
from .witness import sub_history

EXIT_CODES = {
    Validity.PASS: ExitCode.AS_EXPECTED,
    Validity.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
    Validity.UNKNOWN: ExitCode.INCONCLUSIVE,
    Validity.HARNESS_ERROR: ExitCode.HARNESS,
    Validity.FAIL: ExitCode.PROMISE_BROKEN,
}

WITNESS_BUDGET = Budget(seconds=2.0)


class Question(msgspec.Struct, frozen=True):
    """What is asked about a file. None: its content tells."""

    file: Path
    spec: str | None = None
    format: str | None = None
    partition: Partition | None = None
    columns: Mapping[str, str] = {}
    budget: Budget | None = None


def judge(question: Question) -> Judged:
    """Read, judge, and cut out what shows it. Raises UsageError, with file and line where known."""
    spec = None if question.spec is None else spec_of(question.spec)
    began = time.perf_counter()
    source = read(question.file, question.format, question.columns)
    if spec is None:
        raise UsageError(_which(source))
    notes = _notes(source)
    partition = question.partition
    if partition is None and is_by_first(source.operations, spec):
        partition = Partition.FIRST
        notes.append("every value is a pair: judged key by key, by its first part")
    operations = partitioned(source, partition or Partition.KEY)
    has_read = time.perf_counter()
    try:
        judgement = check(operations, spec, question.budget)
    except Misfit as error:
        raise HistoryError(f"{source.where(error.place)}: {error.message}") from error
    done = time.perf_counter()
    return _told(
        source,
        operations,
        spec,
        judgement,
        partition=(partition or Partition.KEY).value,
        notes=notes,
        seconds=(has_read - began, done - has_read),
    )


def _told(
    source: Source,
    operations: Sequence[Operation],
    spec: Spec,
    judgement: Judgement,
    *,
    partition: str,
    notes: list[str],
    seconds: tuple[float, float],
) -> Judged:
    few = _few(operations, judgement.findings, spec)
    lines = {o.invoked: source.recorded.lines[at] for at, o in enumerate(operations)} if few else {}
    return Judged(
        schema=1,
        file=source.file,
        format=source.format,
        spec=spec.name,
        partition=partition,
        validity=judgement.validity,
        exit_code=EXIT_CODES[judgement.validity],
        sentence=judgement.sentence,
        method=judgement.method,
        operations=len(operations),
        unanswered=sum(operation.is_open for operation in operations),
        failed=source.recorded.failed,
        decided_up_to=judgement.decided_up_to,
        findings=tuple(
            told(one, dict(spec.anomalies)) for one in judgement.findings[:FINDINGS_MAX]
        ),
        findings_count=len(judgement.findings),
        witness=tuple(shown(operation, lines.get(operation.invoked)) for operation in few),
        picture=tuple(picture(few)),
        notes=tuple(notes),
        read_s=round(seconds[0], 3),
        judged_s=round(seconds[1], 3),
        statistics=judgement.statistics,
    )


def _few(
    operations: Sequence[Operation], findings: Sequence[Finding], spec: Spec
) -> list[Operation]:
    if not findings:
        return []
    return sub_history(operations, findings[0], spec, WITNESS_BUDGET)


def _notes(source: Source) -> list[str]:
    """What was decided or left out on the way, so that nobody must guess."""
    notes = []
    if source.is_guessed:
        notes.append(f"read as {source.format}, which its first lines look like")
    if source.recorded.others:
        notes.append(f"{plural(source.recorded.others, 'line')} not of a client left out")
    if source.recorded.failed:
        noun = plural(source.recorded.failed, "operation")
        notes.append(f"{noun} certainly failed and left out")
    return notes


def _which(source: Source) -> str:
    """Which specifications have all operations of the file."""
    used = {operation.f for operation in source.operations}
    fit = [spec.name for spec in SPECS.values() if used <= {shape.f for shape in spec.operations}]
    what = f"its operations ({', '.join(sorted(used))}) are those of {', '.join(fit)}"
    if not fit:
        what = f"no specification of ours has its operations ({', '.join(sorted(used))})"
    return f"{source.file}: say what it is a history of, with --spec NAME; {what}"
