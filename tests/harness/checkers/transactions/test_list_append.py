"""Transactions on lists, written by hand: one history for each anomaly, and what looks like one."""

from typing import Any

import pytest
from delphic.harness.checkers import check
from delphic.harness.checkers.operations import UNKNOWN, Ambiguous, Judgement, Operation, hashable
from delphic.harness.checkers.specs import SPECS
from delphic.harness.checkers.transactions import list_append
from delphic.harness.checkers.transactions.models import ANOMALIES, ruled_out
from delphic.harness.verdict import Validity
from fuzz_oracle import linearizable

Line = tuple[int, str, int, int | None]
"""(process, "a1 rx=12", invoked, returned): append 1 to a, and read 1 and 2 at x."""


def micro(text: str) -> tuple[Any, Any]:
    """One part as it was asked for, and as it was answered."""
    if text[0] == "r":
        return ["r", text[1], None], ["r", text[1], [int(digit) for digit in text[3:]] or None]
    part = ["append", text[0], int(text[1:])]
    return part, part


def written(*lines: Line) -> list[Operation]:
    found = []
    for process, text, invoked, returned in lines:
        parts = [micro(part) for part in text.split()]
        asked = hashable([part[0] for part in parts])
        answer = UNKNOWN if returned is None else hashable([part[1] for part in parts])
        later = None if returned is None else (returned + 1) * 10**9
        found.append(
            Operation(
                process, "txn", None, asked, answer, invoked, returned, (invoked + 1) * 10**9, later
            )
        )
    return found


CASES: list[tuple[set[str], list[Line]]] = [
    (set(), [(1, "x1 rx=1", 0, 1), (2, "x2", 2, 3), (1, "rx=12 ry=", 4, 5)]),
    # Never answered: one was seen and one was not.
    (set(), [(1, "x1", 0, None), (2, "x2", 1, None), (3, "rx=1", 2, 3), (3, "x3", 4, 5)]),
    # The one that was not answered happened later than what its process did next.
    (set(), [(1, "x1", 0, None), (1, "rx=", 1, 2), (1, "x2", 3, 4), (1, "rx=21", 5, 6)]),
    # Nobody read these: their order is free.
    (set(), [(1, "x1 y1", 0, 90), (2, "y2 x2", 1, 91), (3, "rx= ry=", 2, 92)]),
    ({"G1a"}, [(1, "x1", 0, 1), (2, "rx=17", 2, 3)]),
    ({"G1b", "G-single"}, [(1, "x1 x2", 0, 90), (2, "rx=1", 1, 91)]),
    ({"internal"}, [(1, "x1 rx=", 0, 1)]),
    ({"internal"}, [(1, "rx= rx=1", 0, 90), (2, "x1", 1, 91)]),
    ({"internal"}, [(1, "rx=1 x1", 0, 1)]),
    ({"internal", "G1b"}, [(1, "x1 x2", 0, 1), (2, "rx=21", 2, 3)]),
    ({"internal", "G-single"}, [(1, "x1 x2", 0, 1), (2, "rx=2", 2, 3)]),
    ({"duplicate-elements"}, [(1, "x1", 0, 1), (2, "rx=11", 2, 3)]),
    (
        {"incompatible-order"},
        [(1, "x1", 0, 90), (2, "x2", 1, 91), (3, "rx=12", 2, 92), (4, "rx=21", 3, 93)],
    ),
    (
        {"lost-update", "G-single"},
        [(1, "rx= x1", 0, 90), (2, "rx= x2", 1, 91), (3, "rx=12", 92, 93)],
    ),
    (
        {"G0"},
        [(1, "x1 y1", 0, 90), (2, "x2 y2", 1, 91), (3, "rx=12", 92, 93), (3, "ry=21", 94, 95)],
    ),
    ({"G1c"}, [(1, "x1 ry=1", 0, 90), (2, "y1 rx=1", 1, 91)]),
    ({"G-single"}, [(1, "x1 y1", 0, 90), (2, "rx=1 ry=", 1, 91)]),
    ({"G2-item"}, [(1, "rx= y1", 0, 90), (2, "ry= x1", 1, 91)]),
    # One's own order: who appended x before y cannot be seen with y alone.
    (
        {"G0-process"},
        [(1, "x1", 0, 1), (1, "y1", 2, 3), (2, "y2 x2", 0, 90), (3, "rx=21 ry=12", 0, 91)],
    ),
    ({"G1c-process"}, [(1, "rx=1", 0, 1), (1, "x1", 2, 3)]),
    ({"G-single-process"}, [(1, "x1", 0, 1), (1, "rx=", 2, 3)]),
    (
        # Two orders of two each always show in real time, too.
        {"G2-item-process", "G-single-realtime"},
        [(1, "x1", 0, 1), (1, "ry=", 2, 3), (2, "y1", 0, 1), (2, "rx=", 2, 3)],
    ),
    (
        {"G0-realtime"},
        [(1, "x1", 0, 1), (2, "x2", 2, 3), (3, "rx=21", 0, 90)],
    ),
    ({"G1c-realtime"}, [(1, "rx=1", 0, 1), (2, "x1", 2, 3)]),
    ({"G-single-realtime"}, [(1, "x1", 0, 1), (2, "rx=", 2, 3)]),
    ({"G2-item-realtime"}, [(1, "y1", 0, 1), (2, "rx=", 2, 3), (3, "x1 ry=", 1, 90)]),
]


