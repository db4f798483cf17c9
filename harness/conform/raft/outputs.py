"""What a step of the core asks of its driver and the model does not know: plain equalities.

Which reads are confirmed or refused, what became of proposals, payloads, timers, who leads.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from ....impl.raft.core import FOLLOWING, LEADING, Core
from ....impl.raft.messages import AppendRequest, Entry, Kind, SnapshotRequest
from ....impl.raft.ready import (
    Event,
    Proposed,
    ReadRequested,
    Ready,
    Received,
    Role,
    Timer,
    TimerFired,
)
from ....model.raft_types import Member

Said = tuple[str, Any, Any]
"""What of it, what is expected, what was found."""


class Before(NamedTuple):
    """What a core knew before a step."""

    role: Role
    term: int
    leader: str | None
    last: int
    commit: int
    asked: tuple[int, ...]
    waiting: tuple[int, ...]
    timers: frozenset[Timer]

    @classmethod
    def of(cls, core: Core) -> "Before":
        """All that runs is what the role needs: of others, nobody knows."""
        reads = None if core.leading is None else core.leading.reads
        return cls(
            core.role,
            core.term,
            core.leader,
            core.log.last_index,
            core.commit,
            () if reads is None else reads.asked,
            () if reads is None else tuple(reads.waiting),
            needed(core),
        )


def needed(core: Core) -> frozenset[Timer]:
    """The timers without which this member would be silent, or believe, for ever."""
    if core.role is Role.LEADER:
        return LEADING
    return FOLLOWING if core.lease else frozenset({Timer.ELECTION})


def unlike(
    before: Before, core: Core, event: Event, ready: Ready, s: Member, after: Member
) -> Said | None:
    """The first output that is not what it should be; the model went from `s` to `after`."""
    said = (
        *_proposals(before, core, event, ready),
        *_reads(before, core, event, ready, is_confirmed=_is_confirmed(s, after)),
        *_state(before, core, event, ready),
        *_entries(core, event, ready),
        *_timers(before, core, event, ready),
    )
    return next((one for one in said if one[1] != one[2]), None)


def _proposals(before: Before, core: Core, event: Event, ready: Ready) -> Iterator[Said]:
    leads = before.role is Role.LEADER
    count = len(event.entries) if isinstance(event, Proposed) else 0
    got = (before.last + 1, before.last + count) if count and leads else None
    yield "proposed", got, ready.proposed
    yield "refused", bool(count) and not leads, ready.refused


def _is_confirmed(s: Member, after: Member) -> bool:
    return s.read is not None and bool(after.match) and _round(after) != _round(s)


def _round(s: Member) -> int | None:
    return None if s.read is None else s.read.round


def _reads(
    before: Before, core: Core, event: Event, ready: Ready, *, is_confirmed: bool
) -> Iterator[Said]:
    """A round confirms the reads that it was asked for, and the next one takes all that wait."""
    new = event.tokens if isinstance(event, ReadRequested) else ()
    asked, waiting = before.asked, (*before.waiting, *new)
    confirmed: tuple[int, ...] = ()
    if core.leading is None:
        yield "reads refused", sorted((*asked, *waiting)), sorted(ready.reads_refused)
        yield "reads confirmed", (), tuple(ready.reads)
        return
    reads = core.leading.reads
    if is_confirmed:
        asked, confirmed = (), asked
    may_ask = core.log.term_at(core.commit) == core.term
    if waiting and not asked and may_ask:
        asked, waiting = waiting, ()
    yield "reads refused", [], ready.reads_refused
    yield "reads confirmed", sorted(confirmed), sorted(token for token, _ in ready.reads)
    yield "reads of the round", sorted(asked), sorted(reads.asked)
    yield "reads that wait", sorted(waiting), sorted(reads.waiting)


def _state(before: Before, core: Core, event: Event, ready: Ready) -> Iterator[Said]:
    yield "leader", _leader(before, core, event), core.leader
    yield "commit told", core.commit, ready.commit
    yield "commit advanced", core.commit > before.commit, ready.commit_advanced
    changed = (before.role, before.term, before.leader) != (core.role, core.term, core.leader)
    yield "role changed", changed, ready.role_changed


def _leader(before: Before, core: Core, event: Event) -> str | None:
    """Whom a member in this role and term follows."""
    if core.role is Role.LEADER:
        return core.member
    if core.role is not Role.FOLLOWER:
        return None
    source = _led_by(core, event)
    if source is not None:
        return source
    is_new = (core.role, core.term) != (before.role, before.term)
    return None if is_new else before.leader


def _led_by(core: Core, event: Event) -> str | None:
    """Who asked in the name of this term, if anybody did."""
    message = event.message if isinstance(event, Received) else None
    if not isinstance(message, AppendRequest | SnapshotRequest) or message.term != core.term:
        return None
    return message.src


def _entries(core: Core, event: Event, ready: Ready) -> Iterator[Said]:
    """What is written, and what is sent, is what came, byte by byte."""
    written = ready.entries
    log = core.log
    first = log.last_index + 1 - len(written) if written else 0
    yield "first index", first, ready.first_index
    yield "entries written", _given(core, event, len(written)), written
    yield "entries kept", written, tuple(map(log.entry, range(first, first + len(written))))
    for m in ready.messages:
        if isinstance(m, AppendRequest) and m.entries:
            begin = m.prev_index + 1
            kept = tuple(map(log.entry, range(begin, begin + len(m.entries))))
            yield "entries sent", kept, m.entries


def _given(core: Core, event: Event, count: int) -> tuple[Entry, ...]:
    """The last of the entries that the event brings; who is elected brings its own."""
    if not count:
        return ()
    if isinstance(event, Proposed):
        return tuple(Entry(core.term, kind, payload) for kind, payload in event.entries)
    message = event.message if isinstance(event, Received) else None
    if isinstance(message, AppendRequest):
        return message.entries[-count:]
    return (Entry(core.term, Kind.NOOP, b""),)


def _timers(before: Before, core: Core, event: Event, ready: Ready) -> Iterator[Said]:
    fired = frozenset({event.timer}) if isinstance(event, TimerFired) else frozenset[Timer]()
    running = (before.timers - fired - ready.disarm) | ready.arm
    yield "timers that do not run", [], sorted(needed(core) - running)
    if core.role is Role.FOLLOWER and _led_by(core, event) is not None:
        yield "timers not set anew", [], sorted(FOLLOWING - ready.arm)
