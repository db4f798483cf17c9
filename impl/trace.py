"""What a node did, step by step: one JSON line per step of a core. See docs/traces.md.

Lines are collected and written every FLUSH_S, so that a kill loses at most that much of the end.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any, get_args

import msgspec
from msgspec import UNSET, UnsetType

from .raft.core import Core
from .raft.disk import File
from .raft.messages import AppendRequest, Entry, Message
from .raft.ready import (
    Compacted,
    Event,
    Persisted,
    Proposed,
    ReadRequested,
    Ready,
    Received,
    TimerFired,
)
from .runtime import Alarm, Clock
from .wire import PeerMessage

FLUSH_S = 0.05
DIGEST_BYTES = 8

REMEMBERED = 1024
REMEMBERED_BYTES_MAX = 4096
"""Digests of this many short payloads are remembered: a step names an entry several times."""

REMEMBERED_LONG = 64
"""As many long ones, too."""

Sent = Sequence[PeerMessage]

Uid = tuple[str, int, int]
"""Source, its incarnation, number: equal where a message is sent and where it arrives."""

_encoder = msgspec.json.Encoder()


class _Message(msgspec.Struct, gc=False):
    """A message that arrived: its kind, and its fields without addresses."""

    kind: str
    fields: msgspec.Struct


class _Sent(msgspec.Struct, gc=False):
    """A message that is sent."""

    uid: Uid
    dst: str
    kind: str
    fields: msgspec.Struct


class _Post(msgspec.Struct, gc=False):
    """The core's state after a step."""

    term: int
    vote: str | None
    role: str
    leader: str | None
    commit: int
    last: tuple[int, int]


class _Record(msgspec.Struct, gc=False):
    """One line, in the order of its fields. Structs, because dicts took twice as long."""

    node: str
    inc: int
    seq: int
    t_ns: int
    group: int
    event: dict[str, Any]
    post: _Post
    out: list[_Sent] | UnsetType = UNSET
    held: list[_Sent] | UnsetType = UNSET
    persist: dict[str, Any] | UnsetType = UNSET
    synced: bool | UnsetType = UNSET
    answered: list[tuple[int, int]] | UnsetType = UNSET
    log: dict[str, Any] | UnsetType = UNSET


class _CoreRecord(msgspec.Struct, gc=False):
    """One line about a core that is not Raft's; its numbers are dense among such lines."""

    node: str
    inc: int
    seq: int
    t_ns: int
    group: str
    event: dict[str, Any]
    post: dict[str, Any]
    out: Any = UNSET
    index: int | UnsetType = UNSET


def _fields_of(kind: type[msgspec.Struct]) -> tuple[Callable[..., msgspec.Struct], Any]:
    """What makes the fields of a message of this kind, and what gets them, but for entries."""
    names = [n for n in kind.__struct_fields__ if n not in ("src", "dst", "entries")]
    entries = ["entries"] if "entries" in kind.__struct_fields__ else []
    return msgspec.defstruct(kind.__name__, names + entries, gc=False), attrgetter(*names)


_FIELDS = {kind: _fields_of(kind) for kind in get_args(Message)}


