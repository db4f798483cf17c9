"""Monitor and search against brute force on random histories, and mutants it must find.

The oracle below shares nothing with either: it knows the vocabulary of a history and tries every
order that real time allows.
"""

import random
from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec
import pytest
from delphic.harness.check import check
from delphic.harness.checkers.log import filling, monitor, placement, search, second_opinion, sweep
from delphic.harness.checkers.log.view import FOREVER, Append, LogView, Read, logs
from delphic.harness.evidence import Budget, Evidence
from delphic.harness.history import History, validated
from delphic.harness.op import Op, OpType
from delphic.harness.verdict import Validity

HISTORIES = 40_000
OPERATIONS_MAX = 8
FIRST_ROW = 100
PHANTOM = 999


def is_linearizable(history: History) -> bool:
    """Try every order: whichever operation no unplaced one precedes may come next."""
    pending = []
    for call in history.calls():
        end = call.completion
        outcome = None if end is None else end.type
        if outcome is OpType.FAIL or (call.invoke.f == "read" and outcome is not OpType.OK):
            continue
        known = end is not None and outcome is OpType.OK
        answer = end.value if end is not None and known else None
        returned = end.index if end is not None and known else float("inf")
        pending.append((call.invoke.index, returned, call.invoke.f, call.invoke.value, answer))

    def explains(left: list[Any], log: list[int]) -> bool:
        if all(returned == float("inf") for _, returned, *_ in left):
            return True
        horizon = min(returned for _, returned, *_ in left)
        for at, (invoked, returned, f, asked, answer) in enumerate(left):
            if invoked > horizon:
                continue
            rest = left[:at] + left[at + 1 :]
            if f == "append":
                fits = returned == float("inf") or answer == len(log)
                if fits and explains(rest, log + asked):
                    return True
            else:
                start, limit = asked
                page = log[start:] if limit is None else log[start : start + limit]
                if page == answer and explains(rest, log):
                    return True
        return False

    return explains(pending, [])


class Draft:
    """A history in the making: a log, clients with open calls, and ops written so far."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.ops: list[Op] = []
        self.rows: list[int] = []
        self.next_row = FIRST_ROW
        # What took no effect yet: of open calls by client, and of appends given up by clients.
        self.open: dict[int, tuple[str, list[Any], bool, Any]] = {}
        self.late: list[list[int]] = []

    def write(self, process: int, kind: OpType, f: str, value: Any = None) -> None:
        index = len(self.ops)
        self.ops.append(Op(index, index, process, kind, f, value=value))

    def invoke(self, process: int) -> None:
        if self.chance.random() < 0.55:
            count = self.chance.choice((1, 1, 2))
            value: list[Any] = list(range(self.next_row, self.next_row + count))
            self.next_row += count
            f = "append"
        else:
            start = self.chance.randint(0, len(self.rows) + 1)
            value = [start, self.chance.choice((None, None, 0, 1, 2, 3))]
            f = "read"
        self.open[process] = (f, value, False, None)
        self.write(process, OpType.INVOKE, f, value)

    def take_effect(self, process: int) -> None:
        f, value, _, _ = self.open[process]
        if f == "append":
            answer: Any = len(self.rows)
            self.rows += value
        else:
            start, limit = value
            answer = self.rows[start:] if limit is None else self.rows[start : start + limit]
        self.open[process] = (f, value, True, answer)

    def complete(self, process: int) -> None:
        f, value, is_done, answer = self.open.pop(process)
        fate = self.chance.random()
        if is_done and fate < 0.75:
            self.write(process, OpType.OK, f, answer)
        elif f == "append" and not is_done and fate < 0.4:
            self.write(process, OpType.FAIL, f)
        elif fate < 0.95 or f == "read":
            self.write(process, OpType.INFO, f)
            if f == "append" and not is_done:
                self.late.append(value)
        # Otherwise the run ends first: no completion at all.


def draft(chance: random.Random) -> list[Op]:
    """A linearizable history of a few operations of two to four clients."""
    made = Draft(chance)
    clients = list(range(chance.randint(2, 4)))
    begun = 0
    total = chance.randint(4, OPERATIONS_MAX)
    silent: set[int] = set()
    while begun < total or made.open:
        if made.late and chance.random() < 0.15:
            made.rows += made.late.pop()
        process = chance.choice(clients)
        if process in made.open:
            if not made.open[process][2] and chance.random() < 0.85:
                made.take_effect(process)
            else:
                wrote = len(made.ops)
                made.complete(process)
                silent |= {process} if len(made.ops) == wrote else set()
        elif begun < total and process not in silent:
            made.invoke(process)
            begun += 1
        elif begun < total and silent >= set(clients):
            break
    return made.ops


def tamper(ops: list[Op], chance: random.Random) -> list[Op]:
    """Change one thing that a client could have recorded."""
    kind = chance.choice(("answer", "answer", "answer", "outcome", "order"))
    if kind == "order":
        return moved(ops, chance)
    completed = [at for at, op in enumerate(ops) if op.type in (OpType.OK, OpType.FAIL)]
    if not completed:
        return ops
    at = chance.choice(completed)
    op = ops[at]
    value = op.value
    outcome = op.type
    if kind == "outcome" and op.f == "append":
        outcome = OpType.FAIL if chance.random() < 0.3 else OpType.INFO
        value = None
    elif op.type is OpType.OK and op.f == "append":
        value = max(0, value + chance.choice((-2, -1, 1, 1, 2)))
    elif op.type is OpType.OK:
        value = tampered_rows(value, appended_rows(ops), chance)
    return [*ops[:at], msgspec.structs.replace(op, type=outcome, value=value), *ops[at + 1 :]]


def moved(ops: list[Op], chance: random.Random) -> list[Op]:
    """Let one op come earlier or later, as far as its own client's others allow."""
    source = chance.randrange(len(ops))
    op = ops[source]
    others = [*ops[:source], *ops[source + 1 :]]
    own = [at for at, other in enumerate(others) if other.process == op.process]
    low = max((at + 1 for at in own if at < source), default=0)
    high = min((at for at in own if at >= source), default=len(others))
    target = chance.randint(low, high)
    placed = [*others[:target], op, *others[target:]]
    return [msgspec.structs.replace(o, index=at, time_ns=at) for at, o in enumerate(placed)]


