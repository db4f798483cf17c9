"""A violation is shown with the operations that explain it."""

from collections.abc import Callable
from typing import Any

from delphic.harness.history import validated
from delphic.harness.op import Op, OpType
from delphic.harness.verdict import Validity, Verdict
from delphic.reports.page.document import Document
from delphic.reports.page.witness import Findings, Row, Witness, witnesses

OK, INFO = OpType.OK, OpType.INFO


def history(*calls: tuple[int, str, Any, OpType, Any]) -> list[Op]:
    """Calls one after another, each of a client of its own: process, f, asked, outcome, value."""
    ops: list[Op] = []
    for process, f, asked, kind, value in calls:
        at = len(ops)
        ops.append(Op(at, at * 10**6, process, OpType.INVOKE, f, value=asked))
        ops.append(Op(at + 1, (at + 1) * 10**6, process, kind, f, value=value, node="n1"))
    return ops


def found(ops: list[Op], *indices: int, validity: Validity = Validity.FAIL) -> Witness:
    verdict = Verdict("log", validity, "It broke.", ("HS-2",), indices)
    (witness,) = witnesses([verdict], Findings(validated(ops), ("n1",), (), (), ()))
    return witness


def relation(witness: Witness, name: str) -> list[Row]:
    return [row for row in witness.rows if row.relation == name]


LOSS = history(
    (0, "append", [1, 2], OK, 0),
    (1, "append", [3], OK, 2),  # 2, 3: will be lost
    (2, "read", [0, None], OK, [1, 2, 3]),  # 4, 5
    (3, "append", [7], OK, 2),  # 6, 7: takes its place
    (4, "read", [0, None], OK, [1, 2, 7]),  # 8, 9
    (5, "append", [8], OK, 3),
    (6, "read", [0, None], OK, [1, 2, 7, 8]),  # 12, 13
)


def test_a_lost_append_is_shown_with_who_saw_it_and_who_took_its_place() -> None:
    witness = found(LOSS, 3, 13)
    assert [(row.number, row.index) for row in witness.numbered] == [(1, 2), (2, 12)]
    assert [row.index for row in relation(witness, "last to see it")] == [4]
    assert [row.index for row in relation(witness, "first to miss it")] == [8]
    assert [row.index for row in relation(witness, "same offset")] == [6]
    assert [row.index for row in witness.rows] == sorted(row.index for row in witness.rows)


def test_a_stale_read_is_shown_with_who_wrote_what_it_missed() -> None:
    ops = history(
        (0, "append", [1], OK, 0),
        (1, "append", [5, 6], INFO, None),
        (2, "read", [0, None], OK, [1, 5, 6]),
        (3, "read", [0, None], OK, [1]),
    )
    witness = found(ops, 5, 7)
    (writer,) = relation(witness, "wrote row 5")
    assert (writer.index, writer.outcome) == (2, "info")


def test_either_index_of_a_call_points_at_it() -> None:
    assert found(LOSS, 2, 12).rows == found(LOSS, 3, 13).rows


def test_a_witness_that_is_no_call_is_shown_too() -> None:
    ops = [
        *history((0, "append", [1], OK, 0)),
        Op(2, 5_000_000, "harness", OpType.INFO, "replica", value={"rows": 1}, node="n2"),
        Op(3, 6_000_000, "harness", OpType.INFO, "replica", node="n3", error="silent"),
    ]
    witness = found(ops, 2, 3)
    assert [(row.f, row.node, row.result) for row in witness.numbered] == [
        ("replica", "n2", '{"rows":1}'),
        ("replica", "n3", "silent"),
    ]


def test_a_call_that_never_returned_can_be_a_witness() -> None:
    ops = [*history((0, "append", [1], OK, 0)), Op(2, 10**7, 1, OpType.INVOKE, "append", value=[2])]
    (row,) = found(ops, 2).numbered
    assert (row.end, row.end_index, row.outcome, row.result) == (None, None, "info", "no answer")


def test_checkers_with_one_witness_share_a_section() -> None:
    findings = Findings(validated(LOSS), ("n1",), (), (), ())
    verdicts = [
        Verdict("log", Validity.FAIL, "a", ("HS-4",), (3, 13)),
        Verdict("durability", Validity.FAIL, "b", ("HS-2",), (3, 13)),
        Verdict("crashed", Validity.HARNESS_ERROR, "c"),
        Verdict("fine", Validity.PASS, "d", ("HS-1",)),
        Verdict("doubt", Validity.UNKNOWN, "e", (), (3,)),
    ]
    shown = witnesses(verdicts, findings)
    assert [w.checkers for w in shown] == [("log", "durability"), ("crashed",)]
    assert shown[0].promises == ("HS-4", "HS-2")
    assert shown[1].rows == ()
    assert shown[1].logs == ()


def test_keys_are_not_mixed() -> None:
    ops = [
        Op(0, 0, 0, OpType.INVOKE, "append", key="a", value=[1]),
        Op(1, 1, 0, OK, "append", key="a", value=0),
        Op(2, 2, 0, OpType.INVOKE, "append", key="b", value=[2]),
        Op(3, 3, 0, OK, "append", key="b", value=0),
        Op(4, 4, 0, OpType.INVOKE, "read", key="a", value=[0, None]),
        Op(5, 5, 0, OK, "read", key="a", value=[]),
    ]
    assert [row.key for row in found(ops, 1, 5).rows] == ["a", "a"]


def test_the_moment_tells_roles_and_faults(documents: Callable[[str], Document]) -> None:
    witness = documents("fail").witnesses[0]
    assert [moment.number for moment in witness.moments] == [1, 2]
    last = dict(witness.moments[1].members)
    assert last["n1"] == "leader, term 4"
    assert last["n2"] == "follower of n1, term 4"


def test_every_log_is_quoted_around_the_witness(documents: Callable[[str], Document]) -> None:
    witness = documents("fail").witnesses[0]
    assert [log.node for log in witness.logs] == ["n1", "n2", "n3"]
    times = [t for row in witness.numbered for t in (row.start, row.end) if t is not None]
    for log in witness.logs[:2]:
        assert log.lines
        for line in log.lines:
            assert line.time is not None
            assert min(abs(line.time - time) for time in times) <= 1_000_000
    assert "no time" in witness.logs[2].note
