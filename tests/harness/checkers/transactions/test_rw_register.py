"""Transactions on registers: written by hand, and random ones against all permutations."""

import random
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from delphic.harness.checkers.operations import UNKNOWN, Ambiguous, Judgement, Operation
from delphic.harness.checkers.specs import SPECS
from delphic.harness.checkers.transactions import graph, rw_register
from delphic.harness.verdict import Validity
from fuzz_oracle import explained, in_program, in_real_time

Line = tuple[int, str, int, int | None]
"""(process, "wx1 rx1 ry", invoked, returned): write 1 to x, read 1 at x, and nothing at y."""

SPEC = SPECS["rw-register"]
HISTORIES = 3_000

CASES: list[tuple[set[str], list[Line]]] = [
    (set(), [(1, "wx1 rx1", 0, 1), (2, "wx2 ry", 2, 3), (3, "rx2", 4, 5)]),
    (set(), [(1, "wx1", 0, None), (2, "wx2", 1, None), (3, "rx", 2, 3), (3, "rx2", 4, 5)]),
    ({"G1a"}, [(1, "wx1", 0, 1), (2, "rx7", 2, 3)]),
    ({"G1b"}, [(1, "wx1 wx2", 0, 90), (2, "rx1", 1, 91)]),
    ({"internal"}, [(1, "wx1 rx", 0, 1)]),
    ({"internal"}, [(1, "rx rx1", 0, 90), (2, "wx1", 1, 91)]),
    ({"internal"}, [(1, "rx1 wx1", 0, 1)]),
    ({"lost-update", "G2-item"}, [(1, "rx wx1", 0, 90), (2, "rx wx2", 1, 91)]),
    ({"G1c"}, [(1, "wx1 ry1", 0, 90), (2, "wy1 rx1", 1, 91)]),
    ({"G-single"}, [(1, "wx1 wy1", 0, 90), (2, "rx1 ry", 1, 91)]),
    ({"G2-item"}, [(1, "rx wy1", 0, 90), (2, "ry wx1", 1, 91)]),
    ({"G1c-process"}, [(1, "rx1", 0, 1), (1, "wx1", 2, 3)]),
    ({"G1c-realtime"}, [(1, "rx1", 0, 1), (2, "wx1", 2, 3)]),
    ({"G-single-realtime"}, [(1, "wx1", 0, 1), (2, "rx", 2, 3)]),
    # That the first was overwritten is known by the clock alone.
    ({"G0-realtime", "G-single-realtime"}, [(1, "wx1", 0, 1), (2, "wx2", 2, 3), (3, "rx1", 4, 5)]),
]


def written(*lines: Line) -> list[Operation]:
    found = []
    for process, text, invoked, returned in lines:
        parts = [(part[0], part[1], int(part[2:]) if part[2:] else None) for part in text.split()]
        asked = tuple((kind, key, value if kind == "w" else None) for kind, key, value in parts)
        answer = UNKNOWN if returned is None else tuple(parts)
        found.append(Operation(process, "txn", None, asked, answer, invoked, returned))
    return found


@pytest.mark.parametrize(("expected", "lines"), CASES)
def test_a_written_history_shows_its_anomalies(expected: set[str], lines: list[Line]) -> None:
    assert SPEC.monitor is not None
    found = SPEC.monitor(written(*lines))
    assert isinstance(found, Judgement)
    anomalies = {finding.anomaly for finding in found.findings}
    assert anomalies == expected
    assert found.validity is (Validity.FAIL if expected else Validity.PASS)
    assert explained(SPEC, written(*lines), in_real_time) is not bool(expected)


def test_a_value_written_twice_and_read_is_left_to_the_search() -> None:
    assert SPEC.monitor is not None
    lines: list[Line] = [(1, "wx1", 0, 1), (2, "wx1", 2, 3), (3, "rx1", 4, 5)]
    assert SPEC.monitor(written(*lines)) == Ambiguous(rw_register.TWICE, (None,))


