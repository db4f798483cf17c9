"""Status tables show the newest finished tasks only: what scrolled out is finished, not undone."""

from typing import Any

import pytest
from delphic.harness.check import check
from delphic.harness.checkers.replication import story
from delphic.harness.evidence import Evidence
from delphic.harness.history import validated
from delphic.harness.op import HARNESS, Op, OpType
from delphic.harness.verdict import Validity, Verdict

SHOWN = 10
TASKS = 16
JUDGES = (
    "replicated-contents",
    "replication-queue",
    "replication-execution",
    "replication-recovery",
)


@pytest.fixture(autouse=True)
def few_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(story, "ROWS_MAX", SHOWN)


class Run:
    """A run of one table, line by line, 100 ms each; task k is of transaction k."""

    def __init__(self, step_ns: int = 100_000_000) -> None:
        self.ops: list[Op] = []
        self.step_ns = step_ns
        self.done("flag", "dfs://a", "md1", True)
        self.done("make-table", "dfs://a/t", "md1", None, {"tid": 1})

    def add(self, process: int | str, type: OpType, f: str, **more: Any) -> None:
        at = len(self.ops)
        self.ops.append(Op(at, at * self.step_ns, process, type, f, **more))

    def done(self, f: str, key: str, node: str, value: Any = None, result: Any = None) -> None:
        self.add(0, OpType.INVOKE, f, key=key, value=value, node=node)
        self.add(0, OpType.OK, f, key=key, value=result, node=node)

    def append(self, row: int) -> None:
        asked = {"rows": [[row, 0, row]]}
        self.done("append", "dfs://a/t", "md1", asked, {"tid": row, "rows": 1})

    def read(self, node: str, last: int, missing: int = 0) -> None:
        rows = [[row, 0, row] for row in range(2, last + 1) if row != missing]
        self.done("read", "dfs://a/t", node, {"p": None}, rows)

    def tasks(self, *states: tuple[int, str]) -> None:
        rows = [[*_row(number), state, "s1d1", "", 0, None] for number, state in states]
        self.done("tasks", "s1", "s1d1", None, rows)

    def finished(self, *waiting: int, last: int = TASKS, missing: int = 0) -> None:
        """What a table shows where all up to `last` are finished, but those that wait."""
        over = [n for n in range(1, last + 1) if n not in (*waiting, missing)][-SHOWN:]
        self.tasks(*((n, "FINISH") for n in over), *((n, "WAITING") for n in waiting))

    def queue(self, truncated: int) -> None:
        rows = [[*_row(n), n <= truncated] for n in range(1, TASKS + 1)]
        self.done("queue", "m", "md1", None, [*rows[:truncated][-SHOWN:], *rows[truncated:]])

    def verdict(self, judge: str) -> Verdict:
        return check(Evidence(validated(self.ops), ("mc1", "md1", "s1c1", "s1d1")), [judge])[0]


def _row(number: int) -> list[Any]:
    operation = "CREATE_PARTITIONED_TABLE" if number == 1 else "APPEND"
    return [number, number, number, operation, "dfs://a", "t"]


@pytest.mark.parametrize("judge", JUDGES)
def test_what_scrolled_out_of_a_status_table_is_finished(judge: str) -> None:
    run = Run()
    for row in range(2, TASKS + 1):
        run.append(row)
    run.add(HARNESS, OpType.INFO, "phase", value="heal")
    run.queue(truncated=0)
    run.finished(*range(13, TASKS + 1))
    run.read("s1d1", last=12)
    run.finished()
    run.queue(truncated=TASKS)
    run.add(HARNESS, OpType.INFO, "settled", value=True)
    for node in ("md1", "s1d1"):
        run.read(node, last=TASKS)
    assert run.verdict(judge).validity is Validity.PASS, run.verdict(judge).sentence


def test_of_a_queue_that_is_longer_than_what_a_slave_shows_the_old_are_finished() -> None:
    run = Run()
    for row in range(2, TASKS + 1):
        run.append(row)
    run.add(HARNESS, OpType.INFO, "phase", value="heal")
    run.queue(truncated=0)
    run.finished()
    run.add(HARNESS, OpType.INFO, "settled", value=False)
    run.queue(truncated=TASKS)
    assert run.verdict("replication-recovery").validity is Validity.UNKNOWN


def test_beside_a_slave_that_stands_still_what_is_shown_no_more_is_finished() -> None:
    run = Run(step_ns=1_000_000_000)
    for row in range(2, TASKS + 1):
        run.append(row)
    run.done("stop", "s2", "s2d1")
    run.queue(truncated=0)
    for _ in range(SHOWN):
        run.finished()
    assert run.verdict("replication-recovery").details.get("kinds") is None


def test_where_less_is_shown_than_may_be_a_row_that_is_gone_is_gone() -> None:
    run = Run()
    for row in range(2, SHOWN + 1):
        run.append(row)
    run.finished(last=SHOWN)
    run.finished(last=SHOWN, missing=SHOWN)
    assert list(run.verdict("replication-execution").details["kinds"]) == ["finish-gone"]


def test_a_row_above_what_may_have_scrolled_out_is_gone() -> None:
    run = Run()
    for row in range(2, TASKS + 1):
        run.append(row)
    run.finished()
    run.finished(missing=SHOWN)
    assert list(run.verdict("replication-execution").details["kinds"]) == ["finish-gone"]


def test_what_a_slave_has_not_pulled_did_not_scroll_out() -> None:
    run = Run()
    for row in range(2, TASKS + 1):
        run.append(row)
    run.add(HARNESS, OpType.INFO, "phase", value="heal")
    run.queue(truncated=0)
    run.finished(last=TASKS - 1)
    run.add(HARNESS, OpType.INFO, "settled", value=False)
    assert list(run.verdict("replication-recovery").details["kinds"]) == ["not-pulled"]
