"""Single rows, switches and fates of replication: what is allowed, what is not, what is unknown."""

from typing import Any

import pytest
from delphic.harness.check import check
from delphic.harness.checkers.replication.fates import Fate, Loss, by_clients, by_status
from delphic.harness.checkers.replication.row import (
    Deed,
    Sight,
    TooManyRuns,
    Touch,
    first_unexplained,
)
from delphic.harness.checkers.replication.story import NEVER, story
from delphic.harness.checkers.replication.switches import Setting, Switch
from delphic.harness.evidence import Evidence
from delphic.harness.history import validated
from delphic.harness.language.sides import side_of, sides
from delphic.harness.op import HARNESS, NEMESIS, Op, OpType
from delphic.harness.verdict import Validity

PUT = Touch(0, Deed.PUT, 7, begin=10, end=20)
SET = Touch(1, Deed.SET, 8, begin=30, end=40)
CLEAR = Touch(2, Deed.CLEAR, 0, begin=50, end=60)

UNSYNCED = Loss()


def seen(*values: int | None, begin: int = 100) -> list[Sight]:
    return [Sight(begin + 10 * at, begin + 10 * at + 5, value) for at, value in enumerate(values)]


@pytest.mark.parametrize(
    ("touches", "values", "place"),
    [
        ([PUT, SET, CLEAR], (None, 7, 8, None), None),
        ([PUT, SET, CLEAR], (8, None), None),
        ([PUT, SET], (8, 7), 1),
        ([PUT, SET], (7, None), 1),
        ([PUT, CLEAR], (None, 7, None, 7), 3),
        ([SET], (8,), 0),
        ([PUT._replace(must=False), SET], (None, None), None),
        ([PUT._replace(must=False), SET], (8,), None),
        ([PUT, SET._replace(must=False), CLEAR], (7, None), None),
        ([PUT, SET._replace(must=False), CLEAR], (7, None, 8), 2),
        ([PUT, SET._replace(begin=15)], (7,), None),
        ([PUT, SET._replace(begin=15, rank=1)], (8, 7), 1),
        ([PUT._replace(rank=2), SET._replace(begin=15, rank=1)], (8,), 0),
        ([PUT._replace(high=99)], (None,), 0),
        ([PUT._replace(high=100)], (None,), None),
        ([PUT._replace(low=105)], (7,), 0),
        ([PUT._replace(low=104)], (7,), None),
    ],
)
def test_a_row_shows_what_touched_it_in_order(
    touches: list[Touch], values: tuple[int | None, ...], place: int | None
) -> None:
    assert first_unexplained(touches, seen(*values)) == place


def test_without_order_anything_goes_that_touched_it() -> None:
    assert first_unexplained([PUT, SET], seen(8, 7), ordered=False) == 1
    assert first_unexplained([PUT, CLEAR], seen(None, 7), ordered=False) is None
    late = CLEAR._replace(begin=0, end=5)
    assert first_unexplained([late, PUT], seen(7, None)) == 1
    assert first_unexplained([late, PUT], seen(7, None), ordered=False) is None


def test_a_crowd_of_open_operations_is_given_up() -> None:
    crowd = [Touch(n, Deed.PUT, n, 0, NEVER, must=False) for n in range(14)]
    with pytest.raises(TooManyRuns):
        first_unexplained(crowd, seen(3))


OFF = Setting(value=False, begin=10, end=12)
ON = Setting(value=True, begin=20, end=22)
LOST = Setting(value=False, begin=15, end=NEVER)


@pytest.mark.parametrize(
    ("settings", "span", "on", "off"),
    [
        ((), (0, 100), True, False),
        ((OFF,), (0, 9), True, False),
        ((OFF,), (0, 10), True, True),
        ((OFF,), (11, 11), True, True),
        ((OFF,), (13, 100), False, True),
        ((OFF, ON), (13, 19), False, True),
        ((OFF, ON), (13, 20), True, True),
        ((OFF, ON), (23, 100), True, False),
        ((OFF, LOST, ON), (23, 100), True, True),
    ],
)
def test_a_switch_is_certain_where_nobody_sets_it(
    settings: tuple[Setting, ...], span: tuple[int, int], on: bool, off: bool
) -> None:
    switch = Switch(True, settings)
    assert (switch.may_be(True, *span), switch.may_be(False, *span)) == (on, off)
    assert switch.is_certainly(True, *span) is (on and not off)


