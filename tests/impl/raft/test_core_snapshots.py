"""Logs that begin behind a snapshot: who gets one, what it replaces, when it is answered (§7)."""

import pytest
from delphic.impl.bugs import OLD_SNAPSHOT_INSTALLED, SNAPSHOT_KEEPS_CONFLICT
from delphic.impl.raft.core import Core
from delphic.impl.raft.log import Log
from delphic.impl.raft.messages import (
    AppendRequest,
    AppendResponse,
    HardState,
    Kind,
    SnapshotRequest,
    VoteResponse,
)
from delphic.impl.raft.progress import SNAPSHOT_PATIENCE
from delphic.impl.raft.ready import (
    Compacted,
    Persisted,
    Proposed,
    Ready,
    Received,
    Role,
    Timer,
    TimerFired,
)
from delphic.impl.raft.terms import Terms, are_runs, end_of

# Tests have no package: pytest puts this folder on the path.
from member import entries_of

MEMBERS = ("a", "b", "c")


def leader(entries: int = 6) -> Core:
    """Member a of three leads term 1; b holds and knows everything, c has never answered."""
    core = Core.recover("a", MEMBERS, HardState(), ())
    core.step(TimerFired(Timer.ELECTION))
    core.step(Received(VoteResponse("b", "a", 1, True, True)))
    core.step(Received(VoteResponse("b", "a", 1, True, False)))
    core.step(Proposed(tuple((Kind.APPEND, b"x") for _ in range(entries - 1))))
    core.step(Persisted(entries, 1))
    accept(core, "b", entries)
    assert (core.role, core.commit) == (Role.LEADER, entries)
    return core


def accept(core: Core, peer: str, match: int) -> Ready:
    return core.step(Received(AppendResponse(peer, "a", core.term, True, match, 0, 0)))


def refuse(core: Core, peer: str, hint: int) -> Ready:
    return core.step(Received(AppendResponse(peer, "a", core.term, False, 0, hint, 0)))


def beat(core: Core) -> Ready:
    return core.step(TimerFired(Timer.HEARTBEAT))


def follower(*terms: int, commit: int = 0, bugs: tuple[str, ...] = ()) -> Core:
    """Member b, with a durable log of these terms, of whose leader a of term 5 it has heard."""
    core = Core.recover("b", MEMBERS, HardState(5), entries_of(terms), frozenset(bugs))
    prev = terms[commit - 1] if commit else 0
    core.step(Received(AppendRequest("a", "b", 5, commit, prev, (), commit, 0)))
    return core


def snapshot(*runs: tuple[int, int], term: int = 5) -> Received:
    return Received(SnapshotRequest("a", "b", term, runs))


def offers(ready: Ready) -> list[SnapshotRequest]:
    return [m for m in ready.messages if isinstance(m, SnapshotRequest)]


# Terms and logs.


def test_runs_tell_the_term_of_every_index() -> None:
    terms = Terms(((1, 2), (4, 3), (7, 9)))
    assert [terms.at(i) for i in range(10)] == [0, 1, 1, 4, 7, 7, 7, 7, 7, 7]
    assert terms.until(3) == ((1, 2), (4, 3))
    assert terms.until(5) == ((1, 2), (4, 3), (7, 5))
    assert end_of(terms.until(2)) == (2, 1)
    assert terms.cut(3) == 1
    assert (terms.starts, terms.values) == ([1], [1])


@pytest.mark.parametrize("runs", [((2, 3), (2, 4)), ((2, 3), (1, 4)), ((1, 3), (2, 3)), ((0, 1),)])
def test_runs_ascend(runs: tuple[tuple[int, int], ...]) -> None:
    assert not are_runs(runs)


def test_a_compacted_log_forgets_entries_and_remembers_terms() -> None:
    log = Log(entries_of((1, 1, 2, 2)))
    log.commit_to(3)
    log.compact(3)
    assert (log.base_index, log.last_index, log.base) == (3, 4, ((1, 2), (2, 3)))
    assert [log.term_at(i) for i in range(5)] == [0, 1, 1, 2, 2]
    assert log.entry(4).term == 2
    with pytest.raises(AssertionError):
        log.entry(3)
    assert log.holds(2, 1)
    assert not log.holds(2, 2)
    log.append(entries_of((2, 3)))
    assert log.terms() == ((1, 2), (2, 5), (3, 6))


