"""The Raft core makes the model's steps, and each mistake in it is seen without a cluster."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from bindings import first_unlike
from delphic.harness.conform.binding import Bounds, Conformance
from delphic.harness.conform.raft import bind
from delphic.harness.conform.raft.bind import BLIND, SMALL, RaftBinding
from delphic.harness.conform.raft.compare import Comparison
from delphic.harness.conform.raft.translate import Translation
from delphic.impl.bugs import BUGS
from delphic.impl.raft import core as core_module
from delphic.impl.raft.core import Core
from delphic.impl.raft.following import Taken, take_snapshot
from delphic.impl.raft.leadership import Leadership
from delphic.impl.raft.log import Log
from delphic.impl.raft.messages import SnapshotRequest, VoteRequest, VoteResponse
from delphic.impl.raft.poll import Poll
from delphic.impl.raft.progress import Progress
from delphic.impl.raft.ready import Ready
from delphic.model.actor import Receive
from delphic.model.raft_built import built_group
from delphic.model.raft_types import Append, Fsync, Options, Own, PreVoteReply, VoteReply

RAFT = RaftBinding()


def conform(bugs: frozenset[str] = frozenset()) -> Conformance:
    return first_unlike(RAFT, bugs)


@pytest.mark.slow
@pytest.mark.parametrize("bounds", SMALL, ids=lambda bounds: bounds.title)
def test_the_core_makes_the_models_steps(bounds: Bounds) -> None:
    """HS-1 to HS-6, HS-20: what holds in the model's states holds in the core's."""
    found = RAFT.conform(bounds)
    assert found.conforms, found.divergences[0]
    assert found.replayed == found.states > 100
    assert found.cores > found.pairs.total() > 1_000


def test_bugs_are_in_the_core_or_it_is_said_where() -> None:
    assert RAFT.bugs | set(BLIND) == set(BUGS)
    assert not RAFT.bugs & set(BLIND)


@pytest.mark.slow
@pytest.mark.parametrize("bug", sorted(RAFT.bugs))
def test_a_seeded_bug_diverges_with_no_cluster_started(bug: str) -> None:
    found = conform(frozenset({bug}))
    assert not found.conforms
    (first,) = found.divergences
    assert first.path, "there is a way to the state"


def _lease_outlives_its_term(self: Core, term: int) -> None:
    if term > self.term:
        self._enter_term(term)
        lease = self.lease
        self._follow(None)
        self.lease = lease


def _no_hint(self: Log, prev_index: int, prev_term: int) -> int:
    return max(self.commit, prev_index - 2)


_answer = Core._answer


def _tells_no_round(self: Core, leader: str, taken: Any, asked: int) -> None:
    _answer(self, leader, taken, 0)


def _always_granted(self: Core, m: VoteRequest) -> None:
    self._ready.after_persist.append(VoteResponse(self.member, m.src, m.term, True, m.pre))


def _forgets_its_vote(self: Core, term: int) -> None:
    assert term > self.term
    self.term = term
    self.leader = None


def _believes_reports(self: Log, index: int, term: int) -> bool:
    if index <= self.durable or index > self.last_index:
        return False
    self.durable = index
    return True


def _hears_nobody(self: Leadership) -> bool:
    return len(self.heard) + 1 >= self._majority


def _majority_of_one_less(self: Leadership) -> bool:
    held = sorted((self._log.durable, *(p.match for p in self.progress.values())))
    index = held[-self._majority + 1]
    if index <= self._log.commit or self._log.term_at(index) != self._term:
        return False
    self._log.commit_to(index)
    return True


def _commits_beyond(self: Log, index: int) -> None:
    self.commit = max(self.commit, self.last_index if index else 0)


def _counts_refusals(self: Poll, m: VoteResponse) -> bool:
    self.voters.add(m.src)
    return True


def _trusts_the_hint(self: Progress, hint: int) -> None:
    self.match = hint
    self._probe_from(hint + 1)


MISTAKES: list[tuple[type, str, Callable[..., Any]]] = [
    (Core, "_enter_newer_term", _lease_outlives_its_term),
    (Core, "_answer", _tells_no_round),
    (Core, "_on_vote_request", _always_granted),
    (Core, "_enter_term", _forgets_its_vote),
    (Log, "may_agree_until", _no_hint),
    (Log, "commit_to", _commits_beyond),
    (Leadership, "has_quorum", _hears_nobody),
    (Leadership, "_advance", _majority_of_one_less),
    (Poll, "count", _counts_refusals),
    (Progress, "lost", _trusts_the_hint),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("owner", "name", "wrong"), MISTAKES, ids=[wrong.__name__ for _, _, wrong in MISTAKES]
)
def test_a_mistake_that_nobody_seeded_diverges_too(
    owner: type, name: str, wrong: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, wrong)
    assert not conform().conforms


def test_a_late_report_about_entries_that_were_cut_is_not_believed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """R27, the ABA of reports: deep, so that the way there is given."""
    member = built_group(Options(terms=3, entries=0), unsynced=2).actors[0]
    state = member.initial(0)
    for event in (
        Own.TIMEOUT,
        Receive(PreVoteReply(1, 0, 2, granted=True)),
        Fsync(1),
        Receive(VoteReply(1, 0, 2, granted=True)),
        Receive(Append(2, 0, 3, 0, 0, (3,), 0, 0)),
    ):
        state = member.step(state, event).state
    assert [write.disk.log for write in state.queue] == [(2,), (3,)]

    def late() -> Any:
        comparison = Comparison(3)
        (report, _) = [i for i in comparison.own_inputs(state) if i.name == "synced"]
        return comparison.step(state, report).difference

    assert late() is None
    monkeypatch.setattr(Log, "persisted", _believes_reports)
    assert late().field == "durable"


def test_messages_survive_the_way_there_and_back() -> None:
    names = Translation(("n1", "n2", "n3"))
    pairs = bind.reached(SMALL[0], 1)
    messages = [pair.event.message for pair in pairs.found if hasattr(pair.event, "message")]
    assert len(messages) > 100
    assert all(names.beta(names.gamma(m)) == m for m in messages)


@pytest.mark.slow
def test_a_state_that_the_core_cannot_reach_by_itself_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bind, "report", lambda state, writes: None)
    found = RAFT.conform(replace(SMALL[0], depth=12))
    assert ("replay", "state") in found.diverged
    assert found.replayed < found.states


def _installs_any(log: Log, m: SnapshotRequest, ready: Ready, *_: object) -> Taken:
    if m.last_index < log.commit:
        log.commit = 0
    log.install(m.terms, m.term)
    ready.base, ready.installs = m.terms, True
    return Taken(True, log.commit, 0)


def _acknowledges_more(log: Log, m: SnapshotRequest, ready: Ready, *_: object) -> Taken:
    taken = take_snapshot(log, m, ready)
    return taken._replace(match=log.last_index)


def _forgets_one_more(self: Log, index: int) -> None:
    compact(self, min(index + 1, self.commit, self.durable))


compact = Log.compact


@pytest.mark.slow
@pytest.mark.parametrize(
    ("owner", "name", "wrong"),
    [
        (core_module, "take_snapshot", _installs_any),
        (core_module, "take_snapshot", _acknowledges_more),
        (Log, "compact", _forgets_one_more),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_mistake_with_snapshots_diverges(
    owner: Any, name: str, wrong: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    (bounds,) = (one for one in SMALL if one.title == "snapshots")
    assert RAFT.conform(bounds, first=True).conforms
    monkeypatch.setattr(owner, name, wrong)
    assert not RAFT.conform(bounds, first=True).conforms