def test_aliases_tell_their_sides() -> None:
    found = sides(("mc1", "mc2", "md1", "s1c1", "s1d1", "s1d2", "n1"))
    assert list(found) == ["m", "s1"]
    assert found["m"].controllers == ("mc1", "mc2")
    assert found["s1"].data == ("s1d1", "s1d2")
    assert found["s1"].members == ("s1c1", "s1d1", "s1d2")
    assert (side_of("s12d3"), side_of("n1"), side_of(None)) == ("s12", None, None)


class Lines:
    """A history line by line."""

    def __init__(self) -> None:
        self.ops: list[Op] = []

    def add(self, process: int | str, type: OpType, f: str, **more: Any) -> None:
        at = len(self.ops)
        self.ops.append(Op(at, at * 1_000_000_000, process, type, f, **more))

    def done(
        self, f: str, key: str, value: Any = None, result: Any = None, node: str = "md1"
    ) -> None:
        self.add(0, OpType.INVOKE, f, key=key, value=value, node=node)
        self.add(0, OpType.OK, f, key=key, value=result, node=node)

    def unanswered(self, f: str, key: str, node: str) -> None:
        self.add(0, OpType.INVOKE, f, key=key, node=node)
        self.add(0, OpType.INFO, f, key=key, node=node, error="Timeout")

    def made(self) -> None:
        self.done("make-db", "dfs://a")
        self.done("flag", "dfs://a", True)
        self.done("make-table", "dfs://a/t", None, {"tid": 1})

    def append(self, row: int, tid: int, node: str = "md1") -> None:
        self.done("append", "dfs://a/t", {"rows": [[row, 0, row]]}, {"tid": tid, "rows": 1}, node)

    def struck(self, f: str, node: str) -> None:
        self.add(NEMESIS, OpType.INVOKE, f, value={"kind": f, "target": node})
        self.add(NEMESIS, OpType.INFO, f, value={"nodes": [node], "bit": True})

    def tasks(self, *rows: tuple[int, int, str, str]) -> None:
        shown = [
            [number, tid, number, "APPEND", "dfs://a", "t", state, "s1d1", details, 0, None]
            for number, tid, state, details in rows
        ]
        self.done("tasks", "s1", None, shown, "s1d1")

    def fates(
        self, loss: Loss = UNSYNCED, *, status: bool = False, f: str = "append"
    ) -> list[Fate]:
        found = story(validated(self.ops))
        bounds = by_clients(found, "s1", loss)
        if status:
            bounds = by_status(found, "s1", bounds)
        return [bounds[txn.number].fate for txn in found.txns if txn.f == f]


def test_the_data_of_a_node_that_dies_soon_may_be_lost_unless_it_was_synced() -> None:
    lines = Lines()
    lines.made()
    lines.append(1, 2)
    lines.append(2, 3, "md2")
    lines.struck("kill", "md1")
    assert lines.fates() == [Fate.MAY, Fate.MUST]
    assert lines.fates(Loss(synced=True)) == [Fate.MUST, Fate.MUST]
    assert lines.fates(Loss(window_ns=1_000_000_000)) == [Fate.MUST, Fate.MUST]


def test_who_may_not_write_loses_nothing_unless_it_had_to_be_started_again() -> None:
    lines = Lines()
    lines.made()
    lines.struck("read-only", "md1")
    lines.append(1, 2)
    lines.struck("mend", "md1")
    assert lines.fates() == [Fate.MUST]
    lines.struck("restart", "md2")
    assert lines.fates() == [Fate.MUST]
    lines.struck("restart", "md1")
    assert lines.fates() == [Fate.MAY]
    assert lines.fates(Loss(synced=True)) == [Fate.MUST]


