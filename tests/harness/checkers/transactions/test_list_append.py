"""Transactions on lists, written by hand: one history for each anomaly, and what looks like one."""

from typing import Any

import pytest
from delphic.harness.checkers import check
from delphic.harness.checkers.operations import Ambiguous, Judgement, Operation
from delphic.harness.checkers.specs import SPECS
from delphic.harness.checkers.transactions import list_append
from delphic.harness.checkers.transactions.models import (
    ANOMALIES,
    STRICTEST,
    TARGETS,
    forbidden_by,
    ruled_out,
)
from delphic.harness.errors import UsageError
from delphic.harness.judging.judged import judged
from delphic.harness.judging.own import promising
from delphic.harness.verdict import Validity
from fuzz_oracle import linearizable
from txn_drafts import FAILED, happened, operation

Line = tuple[int, str, int, int | None]
"""(process, "a1 rx=12", invoked, returned): append 1 to a, and read 1 and 2 at x."""


def micro(text: str) -> tuple[Any, Any]:
    """One part as it was asked for, and as it was answered."""
    if text[0] == "r":
        found = tuple(int(digit) for digit in text[3:])
        return ("r", text[1], None), ("r", text[1], found or None)
    part = ("append", text[0], int(text[1:]))
    return part, part


def written(*lines: Line) -> list[Operation]:
    return [operation((p, list(map(micro, text.split())), i, r)) for p, text, i, r in lines]


