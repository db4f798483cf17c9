"""The core against the paper, a test per rule: Ongaro and Ousterhout (§), Ongaro (thesis)."""

from collections.abc import Sequence

import pytest
from delphic.impl.raft.core import Core
from delphic.impl.raft.messages import (
    AppendRequest,
    AppendResponse,
    Entry,
    HardState,
    Kind,
    Message,
    VoteRequest,
    VoteResponse,
)
from delphic.impl.raft.ready import (
    Persisted,
    Proposed,
    ReadRequested,
    Ready,
    Received,
    Role,
    Timer,
    TimerFired,
)
from member import entries_of

THREE = ("a", "b", "c")
FIVE = ("a", "b", "c", "d", "e")


def follower(
    terms: Sequence[int] = (),
    *,
    term: int | None = None,
    vote: str | None = None,
    members: Sequence[str] = THREE,
) -> Core:
    """Member a, just started, with a log of these terms."""
    own = max((*terms, 0)) if term is None else term
    return Core.recover("a", members, HardState(own, vote), entries_of(terms))


def candidate(terms: Sequence[int] = (), *, members: Sequence[str] = THREE) -> Core:
    """Member a, candidate in the term after its last one."""
    core = follower(terms, members=members)
    core.step(TimerFired(Timer.ELECTION))
    for peer in members[1 : len(members) // 2 + 1]:
        core.step(Received(VoteResponse(peer, "a", core.term + 1, True, True)))
    assert core.role is Role.CANDIDATE
    return core


def leader(terms: Sequence[int] = (), *, members: Sequence[str] = THREE) -> Core:
    """Member a, leading the term after its last one, with nothing of it durable or committed."""
    core = candidate(terms, members=members)
    for peer in members[1 : len(members) // 2 + 1]:
        vote(core, peer)
    assert core.role is Role.LEADER
    return core


def steady_leader(terms: Sequence[int] = ()) -> Core:
    """As `leader`, but the no-op is durable and everywhere, and known to be committed."""
    core = leader(terms)
    core.step(Persisted(core.log.last_index, core.term))
    for peer in core.peers:
        accept(core, peer, core.log.last_index)
    assert core.commit == core.log.last_index
    return core


def vote(core: Core, peer: str, *, term: int | None = None, granted: bool = True) -> Ready:
    own = core.term if term is None else term
    return core.step(Received(VoteResponse(peer, core.member, own, granted, False)))


def append(core: Core, prev: tuple[int, int], terms: Sequence[int] = (), **more: int) -> Ready:
    """An AppendRequest of b, in the core's term unless said otherwise."""
    term = more.get("term", core.term)
    entries = tuple(Entry(t, Kind.APPEND, b"b") for t in terms)
    commit = more.get("commit", 0)
    request = AppendRequest("b", core.member, term, *prev, entries, commit, more.get("round", 0))
    return core.step(Received(request))


def accept(core: Core, peer: str, match: int, *, round: int = 0, term: int | None = None) -> Ready:
    own = core.term if term is None else term
    return core.step(Received(AppendResponse(peer, core.member, own, True, match, 0, round)))


def refuse(core: Core, peer: str, hint: int, *, round: int = 0) -> Ready:
    return core.step(Received(AppendResponse(peer, core.member, core.term, False, 0, hint, round)))


def propose(core: Core, *payloads: bytes) -> Ready:
    return core.step(Proposed(tuple((Kind.APPEND, payload) for payload in payloads)))


def fire(core: Core, timer: Timer) -> Ready:
    return core.step(TimerFired(timer))


def answer(ready: Ready) -> Message:
    """The one message of a step."""
    (message,) = (*ready.messages, *ready.after_persist)
    return message


def terms_of(core: Core) -> list[int]:
    return [core.log.term_at(index) for index in range(1, core.log.last_index + 1)]


def requests(ready: Ready, peer: str) -> list[AppendRequest]:
    """AppendRequests to one peer."""
    found = [m for m in ready.messages if isinstance(m, AppendRequest)]
    assert len(found) == len(ready.messages)
    return [m for m in found if m.dst == peer]


# Figure 2, State.


def test_servers_start_as_followers_with_what_their_disk_holds() -> None:
    """§5.2; Figure 2, persistent state on all servers, volatile state on all servers."""
    core = Core.recover("a", THREE, HardState(4, "c"), entries_of((1, 2, 2)))
    assert (core.role, core.term, core.vote, core.leader) == (Role.FOLLOWER, 4, "c", None)
    assert (terms_of(core), core.commit, core.durable) == ([1, 2, 2], 0, 3)


def test_a_log_of_a_term_that_the_member_forgot_is_a_bug() -> None:
    """Figure 2: the term is stored before anything is done in it."""
    with pytest.raises(AssertionError, match="forgot"):
        Core.recover("a", THREE, HardState(1), entries_of((1, 2)))


# Figure 2, RequestVote RPC.


def request_vote(core: Core, src: str, term: int, last: tuple[int, int] = (9, 9)) -> Ready:
    """`last` are index and term of the candidate's last entry."""
    return core.step(Received(VoteRequest(src, core.member, term, *last, False)))


def test_a_vote_request_of_an_older_term_is_refused() -> None:
    """Figure 2, RequestVote 1."""
    core = follower(term=5)
    assert answer(request_vote(core, "b", 4)) == VoteResponse("a", "b", 5, False, False)
    assert core.vote is None


def test_a_vote_is_given_to_the_first_who_asks_and_to_nobody_else_in_the_term() -> None:
    """Figure 2, RequestVote 2; §5.2: first-come-first-served."""
    core = follower(term=5)
    assert answer(request_vote(core, "b", 5)) == VoteResponse("a", "b", 5, True, False)
    assert answer(request_vote(core, "c", 5)) == VoteResponse("a", "c", 5, False, False)
    assert answer(request_vote(core, "b", 5)) == VoteResponse("a", "b", 5, True, False)
    assert core.vote == "b"


def test_a_restarted_member_remembers_its_vote() -> None:
    """Figure 2, votedFor is persistent; HS-1."""
    core = follower(term=5, vote="b")
    assert answer(request_vote(core, "c", 5)) == VoteResponse("a", "c", 5, False, False)
    assert answer(request_vote(core, "b", 5)) == VoteResponse("a", "b", 5, True, False)


def test_a_vote_is_durable_before_the_candidate_hears_of_it() -> None:
    """Figure 2: persistent state is updated on stable storage before responding to RPCs."""
    ready = request_vote(follower(term=5), "b", 6)
    assert ready.hard_state == HardState(6, "b")
    assert ready.messages == []
    assert ready.after_persist == [VoteResponse("a", "b", 6, True, False)]


@pytest.mark.parametrize(
    ("own", "last", "granted"),
    [
        ((), (0, 0), True),
        ((1,), (0, 0), False),
        ((1,), (1, 1), True),
        ((1, 1), (1, 1), False),
        ((1, 1), (3, 1), True),
        ((1, 1, 1), (1, 2), True),
        ((1, 2), (9, 1), False),
        ((2,), (1, 3), True),
    ],
)
def test_a_vote_needs_a_log_that_is_at_least_as_up_to_date(
    own: tuple[int, ...], last: tuple[int, int], granted: bool
) -> None:
    """§5.4.1: the later last term wins, with equal terms the longer log."""
    for pre in (False, True):
        core = follower(own)
        ready = core.step(Received(VoteRequest("b", "a", 9, *last, pre)))
        message = answer(ready)
        assert isinstance(message, VoteResponse)
        assert message.granted is granted


def test_who_refuses_its_vote_still_enters_the_newer_term() -> None:
    """§5.1: if one server's current term is smaller, it takes the larger value."""
    core = follower((1, 1))
    ready = request_vote(core, "b", 7, (1, 1))
    assert (core.term, core.vote) == (7, None)
    assert ready.hard_state == HardState(7, None)
    assert answer(ready) == VoteResponse("a", "b", 7, False, False)


def test_giving_a_vote_resets_the_election_timer_and_refusing_one_does_not() -> None:
    """Figure 2, followers: election timeout elapses without granting a vote to a candidate."""
    core = follower((1,))
    assert request_vote(core, "b", 7).arm == {Timer.ELECTION}
    assert request_vote(core, "c", 7).arm == frozenset()


# Figure 2, AppendEntries RPC.


def test_an_append_request_of_an_older_term_is_refused_with_the_newer_term() -> None:
    """Figure 2, AppendEntries 1; that its leader learns that it is deposed."""
    core = follower((1, 3), term=5)
    ready = append(core, (2, 3), (3,), term=4)
    assert answer(ready) == AppendResponse("a", "b", 5, False, 0, 0, 0)
    assert (core.leader, ready.arm, terms_of(core)) == (None, frozenset(), [1, 3])


@pytest.mark.parametrize(
    ("own", "prev", "hint"),
    [
        ((), (3, 2), 0),
        ((1, 1), (3, 1), 2),
        ((1, 1), (3, 2), 2),
        ((1, 2, 2, 2), (4, 1), 1),
        ((1, 2, 2, 3), (4, 2), 3),
        ((1, 1, 2, 2), (4, 3), 2),
        ((1, 1, 4, 4), (9, 3), 2),
        ((2, 2), (2, 1), 0),
    ],
)
def test_what_does_not_follow_on_the_log_is_refused_with_a_hint(
    own: tuple[int, ...], prev: tuple[int, int], hint: int
) -> None:
    """Figure 2, AppendEntries 2; §5.3, last paragraphs: whole terms are skipped at once."""
    core = follower(own, term=9)
    ready = append(core, prev, (9,), commit=1)
    assert answer(ready) == AppendResponse("a", "b", 9, False, 0, hint, 0)
    assert (terms_of(core), core.commit) == (list(own), 0)


def test_a_hint_does_not_go_behind_what_is_committed() -> None:
    """§5.4.3: what is committed is in every later leader's log."""
    core = follower((1, 1, 1, 1), term=1)
    append(core, (2, 1), (), commit=2)
    message = answer(append(core, (4, 2), (), term=2))
    assert isinstance(message, AppendResponse)
    assert message.hint == 2


def test_entries_that_conflict_are_removed_with_all_that_follow_them() -> None:
    """Figure 2, AppendEntries 3 and 4."""
    core = follower((1, 2, 2, 2), term=3)
    ready = append(core, (1, 1), (2, 3, 3))
    assert terms_of(core) == [1, 2, 3, 3]
    assert (ready.truncate_from, ready.first_index) == (3, 3)
    assert [e.term for e in ready.entries] == [3, 3]
    assert ready.after_persist == [AppendResponse("a", "b", 3, True, 4, 0, 0)]


def test_a_request_that_brings_nothing_new_removes_nothing() -> None:
    """Figure 2, AppendEntries 3: only a conflict deletes. Requests may be old or doubled (R8)."""
    core = follower((1, 2, 2, 2), term=3)
    for prev, terms in (((1, 1), (2,)), ((0, 0), (1, 2)), ((2, 2), ())):
        ready = append(core, prev, terms)
        assert (ready.truncate_from, ready.entries) == (None, ())
        assert terms_of(core) == [1, 2, 2, 2]


def test_an_answer_speaks_only_of_what_the_request_showed() -> None:
    """§5.3: the consistency check covers prevLogIndex and the entries of the request (R9)."""
    core = follower((1, 2, 2, 2), term=3)
    message = answer(append(core, (1, 1), (2,)))
    assert isinstance(message, AppendResponse)
    assert (message.success, message.match) == (True, 2)


@pytest.mark.parametrize(("commit", "expected"), [(0, 0), (1, 1), (3, 3), (4, 3), (9, 3)])
def test_a_follower_commits_up_to_the_last_entry_of_the_request(commit: int, expected: int) -> None:
    """Figure 2, AppendEntries 5: min(leaderCommit, index of last new entry)."""
    core = follower((1, 1, 1, 1), term=1)
    ready = append(core, (2, 1), (1,), commit=commit)
    assert (ready.commit, ready.commit_advanced) == (expected, expected > 0)


def test_the_commit_index_never_falls() -> None:
    """Figure 2: commitIndex increases monotonically."""
    core = follower((1, 1, 1), term=1)
    append(core, (3, 1), (), commit=3)
    append(core, (1, 1), (), commit=1)
    assert core.commit == 3


def test_committed_entries_are_never_removed() -> None:
    """§5.4.3: a leader that asks for it is none; going on would break HS-5."""
    core = follower((1, 1, 1), term=1)
    append(core, (3, 1), (), commit=2)
    with pytest.raises(AssertionError, match="committed"):
        append(core, (1, 1), (2,), term=2)


def test_entries_are_durable_before_their_leader_hears_of_them() -> None:
    """Figure 2: responding to RPCs after updating stable storage; V3."""
    ready = append(follower(term=1), (0, 0), (1, 1))
    assert ready.messages == []
    assert ready.after_persist == [AppendResponse("a", "b", 1, True, 2, 0, 0)]


def test_an_answer_about_entries_that_are_not_durable_yet_waits_like_the_first_one() -> None:
    """As above: a doubled request must not be answered before the first one is on disk."""
    core = follower(term=1)
    append(core, (0, 0), (1, 1))
    again = append(core, (0, 0), (1, 1))
    assert (again.entries, again.messages) == ((), [])
    core.step(Persisted(2, 1))
    assert append(core, (0, 0), (1, 1)).messages == [AppendResponse("a", "b", 1, True, 2, 0, 0)]


def test_an_answer_in_a_term_that_may_not_be_durable_yet_waits() -> None:
    """Figure 2: currentTerm, too, is stored before responding."""
    core = follower((1,))
    ready = append(core, (1, 1), (), term=2)
    assert (ready.hard_state, ready.messages) == (HardState(2), [])
    assert append(core, (1, 1), (), term=2).messages == []


def test_hearing_from_the_leader_does_not_make_the_vote_forgotten() -> None:
    """Figure 2: votedFor belongs to the term (R5)."""
    core = follower(term=3, vote="c")
    append(core, (0, 0), ())
    assert (core.leader, core.vote) == ("b", "c")


# Figure 2, Rules for Servers.


@pytest.mark.parametrize(
    "message",
    [
        AppendRequest("b", "a", 9, 0, 0, (), 0, 0),
        AppendResponse("b", "a", 9, True, 0, 0, 0),
        AppendResponse("b", "a", 9, False, 0, 0, 0),
        VoteResponse("b", "a", 9, False, False),
        VoteResponse("b", "a", 9, True, False),
        VoteResponse("b", "a", 9, False, True),
        VoteRequest("b", "a", 9, 0, 0, False),
    ],
    ids=lambda m: type(m).__name__,
)
@pytest.mark.parametrize("make", [follower, candidate, leader])
def test_a_newer_term_makes_a_follower(make: type[Core], message: Message) -> None:
    """Figure 2, all servers; §5.1. Leaders and their followers ignore candidates, see below."""
    core = make((1,))
    ready = core.step(Received(message))
    if isinstance(message, VoteRequest) and make is leader:
        assert core.role is Role.LEADER
        return
    assert (core.role, core.term) == (Role.FOLLOWER, 9)
    assert ready.hard_state is not None
    assert ready.hard_state.term == 9
    assert core.leader == ("b" if isinstance(message, AppendRequest) else None)


def test_an_election_timeout_begins_an_election() -> None:
    """§5.2: increments its term, votes for itself, asks all others, resets its timer."""
    core = follower((1, 1))
    fire(core, Timer.ELECTION)
    ready = core.step(Received(VoteResponse("b", "a", 2, True, True)))
    assert (core.role, core.term, core.vote, core.votes) == (Role.CANDIDATE, 2, "a", {"a"})
    assert ready.hard_state == HardState(2, "a")
    assert ready.messages == []
    assert ready.after_persist == [VoteRequest("a", p, 2, 2, 1, False) for p in "bc"]
    assert ready.arm == {Timer.ELECTION}


@pytest.mark.parametrize(("members", "needed"), [(THREE, 1), (("a", "b", "c", "d"), 2), (FIVE, 2)])
def test_a_majority_of_votes_makes_a_leader(members: tuple[str, ...], needed: int) -> None:
    """§5.2: votes from a majority of the servers in the full cluster."""
    core = candidate(members=members)
    for peer in core.peers[: needed - 1]:
        vote(core, peer)
    assert core.role is Role.CANDIDATE
    vote(core, core.peers[needed - 1])
    assert (core.role, core.leader) == (Role.LEADER, "a")


def test_one_member_has_one_vote() -> None:
    """§5.2: each server votes for at most one candidate; messages may arrive twice (R7)."""
    core = candidate(members=FIVE)
    vote(core, "b")
    vote(core, "b")
    assert core.role is Role.CANDIDATE


def test_votes_of_an_older_term_do_not_count() -> None:
    """§5.2: votes for the same term (R6)."""
    core = candidate((1, 1, 4))
    vote(core, "b", term=core.term - 1)
    assert core.role is Role.CANDIDATE


def test_refused_votes_do_not_count() -> None:
    """§5.2."""
    core = candidate()
    vote(core, "b", granted=False)
    assert (core.role, core.votes) == (Role.CANDIDATE, {"a"})


def test_a_candidate_follows_who_has_won_the_term() -> None:
    """§5.2: AppendEntries of a leader whose term is at least as large."""
    core = candidate()
    ready = append(core, (0, 0), ())
    assert (core.role, core.leader, core.vote) == (Role.FOLLOWER, "b", "a")
    assert ready.role_changed


def test_a_candidate_that_wins_nothing_tries_again() -> None:
    """§5.2: if election timeout elapses, start a new election; thesis §9.6: after asking again."""
    core = candidate()
    ready = fire(core, Timer.ELECTION)
    assert (core.role, core.term, ready.hard_state) == (Role.PRECANDIDATE, 1, None)
    assert ready.messages == [VoteRequest("a", p, 2, 0, 0, True) for p in "bc"]
    assert vote(core, "b").messages == [], "the election is over, though the vote is of this term"
    assert core.role is Role.PRECANDIDATE


def test_hearing_from_the_leader_resets_the_timers_of_a_follower() -> None:
    """§5.2: a follower remains one as long as it receives valid RPCs."""
    core = follower(term=1)
    assert append(core, (0, 0), ()).arm == {Timer.ELECTION, Timer.LEASE}
    assert append(core, (7, 7), ()).arm == {Timer.ELECTION, Timer.LEASE}


def test_a_new_leader_says_so_at_once_with_an_entry_of_its_term() -> None:
    """Figure 2, leaders: upon election; §8: a blank no-op entry."""
    core = candidate((1, 1))
    ready = vote(core, "b")
    noop = Entry(2, Kind.NOOP, b"")
    assert (ready.first_index, ready.entries) == (3, (noop,))
    assert ready.messages == [AppendRequest("a", p, 2, 2, 1, (noop,), 0, 0) for p in "bc"]
    assert ready.arm == {Timer.HEARTBEAT, Timer.QUORUM}
    assert ready.disarm == {Timer.ELECTION, Timer.LEASE}
    assert [(p.next, p.match) for p in core.progress.values()] == [(3, 0), (3, 0)]


def test_a_leader_appends_what_clients_propose_and_sends_it() -> None:
    """Figure 2, leaders: append entry to local log; thesis §10.2.1: send it while writing it."""
    core = steady_leader()
    ready = propose(core, b"x", b"y")
    assert ready.proposed == (2, 3)
    assert [e.payload for e in ready.entries] == [b"x", b"y"]
    for peer in "bc":
        (request,) = requests(ready, peer)
        assert (request.prev_index, request.entries, request.commit) == (1, ready.entries, 1)


def test_only_a_leader_takes_proposals() -> None:
    """§5.1: followers issue no requests on their own; HS-6."""
    for core in (follower(term=1), candidate()):
        ready = propose(core, b"x")
        assert (ready.refused, ready.proposed, ready.entries) == (True, None, ())


def test_a_leader_only_appends_to_its_own_log() -> None:
    """§5.3, Leader Append-Only: not even for one that claims to lead the same term."""
    core = steady_leader((1, 1))
    ready = append(core, (0, 0), (1, 1, 1))
    assert (terms_of(core), core.role) == ([1, 1, 2], Role.LEADER)
    assert (ready.messages, ready.after_persist) == ([], [])


def test_a_refused_leader_looks_further_back_until_the_logs_agree() -> None:
    """Figure 2, leaders: decrement nextIndex and retry; §5.3."""
    core = leader((1, 1, 1, 1))
    ready = refuse(core, "b", hint=2)
    assert ready.messages == [AppendRequest("a", "b", 2, 2, 1, (), 0, 0)]
    ready = accept(core, "b", 2)
    (request,) = requests(ready, "b")
    assert (request.prev_index, len(request.entries)) == (2, 3)
    assert (core.progress["b"].match, core.progress["b"].next) == (2, 6)


def test_old_answers_never_take_back_what_a_peer_has() -> None:
    """Figure 2: matchIndex increases monotonically; answers may come late, twice, out of order."""
    core = steady_leader((1, 1, 1))
    for step in (
        lambda: refuse(core, "b", hint=0),
        lambda: accept(core, "b", 1),
        lambda: refuse(core, "b", hint=3),
        lambda: refuse(core, "b", hint=9),
        lambda: accept(core, "b", 0),
    ):
        step()
        assert core.progress["b"].match == 4
        assert core.progress["b"].next == 5


def test_answers_of_an_older_term_mean_nothing() -> None:
    """§5.1: a stale term number is rejected (R25)."""
    core = leader((1, 1, 1))
    accept(core, "b", 4, term=1)
    assert (core.progress["b"].match, core.leading and core.leading.heard) == (0, set())


# §5.3, §5.4: committing.


def test_an_entry_is_committed_once_a_majority_holds_it_durably() -> None:
    """§5.3; thesis §10.2.1: the leader's own disk is one voice like the others."""
    core = leader(members=FIVE)
    for peer in ("b", "c"):
        assert not accept(core, peer, 1).commit_advanced
    ready = core.step(Persisted(1, 1))
    assert (ready.commit, ready.commit_advanced) == (1, True)
    core = leader(members=FIVE)
    for peer in ("b", "c"):
        accept(core, peer, 1)
    assert accept(core, "d", 1).commit == 1, "a majority without the leader's own disk"


def test_entries_of_older_terms_are_committed_only_by_one_of_the_own_term() -> None:
    """§5.4.2, Figure 8."""
    core = leader((1, 2))
    assert not accept(core, "b", 2).commit_advanced
    core.step(Persisted(3, 3))
    assert core.commit == 0
    assert accept(core, "b", 3).commit == 3


def test_a_leader_counts_itself_only_as_far_as_its_disk_reported() -> None:
    """Thesis §10.2.1; HS-3."""
    core = steady_leader()
    propose(core, b"x")
    propose(core, b"y")
    assert core.step(Persisted(2, 1)).commit == 1
    assert accept(core, "b", 3).commit == 2
    assert core.step(Persisted(3, 1)).commit == 3


def test_a_report_about_entries_that_were_replaced_is_ignored() -> None:
    """The pair of index and term tells them apart (R27)."""
    core = follower((1,), term=1)
    append(core, (1, 1), (1, 1))
    append(core, (1, 1), (2, 2), term=2)
    core.step(Persisted(3, 1))
    assert core.durable == 1
    core.step(Persisted(3, 2))
    assert core.durable == 3


def test_a_report_is_not_taken_for_an_entry_that_came_back() -> None:
    """The same entry is written, cut off and written again: the first report is not of the last."""
    core = follower((1,), term=1)
    append(core, (1, 1), (1, 1))
    append(core, (1, 1), (2,), term=2)
    append(core, (1, 1), (1, 1), term=3)
    core.step(Persisted(3, 1))
    assert core.durable == 1
    append(core, (3, 1), (3,), term=3)
    core.step(Persisted(4, 3))
    assert core.durable == 4


def test_followers_learn_what_is_committed_without_waiting_for_a_heartbeat() -> None:
    """§5.3: once a follower learns that an entry is committed, it applies it."""
    core = steady_leader()
    propose(core, b"x")
    core.step(Persisted(2, 1))
    ready = accept(core, "b", 2)
    assert ready.messages == [AppendRequest("a", "b", 1, 2, 1, (), 2, 0)]
    assert [m.dst for m in propose(core, b"y").messages] == ["b", "c"]


# Groups of one.


def test_a_group_of_one_needs_nobody() -> None:
    """§5.2 with a majority of one: it still must hold its vote and entries durably."""
    core = Core.recover("a", ("a",), HardState(), ())
    ready = fire(core, Timer.ELECTION)
    assert (core.role, core.term, ready.hard_state) == (Role.LEADER, 1, HardState(1, "a"))
    assert (ready.messages, ready.after_persist) == ([], [])
    assert core.step(ReadRequested((5,))).reads == []
    assert core.commit == 0
    ready = core.step(Persisted(1, 1))
    assert (ready.commit, ready.reads) == (1, [(5, 1)])
    assert core.step(ReadRequested((6,))).reads == [(6, 1)]
    propose(core, b"x")
    assert core.step(Persisted(2, 1)).commit == 2
    assert fire(core, Timer.QUORUM).arm == {Timer.QUORUM}
    assert fire(core, Timer.HEARTBEAT).arm == {Timer.HEARTBEAT}


# Thesis §9.6: pre-vote; §4.2.3: disruptive servers.


def ask(core: Core, term: int, src: str = "b") -> Ready:
    """A pre-vote request of somebody whose log is long enough."""
    return core.step(Received(VoteRequest(src, core.member, term, 9, 9, True)))


def test_asking_for_pre_votes_changes_no_term_and_no_vote() -> None:
    """Thesis §9.6: a candidate only increments its term if it first learns that it could win."""
    core = follower((1,))
    ready = fire(core, Timer.ELECTION)
    assert (core.role, core.term, core.vote) == (Role.PRECANDIDATE, 1, None)
    assert ready.hard_state is None
    assert ready.messages == [VoteRequest("a", p, 2, 1, 1, True) for p in "bc"]
    assert ready.arm == {Timer.ELECTION}


def test_answering_a_pre_vote_changes_nothing_at_all() -> None:
    """Thesis §9.6."""
    core = follower((1,), vote="c")
    ready = ask(core, 8)
    assert answer(ready) == VoteResponse("a", "b", 8, True, True)
    assert (ready.hard_state, ready.arm, ready.role_changed) == (None, frozenset(), False)
    assert (core.term, core.vote, core.role) == (1, "c", Role.FOLLOWER)


@pytest.mark.parametrize("term", [4, 5])
def test_a_pre_vote_for_a_term_that_is_not_new_is_refused_with_the_own_term(term: int) -> None:
    """Thesis §9.6; who asks learns the term that it missed."""
    assert answer(ask(follower(term=5), term)) == VoteResponse("a", "b", 5, False, True)
    asker = follower(term=3)
    fire(asker, Timer.ELECTION)
    asker.step(Received(VoteResponse("b", "a", 5, False, True)))
    assert (asker.role, asker.term) == (Role.FOLLOWER, 5)


def test_granted_pre_votes_are_counted_for_the_term_asked_about_only() -> None:
    """Thesis §9.6: they are hypothetical; nobody is in that term."""
    core = follower(term=3)
    fire(core, Timer.ELECTION)
    for term in (3, 5, 9):
        core.step(Received(VoteResponse("b", "a", term, True, True)))
        assert (core.role, core.term) == (Role.PRECANDIDATE, 3)
    core.step(Received(VoteResponse("b", "a", 4, True, True)))
    assert (core.role, core.term) == (Role.CANDIDATE, 4)


def test_a_pre_vote_is_no_vote() -> None:
    """Thesis §9.6."""
    core = candidate()
    core.step(Received(VoteResponse("c", "a", core.term, True, True)))
    core.step(Received(VoteResponse("c", "a", core.term + 1, True, True)))
    assert core.role is Role.CANDIDATE


def test_who_hears_a_leader_helps_nobody_to_depose_it() -> None:
    """Thesis §4.2.3: within the minimum election timeout it neither updates its term nor votes."""
    core = follower(term=1)
    append(core, (0, 0), ())
    for message in (
        VoteRequest("c", "a", 9, 9, 9, True),
        VoteRequest("c", "a", 9, 9, 9, False),
    ):
        ready = core.step(Received(message))
        assert (ready.messages, ready.after_persist, core.term) == ([], [], 1)
    assert answer(request_vote(core, "c", 1)) == VoteResponse("a", "c", 1, False, False)
    fire(core, Timer.LEASE)
    assert answer(ask(core, 9, "c")) == VoteResponse("a", "c", 9, True, True)
    assert answer(request_vote(core, "c", 9)) == VoteResponse("a", "c", 9, True, False)


def test_every_word_of_a_leader_renews_its_protection() -> None:
    """Thesis §4.2.3: the time counts from when it was last heard."""
    core = follower(term=1)
    append(core, (0, 0), ())
    fire(core, Timer.LEASE)
    append(core, (0, 0), ())
    assert ask(core, 9, "c").after_persist == []
    fire(core, Timer.LEASE)
    append(core, (7, 7), ())
    assert ask(core, 9, "c").after_persist == [], "a refused request is a word, too"


def test_a_leader_helps_nobody_to_depose_it() -> None:
    """Thesis §4.2.3 (DaosRaft#1 in model-notes.md §6)."""
    core = steady_leader()
    for pre in (True, False):
        ready = core.step(Received(VoteRequest("b", "a", 9, 9, 9, pre)))
        assert (ready.messages, ready.after_persist) == ([], [])
        assert (core.role, core.term) == (Role.LEADER, 1)


def test_a_follower_that_lost_its_leader_may_be_asked_at_once() -> None:
    """Thesis §4.2.3: a current leader; one of an older term is none."""
    core = follower(term=1)
    append(core, (0, 0), ())
    core.step(Received(AppendResponse("c", "a", 2, False, 0, 0, 0)))
    assert answer(ask(core, 3, "c")) == VoteResponse("a", "c", 3, True, True)


# Thesis §6.2: check quorum; V6.


def test_a_leader_that_no_majority_answers_steps_down() -> None:
    """Thesis §6.2: if an election timeout elapses without a successful round of heartbeats."""
    core = leader(members=FIVE)
    accept(core, "b", 0)
    ready = fire(core, Timer.QUORUM)
    assert (core.role, core.term, core.leader) == (Role.FOLLOWER, 1, None)
    assert (ready.disarm, ready.arm) == ({Timer.HEARTBEAT, Timer.QUORUM}, {Timer.ELECTION})
    assert ready.role_changed
    assert core.vote == "a", "it still has voted in this term"
    assert propose(core, b"x").refused


def test_a_leader_that_a_majority_answers_stays_and_is_asked_again() -> None:
    """Thesis §6.2: every answer of the term counts, a refusal too, but for one period only."""
    core = leader(members=FIVE)
    accept(core, "b", 1)
    refuse(core, "c", hint=0)
    assert fire(core, Timer.QUORUM).arm == {Timer.QUORUM}
    assert core.role is Role.LEADER
    fire(core, Timer.QUORUM)
    assert core.role is Role.FOLLOWER


def test_timers_that_fire_late_do_no_harm() -> None:
    """A driver may have taken them from its queue before they were cleared."""
    core = steady_leader()
    assert fire(core, Timer.ELECTION).messages == []
    assert core.role is Role.LEADER
    core = follower(term=1)
    for timer in (Timer.HEARTBEAT, Timer.QUORUM):
        ready = fire(core, timer)
        assert (ready.messages, ready.arm, core.role) == ([], frozenset(), Role.FOLLOWER)


# Thesis §6.4: reads.


def read(core: Core, *tokens: int) -> Ready:
    return core.step(ReadRequested(tokens))


def test_a_read_waits_for_a_majority_that_still_follows() -> None:
    """Thesis §6.4, steps 2 and 3."""
    core = steady_leader()
    ready = read(core, 1, 2)
    assert ready.reads == []
    assert ready.messages == [AppendRequest("a", p, 1, 1, 1, (), 1, 1) for p in "bc"]
    assert accept(core, "c", 1, round=1).reads == [(1, 1), (2, 1)]
    assert accept(core, "b", 1, round=1).reads == []


def test_answers_to_older_requests_confirm_no_read() -> None:
    """Thesis §6.4: heartbeats of after the request (R3)."""
    core = steady_leader()
    read(core, 1)
    assert accept(core, "b", 1, round=0).reads == []
    assert accept(core, "b", 1, round=0).reads == []
    assert refuse(core, "c", hint=0, round=1).reads == [(1, 1)], "a refusal answers, too"


def test_an_answer_to_an_older_leadership_confirms_no_read() -> None:
    """Thesis §6.4. Rounds are counted anew in every term, so that a refusal of a request of an
    older term must not repeat the round of that term: it would confirm reads that are yet to come.
    """
    a = steady_leader()
    for token in range(1, 4):
        read(a, token)
        late = requests(fire(a, Timer.HEARTBEAT), "b")[0]
        accept(a, "c", 1, round=token)
    assert late.round == 3
    b = Core.recover("b", THREE, HardState(2, "a"), entries_of((1,)))
    (refusal,) = b.step(Received(late)).after_persist
    for _ in range(2):
        fire(a, Timer.QUORUM)
    fire(a, Timer.ELECTION)
    a.step(Received(VoteResponse("c", "a", 2, True, True)))
    vote(a, "c")
    a.step(Persisted(2, 2))
    accept(a, "c", 2)
    assert (a.role, a.term, a.commit) == (Role.LEADER, 2, 2)
    a.step(Received(refusal))
    assert read(a, 4).reads == [], "nobody was asked yet"


def test_a_late_answer_does_not_take_back_a_newer_one() -> None:
    """Answers may come out of order; what a peer confirmed it confirmed."""
    core = leader(members=FIVE)
    core.step(Persisted(1, 1))
    for peer in "bc":
        accept(core, peer, 1)
    read(core, 1)
    accept(core, "b", 1, round=1)
    accept(core, "b", 1, round=0)
    assert accept(core, "c", 1, round=1).reads == [(1, 1)]


def test_reads_that_come_while_a_round_is_asked_share_the_next_one() -> None:
    """Thesis §6.4: the cost of a round is amortized over reads that have accumulated."""
    core = steady_leader()
    read(core, 1)
    assert read(core, 2).messages == []
    assert read(core, 3).messages == []
    ready = accept(core, "b", 1, round=1)
    assert ready.reads == [(1, 1)]
    assert [m.round for m in requests(ready, "b") + requests(ready, "c")] == [2, 2]
    assert accept(core, "c", 1, round=1).reads == []
    assert accept(core, "c", 1, round=2).reads == [(2, 1), (3, 1)]


def test_a_round_is_asked_again_with_every_heartbeat() -> None:
    """Messages may be lost."""
    core = steady_leader()
    read(core, 1)
    assert [m.round for m in requests(fire(core, Timer.HEARTBEAT), "b")] == [1]


def test_a_read_sees_everything_committed_when_it_was_asked() -> None:
    """Thesis §6.4, step 2: readIndex is the commit index."""
    core = steady_leader()
    propose(core, b"x")
    read(core, 1)
    core.step(Persisted(2, 1))
    accept(core, "b", 2)
    assert core.commit == 2
    assert accept(core, "c", 1, round=1).reads == [(1, 1)]
    read(core, 2)
    assert accept(core, "c", 1, round=2).reads == [(2, 2)]


def test_reads_wait_for_the_first_commit_of_the_term() -> None:
    """Thesis §6.4, step 1: before, older commits may be unknown (R2)."""
    core = leader((1, 1, 1))
    assert read(core, 1).messages == []
    core.step(Persisted(4, 2))
    ready = accept(core, "b", 4)
    assert (ready.commit, ready.reads) == (4, [])
    assert {m.round for m in requests(ready, "b") + requests(ready, "c")} >= {1}
    assert accept(core, "b", 4, round=1).reads == [(1, 4)]


def test_reads_are_refused_when_their_leader_steps_down() -> None:
    """Nobody here can confirm them any more."""
    core = steady_leader()
    read(core, 1)
    read(core, 2, 3)
    assert fire(core, Timer.QUORUM).reads_refused == []
    ready = fire(core, Timer.QUORUM)
    assert (core.role, ready.reads_refused) == (Role.FOLLOWER, [1, 2, 3])
    core = steady_leader()
    read(core, 4)
    assert append(core, (0, 0), (), term=5).reads_refused == [4]


def test_only_a_leader_takes_reads() -> None:
    """HS-7: the driver says who leads."""
    for core in (follower(term=1), candidate()):
        assert read(core, 1, 2).reads_refused == [1, 2]


# What a step says beside.


def test_a_step_says_whether_role_term_or_leader_changed() -> None:
    """The driver publishes them (HS-7)."""
    core = follower(term=1)
    assert append(core, (0, 0), ()).role_changed, "a leader is known"
    assert not append(core, (0, 0), ()).role_changed
    assert append(core, (0, 0), (), term=2).role_changed, "a new term"
    assert fire(core, Timer.ELECTION).role_changed


def test_a_strangers_message_is_ignored() -> None:
    """The group is fixed (V17)."""
    core = follower(term=1)
    ready = core.step(Received(VoteRequest("z", "a", 9, 9, 9, False)))
    assert (core.term, ready.messages, ready.after_persist) == (1, [], [])


def test_members_are_always_in_the_same_order() -> None:
    """Steps must not depend on how a set or a configuration happens to be ordered."""
    one = Core.recover("a", ("c", "a", "b"), HardState(), ())
    other = Core.recover("a", ("b", "c", "a"), HardState(), ())
    assert fire(one, Timer.ELECTION) == fire(other, Timer.ELECTION)