@pytest.mark.parametrize("index", [0, 4])
def test_only_what_is_committed_leaves_a_log(index: int) -> None:
    log = Log(entries_of((1, 1, 1, 1)), ((1, 1),))
    log.commit_to(3)
    with pytest.raises(AssertionError):
        log.compact(index)


# The leader.


def test_a_checkpoint_lets_the_log_begin_behind_it() -> None:
    core = leader()
    ready = core.step(Compacted(4))
    assert (ready.base, ready.installs, ready.writes) == (((1, 4),), False, True)
    assert core.log.base_index == 4
    assert not core.step(Compacted(4)).writes, "known already"


def test_who_lacks_what_the_log_has_lost_gets_a_snapshot() -> None:
    core = leader()
    core.step(Compacted(4))
    ready = refuse(core, "c", 0)
    assert offers(ready) == [SnapshotRequest("a", "c", 1, ((1, 4),))]
    assert not [m for m in ready.messages if isinstance(m, AppendRequest) and m.dst == "c"]


def test_who_lacks_only_what_the_log_has_gets_entries() -> None:
    core = leader()
    core.step(Compacted(4))
    ready = accept(core, "c", 4)
    sent = [m for m in ready.messages if isinstance(m, AppendRequest)]
    assert [(m.prev_index, len(m.entries)) for m in sent] == [(4, 2)]
    assert not offers(ready)


def test_nothing_but_questions_goes_to_a_peer_that_was_offered_a_snapshot() -> None:
    core = leader()
    core.step(Compacted(4))
    refuse(core, "c", 0)
    ready = core.step(Proposed(((Kind.APPEND, b"y"),)))
    assert [m.dst for m in ready.messages] == ["b"]
    asked = [m for m in beat(core).messages if m.dst == "c"]
    assert [(m.prev_index, m.entries) for m in asked if isinstance(m, AppendRequest)] == [(4, ())]
    assert not refuse(core, "c", 0).messages, "it may still be on its way"


def test_an_offer_that_is_not_answered_is_made_again_from_where_the_log_then_begins() -> None:
    core = leader()
    core.step(Compacted(3))
    refuse(core, "c", 0)
    core.step(Compacted(5))
    found = [offer for _ in range(SNAPSHOT_PATIENCE + 1) for offer in offers(beat(core))]
    assert found == [SnapshotRequest("a", "c", 1, ((1, 5),))]


def test_entries_follow_an_installed_snapshot() -> None:
    core = leader()
    core.step(Compacted(4))
    refuse(core, "c", 0)
    ready = accept(core, "c", 4)
    sent = [m for m in ready.messages if isinstance(m, AppendRequest)]
    assert [(m.dst, m.prev_index, m.prev_term, len(m.entries)) for m in sent] == [("c", 4, 1, 2)]
    assert core.progress["c"].match == 4


def test_questions_never_reach_back_behind_the_log() -> None:
    """A peer that last agreed far back is asked where the log begins."""
    core = leader()
    accept(core, "c", 1)
    core.step(Compacted(6))
    for _ in range(3 * SNAPSHOT_PATIENCE):
        for m in beat(core).messages:
            assert not isinstance(m, AppendRequest) or m.prev_index >= 6


def test_a_peer_that_answers_and_is_only_slow_is_told_from_others() -> None:
    """Its entries stay a while longer; who is silent, or needs a snapshot anyway, counts not."""
    core = leader()
    assert core.leading is not None
    assert not core.leading.feeds(6), "b has all, c is silent"
    accept(core, "c", 3)
    assert core.leading.feeds(6)
    assert not core.leading.feeds(3)
    core.step(TimerFired(Timer.QUORUM))
    assert core.leading.feeds(6), "heard a moment ago"
    accept(core, "b", 6)
    core.step(TimerFired(Timer.QUORUM))
    assert not core.leading.feeds(6), "silent since"
    accept(core, "c", 3)
    core.step(Compacted(5))
    assert not core.leading.feeds(6), "a snapshot is what it needs"


# The follower.