def test_who_crashes_again_and_again_may_die_until_that_is_over() -> None:
    lines = Lines()
    lines.made()
    lines.struck("crash-loop", "md1")
    lines.append(1, 2)
    lines.struck("mend", "md2")
    assert lines.fates() == [Fate.MUST]
    lines.struck("mend", "md1")
    assert lines.fates() == [Fate.MAY]


def test_task_data_taken_away_may_be_missing_even_if_it_was_synced() -> None:
    lines = Lines()
    lines.made()
    lines.append(1, 2)
    lines.struck("lose-task-data", "md1")
    assert lines.fates(Loss(synced=True)) == [Fate.MAY]


def test_a_skip_makes_a_task_uncertain_and_the_status_table_makes_it_certain() -> None:
    lines = Lines()
    lines.made()
    lines.append(1, 2)
    lines.append(2, 3)
    lines.tasks((1, 2, "FAILED", "why"), (2, 3, "WAITING", ""))
    lines.done("skip", "s1", [1], None, "s1d1")
    assert lines.fates() == [Fate.MAY, Fate.MUST]
    lines.tasks((1, 2, "FINISH", "skipped"), (2, 3, "FINISH", ""))
    assert lines.fates(status=True) == [Fate.MUST_NOT, Fate.MUST]
    assert lines.fates() == [Fate.MAY, Fate.MUST]


def test_what_meets_a_switch_may_and_what_is_off_must_not() -> None:
    lines = Lines()
    lines.made()
    lines.done("stop", "m")
    lines.append(1, 2)
    lines.done("start", "m")
    lines.add(0, OpType.INVOKE, "append", key="dfs://a/t", value={"rows": [[2, 0, 2]]}, node="md1")
    lines.add(1, OpType.INVOKE, "stop", key="m", node="md1")
    lines.add(0, OpType.OK, "append", key="dfs://a/t", value={"tid": 3, "rows": 1}, node="md1")
    assert lines.fates() == [Fate.MUST_NOT, Fate.MAY]


def test_a_drop_of_a_database_must_arrive_and_one_made_anew_is_off_at_first() -> None:
    lines = Lines()
    lines.made()
    lines.append(1, 2)
    lines.done("drop-db", "dfs://a", None, {"tid": 3})
    lines.done("make-db", "dfs://a")
    lines.append(2, 4)
    lines.done("flag", "dfs://a", True)
    lines.append(3, 6)
    assert lines.fates(f="drop-db") == [Fate.MUST]
    assert lines.fates() == [Fate.MUST, Fate.MUST_NOT, Fate.MUST]


def test_a_database_that_is_off_is_dropped_on_the_master_alone() -> None:
    lines = Lines()
    lines.made()
    lines.done("flag", "dfs://a", False)
    lines.done("drop-db", "dfs://a", None, {"tid": 3})
    assert lines.fates(f="drop-db") == [Fate.MUST_NOT]


def test_a_database_whose_making_was_not_answered_is_switched_on_for_certain() -> None:
    lines = Lines()
    lines.add(0, OpType.INVOKE, "make-db", key="dfs://a", node="md1")
    lines.add(0, OpType.INFO, "make-db", key="dfs://a", node="md1")
    lines.made()
    lines.append(1, 2)
    assert lines.fates() == [Fate.MUST]


@pytest.mark.parametrize("shown", [[[1, 0, 1]], []])
def test_what_was_in_a_dropped_database_is_gone_from_the_slave(shown: list[list[int]]) -> None:
    lines = Lines()
    lines.made()
    lines.append(1, 2)
    lines.done("drop-db", "dfs://a", None, {"tid": 3})
    lines.add(HARNESS, OpType.INFO, "settled", value=True)
    lines.done("read", "dfs://a/t", {"p": None}, None, "md1")
    lines.done("read", "dfs://a/t", {"p": None}, shown or None, "s1d1")
    evidence = Evidence(validated(lines.ops), ("mc1", "md1", "s1c1", "s1d1"))
    verdict = check(evidence, ["replicated-contents"])[0]
    assert (verdict.validity is Validity.FAIL) is bool(shown), verdict.sentence
    assert not shown or "drop-db" in verdict.sentence