def draw(chance: random.Random) -> list[Operation]:
    """A few transactions that happened one by one, some of which then misread."""
    held: dict[str, int | None] = {}
    error = chance.choice((0.0, 0.1, 0.3))
    free = dict.fromkeys(range(3), 0)
    drawn: list[Operation] = []
    values = iter(range(1, 100))
    last = 1
    for number in range(chance.randint(2, 6)):
        process = chance.choice(list(free))
        before = dict(held)
        asked: list[Any] = []
        answered: list[Any] = []
        for _ in range(chance.randint(1, 3)):
            key = chance.choice("xy")
            if chance.random() < 0.5:
                held[key] = last = next(values)
                asked.append(("w", key, held[key]))
                answered.append(asked[-1])
            else:
                right = held.get(key)
                wrong = chance.choice((None, chance.randint(1, last)))
                asked.append(("r", key, None))
                answered.append(("r", key, wrong if chance.random() < error else right))
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


def anyhow(one: Operation, other: Operation) -> bool:
    return False


@cache
def drafts() -> list[tuple[list[Operation], bool, bool, bool]]:
    chance = random.Random(20261121)
    found = []
    for _ in range(HISTORIES):
        operations = draw(chance)
        strict = explained(SPEC, operations, in_real_time)
        session = strict or explained(SPEC, operations, in_program)
        found.append((operations, strict, session, session or explained(SPEC, operations, anyhow)))
    return found


def disagreements(counted: Counter[str]) -> Iterator[list[Operation]]:
    """Where it is wrong, what needs no clock must be wrong without one, too."""
    assert SPEC.monitor is not None
    for operations, strict, session, serial in drafts():
        found = SPEC.monitor(operations)
        if not isinstance(found, Judgement):
            counted["ambiguous"] += 1
            continue
        anomalies = {finding.anomaly for finding in found.findings}
        counted.update(anomalies or {"pass"})
        timeless = {one for one in anomalies if not one.endswith("-realtime")}
        orderless = {one for one in timeless if not one.endswith("-process")}
        if bool(anomalies) is strict or (timeless and session) or (orderless and serial):
            yield operations


def test_cycles_agree_with_all_permutations() -> None:
    counted: Counter[str] = Counter()
    assert list(disagreements(counted)) == []
    assert counted["pass"] > HISTORIES / 5
    assert counted["ambiguous"] < HISTORIES / 50
    assert {"G1a", "G1b", "G-single", "G2-item", "internal", "lost-update"} <= set(counted)


def nothing(*_: Any) -> Iterator[Any]:
    return iter(())


INFERRED = rw_register.Registers.inferred


def only_of_reads(*given: Any) -> Iterator[Any]:
    return (edge for edge in INFERRED(*given) if edge.kind == graph.RW)


def at_once(
    self: rw_register.Registers, writers: dict[Any, list[int]], after: list[int]
) -> Iterator[Any]:
    """Whatever was read was overwritten by all others."""
    for (key, _), readers in self.readers.items():
        for at in readers:
            for other in writers.get(key, []):
                if other != at and not after[at] >> other & 1:
                    yield graph.Edge(at, other, graph.RW, key)


MISTAKES: dict[str, tuple[Any, str, Any]] = {
    "no real time": (graph, "_in_time", nothing),
    "reads come before all writes": (rw_register.Registers, "inferred", at_once),
}
LEFT: dict[str, tuple[Any, str, Any]] = {
    "all reads are right": (rw_register.Registers, "_read", nothing),
    "nothing is looked at": (rw_register.Registers, "look", nothing),
    "writes never come before what was read": (rw_register.Registers, "inferred", only_of_reads),
    "no cycles": (rw_register, "cycles", nothing),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_found(mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*MISTAKES[mistake])
    assert next(disagreements(Counter()), None) is not None


@pytest.mark.parametrize("mistake", LEFT)
def test_a_judge_that_knows_less_asks_the_search(
    mistake: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It calls nothing right without an order that explains it."""
    known: Counter[str] = Counter()
    assert list(disagreements(known)) == []
    monkeypatch.setattr(*LEFT[mistake])
    left: Counter[str] = Counter()
    assert list(disagreements(left)) == []
    assert left["ambiguous"] > known["ambiguous"]