class TraceFile:
    """Collects the lines of one node."""

    def __init__(
        self,
        clock: Clock,
        file: File,
        node: str,
        incarnation: int,
        failed: Callable[[str], None],
        heard: Callable[[bytes], None] | None = None,
    ) -> None:
        self._clock = clock
        self._failed = failed
        self._heard = heard
        self._file = file
        self._node = node
        self._incarnation = incarnation
        self._seq = 0
        self._core_seq = 0
        self._lines = bytearray()
        self._alarm: Alarm | None = None

    def write(self, group: int, event: dict[str, Any], post: _Post, *rest: Any) -> int:
        """Add a record; gives its number, dense from 0 on in this incarnation."""
        seq = self._seq
        self._seq += 1
        now_ns = self._clock.now_ns()
        record = _Record(self._node, self._incarnation, seq, now_ns, group, event, post, *rest)
        self._add(record)
        return seq

    def write_core(
        self, group: str, event: dict[str, Any], post: dict[str, Any], **rest: Any
    ) -> None:
        """Add a record about another core than Raft's; its numbers are counted apart."""
        seq = self._core_seq
        self._core_seq += 1
        now_ns = self._clock.now_ns()
        self._add(
            _CoreRecord(self._node, self._incarnation, seq, now_ns, group, event, post, **rest)
        )

    def _add(self, record: _Record | _CoreRecord) -> None:
        line = _encoder.encode(record) + b"\n"
        self._lines += line
        if self._heard is not None:
            self._heard(line)
        if self._alarm is None:
            self._alarm = self._clock.call_later(FLUSH_S, self.flush)

    def flush(self) -> None:
        """Write what was collected."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        lines = bytes(self._lines)
        self._lines.clear()
        if lines:
            try:
                self._file.append(lines)
            except OSError as error:
                self._failed(f"trace file: {error}")

    def close(self) -> None:
        """Write the rest."""
        self.flush()
        self._file.close()


class GroupTrace:
    """Describes the steps of one group's core."""

    def __init__(self, file: TraceFile, group: int, core: Core) -> None:
        self._file = file
        self._group = group
        self._core = core

    def boot(self) -> None:
        """The recovered state, with the whole log: the terms of what it begins behind, entries."""
        log = self._core.log
        first = log.base_index + 1
        entries = [entry_digest(i, log.entry(i)) for i in range(first, log.last_index + 1)]
        found: dict[str, Any] = {"entries": entries}
        if log.base_index:
            found["base"] = log.base
        rest = (UNSET,) * 5
        self._file.write(self._group, {"kind": "boot"}, self._post(), *rest, found)

    def stop(self) -> None:
        """A clean end: no record is missing after this one."""
        self._file.write(self._group, {"kind": "stop"}, self._post())

    def step(
        self,
        event: Event,
        uid: Uid | None,
        ready: Ready,
        out: Sent,
        held: Sent,
        also: Mapping[str, Any],
    ) -> int:
        """A step of the core and what came of it; gives the record's number."""
        persist: dict[str, Any] = {}
        if ready.hard_state is not None:
            persist["hard_state"] = [ready.hard_state.term, ready.hard_state.vote]
        if ready.truncate_from is not None:
            persist["truncate_from"] = ready.truncate_from
        if ready.entries:
            persist["entries"] = _digests(ready.first_index, ready.entries)
        if ready.base is not None:
            persist["base"] = ready.base
            persist["installs"] = ready.installs
        described = event_fields(event, uid)
        if also:
            described.update(also)
        return self._file.write(
            self._group,
            described,
            self._post(),
            [_sent(message) for message in out],
            [_sent(message) for message in held],
            persist,
            not (persist or held),
            ready.reads or UNSET,
        )

    def durable(self, through: int, released: Sent) -> int:
        """A sync ended after which the core had no step to make."""
        event = {"kind": "persisted", "through": through, "released": self.uids(released)}
        return self._file.write(self._group, event, self._post(), [], [], {}, True)

    def uids(self, messages: Sent) -> list[Uid]:
        """The names of messages."""
        return [(message.message.src, message.incarnation, message.number) for message in messages]

    def _post(self) -> _Post:
        core = self._core
        log = core.log
        last = (log.last_index, log.last_term)
        return _Post(core.term, core.vote, core.role, core.leader, log.commit, last)


def _sent(sent: PeerMessage) -> _Sent:
    message = sent.message
    uid = (message.src, sent.incarnation, sent.number)
    return _Sent(uid, message.dst, type(message).__name__, _fields(message))


def event_fields(event: Event, uid: Uid | None) -> dict[str, Any]:
    """What happened, in the words of docs/traces.md."""
    match event:
        case TimerFired(timer=timer):
            return {"kind": "timer", "timer": timer}
        case Received(message=message):
            return {"kind": "received", "uid": uid, "message": _message(message)}
        case Proposed(entries=entries):
            digests = [digest(kind, payload) for kind, payload in entries]
            return {"kind": "proposed", "entries": digests}
        case ReadRequested(tokens=tokens):
            return {"kind": "reads", "tokens": tokens}
        case Persisted(index=index, term=term):
            return {"kind": "persisted", "index": index, "term": term}
        case Compacted(index=index):
            return {"kind": "compacted", "index": index}


def _message(message: Message) -> _Message:
    return _Message(type(message).__name__, _fields(message))


def _fields(message: Message) -> msgspec.Struct:
    """A message's fields without its addresses; entries as digests."""
    make, get = _FIELDS[type(message)]
    if isinstance(message, AppendRequest):
        return make(*get(message), _digests(message.prev_index + 1, message.entries))
    return make(*get(message))


def _digests(first: int, entries: Iterable[Entry]) -> list[tuple[int, int, str]]:
    return [entry_digest(index, entry) for index, entry in enumerate(entries, start=first)]


def entry_digest(index: int, entry: Entry) -> tuple[int, int, str]:
    """An entry of the log: index, term, and a digest of its kind and content."""
    return index, entry.term, digest(entry.kind, entry.payload)


def digest(kind: int, payload: bytes) -> str:
    """Equal for equal entries."""
    if len(payload) <= REMEMBERED_BYTES_MAX:
        return _remembered(kind, payload)
    known = _long.get(id(payload))
    if known is None or known[0] is not payload or known[1] != kind:
        if len(_long) >= REMEMBERED_LONG:
            _long.clear()
        known = _long[id(payload)] = (payload, kind, _hashed(kind, payload))
    return known[2]


def _hashed(kind: int, payload: bytes) -> str:
    hashed = hashlib.blake2b(bytes((kind,)), digest_size=DIGEST_BYTES)
    hashed.update(payload)
    return hashed.hexdigest()


_remembered = lru_cache(REMEMBERED)(_hashed)
_long: dict[int, tuple[bytes, int, str]] = {}
"""By identity, which a held payload keeps: looking at every byte is what should be spared."""
