"""From a file to what is to be told about it."""

import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from ..characters import printable
from ..checkers.judging import Misfit, check
from ..checkers.operations import Judgement, Operation
from ..checkers.specs import SPECS
from ..checkers.specs.spec import Spec
from ..errors import HistoryError, UsageError
from ..evidence import Budget
from ..formats.read import Source, read
from ..prose import plural
from ..rundir import RunDir
from .judged import Judged, judged
from .own import promising, spec_of
from .partition import Partition, keyed


class Question(msgspec.Struct, frozen=True):
    """What is asked about a file. None: its content tells."""

    file: Path
    spec: str | None = None
    format: str | None = None
    partition: Partition | None = None
    columns: Mapping[str, str] = {}
    budget: Budget | None = None
    second_opinion: bool = False
    model: str | None = None


def judge(question: Question) -> Judged:
    """Read, judge, and cut out what shows it. Raises UsageError, with file and line where known."""
    refuse_a_runs(question.file)
    spec = None if question.spec is None else spec_of(question.spec)
    if spec is not None and question.model is not None:
        spec = promising(spec, question.model)
    began = time.perf_counter()
    source = read(question.file, question.format, question.columns)
    if spec is None:
        raise UsageError(_which(source))
    notes = _notes(source)
    operations, partition = keyed(source, spec, question.partition)
    if question.partition is None and partition is Partition.FIRST:
        notes.append("every value is a pair: judged key by key, by its first part")
    has_read = time.perf_counter()
    second = question.second_opinion
    judgement = decided(source, operations, spec, question.budget, second_opinion=second)
    done = time.perf_counter()
    numbered = zip(operations, source.recorded.lines, strict=True) if judgement.findings else ()
    lines = {operation.invoked: line for operation, line in numbered}
    return msgspec.structs.replace(
        judged(operations, spec, judgement, lines),
        file=source.file,
        format=source.format,
        partition=partition.value,
        failed=source.recorded.failed,
        notes=tuple(notes),
        read_s=round(has_read - began, 3),
        judged_s=round(done - has_read, 3),
    )


def decided(
    source: Source,
    operations: Sequence[Operation],
    spec: Spec,
    budget: Budget | None,
    *,
    second_opinion: bool = False,
) -> Judgement:
    """Judge what was read. Raises HistoryError with the line of what the specification has not."""
    try:
        return check(operations, spec, budget, second_opinion=second_opinion)
    except Misfit as error:
        raise HistoryError(f"{source.where(error.place)}: {error.message}") from error


def refuse_a_runs(path: Path) -> None:
    """A run's rows come in batches, which its own checkers know and no specification does.

    Raises UsageError.
    """
    run = RunDir(path.parent)
    if path == run.history and run.plan.is_file():
        again = checking(path.parent)
        raise UsageError(f"{path} is the history of a run, which has its own checks: {again}")


def checking(run: Path) -> str:
    """The command that judges a run directory."""
    return shlex.join(["delphic", "check", str(run)])


def _notes(source: Source) -> list[str]:
    """What was decided or left out on the way, so that nobody must guess."""
    notes = []
    if source.is_guessed:
        notes.append(f"read as {source.format}, which its first lines look like")
    if source.recorded.others:
        notes.append(f"{plural(source.recorded.others, 'line')} not of a client left out")
    if source.recorded.failed:
        noun = plural(source.recorded.failed, "operation")
        kept = sum(operation.failed for operation in source.operations)
        left = "and left out" if not kept else "and may not be seen by others"
        notes.append(f"{noun} certainly failed {left}")
    return notes


def _which(source: Source) -> str:
    """Which specifications have all operations of the file."""
    used = {operation.f for operation in source.operations}
    named = [spec for spec in SPECS.values() if used <= {shape.f for shape in spec.operations}]
    # Only what transactions did is looked at: part of another's value may yet turn out to be a key.
    right = [s for s in named if not s.models or not any(map(s.misfit, source.operations))]
    fit = [spec.name for spec in right or named]
    told = printable(", ".join(sorted(used)))
    what = f"its operations ({told}) are those of {', '.join(fit)}"
    if not fit:
        what = f"no specification of ours has its operations ({told})"
    return f"{source.file}: say what it is a history of, with --spec NAME; {what}"
