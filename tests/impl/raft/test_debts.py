"""Every caller is answered exactly once, and told the truth about its entry."""

from typing import Any

import pytest
from delphic.impl.bugs import ABORTED_READ
from delphic.impl.client.errors import RequestError, not_leader
from delphic.impl.raft import debts as module
from delphic.impl.raft.debts import Debts, Proposal
from delphic.impl.raft.messages import Kind
from delphic.impl.site import Site

ELSEWHERE = not_leader(Site("h", 1, "n2"))


class Callers:
    """Who asked for what, and what they were told."""

    def __init__(self, debts: Debts) -> None:
        self._debts = debts
        self.told: dict[str, list[Any]] = {}

    def propose(self, name: str, payload: bytes = b"x") -> None:
        self.told[name] = []
        self._debts.propose(Proposal(Kind.APPEND, payload, self.told[name].append))

    def read(self, name: str) -> None:
        self.told[name] = []
        self._debts.read(self.told[name].append)


def test_an_applied_entry_is_answered_with_its_outcome_and_then_forgotten() -> None:
    debts = Debts()
    callers = Callers(debts)
    callers.propose("a")
    callers.propose("b")
    debts.logged(7, debts.take_proposals())
    answer = debts.applied(8)
    assert answer is not None
    answer(42)
    assert callers.told == {"a": [], "b": [42]}
    assert debts.applied(8) is None
    assert debts.count == 1


def test_reads_go_on_in_order_once_their_index_is_applied() -> None:
    debts = Debts()
    callers = Callers(debts)
    callers.read("early")
    callers.read("late")
    tokens = debts.take_reads()
    assert debts.take_reads() == ()
    debts.confirm(tokens[0], 3)
    debts.confirm(tokens[1], 5)
    debts.settle_reads(4)
    assert callers.told == {"early": [None], "late": []}
    debts.settle_reads(5)
    assert callers.told == {"early": [None], "late": [None]}
    assert debts.count == 0


def test_stepping_down_is_indeterminate_only_for_what_was_logged() -> None:
    """HS-3's other half: no answer is given that the log could contradict."""
    debts = Debts()
    callers = Callers(debts)
    callers.propose("logged")
    debts.logged(1, debts.take_proposals())
    callers.propose("not yet")
    callers.read("read")
    callers.read("confirmed")
    first, second = debts.take_reads()
    debts.confirm(second, 9)
    debts.default(ELSEWHERE)
    [logged] = callers.told["logged"]
    assert (logged.name, logged.definite) == ("Indeterminate", False)
    assert callers.told["not yet"] == callers.told["read"] == [ELSEWHERE]
    assert callers.told["confirmed"] == [ELSEWHERE]
    debts.refuse_read(first, ELSEWHERE)
    debts.settle_reads(100)
    assert debts.applied(1) is None
    assert all(len(told) == 1 for told in callers.told.values())
    assert debts.count == 0


def test_the_seeded_bug_calls_failed_what_may_still_commit() -> None:
    debts = Debts(frozenset({ABORTED_READ}))
    callers = Callers(debts)
    callers.propose("logged")
    debts.logged(1, debts.take_proposals())
    debts.default(ELSEWHERE)
    [logged] = callers.told["logged"]
    assert (logged.name, logged.definite) == ("NotLeader", True)


def test_a_refused_read_is_told_once() -> None:
    debts = Debts()
    callers = Callers(debts)
    callers.read("r")
    [token] = debts.take_reads()
    debts.refuse_read(token, ELSEWHERE)
    debts.refuse_read(token, ELSEWHERE)
    assert callers.told == {"r": [ELSEWHERE]}


def test_too_many_or_too_large_calls_are_refused_definitely(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "CALLS_MAX", 3)
    monkeypatch.setattr(module, "PAYLOAD_BYTES_MAX", 100)
    debts = Debts()
    callers = Callers(debts)
    callers.propose("a", b"x" * 60)
    with pytest.raises(RequestError) as caught:
        callers.propose("b", b"x" * 60)
    assert (caught.value.name, caught.value.definite) == ("Overloaded", True)
    callers.read("c")
    callers.read("d")
    with pytest.raises(RequestError, match="3 calls with 60 bytes wait already"):
        callers.read("e")
    debts.refused(debts.take_proposals(), ELSEWHERE)
    callers.propose("f", b"x" * 100)
    assert callers.told["a"] == [ELSEWHERE]


def test_a_call_that_is_large_is_taken_where_nothing_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame may be larger than all that may wait."""
    monkeypatch.setattr(module, "PAYLOAD_BYTES_MAX", 100)
    callers = Callers(Debts())
    callers.propose("a", b"x" * 101)
    with pytest.raises(RequestError, match="1 calls with 101 bytes wait already"):
        callers.propose("b", b"x")
