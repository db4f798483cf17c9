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
from delphic.harness.op import OpType
from delphic.harness.verdict import Validity
from log_drafts import draft, tamper

HISTORIES = 40_000


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
    (placement, "_in_the_way", nothing),
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
