"""Transactions on registers: written by hand, and random ones against all permutations."""

import os
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from delphic.harness.checkers.operations import Ambiguous, Judgement, Operation
from delphic.harness.checkers.specs import SPECS
from delphic.harness.checkers.transactions import graph, rw_register
from delphic.harness.verdict import Validity
from fuzz_oracle import linearizable
from txn_drafts import FAILED, Kind, Truth, drafts, happened, operation, orderless, snapshots

Line = tuple[int, str, int, int | None]
"""(process, "wx1 rx1 ry", invoked, returned): write 1 to x, read 1 at x, and nothing at y."""

SPEC = SPECS["rw-register"]
HISTORIES = int(os.environ.get("DELPHIC_FUZZ_HISTORIES", "2000"))

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
    ({"G1a"}, [(1, "wx1", 0, FAILED), (2, "rx1", 1, 2)]),
    (set(), [(1, "wx1", 0, FAILED), (2, "rx", 1, 2), (1, "wx1", 3, 4), (2, "rx1", 5, 6)]),
    (
        {"G-nonadjacent"},
        [(1, "wx1", 0, 90), (2, "wy1", 1, 91), (3, "rx1 ry", 2, 92), (4, "ry1 rx", 3, 93)],
    ),
    # Whether the first was overwritten, or came later, nobody can tell: but neither is serial.
    ({"no-order"}, [(1, "wx1 wy1", 0, 90), (2, "ry1 wx2 wz1", 1, 91), (3, "rz1 rx1", 2, 92)]),
    ({"no-order-process"}, [(1, "wx1", 0, 1), (1, "wx2", 2, 3), (1, "rx1", 4, 5)]),
    # That the first was overwritten is known by the clock alone.
    ({"no-order-realtime"}, [(1, "wx1", 0, 1), (2, "wx2", 2, 3), (3, "rx1", 4, 5)]),
]


def micro(text: str) -> tuple[Any, Any]:
    """One part as it was asked for, and as it was answered."""
    kind, key, value = text[0], text[1], int(text[2:]) if text[2:] else None
    return (kind, key, value if kind == "w" else None), (kind, key, value)


def written(*lines: Line) -> list[Operation]:
    return [operation((p, list(map(micro, text.split())), i, r)) for p, text, i, r in lines]


@pytest.mark.parametrize(("expected", "lines"), CASES)
def test_a_written_history_shows_its_anomalies(expected: set[str], lines: list[Line]) -> None:
    assert SPEC.monitor is not None
    found = SPEC.monitor(written(*lines))
    assert isinstance(found, Judgement)
    anomalies = {finding.anomaly for finding in found.findings}
    assert anomalies == expected
    assert found.validity is (Validity.FAIL if expected else Validity.PASS)
    assert linearizable(SPEC, happened(written(*lines))) is not bool(expected)


def test_a_value_written_twice_and_read_is_left_to_the_search() -> None:
    assert SPEC.monitor is not None
    lines: list[Line] = [(1, "wx1", 0, 1), (2, "wx1", 2, 3), (3, "rx1", 4, 5)]
    assert SPEC.monitor(written(*lines)) == Ambiguous(rw_register.TWICE, (None,))


def write(held: dict[str, Any], key: str, number: int) -> tuple[str, str, int]:
    held[key] = number
    return "w", key, number


def misread(chance: random.Random, error: float, right: Any, last: int) -> int | None:
    wrong = chance.choice((None, chance.randint(1, max(last, 1))))
    return wrong if chance.random() < error else right


KIND = Kind(write, misread)


def truths() -> list[Truth]:
    return drafts(SPEC.name, KIND, HISTORIES)


def disagreements(counted: Counter[str]) -> Iterator[list[Operation]]:
    """Where it is wrong, what needs no clock must be wrong without one, too."""
    assert SPEC.monitor is not None
    for operations, strict, session, serial in truths():
        found = SPEC.monitor(operations)
        if not isinstance(found, Judgement):
            counted["ambiguous"] += 1
            continue
        anomalies = {finding.anomaly for finding in found.findings}
        counted.update(anomalies or {"pass"})
        timeless, without_order = orderless(anomalies)
        if bool(anomalies) is strict or (timeless and session) or (without_order and serial):
            yield operations


def test_cycles_agree_with_all_permutations_by_brute_force() -> None:
    counted: Counter[str] = Counter()
    assert list(disagreements(counted)) == []
    assert counted["pass"] > HISTORIES / 5
    assert counted["ambiguous"] < HISTORIES / 50
    assert {"G1a", "G1b", "G-single", "G2-item", "internal", "lost-update"} <= set(counted)


@pytest.mark.parametrize("model", ["read-committed", "snapshot-isolation", "serializable"])
def test_a_weaker_promise_is_judged_rightly_or_not_at_all_by_brute_force(model: str) -> None:
    assert SPEC.promising is not None
    monitor = SPEC.promising(model).monitor
    assert monitor is not None
    counted: Counter[str] = Counter()
    for truth, is_snapshot in snapshots(SPEC.name, KIND, HISTORIES):
        found = monitor(truth.operations)
        if not isinstance(found, Judgement):
            continue
        counted[found.validity] += 1
        if model == "serializable":
            assert (found.validity is not Validity.FAIL) is truth.serial
        elif model == "snapshot-isolation":
            assert (found.validity is not Validity.FAIL) is is_snapshot
        elif is_snapshot:
            assert found.validity is not Validity.FAIL
    assert min(counted[Validity.PASS], counted[Validity.FAIL]) > HISTORIES / 50


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
