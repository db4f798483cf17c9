"""How a leader keeps its peers busy: many requests under way, bounded, and sent again when lost."""

from itertools import pairwise

from delphic.impl.raft.core import Core
from delphic.impl.raft.messages import (
    AppendRequest,
    AppendResponse,
    HardState,
    Kind,
    VoteResponse,
)
from delphic.impl.raft.progress import PATIENCE_MAX, Progress, Window
from delphic.impl.raft.ready import Persisted, Proposed, Ready, Received, Role, Timer, TimerFired


def steady_leader(window: Window | None = None) -> Core:
    """Member a of three leads term 1; its no-op at index 1 is committed and everybody knows."""
    core = Core.recover("a", ("a", "b", "c"), HardState(), (), window=window)
    core.step(TimerFired(Timer.ELECTION))
    core.step(Received(VoteResponse("b", "a", 1, True, True)))
    core.step(Received(VoteResponse("b", "a", 1, True, False)))
    core.step(Persisted(1, 1))
    for peer in "bc":
        accept(core, peer, 1)
    assert (core.role, core.commit) == (Role.LEADER, 1)
    return core


def accept(core: Core, peer: str, match: int) -> Ready:
    return core.step(Received(AppendResponse(peer, "a", core.term, True, match, 0, 0)))


def refuse(core: Core, peer: str, hint: int) -> Ready:
    return core.step(Received(AppendResponse(peer, "a", core.term, False, 0, hint, 0)))


def propose(core: Core, *payloads: bytes) -> Ready:
    return core.step(Proposed(tuple((Kind.APPEND, payload) for payload in payloads)))


def beat(core: Core) -> Ready:
    return core.step(TimerFired(Timer.HEARTBEAT))


def sent(ready: Ready, peer: str = "b") -> list[tuple[int, int]]:
    """Requests to one peer: after which index, and how many entries."""
    return [
        (m.prev_index, len(m.entries))
        for m in ready.messages
        if isinstance(m, AppendRequest) and m.dst == peer
    ]


def test_proposals_of_one_step_travel_in_one_request() -> None:
    core = steady_leader()
    assert sent(propose(core, *[b"x"] * 100)) == [(1, 100)]


def test_requests_follow_one_another_without_waiting_for_answers() -> None:
    core = steady_leader()
    assert [sent(propose(core, b"x")) for _ in range(3)] == [[(1, 1)], [(2, 1)], [(3, 1)]]
    assert core.progress["b"].next == 5


def test_many_entries_are_split_over_requests_without_a_gap() -> None:
    core = steady_leader(Window(request_entries_max=2))
    assert sent(propose(core, *[b"x"] * 5)) == [(1, 2), (3, 2), (5, 1)]
    core = steady_leader(Window(request_bytes_max=10))
    assert sent(propose(core, b"x" * 6, b"x" * 6, b"x" * 99, b"", b"x")) == [
        (1, 1),
        (2, 1),
        (3, 1),
        (4, 2),
    ]


def test_what_does_not_fit_into_the_window_is_sent_together_upon_the_next_answer() -> None:
    core = steady_leader(Window(requests_max=2))
    assert [sent(propose(core, b"x")) for _ in range(5)] == [[(1, 1)], [(2, 1)], [], [], []]
    assert sent(accept(core, "b", 2)) == [(3, 3)]
    assert sent(propose(core, b"x")) == [], "the window is full again"
    assert sent(accept(core, "b", 6)) == [(6, 1)]


def test_the_window_is_bounded_in_bytes_too() -> None:
    core = steady_leader(Window(bytes_max=100))
    assert [sent(propose(core, b"x" * 60)) for _ in range(3)] == [[(1, 1)], [(2, 1)], []]
    assert sent(accept(core, "b", 2)) == [(3, 1)]
    core = steady_leader(Window(bytes_max=100, request_bytes_max=50))
    assert sent(propose(core, b"x" * 1000, b"y")) == [(1, 1)], "one that is larger still goes"


def test_each_peer_has_a_window_of_its_own() -> None:
    core = steady_leader(Window(requests_max=1))
    propose(core, b"x")
    accept(core, "c", 2)
    ready = propose(core, b"y")
    assert (sent(ready, "b"), sent(ready, "c")) == ([], [(2, 1)])


def test_a_heartbeat_says_that_the_leader_lives_and_what_is_committed() -> None:
    core = steady_leader()
    ready = beat(core)
    assert ready.arm == {Timer.HEARTBEAT}
    assert ready.messages == [AppendRequest("a", peer, 1, 1, 1, (), 1, 0) for peer in "bc"]


