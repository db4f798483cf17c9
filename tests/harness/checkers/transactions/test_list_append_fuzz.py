"""Random transactions against all permutations, and mistakes that this must find."""

import random
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
from delphic.harness.checkers.operations import UNKNOWN, Judgement, Operation
from delphic.harness.checkers.specs import SPECS
from delphic.harness.checkers.transactions import graph, list_append, observed, versions
from delphic.harness.verdict import Validity
from fuzz_oracle import explained, in_program, in_real_time

HISTORIES = 5_000
SPEC = SPECS["list-append"]


def draw(chance: random.Random) -> list[Operation]:
    """A few transactions that happened one by one, some of which then misread."""
    held: dict[str, tuple[int, ...]] = {}
    error = chance.choice((0.0, 0.1, 0.3))
    free = dict.fromkeys(range(3), 0)
    drawn: list[Operation] = []
    elements = iter(range(1, 100))
    for number in range(chance.randint(2, 6)):
        process = chance.choice(list(free))
        before = dict(held)
        asked, answered = [], []
        for _ in range(chance.randint(1, 3)):
            key = chance.choice("xy")
            if chance.random() < 0.5:
                element = next(elements)
                held[key] = (*held.get(key, ()), element)
                asked.append(("append", key, element))
                answered.append(asked[-1])
            else:
                asked.append(("r", key, None))
                answered.append(("r", key, misread(chance, error, held.get(key, ()))))
        invoked = max(free[process], 20 * number - chance.choice((0, 10, 50)) + process)
        returned = max(invoked, 20 * number) + chance.choice((5, 15, 60)) + process
        is_open = chance.random() < 0.2
        if is_open and chance.random() < 0.5:
            held = before
        free[process] = 5 + (invoked if is_open else returned)
        result = UNKNOWN if is_open else tuple(answered)
        end = None if is_open else returned
        drawn.append(Operation(process, "txn", None, tuple(asked), result, invoked, end))
    return sorted(drawn, key=lambda operation: operation.invoked)


def misread(chance: random.Random, error: float, right: tuple[int, ...]) -> tuple[int, ...]:
    if chance.random() >= error:
        return right
    wrong = list(right)
    match chance.choice(("stale", "stale", "swap", "hole", "alien", "twice")):
        case "stale":
            return right[: chance.randint(0, len(right))]
        case "swap":
            chance.shuffle(wrong)
        case "hole" if wrong:
            wrong.pop(chance.randrange(len(wrong)))
        case "alien":
            wrong.append(chance.randint(1, 12))
        case "twice":
            wrong += wrong[:1]
    return tuple(wrong)


def anyhow(one: Operation, other: Operation) -> bool:
    return False


@cache
def drafts() -> list[tuple[list[Operation], bool, bool, bool]]:
    """Histories, and whether they are serializable: strictly, in each process's order, at all."""
    chance = random.Random(20261121)
    found = []
    for _ in range(HISTORIES):
        operations = draw(chance)
        strict = explained(SPEC, operations, in_real_time)
        session = strict or explained(SPEC, operations, in_program)
        found.append((operations, strict, session, session or explained(SPEC, operations, anyhow)))
    return found


def disagreements() -> Iterator[tuple[list[Operation], set[str]]]:
    for operations, strict, session, serial in drafts():
        found = list_append.judge(operations)
        if not isinstance(found, Judgement):
            assert found.reason == list_append.TWICE
            continue
        anomalies = {finding.anomaly for finding in found.findings}
        timeless = {name for name in anomalies if not name.endswith("-realtime")}
        orderless = {name for name in timeless if not name.endswith("-process")}
        if (not anomalies, not timeless, not orderless) != (strict, session, serial):
            yield operations, anomalies


def test_cycles_agree_with_all_permutations() -> None:
    assert list(disagreements()) == []


def test_the_random_histories_are_of_every_kind() -> None:
    truth = {(strict, session, serial) for _, strict, session, serial in drafts()}
    assert len(truth) == 4
    judged = [list_append.judge(operations) for operations, *_ in drafts()]
    findings = [f.anomaly for j in judged if isinstance(j, Judgement) for f in j.findings]
    common = {"G1a", "G1b", "G1c", "G-single", "G2-item", "internal", "incompatible-order"}
    assert common | {"lost-update", "duplicate-elements", "G-single-realtime"} <= set(findings)


def test_what_is_wrong_shows_by_its_witness() -> None:
    """All transactions but the witness's unanswered, it is still wrong."""
    for operations, strict, *_ in drafts()[:800]:
        found = list_append.judge(operations)
        if strict or not isinstance(found, Judgement):
            continue
        for finding in found.findings:
            kept = [o if o.invoked in finding.witness else forgotten(o) for o in operations]
            again = list_append.judge(kept)
            assert isinstance(again, Judgement)
            assert again.validity is Validity.FAIL, finding


def forgotten(o: Operation) -> Operation:
    return Operation(o.process, o.f, o.key, o.argument, UNKNOWN, o.invoked, None)


def nothing(*_: Any) -> Iterator[Any]:
    return iter(())


MALFORMED = versions.Versions.malformed


def only_twice(self: versions.Versions) -> Iterator[Any]:
    return (found for found in MALFORMED(self) if found.anomaly == "duplicate-elements")


def one_way_only(edges: Callable[..., Iterator[graph.Edge]], kind: int) -> Any:
    return lambda *given: (edge for edge in edges(*given) if edge.kind != kind)


MISTAKES: dict[str, tuple[Any, str, Any]] = {
    "no reads that missed a write": (
        versions.Versions, "edges", one_way_only(versions.Versions.edges, graph.RW)),
    "no writes after writes": (
        versions.Versions, "edges", one_way_only(versions.Versions.edges, graph.WW)),
    "no reads of writes": (
        versions.Versions, "edges", one_way_only(versions.Versions.edges, graph.WR)),
    "no real time": (graph, "_in_time", nothing),
    "no order of processes": (graph, "_in_process", nothing),
    "unanswered ones never happened": (versions.Versions, "seen", nothing),
    "half done is fine": (versions.Versions, "unfit", nothing),
    "reads in any order": (versions.Versions, "malformed", only_twice),
    "own order is not looked at": (versions.Versions, "_scrambled", nothing),
    "own reads are not looked at": (observed, "_read", lambda reads, key, mine, found: ""),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_found(mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, name, instead = MISTAKES[mistake]
    monkeypatch.setattr(owner, name, instead)
    assert next(disagreements(), None) is not None
