"""What the core asks of its driver and no state tells: a mistake there diverges, too."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from delphic.harness.conform.binding import Bounds
from delphic.harness.conform.raft.bind import RaftBinding
from delphic.impl.raft import core as core_module
from delphic.impl.raft import following
from delphic.impl.raft.core import Core
from delphic.impl.raft.leadership import Leadership
from delphic.impl.raft.log import Log
from delphic.impl.raft.messages import AppendRequest, Entry, VoteResponse
from delphic.impl.raft.reads import Reads
from delphic.impl.raft.ready import Event, Ready

RAFT = RaftBinding()

BOUNDS = Bounds.of(
    "reads, proposals and elections",
    members=3, terms=3, entries=2, batch=2, reads=2, unsynced=2, walk=4_000,
)  # fmt: skip


def diverged() -> str | None:
    """In which field something differs first, if anywhere."""
    found = RAFT.conform(BOUNDS, first=True)
    return found.divergences[0].field if found.divergences else None


def test_what_the_core_asks_of_its_driver_is_what_happened() -> None:
    found = RAFT.conform(BOUNDS)
    assert found.conforms, found.divergences[0]
    assert found.pairs["read"] == found.pairs["proposed 1"] == found.states > 200


def _joins_the_round(self: Reads, tokens: tuple[int, ...]) -> None:
    if self.asked:
        self.asked = (*self.asked, *tokens)
    else:
        self.waiting.extend(tokens)


def _confirms_those_that_wait(self: Reads) -> list[tuple[int, int]]:
    found = [(token, self.index) for token in (*self.asked, *self.waiting)]
    self.asked, self.waiting = (), []
    return found


def _forgets_those_that_wait(self: Reads) -> list[int]:
    found = list(self.asked)
    self.asked, self.waiting = (), []
    return found


def _asks_no_second_round(self: Leadership) -> None:
    if self.reads.asked and sum(p.round >= self.reads.round for p in self.progress.values()) >= 1:
        self.confirmed.extend(self.reads.confirm())


@pytest.mark.parametrize(
    ("owner", "name", "wrong", "field"),
    [
        (Reads, "wait", _joins_the_round, "reads of the round"),
        (Reads, "confirm", _confirms_those_that_wait, "reads confirmed"),
        (Reads, "refuse", _forgets_those_that_wait, "reads refused"),
        (Leadership, "_confirm", _asks_no_second_round, "reads of the round"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_round_confirms_the_reads_that_it_was_asked_for(
    owner: type,
    name: str,
    wrong: Callable[..., Any],
    field: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """HS-4: a read that joins a round under way may be confirmed by what is older than itself."""
    monkeypatch.setattr(owner, name, wrong)
    assert diverged() == field


def _one_short(ready: Ready) -> None:
    if ready.proposed is not None:
        ready.proposed = (ready.proposed[0], ready.proposed[1] - 1)


def _one_further(ready: Ready) -> None:
    ready.first_index += bool(ready.entries)


def _refuses_nothing(ready: Ready) -> None:
    ready.refused = False


def _refuses_no_read(ready: Ready) -> None:
    ready.reads_refused = []


def _tells_no_commit(ready: Ready) -> None:
    ready.commit = 0


def _never_advances(ready: Ready) -> None:
    ready.commit_advanced = False


def _sets_no_timer(ready: Ready) -> None:
    ready.arm = frozenset()


def _keeps_its_role(ready: Ready) -> None:
    ready.role_changed = False


def _sends_other_rows(ready: Ready) -> None:
    ready.messages = [
        msgspec.structs.replace(m, entries=tuple(map(_emptied, m.entries)))
        if isinstance(m, AppendRequest)
        else m
        for m in ready.messages
    ]


def _writes_other_rows(ready: Ready) -> None:
    ready.entries = tuple(map(_emptied, ready.entries))


def _emptied(entry: Entry) -> Entry:
    return Entry(entry.term, entry.kind, b"lost")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (_one_short, "proposed"),
        (_one_further, "first index"),
        (_refuses_nothing, "refused"),
        (_refuses_no_read, "reads refused"),
        (_tells_no_commit, "commit told"),
        (_never_advances, "commit advanced"),
        (_sets_no_timer, "timers that do not run"),
        (_keeps_its_role, "role changed"),
        (_sends_other_rows, "entries sent"),
        (_writes_other_rows, "entries written"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_step_tells_its_driver_what_it_did(
    wrong: Callable[[Ready], None], field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = Core.step

    def step(self: Core, event: Event) -> Ready:
        ready = right(self, event)
        wrong(ready)
        return ready

    monkeypatch.setattr(Core, "step", step)
    assert diverged() == field


_request = Core._on_leaders_request


def _follows_another(self: Core, m: Any) -> None:
    _request(self, m)
    if self.leading is None and self.leader is not None:
        self.leader = next(peer for peer in self.peers if peer != m.src)


def _keeps_other_rows(log: Log, entries: tuple[Entry, ...], ready: Ready) -> None:
    ready.first_index, ready.entries = log.last_index + 1, entries
    log.append(tuple(map(_emptied, entries)))


@pytest.mark.parametrize(
    ("owner", "name", "wrong", "field"),
    [
        (Core, "_on_leaders_request", _follows_another, "leader"),
        (following, "add", _keeps_other_rows, "entries kept"),
        (core_module, "add", _keeps_other_rows, "entries kept"),
    ],
    ids=["follows another", "a follower keeps other rows", "a leader keeps other rows"],
)
def test_a_member_follows_who_leads_and_keeps_what_came(
    owner: Any, name: str, wrong: Callable[..., Any], field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, wrong)
    assert diverged() == field


_counted = Core._on_vote_response


def _takes_no_second_vote(self: Core, m: VoteResponse) -> None:
    assert self.poll is None or m.src in self.votes, "a mistake"
    _counted(self, m)


def test_a_core_that_fails_on_the_way_to_a_state_has_diverged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Core, "_on_vote_response", _takes_no_second_vote)
    found = RAFT.conform(BOUNDS)
    assert ("replay", "assertion") in found.diverged
    assert 0 < found.replayed < found.states