def test_a_snapshot_takes_the_place_of_a_log_that_ends_before_it() -> None:
    core = follower(1, 1, commit=1)
    ready = core.step(snapshot((1, 3), (4, 6)))
    assert (ready.base, ready.installs) == (((1, 3), (4, 6)), True)
    log = core.log
    assert (log.base_index, log.last_index, log.last_term, log.commit) == (6, 6, 4, 6)
    assert ready.after_persist == [AppendResponse("b", "a", 5, True, 6, 0, 0)]
    assert not ready.messages


def test_a_snapshot_takes_the_place_of_a_log_that_contradicts_it() -> None:
    core = follower(1, 3, 3, 3, commit=1)
    ready = core.step(snapshot((1, 1), (4, 3)))
    assert ready.installs
    assert (core.log.base_index, core.log.last_index, core.log.last_term) == (3, 3, 4)


def test_a_log_that_survives_a_snapshot_commits_what_that_contradicts() -> None:
    """R10, seeded."""
    core = follower(1, 3, 3, 3, commit=1, bugs=(SNAPSHOT_KEEPS_CONFLICT,))
    ready = core.step(snapshot((1, 1), (4, 3)))
    assert not ready.installs
    assert (core.log.base_index, core.log.commit, core.log.term_at(3)) == (0, 3, 3)


def test_an_old_snapshot_changes_nothing_unless_that_is_the_bug() -> None:
    """R11, seeded."""
    sound, broken = (
        follower(1, 1, 4, 4, commit=4, bugs=bugs) for bugs in ((), (OLD_SNAPSHOT_INSTALLED,))
    )
    assert not sound.step(snapshot((1, 2))).installs
    assert (sound.log.last_index, sound.log.commit) == (4, 4)
    assert broken.step(snapshot((1, 2))).installs
    assert (broken.log.last_index, broken.log.commit, broken.log.base_index) == (2, 2, 2)


def test_a_log_that_holds_the_snapshots_last_entry_keeps_all_and_knows_it_committed() -> None:
    core = follower(1, 1, 4, 4, commit=1)
    ready = core.step(snapshot((1, 2), (4, 3)))
    assert ready.base is None
    assert (core.log.base_index, core.log.last_index, core.log.commit) == (0, 4, 3)
    assert [m.match for m in ready.after_persist if isinstance(m, AppendResponse)] == [3]


def test_an_old_snapshot_changes_nothing() -> None:
    """Promise HS-2: what is committed here is newer."""
    core = follower(1, 1, 4, 4, commit=4)
    ready = core.step(snapshot((1, 2)))
    assert (ready.base, core.log.commit, core.log.last_index) == (None, 4, 4)


def test_a_snapshot_of_an_old_term_is_refused() -> None:
    core = follower(1)
    ready = core.step(snapshot((1, 9), term=4))
    assert core.log.last_index == 1
    assert ready.after_persist == [AppendResponse("b", "a", 5, False, 0, 0, 0)]


def test_a_snapshot_is_a_sign_of_life() -> None:
    core = Core.recover("b", MEMBERS, HardState(4), ())
    ready = core.step(snapshot((1, 9)))
    assert (core.term, core.leader, core.lease) == (5, "a", True)
    assert Timer.ELECTION in ready.arm


def test_a_report_of_what_a_snapshot_replaced_counts_for_nothing() -> None:
    core = follower(1, 3, 3, 3, commit=1)
    core.step(Received(AppendRequest("a", "b", 5, 1, 1, entries_of((4, 4)), 1, 0)))
    core.step(snapshot((1, 1), (4, 3), (5, 4)))
    core.step(Persisted(3, 4))
    assert core.log.durable == 1
    core.step(Persisted(4, 5))
    assert core.log.durable == 4


def test_a_member_that_restarts_behind_a_snapshot_knows_that_it_is_committed() -> None:
    core = Core.recover("b", MEMBERS, HardState(5), entries_of((5,)), base=((1, 2), (4, 6)))
    assert (core.commit, core.log.last_index, core.log.last_term) == (6, 7, 5)
    request = AppendRequest("a", "b", 5, 3, 4, entries_of((4, 4, 4, 5, 5)), 8, 0)
    ready = core.step(Received(request))
    assert (ready.first_index, len(ready.entries)) == (8, 1)
    assert core.commit == 8