@pytest.mark.parametrize(("expected", "lines"), CASES)
def test_a_written_history_shows_its_anomalies(expected: set[str], lines: list[Line]) -> None:
    found = list_append.judge(written(*lines))
    assert isinstance(found, Judgement)
    assert {finding.anomaly for finding in found.findings} == expected
    assert found.validity is (Validity.FAIL if expected else Validity.PASS)
    assert linearizable(SPECS["list-append"], written(*lines)) is not bool(expected)
    for finding in found.findings:
        assert set(finding.witness) <= {line[2] for line in lines}
        assert " s to " in finding.sentence


def test_every_anomaly_has_its_history() -> None:
    assert set().union(*(expected for expected, _ in CASES)) == set(ANOMALIES)
    assert all(meaning.endswith(".") for meaning in ANOMALIES.values())


def test_a_cycle_is_told_edge_by_edge() -> None:
    found = list_append.judge(written((1, "x1 y1", 0, 2), (2, "rx=1 ry=", 1, 3)))
    assert isinstance(found, Judgement)
    assert found.sentence == (
        "G-single, a cycle of 2 transactions: txn #1 by process 2 from 2.000 s to 4.000 s came "
        "before txn #0 by process 1 from 1.000 s to 3.000 s, for it read key 'y' without 1, which "
        "that appended; #0 came before #1, for that read key 'x' with 1, which it had appended. "
        "So it is not consistent-view, repeatable-read."
    )
    assert found.findings[0].witness == (0, 1)
    assert "serializable" in found.statistics["also_not"]
    assert "read-atomic" not in found.statistics["also_not"]


def test_the_weakest_models_come_first() -> None:
    weakest, stronger = ruled_out(["G2-item", "G0", "G1c-realtime"])
    assert weakest == ["read-uncommitted"]
    assert {"repeatable-read", "strong-serializable"} <= set(stronger)
    assert ruled_out(["G-single-realtime"])[0] == ["strong-consistent-view"]
    assert "serializable" not in ruled_out(["G2-item-realtime"])[1]
    assert ruled_out([]) == ([], [])


def test_the_shortest_of_several_cycles_is_told() -> None:
    long = [(1, "a1 rb=1", 0, 90), (2, "b1 rc=1", 1, 91), (3, "c1 ra=1", 2, 92)]
    short = [(4, "x1 ry=1", 3, 93), (5, "y1 rx=1", 4, 94)]
    found = list_append.judge(written(*long, *short))
    assert isinstance(found, Judgement)
    assert [finding.details["length"] for finding in found.findings] == [2]


def test_an_element_appended_twice_is_left_to_the_search() -> None:
    lines: list[Line] = [(1, "x1", 0, 1), (2, "x1", 2, 3), (3, "rx=11", 4, 5)]
    assert list_append.judge(written(*lines)) == Ambiguous(list_append.TWICE, (None,))
    found = check(written(*lines), "list-append")
    assert (found.validity, found.method) == (Validity.PASS, "search")
    unread = list_append.judge(written(*lines[:2]))
    assert isinstance(unread, Judgement)
    assert unread.validity is Validity.PASS


def test_nothing_answered_is_inconclusive() -> None:
    for lines in ([], [(1, "x1", 0, None)]):
        found = list_append.judge(written(*lines))
        assert isinstance(found, Judgement)
        assert found.validity is Validity.INCONCLUSIVE
