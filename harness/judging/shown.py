"""What shows that a run is not as it should be: the promises that broke, and the few operations."""

from pathlib import Path

from ..errors import UsageError
from ..reading import NoFile, read_json
from ..rundir import RunDir
from ..verdict import RunVerdict, Validity

LINES_MAX = 40
LINE_CHARACTERS_MAX = 400


def verdict_of(run: Path) -> RunVerdict:
    """What was concluded about a run. Raises UsageError where it was never judged."""
    try:
        return read_json(RunDir(run).verdict, RunVerdict, "a verdict of this version of Delphic")
    except NoFile:
        raise UsageError(f"{run} has not been judged") from None


def broken_promises(found: RunVerdict) -> tuple[str, ...]:
    """Those of every verdict that failed, each once."""
    failed = (one for one in found.verdicts if one.validity is Validity.FAIL)
    return tuple(dict.fromkeys(promise for one in failed for promise in one.promises))


def witness_lines(found: RunVerdict, run: RunDir) -> tuple[str, ...]:
    """The operations that the first verdict that failed points at, as the history has them."""
    wanted = next((set(v.witness) for v in found.verdicts if v.validity is Validity.FAIL), set())
    if not wanted:
        return ()
    with run.history.open(encoding="utf-8", errors="replace") as lines:
        shown = [line.rstrip("\n") for at, line in enumerate(lines) if at in wanted]
    return tuple(line[:LINE_CHARACTERS_MAX] for line in shown[:LINES_MAX])