def appended_rows(ops: list[Op]) -> list[int]:
    """Every row that anyone tried to append, and one that nobody did."""
    appends = (op for op in ops if op.f == "append" and op.type is OpType.INVOKE)
    return [PHANTOM, *(row for op in appends for row in op.value)]


def tampered_rows(rows: list[int], others: list[int], chance: random.Random) -> list[int]:
    """Add, drop or exchange one row."""
    other = chance.choice(others)
    if not rows or chance.random() < 0.3:
        return [*rows, other]
    if chance.random() < 0.6:
        return rows[:-1]
    at = chance.randrange(len(rows))
    return [*rows[:at], other, *rows[at + 1 :]]


@cache
def histories() -> list[tuple[Evidence, bool]]:
    """Random histories, each with the oracle's answer."""
    chance = random.Random(20_260_131)
    found = []
    for _ in range(HISTORIES):
        ops = draft(chance)
        for _ in range(chance.choice((0, 1, 1, 2, 3))):
            ops = tamper(ops, chance)
        history = validated(ops)
        evidence = Evidence(history, ("n1",), budget=Budget(seconds=60))
        found.append((evidence, is_linearizable(history)))
    return found


def judged(validity: Validity) -> bool | None:
    """What a verdict claims: linearizable, not, or nothing."""
    return {Validity.PASS: True, Validity.INCONCLUSIVE: True, Validity.FAIL: False}.get(validity)


@pytest.mark.slow
def test_monitor_and_search_agree_with_brute_force_on_every_history() -> None:
    wrong = []
    for evidence, truth in histories():
        exact = judged(monitor.judge(evidence).validity)
        bounded = judged(second_opinion.judge(evidence).validity)
        if exact is not truth or bounded is not truth:
            wrong.append((evidence.history.ops, truth, exact, bounded))
    assert wrong == []


@pytest.mark.slow
def test_the_histories_are_worth_the_name() -> None:
    verdicts = [truth for _, truth in histories()]
    assert 0.4 < sum(verdicts) / len(verdicts) < 0.7
    kinds: set[str] = set()
    with_holes = 0
    for evidence, truth in histories():
        verdict = monitor.judge(evidence)
        kinds |= set(verdict.details.get("kinds", ()))
        for view in logs(evidence.history).views:
            with_holes += truth and bool(filling.holes(placement.place(view).rows))
    assert kinds >= {
        "two-rows-at-one-offset",
        "duplicate",
        "torn-batch",
        "reordered",
        "gap",
        "phantom",
        "future-read",
        "aborted-read",
        "stale-read",
        "overlong-read",
    }
    assert with_holes > 100


