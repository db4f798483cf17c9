"""Members' roles over time, cut where faults silenced them."""

from typing import Any

from delphic.harness.history import History
from delphic.harness.op import Op, OpType
from delphic.reports.page.faults import acts
from delphic.reports.page.members import Span, at, spans, terms_with_leader

SECOND = 10**6


def role(second: int, node: str, name: str, term: int) -> Op:
    value = {"role": name, "term": term, "leader": node if name == "leader" else None}
    return Op(0, second * 10**9, "observer", OpType.INFO, "role", value=value, node=node)


def act(second: int, f: str, node: str) -> list[Op]:
    asked = {"kind": f, "target": node}
    receipt: dict[str, Any] = {"asked": asked, "nodes": [node], "bit": True}
    return [
        Op(0, second * 10**9, "nemesis", OpType.INVOKE, f, value=asked),
        Op(0, second * 10**9, "nemesis", OpType.INFO, f, value=receipt),
    ]


def found(*ops: Op, end: int = 10) -> list[Span]:
    history = History(tuple(sorted(ops, key=lambda op: op.time_ns)))
    return list(spans(history, acts(history), end * SECOND))


def times(told: list[Span]) -> list[tuple[str, int, int]]:
    return [(span.role, span.start // SECOND, span.end // SECOND) for span in told]


def test_a_role_lasts_until_the_next_one_or_the_end() -> None:
    told = found(role(1, "n1", "candidate", 1), role(2, "n1", "leader", 1))
    assert times(told) == [("candidate", 1, 2), ("leader", 2, 10)]
    assert terms_with_leader(told) == [1]


def test_a_pause_interrupts_a_role() -> None:
    told = found(role(1, "n1", "leader", 1), *act(3, "pause", "n1"), *act(5, "resume", "n1"))
    assert times(told) == [("leader", 1, 3), ("leader", 5, 10), ("paused", 3, 5)]


def test_a_kill_ends_a_role_for_good() -> None:
    told = found(
        role(1, "n1", "leader", 1),
        *act(3, "kill", "n1"),
        *act(5, "restart", "n1"),
        role(6, "n1", "follower", 2),
    )
    assert times(told) == [("leader", 1, 3), ("follower", 6, 10), ("dead", 3, 5)]


def test_members_that_died_by_themselves_are_dead() -> None:
    died = Op(0, 4 * 10**9, "observer", OpType.INFO, "died", node="n1", error="exit code 4")
    told = found(role(1, "n1", "leader", 1), died)
    assert times(told) == [("leader", 1, 4), ("dead", 4, 10)]


def test_a_silence_counts_before_a_role() -> None:
    told = found(role(1, "n1", "leader", 3), *act(3, "pause", "n1"), *act(5, "resume", "n1"))
    during = at(told, "n1", 4 * SECOND)
    before = at(told, "n1", 2 * SECOND)
    assert during is not None
    assert during.role == "paused"
    assert before is not None
    assert (before.role, before.term) == ("leader", 3)
    assert at(told, "n1", 0) is None
    assert at(told, "n2", 4 * SECOND) is None


def test_strange_observations_are_unknown_roles() -> None:
    odd = Op(0, 10**9, "observer", OpType.INFO, "role", value={"role": 7, "term": "x"}, node="n1")
    (span,) = found(odd)
    assert (span.role, span.term, span.leader) == ("unknown", None, None)