def test_a_skipped_row_that_is_there_broke_the_skip() -> None:
    lines = Lines()
    lines.made()
    lines.append(1, 2)
    lines.done("stop", "s1", node="s1d1")
    lines.done("skip", "s1", [1], None, "s1d1")
    lines.tasks((1, 2, "FINISH", "skipped"))
    lines.add(HARNESS, OpType.INFO, "phase", value="final")
    lines.add(HARNESS, OpType.INFO, "settled", value=True)
    lines.done("read", "dfs://a/t", {"p": None}, [[1, 0, 1]], "s1d1")
    evidence = Evidence(validated(lines.ops), ("mc1", "md1", "s1c1", "s1d1"))
    verdict = check(evidence, ["replicated-contents"])[0]
    assert list(verdict.details["kinds"]) == ["skipped-yet-there"]
    assert verdict.promises == ("PR-15",)


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        ([[1, 0, 1], [9, 0, 9]], "phantom"),
        ([[1, 1, 1]], "phantom"),
        ([[1, 0, 5]], "phantom"),
        ([[1, 0, 1], [1, 0, 1]], "twice"),
        ([], "missing"),
    ],
)
def test_a_slave_shows_the_masters_rows_and_each_once(rows: list[list[int]], kind: str) -> None:
    lines = Lines()
    lines.made()
    lines.append(1, 2)
    lines.add(HARNESS, OpType.INFO, "settled", value=True)
    lines.done("read", "dfs://a/t", {"p": None}, rows, "s1d1")
    evidence = Evidence(validated(lines.ops), ("mc1", "md1", "s1c1", "s1d1"))
    verdict = check(evidence, ["replicated-contents"])[0]
    assert kind in verdict.details["kinds"]


def test_a_slave_is_never_ahead_of_its_master() -> None:
    lines = Lines()
    lines.made()
    lines.done("read", "dfs://a/t", {"p": None}, [[1, 0, 1]], "s1d1")
    lines.append(1, 2)
    evidence = Evidence(validated(lines.ops), ("mc1", "md1", "s1c1", "s1d1"))
    verdict = check(evidence, ["replicated-contents"])[0]
    assert list(verdict.details["kinds"]) == ["ahead"]
    assert "had not begun" in verdict.sentence


def test_a_master_that_forgets_is_told_apart_from_its_slaves() -> None:
    lines = Lines()
    lines.made()
    lines.append(1, 2)
    lines.done("read", "dfs://a/t", {"p": None}, [], "md1")
    lines.done("read", "dfs://a/t", {"p": None}, [], "s1d1")
    evidence = Evidence(validated(lines.ops), ("mc1", "md1", "s1c1", "s1d1"))
    verdict = check(evidence, ["replicated-contents"])[0]
    assert list(verdict.details["kinds"]) == ["master"]
    assert "the master had acknowledged" in verdict.sentence


@pytest.mark.parametrize(
    ("early", "late", "kind"),
    [
        (0, 500, None),
        (500, 500, None),
        (200, 500, "half"),
        (0, 0, "missing"),
        (0, 700, "half"),
    ],
)
def test_many_rows_are_there_whole_or_not_at_all(early: int, late: int, kind: str | None) -> None:
    lines = Lines()
    lines.made()
    value = {"rows": 500, "partitions": 2}
    lines.done("bulk", "dfs://a/t", value, {"tid": 2, "rows": 500})
    lines.done("count", "dfs://a/t", None, early, "s1d1")
    lines.add(HARNESS, OpType.INFO, "settled", value=True)
    lines.done("count", "dfs://a/t", None, 500, "md1")
    lines.done("count", "dfs://a/t", None, late, "s1d1")
    evidence = Evidence(validated(lines.ops), ("mc1", "md1", "s1c1", "s1d1"))
    verdict = check(evidence, ["replicated-contents"])[0]
    if kind is None:
        assert verdict.validity is Validity.PASS, verdict.sentence
        assert verdict.sentence.startswith("500 counted rows on 2 sides: in 3 looks")
    else:
        assert kind in verdict.details["kinds"]