CASES: list[tuple[set[str], list[Line]]] = [
    (set(), [(1, "x1 rx=1", 0, 1), (2, "x2", 2, 3), (1, "rx=12 ry=", 4, 5)]),
    # Never answered: one was seen and one was not.
    (set(), [(1, "x1", 0, None), (2, "x2", 1, None), (3, "rx=1", 2, 3), (3, "x3", 4, 5)]),
    # The one that was not answered happened later than what its process did next.
    (set(), [(1, "x1", 0, None), (1, "rx=", 1, 2), (1, "x2", 3, 4), (1, "rx=21", 5, 6)]),
    # Nobody read these: their order is free.
    (set(), [(1, "x1 y1", 0, 90), (2, "y2 x2", 1, 91), (3, "rx= ry=", 2, 92)]),
    ({"G1a"}, [(1, "x1", 0, 1), (2, "rx=17", 2, 3)]),
    # One that failed appended it, which nobody may see; but may append the same, again.
    ({"G1a"}, [(1, "x1", 0, FAILED), (2, "rx=1", 1, 2)]),
    (set(), [(1, "x1", 0, FAILED), (2, "rx=", 1, 2), (1, "x1", 3, 4), (2, "rx=1", 5, 6)]),
    ({"G1a", "dirty-update"}, [(1, "x1", 0, FAILED), (2, "x2", 1, 2), (3, "rx=12", 3, 4)]),
    # What failed came last: nobody committed on top of it.
    ({"G1a"}, [(1, "x2", 0, FAILED), (2, "x1", 1, 2), (3, "rx=12", 3, 4)]),
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
    # A long fork: two see two others in opposite orders.
    (
        {"G-nonadjacent"},
        [(1, "x1", 0, 90), (2, "y1", 1, 91), (3, "rx=1 ry=", 2, 92), (4, "ry=1 rx=", 3, 93)],
    ),
    # One's own order: who appended x before y cannot be seen with y alone.
    (
        {"G0-process"},
        [(1, "x1", 0, 1), (1, "y1", 2, 3), (2, "y2 x2", 0, 90), (3, "rx=21 ry=12", 0, 91)],
    ),
    ({"G1c-process"}, [(1, "rx=1", 0, 1), (1, "x1", 2, 3)]),
    ({"G-single-process"}, [(1, "x1", 0, 1), (1, "rx=", 2, 3)]),
    (
        # Two orders of two each always show in real time, too.
        {"G-nonadjacent-process", "G-single-realtime"},
        [(1, "x1", 0, 1), (1, "ry=", 2, 3), (2, "y1", 0, 1), (2, "rx=", 2, 3)],
    ),
    ({"G2-item-process"}, [(1, "z1", 1, 2), (1, "rx=", 3, 4), (2, "x1 rz=", 0, 91)]),
    (
        {"G-nonadjacent-realtime"},
        [(2, "y1", 1, 2), (4, "rx=", 3, 4), (1, "x1", 0, 90), (3, "rx=1 ry=", 0, 91)],
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
    assert linearizable(SPECS["list-append"], happened(written(*lines))) is not bool(expected)
    for finding in found.findings:
        assert set(finding.witness) <= {line[2] for line in lines}
        assert " s to " in finding.sentence


def test_every_anomaly_has_its_history() -> None:
    """Those of registers alone are in their own test."""
    named = {name for name in ANOMALIES if not name.startswith("no-order")}
    assert set().union(*(expected for expected, _ in CASES)) == named
    assert all(meaning.endswith(".") for meaning in ANOMALIES.values())


CHAIN = ["read-uncommitted", "read-committed", "consistent-view", "snapshot-isolation"]
CHAIN += ["serializable"]
FORBIDDEN_FIRST = {
    "read-uncommitted": {"G0", "duplicate-elements"},
    "read-committed": {"G1a", "G1b", "G1c", "dirty-update", "incompatible-order"},
    "consistent-view": {"G-single", "lost-update"},
    "snapshot-isolation": {"G-nonadjacent", "internal"},
    "serializable": {"G2-item", "no-order"},
}
"""Of each model what those before it allow: Adya: PL-1 (G0), PL-2 (G1), PL-2+ (G-single), PL-SI and
PL-3 (G2); and what Elle adds: that an incompatible order implies a read that was aborted, as does a
dirty update; that cursor stability, which is less than PL-2+, forbids lost updates; that snapshot
isolation is atomic, and so forbids what is `internal`."""


def test_models_forbid_what_their_sources_say() -> None:
    so_far: set[str] = set()
    for model in CHAIN:
        so_far |= FORBIDDEN_FIRST[model]
        timeless = {name for name in forbidden_by(model) if "-process" not in name}
        assert {name for name in timeless if "-realtime" not in name} == so_far
        assert timeless == forbidden_by(model), "without a clock, none counts the clock"
    cycles = ("G0", "G1c", "G-single", "G-nonadjacent", "G2-item", "no-order")
    for place, model in enumerate(CHAIN):
        for suffix, prefix in (("-process", "strong-session-"), ("-realtime", "strong-")):
            added = forbidden_by(prefix + model) - forbidden_by(model)
            of_order = {name.removesuffix(suffix) for name in added if name.endswith(suffix)}
            first = set(cycles) & set().union(*(FORBIDDEN_FIRST[m] for m in CHAIN[: place + 1]))
            assert of_order == first
    committed = FORBIDDEN_FIRST["read-uncommitted"] | FORBIDDEN_FIRST["read-committed"]
    skews = {"G-single", "G-nonadjacent", "G2-item", "lost-update"}
    assert forbidden_by("repeatable-read") == committed | skews, "PL-2.99: G1 and G2-item"
    assert forbidden_by(STRICTEST) == set(ANOMALIES), "Adya's PL-SS"


@pytest.mark.parametrize(("expected", "lines"), CASES)
def test_a_weaker_promise_is_broken_by_what_it_forbids_only(
    expected: set[str], lines: list[Line]
) -> None:
    for model in TARGETS:
        spec = promising(SPECS["list-append"], model)
        found = check(written(*lines), spec)
        if expected & forbidden_by(model):
            assert found.validity is Validity.FAIL
            assert found.findings[0].anomaly in forbidden_by(model)
            assert any(word in found.sentence for word in ruled_out(expected)[0])
        else:
            assert found.validity in (Validity.PASS, Validity.UNKNOWN)
            assert found.validity is Validity.PASS or "incompatible-order" in expected


def test_what_a_model_allows_is_told_all_the_same() -> None:
    skew = written((1, "rx= y1", 0, 90), (2, "ry= x1", 1, 91))
    found = check(skew, promising(SPECS["list-append"], "snapshot-isolation"))
    assert found.sentence == (
        "2 answered transactions show nothing that snapshot-isolation forbids. "
        "(They do show what repeatable-read forbids.)"
    )
    assert check(skew, "list-append").validity is Validity.FAIL
    # Both wrote x and y, which nobody read: in either order one of them missed what it replaced.
    unread = written((1, "rx= y1 x3", 0, 90), (2, "ry= x1 y2", 1, 91))
    undecided = check(unread, promising(SPECS["list-append"], "snapshot-isolation"))
    assert undecided.validity is Validity.UNKNOWN
    assert "nobody read in which order" in undecided.sentence


def test_there_is_no_promise_that_cannot_be_judged() -> None:
    with pytest.raises(UsageError, match="no history can be said to keep to 'read-atomic'"):
        promising(SPECS["list-append"], "read-atomic")
    with pytest.raises(UsageError, match=r"for transactions \(list-append, rw-register\), not for"):
        promising(SPECS["register"], "serializable")


def test_what_failed_and_was_seen_is_told_with_who_wrote_it() -> None:
    lines: list[Line] = [(1, "x1", 0, FAILED), (2, "x2", 1, 2), (3, "rx=12", 3, 4)]
    found = check(written(*lines), "list-append")
    assert found.sentence == (
        "txn #3 by process 3 from 4.000 s to 5.000 s found 1 at key 'x', which txn #0 by process 1 "
        "(begun at 1.000 s, certainly failed) had appended. So it is not read-committed."
    )
    assert [finding.witness for finding in found.findings] == [(0, 3), (0, 1, 3)]
    told = judged(written(*lines), SPECS["list-append"], found)
    assert told.unanswered == 0
    assert any("failed" in line for line in told.picture)
    assert told.is_proof


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


@pytest.mark.parametrize(
    "lines",
    [
        [(1, "x7", 0, 1), (2, "x7 rx=77", 2, 3)],
        [(1, "x7", 0, 1), (2, "rx=7 x7", 2, 3)],
        [(1, "x7", 0, None), (2, "rx=7 x7 rx=77", 2, 3)],
    ],
)
def test_what_one_appends_again_another_may_have_appended_before(lines: list[Line]) -> None:
    assert list_append.judge(written(*lines)) == Ambiguous(list_append.TWICE, (None,))
    for model in TARGETS:
        assert isinstance(list_append.judge(written(*lines), model), Ambiguous)
    found = check(written(*lines), "list-append", second_opinion=True)
    assert (found.validity, found.method) == (Validity.PASS, "search")


def test_what_nobody_else_can_have_appended_is_found_too_early() -> None:
    """Not by one that failed, and whatever else was appended twice."""
    for other in ((1, "x7", 0, FAILED), (1, "x1 x1 y7", 0, 1), (1, "x1", 0, None)):
        found = list_append.judge(written(other, (2, "rx=78 x7 x8", 2, 3)))
        assert isinstance(found, Judgement)
        assert [finding.anomaly for finding in found.findings] == ["internal"]
        assert "found [7, 8] at key 'x' before it appended that" in found.sentence


def test_nothing_answered_is_inconclusive() -> None:
    for lines in ([], [(1, "x1", 0, None)]):
        found = list_append.judge(written(*lines))
        assert isinstance(found, Judgement)
        assert found.validity is Validity.INCONCLUSIVE
