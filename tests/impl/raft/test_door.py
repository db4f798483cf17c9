"""What of a peer ends its connection: only what no member sends, whatever happened to both."""

import pytest
from delphic.impl.raft.core import Core
from delphic.impl.raft.door import check
from delphic.impl.raft.messages import AppendResponse, HardState
from delphic.impl.raft.ready import Received, Role, Timer, TimerFired
from delphic.impl.wire import FrameError
from member import entries_of

MEMBERS = ("n1", "n2", "n3")


def recovered() -> Core:
    """Of a leader of term 5 that had sent 12 entries and written 9 when it was killed."""
    return Core.recover("n1", MEMBERS, HardState(5, "n1"), entries_of([5] * 9))


def told(term: int, match: int) -> AppendResponse:
    return AppendResponse(src="n2", dst="n1", term=term, success=True, match=match, hint=0, round=0)


def test_an_answer_to_what_a_leader_sent_before_it_was_restarted_is_no_nonsense() -> None:
    core = recovered()
    late = told(term=5, match=12)
    check(late, core)
    core.step(Received(late))
    assert core.role is Role.FOLLOWER


def test_a_leader_was_never_asked_for_what_it_has_not() -> None:
    core = Core.recover("n1", ("n1",), HardState(5, "n1"), entries_of([5] * 9))
    core.step(TimerFired(Timer.ELECTION))
    assert core.role is Role.LEADER
    check(told(core.term, core.log.last_index), core)
    with pytest.raises(FrameError, match="nonsense from n2: 12 entries, where there are 10"):
        check(told(core.term, 12), core)