@pytest.mark.slow
def test_every_order_that_the_search_finds_explains_every_answer() -> None:
    checked = 0
    for evidence, _ in histories()[:5_000]:
        for view in logs(evidence.history).views:
            found = search.search([view], evidence.budget)[0]
            if found.order is not None:
                check_order(view, found.order)
                checked += 1
    assert checked > 2_000


def check_order(view: LogView, order: list[Append | Read]) -> None:
    log: list[int] = []
    latest = -1
    for operation in order:
        assert operation.ret > latest, "it returned before one that precedes it here began"
        latest = max(latest, operation.inv)
        if isinstance(operation, Append):
            assert operation.offset in (None, len(log))
            log += operation.rows
        else:
            end = None if operation.limit is None else operation.start + operation.limit
            assert log[operation.start : end] == operation.rows
    placed = [operation.inv for operation in order]
    assert len(set(placed)) == len(placed)
    assert {o.inv for o in [*view.acknowledged, *view.reads]} <= set(placed)


def full_pages_pin_the_end(read: Read, placed: placement.Placement) -> sweep.Item:
    item = READ_ITEM(read, placed)
    return msgspec.structs.replace(item, hi=2 * read.end)


def batches_may_be_half_visible(read: Read, placed: placement.Placement) -> sweep.Item:
    item = READ_ITEM(read, placed)
    return msgspec.structs.replace(item, lo=2 * read.end if read.rows else 0)


def empty_reads_bound_nothing(read: Read, placed: placement.Placement) -> sweep.Item:
    item = READ_ITEM(read, placed)
    return item if read.rows else msgspec.structs.replace(item, hi=sweep.UNBOUNDED)


def open_appends_end_where_given_up(append: Append, placed: placement.Placement) -> sweep.Item:
    item = APPEND_ITEM(append, placed)
    end = append.call.completion
    return item if end is None else msgspec.structs.replace(item, ret=end.index)


def appends_are_not_ordered_by_time(append: Append, placed: placement.Placement) -> sweep.Item:
    item = APPEND_ITEM(append, placed)
    return msgspec.structs.replace(item, lo=0, hi=sweep.UNBOUNDED)


def spares_fit_anywhere(gaps: list[range], spares: list[filling.Spare]) -> filling.Filling:
    return FILL(gaps, [filling.Spare(spare.size, 1) for spare in spares])


def spares_of_any_size_fit(gaps: list[range], spares: list[filling.Spare]) -> filling.Filling:
    ones = [filling.Spare(1, spare.end_min) for spare in spares for _ in range(spare.size)]
    return FILL(gaps, ones)


def a_spare_fills_more_than_one_hole(
    gaps: list[range], spares: list[filling.Spare]
) -> filling.Filling:
    return FILL(gaps, spares * 2)


def nothing(*_: object) -> None:
    return None


READ_ITEM = sweep.read_item
APPEND_ITEM = sweep.append_item
FILL = filling.fill

MUTANTS: list[tuple[Any, str, Callable[..., Any]]] = [
    (sweep, "read_item", full_pages_pin_the_end),
    (sweep, "read_item", batches_may_be_half_visible),
    (sweep, "read_item", empty_reads_bound_nothing),
    (sweep, "append_item", open_appends_end_where_given_up),
    (sweep, "append_item", appends_are_not_ordered_by_time),
    (monitor, "fill", spares_fit_anywhere),
    (monitor, "fill", spares_of_any_size_fit),
    (monitor, "fill", a_spare_fills_more_than_one_hole),
    (monitor, "holes", lambda rows: []),
    (placement, "_overlong", nothing),
    (placement, "_duplicate", nothing),
    (placement, "_contradiction", nothing),
    (placement, "_two_acknowledgements", nothing),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "name", "mutant"),
    MUTANTS,
    ids=[f"{name.strip('_')}-{mutant.__name__.strip('<>')}" for _, name, mutant in MUTANTS],
)
def test_a_bug_in_the_monitor_is_found(
    module: Any, name: str, mutant: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, name, mutant)
    assert any(
        judged(check(evidence, ["log-monitor"])[0].validity) is not truth
        for evidence, truth in histories()
    )


SEARCH_MUTANTS: list[tuple[str, Callable[..., Any]]] = [
    ("_horizon", lambda self: FOREVER),
    ("_first_unused", lambda self, size: None),
    ("_return_to", lambda self, frame: None),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "mutant"), SEARCH_MUTANTS, ids=[n for n, _ in SEARCH_MUTANTS])
def test_a_bug_in_the_search_is_found(
    name: str, mutant: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search.Search, name, mutant)
    assert any(
        judged(check(evidence, ["log-search"])[0].validity) is not truth
        for evidence, truth in histories()
    )
