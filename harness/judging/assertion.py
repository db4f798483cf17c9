"""For tests of one's own: an assertion that shows which operations prove it wrong."""

from collections.abc import Sequence
from pathlib import Path

from ..checkers.judging import check, named
from ..checkers.operations import Judgement, Operation, operations
from ..checkers.specs.spec import Spec
from ..evidence import Budget
from ..formats.read import read
from ..history import History
from ..verdict import Validity
from .judge import decided, refuse_a_runs
from .judged import judged, lines_of
from .partition import keyed


def assert_right(
    history: str | Path | History | Sequence[Operation],
    spec: Spec | str,
    budget: Budget | None = None,
) -> Judgement:
    """Assert that some order explains every answer of a history, or of the file that it is in.

    A file is read as by `delphic check`. What is undecided is not asserted, so it raises
    AssertionError, too; a file that cannot be judged raises UsageError, with its line where known.
    """
    __tracebackhide__ = True
    chosen = named(spec) if isinstance(spec, str) else spec
    asked: Sequence[Operation]
    if isinstance(history, str | Path):
        refuse_a_runs(Path(history))
        source = read(history)
        asked, _ = keyed(source, chosen)
        judgement = decided(source, asked, chosen, budget)
    else:
        asked = operations(history) if isinstance(history, History) else history
        judgement = check(asked, chosen, budget)
    if judgement.validity is not Validity.PASS:
        raise AssertionError("\n".join(lines_of(judged(asked, chosen, judgement))))
    return judgement