def test_rows_followed_are_told_apart_from_those_of_all_tables_that_are_counted() -> None:
    lines = Lines()
    lines.made()
    lines.append(1, 2)
    many = [("dfs://a/u", 3, 500), ("dfs://a/v", 5, 700)]
    for table, tid, rows in many:
        lines.done("make-table", table, None, {"tid": tid})
        lines.done("bulk", table, {"rows": rows, "partitions": 2}, {"tid": tid + 1, "rows": rows})
    for node in ("md1", "s1d1"):
        lines.done("read", "dfs://a/t", {"p": None}, [[1, 0, 1]], node)
        for table, _, rows in many:
            lines.done("count", table, None, rows, node)
    evidence = Evidence(validated(lines.ops), ("mc1", "md1", "s1c1", "s1d1"))
    verdict = check(evidence, ["replicated-contents"])[0]
    assert verdict.sentence.startswith("1 row and 1,200 counted rows on 2 sides: in 6 looks")


def test_a_master_that_miscounts_is_told_apart() -> None:
    lines = Lines()
    lines.made()
    value = {"rows": 500, "partitions": 2}
    lines.done("bulk", "dfs://a/t", value, {"tid": 2, "rows": 500})
    lines.done("count", "dfs://a/t", None, 499, "md1")
    lines.done("count", "dfs://a/t", None, 0, "s1d1")
    evidence = Evidence(validated(lines.ops), ("mc1", "md1", "s1c1", "s1d1"))
    verdict = check(evidence, ["replicated-contents"])[0]
    assert list(verdict.details["kinds"]) == ["master"]


@pytest.mark.parametrize(("rows", "kind"), [(0, None), (500, None), (15_000, None), (499, "half")])
def test_of_many_bulks_any_may_be_there(rows: int, kind: str | None) -> None:
    """By their sums: 30 of them have a billion subsets."""
    lines = Lines()
    lines.made()
    for tid in range(2, 32):
        lines.done("bulk", "dfs://a/t", {"rows": 500, "partitions": 2}, {"tid": tid, "rows": 500})
    lines.done("count", "dfs://a/t", None, rows, "s1d1")
    evidence = Evidence(validated(lines.ops), ("mc1", "md1", "s1c1", "s1d1"))
    verdict = check(evidence, ["replicated-contents"])[0]
    assert list(verdict.details.get("kinds", {})) == ([] if kind is None else [kind])


@pytest.mark.parametrize(
    ("settled", "late", "validity"),
    [
        (True, [[1, 2, 1, "APPEND", "dfs://a", "t", True]], Validity.PASS),
        (
            True,
            [
                [1, 2, 1, "APPEND", "dfs://a", "t", True],
                [2, 3, 2, "APPEND", "dfs://a", "t", False],
            ],
            Validity.PASS,
        ),
        (True, [[1, 2, 1, "APPEND", "dfs://a", "t", False]], Validity.FAIL),
        (False, [[1, 2, 1, "APPEND", "dfs://a", "t", False]], Validity.FAIL),
    ],
)
def test_what_is_finished_leaves_the_queue_unless_it_came_at_the_very_end(
    settled: bool, late: list[Any], validity: Validity
) -> None:
    lines = Lines()
    lines.made()
    lines.append(1, 2)
    lines.done("queue", "m", None, late[:1])
    lines.tasks((1, 2, "FINISH", ""))
    lines.add(HARNESS, OpType.INFO, "settled", value=settled)
    lines.done("queue", "m", None, late)
    evidence = Evidence(validated(lines.ops), ("mc1", "md1", "s1c1", "s1d1"))
    verdict = check(evidence, ["replication-recovery"])[0]
    assert verdict.validity is validity, verdict.sentence
    if validity is Validity.FAIL:
        assert verdict.promises == ("PR-30",)


