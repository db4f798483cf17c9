"""Search against brute force on histories of every specification, and against the monitors."""

import dataclasses
import os
import random
from typing import Any

import pytest
from delphic.harness.checkers.operations import Judgement, Operation
from delphic.harness.checkers.search import compiled, solve
from delphic.harness.checkers.search.judge import search
from delphic.harness.checkers.search.second_opinion import SMALL, parts, second_opinion
from delphic.harness.checkers.specs import SPECS
from delphic.harness.evidence import Budget
from delphic.harness.verdict import Validity
from fuzz_drafts import draw
from fuzz_kinds import KINDS
from fuzz_oracle import linearizable

HISTORIES = int(os.environ.get("DELPHIC_FUZZ_HISTORIES", "300"))
SEED = int(os.environ.get("DELPHIC_FUZZ_SEED", "20260131"))

REAL_TIME = {name: kind for name, kind in KINDS.items() if kind.spec.order == "real-time"}
FEW_STATES = ("cas-register", "element-set", "mutex", "mutex-owned")
PASS = Judgement(Validity.PASS, "All is well.")
LONG = Budget(seconds=60.0)


def in_tables_and_close_by(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it make tables at once, and look for a reason close by after every configuration."""
    monkeypatch.setattr(solve, "OPERATIONS_FIRST", -1)
    monkeypatch.setattr(solve, "PATIENCE", 1)
    monkeypatch.setattr(compiled, "SLICE", 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "by_tables"),
    [*((name, False) for name in REAL_TIME), *((name, True) for name in FEW_STATES)],
)
def test_the_search_agrees_with_brute_force_whatever_is_specified(
    name: str, by_tables: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if by_tables:
        in_tables_and_close_by(monkeypatch)
    kind = REAL_TIME[name]
    chance = random.Random(f"{name} {SEED} {by_tables}")
    truths = set()
    for _ in range(HISTORIES // 4 if by_tables else HISTORIES):
        operations = draw(kind, chance, "k", operations_max=8)
        truth = linearizable(kind.spec, operations)
        judgement = search(operations, kind.spec, LONG, explain=False)
        assert judgement.validity is (Validity.PASS if truth else Validity.FAIL), operations
        truths.add(truth)
    assert truths == {True, False}


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL_TIME)
def test_monitor_and_search_do_not_contradict_each_other(name: str) -> None:
    kind = REAL_TIME[name]
    chance = random.Random(f"{name} {SEED} opinions")
    compared = 0
    for _ in range(40):
        operations = draw(kind, chance, "k", operations_max=20)
        judgement = second_opinion(operations, kind.spec, PASS, LONG)
        assert judgement.validity is Validity.PASS, judgement.sentence
        compared += judgement.statistics["second_opinion"]["compared"]
    assert compared > 10


def busy(count: int, *, wrong_at: int = -1) -> list[Operation]:
    """Writes and reads one after the other; one read misses the write before it."""
    found = []
    for at in range(count):
        found.append(Operation(0, "write", "k", at, None, 4 * at, 4 * at + 1))
        value = at - 1 if at == wrong_at else at
        found.append(Operation(1, "read", "k", None, value, 4 * at + 2, 4 * at + 3))
    return found


def test_a_monitor_that_is_wrong_is_caught_with_the_operations_that_show_it() -> None:
    blind = dataclasses.replace(SPECS["register"], monitor=lambda operations: PASS)
    judgement = second_opinion(busy(400, wrong_at=7), blind, PASS)
    assert judgement.validity is Validity.HARNESS_ERROR
    assert "the monitor of register says pass, but the search says fail" in judgement.sentence
    details = judgement.findings[0].details
    assert len(details["operations"]) == 1
    assert details["shrunk_from"] == SMALL
    assert details["operations"][0]["f"] == "read"


def test_one_read_of_what_nobody_wrote_is_a_history_too() -> None:
    """The monitor once looked for the writer beyond the end of it."""
    phantom = [Operation(1, "read", "k", None, 9, 0, 1)]
    judge = SPECS["register"].monitor
    assert judge is not None
    answer = judge(phantom)
    assert isinstance(answer, Judgement)
    assert answer.validity is Validity.FAIL
    assert second_opinion(phantom, SPECS["register"], answer).validity is Validity.FAIL


def test_a_search_that_is_wrong_is_caught_as_well() -> None:
    def step(state: Any, f: str, argument: Any, result: Any) -> Any:
        return state

    lax = dataclasses.replace(SPECS["register"], step=step)
    judgement = second_opinion(busy(20, wrong_at=7), lax, PASS)
    assert judgement.validity is Validity.HARNESS_ERROR
    assert "the monitor of register says fail, but the search says pass" in judgement.sentence
    assert 1 <= len(judgement.findings[0].witness) <= 3


def test_what_was_compared_is_told_and_the_judgement_stays() -> None:
    judgement = second_opinion(busy(400), SPECS["register"], PASS)
    assert judgement.validity is Validity.PASS
    assert judgement.statistics["second_opinion"] == {"compared": 2, "undecided": 0}
    assert second_opinion(busy(400), SPECS["prefix"], PASS) is PASS


def test_of_a_large_object_cuts_are_compared_and_small_ones_together() -> None:
    large = busy(400)
    found = list(parts(large, SPECS["register"]))
    assert [len(part) for part in found] == [SMALL, SMALL]
    assert found[0] == [*large[: SMALL - 1], found[0][-1]]
    assert found[0][-1].returned is None
    small = [Operation(0, "write", key, 1, None, 2 * key, 2 * key + 1) for key in range(3 * SMALL)]
    sizes = [len(part) for part in parts(small, SPECS["register"])]
    assert sum(sizes) == 3 * SMALL
    assert max(sizes) <= SMALL + 1