def test_a_heartbeat_asks_about_nothing_that_may_still_be_on_its_way() -> None:
    """Else an answer would wait for the peer's disk, and a lost request look like a conflict."""
    core = steady_leader()
    propose(core, b"x")
    assert sent(beat(core)) == [(1, 0)]


def test_what_was_lost_is_sent_again_after_two_heartbeats_without_progress() -> None:
    core = steady_leader()
    propose(core, b"x", b"y")
    propose(core, b"z")
    assert sent(beat(core)) == [(1, 0)]
    assert not core.progress["b"].probing
    assert sent(beat(core)) == [(1, 0)]
    assert core.progress["b"].probing, "where is it?"
    assert sent(accept(core, "b", 1)) == [(1, 3)], "there: all the rest in one request"
    assert sent(accept(core, "b", 4)) == []
    assert (core.progress["b"].match, core.progress["b"].next) == (4, 5)


def test_progress_between_heartbeats_is_no_loss() -> None:
    core = steady_leader()
    for index in range(2, 9):
        propose(core, b"x")
        propose(core, b"x")
        beat(core)
        accept(core, "b", index)
        assert not core.progress["b"].probing
    assert core.progress["b"].next == core.log.last_index + 1


def test_while_the_leader_looks_for_a_peer_it_sends_it_no_entries() -> None:
    core = steady_leader()
    propose(core, b"x")
    refuse(core, "b", 0)
    assert sent(propose(core, b"y")) == []
    assert sent(beat(core)) == [(1, 0)], "the question may have been lost"
    assert sent(accept(core, "b", 1)) == [(1, 2)]


def test_an_old_answer_does_not_end_the_search() -> None:
    """It says nothing about the place that is asked about now."""
    progress = Progress(next=10)
    assert progress.accepted(4)
    assert (progress.probing, progress.match, progress.next) == (True, 4, 10)
    assert not progress.accepted(4)
    assert progress.probing
    assert progress.accepted(9)
    assert (progress.probing, progress.match, progress.next) == (False, 9, 10)


def test_doubled_refusals_move_a_leader_back_once() -> None:
    core = steady_leader()
    for _ in range(5):
        propose(core, b"x")
    assert sent(refuse(core, "b", 3)) == [(3, 0)]
    for hint in (3, 3, 5):
        assert sent(refuse(core, "b", hint)) == []
        assert core.progress["b"].next == 4


def test_a_peer_that_lost_what_it_had_acknowledged_is_not_asked_in_a_tight_loop() -> None:
    """It broke its promise; the leader goes on asking with its heartbeats, and not below match."""
    core = steady_leader()
    propose(core, b"x")
    accept(core, "b", 2)
    propose(core, b"y")
    assert sent(refuse(core, "b", 0)) == [(2, 0)]
    assert sent(refuse(core, "b", 0)) == []
    assert sent(beat(core)) == [(2, 0)]
    assert core.progress["b"].match == 2


def test_a_peer_whose_disk_hangs_is_not_sent_the_same_again_with_every_heartbeat() -> None:
    core = steady_leader()
    propose(core, b"x")
    times = []
    for number in range(40):
        beat(core)
        if core.progress["b"].probing:
            times.append(number)
            accept(core, "b", 1)
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert waits[:3] == [3, 5, 9]
    assert max(waits) == PATIENCE_MAX + 1
    accept(core, "b", 2)
    propose(core, b"y")
    beat(core)
    beat(core)
    assert core.progress["b"].probing, "progress makes the leader impatient again"


def test_a_peer_learns_of_a_commit_when_it_has_nothing_else_to_wait_for() -> None:
    core = steady_leader()
    propose(core, b"x")
    core.step(Persisted(2, 1))
    assert [(m.dst, m.commit) for m in requests(accept(core, "b", 2))] == [("b", 2)]
    assert [(m.dst, m.commit) for m in requests(accept(core, "c", 2))] == [("c", 2)]
    assert requests(accept(core, "c", 2)) == [], "once"
    propose(core, b"y")
    propose(core, b"z")
    core.step(Persisted(3, 1))
    assert requests(accept(core, "b", 3)) == [], "what is under way will be answered first"


def requests(ready: Ready) -> list[AppendRequest]:
    return [m for m in ready.messages if isinstance(m, AppendRequest)]