def test_a_filter_may_miss_a_partition_that_comes_meanwhile() -> None:
    lines = Lines()
    lines.made()
    asked = {"rows": [[1, 0, 1]]}
    lines.add(0, OpType.INVOKE, "delete", key="dfs://a/t", value={"p": 0}, node="md1")
    lines.add(1, OpType.INVOKE, "append", key="dfs://a/t", value=asked, node="md2")
    lines.add(1, OpType.OK, "append", key="dfs://a/t", value={"tid": 3, "rows": 1}, node="md2")
    lines.add(0, OpType.OK, "delete", key="dfs://a/t", value={"tid": 2, "rows": 0}, node="md1")
    lines.tasks((1, 3, "FINISH", ""), (2, 2, "FINISH", ""))
    lines.add(HARNESS, OpType.INFO, "settled", value=True)
    for node in ("md1", "s1d1"):
        lines.done("read", "dfs://a/t", {"p": None}, [[1, 0, 1]], node)
    evidence = Evidence(validated(lines.ops), ("mc1", "md1", "s1c1", "s1d1"))
    verdict = check(evidence, ["replicated-contents"])[0]
    assert verdict.validity is Validity.PASS, verdict.sentence


DONE = [[1, 2, 1, "APPEND", "dfs://a", "t", True]]


@pytest.mark.parametrize(
    ("status", "validity", "sentence"),
    [
        (
            "STOPPED",
            Validity.FAIL,
            "When the time was over s1 was still STOPPED although it had been started and had "
            "nothing left to do, which metrics #26 (client 0 through s1d1) shows.",
        ),
        (
            None,
            Validity.FAIL,
            "When the time was over, s1 had told nothing of its state: metrics #26 (client 0 "
            "through s1d1) did not go well.",
        ),
        (
            "ENABLED",
            Validity.UNKNOWN,
            "Nothing was missing when the time was over, but nobody saw everything arrived at "
            "once: what came late is unknown.",
        ),
    ],
)
def test_a_run_that_never_came_to_rest_passes_nothing(
    status: str | None, validity: Validity, sentence: str
) -> None:
    lines = Lines()
    lines.made()
    lines.append(1, 2)
    lines.done("metrics", "s1", None, metrics("ENABLED"), "s1d1")
    lines.add(HARNESS, OpType.INFO, "phase", value="heal")
    lines.done("start", "m")
    lines.done("start", "s1", node="s1d1")
    for _ in range(2):
        lines.done("queue", "m", None, DONE)
        lines.tasks((1, 2, "FINISH", ""))
        if status is not None:
            lines.done("metrics", "s1", None, metrics(status), "s1d1")
        else:
            lines.unanswered("metrics", "s1", "s1d1")
    lines.add(HARNESS, OpType.INFO, "settled", value=False)
    evidence = Evidence(validated(lines.ops), ("mc1", "md1", "s1c1", "s1d1"))
    verdict = check(evidence, ["replication-recovery"])[0]
    assert (verdict.validity, verdict.sentence) == (validity, sentence)
    assert not verdict.witness or max(verdict.witness) == 26


def test_who_was_last_asked_before_the_heal_has_answered_nothing_after_it() -> None:
    lines = Lines()
    lines.made()
    lines.append(1, 2)
    lines.done("queue", "m", None, DONE)
    lines.tasks((1, 2, "FINISH", ""))
    lines.add(HARNESS, OpType.INFO, "phase", value="heal")
    lines.done("start", "m")
    lines.unanswered("start", "s1", "s1d1")
    lines.add(HARNESS, OpType.INFO, "settled", value=False)
    evidence = Evidence(validated(lines.ops), ("mc1", "md1", "s1c1", "s1d1"))
    verdict = check(evidence, ["replication-recovery"])[0]
    assert verdict.validity is Validity.FAIL
    assert verdict.sentence == (
        "When the time was over nobody had told what there was to do: start #16 (client 0 through "
        "s1d1) did not go well."
    )


def metrics(status: str) -> dict[str, Any]:
    return {"status": status, "finished": 1, "unfinished": 0}
