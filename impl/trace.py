"""What a node did, step by step: one JSON line per step of a core. See docs/traces.md.

A step is only noted when it is made: what it was given and gave does not change any more. Notes are
described and written every FLUSH_S, so that a kill loses at most that much of the end; many at
once, for that is quicker than one here and one there between other things.
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
    Lost,
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
NOTES_MAX = 256
"""So many are written earlier: describing takes some microseconds each, in which the node waits."""

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
_NONE = msgspec.Raw(b"[]")


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
    lost: Lost | UnsetType = UNSET
    log: dict[str, Any] | UnsetType = UNSET


def _fields_of(kind: type[msgspec.Struct]) -> tuple[Callable[..., msgspec.Struct], Any]:
    """What makes the fields of a message of this kind, and what gets them, but for entries."""
    names = [n for n in kind.__struct_fields__ if n not in ("src", "dst", "entries")]
    entries = ["entries"] if "entries" in kind.__struct_fields__ else []
    return msgspec.defstruct(kind.__name__, names + entries, gc=False), attrgetter(*names)


Described = tuple[dict[str, Any], tuple[Any, ...]]
"""A record's event, and its fields behind `post`."""

_FIELDS = {kind: _fields_of(kind) for kind in get_args(Message)}


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


class _Note(msgspec.Struct):
    """A step that is not described yet.

    `describe` knows the group, the group its trace, and that the notes: a circle, which has to be
    collected, and so this is no struct without garbage collection as the others are.
    """

    seq: int
    t_ns: int
    group: int
    post: _Post
    describe: Callable[..., Described]
    what: tuple[Any, ...]


class TraceFile:
    """Collects the steps of one node, and writes their lines."""

    def __init__(
        self,
        clock: Clock,
        file: File,
        node: str,
        incarnation: int,
        failed: Callable[[str], None],
        heard: Callable[[bytes], None] | None = None,
    ) -> None:
        """`heard` is told each line at once."""
        self._clock = clock
        self._failed = failed
        self._heard = heard
        self._file = file
        self._node = node
        self._incarnation = incarnation
        self._seq = 0
        self._core_seq = 0
        self._notes: list[_Note | msgspec.Raw] = []
        self._alarm: Alarm | None = None

    def note(self, group: int, post: _Post, describe: Callable[..., Described], *what: Any) -> int:
        """Add a record, whose event and what follows `post` are those of `describe(*what)`.

        Gives its number, dense from 0 on in this incarnation.
        """
        seq = self._seq
        self._seq = seq + 1
        self._add(_Note(seq, self._clock.now_ns(), group, post, describe, what))
        return seq

    def write_core(
        self, group: str, event: dict[str, Any], post: dict[str, Any], **rest: Any
    ) -> None:
        """Add a record about another core than Raft's; its numbers are counted apart.

        It is described at once: nothing is known of how long what it is given stays as it is.
        """
        seq = self._core_seq
        self._core_seq = seq + 1
        now_ns = self._clock.now_ns()
        record = _CoreRecord(self._node, self._incarnation, seq, now_ns, group, event, post, **rest)
        self._add(msgspec.Raw(_encoder.encode(record)))

    def _add(self, note: _Note | msgspec.Raw) -> None:
        if self._heard is not None:
            # Described once: the file gets the same bytes.
            raw = note if isinstance(note, msgspec.Raw) else self._raw(note)
            self._heard(bytes(raw) + b"\n")
            note = raw
        self._notes.append(note)
        if len(self._notes) >= NOTES_MAX:
            self.flush()
        elif self._alarm is None:
            self._alarm = self._clock.call_later(FLUSH_S, self.flush)

    def flush(self) -> None:
        """Write what was collected."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        notes, self._notes = self._notes, []
        if notes:
            try:
                self._file.append(self._lines(notes))
            except OSError as error:
                self._failed(f"trace file: {error}")

    def _lines(self, notes: Iterable[_Note | msgspec.Raw]) -> bytes:
        return _encoder.encode_lines(
            [note if isinstance(note, msgspec.Raw) else self._record(note) for note in notes]
        )

    def _raw(self, note: _Note) -> msgspec.Raw:
        return msgspec.Raw(_encoder.encode(self._record(note)))

    def _record(self, note: _Note) -> _Record:
        event, rest = note.describe(*note.what)
        node, incarnation = self._node, self._incarnation
        return _Record(node, incarnation, note.seq, note.t_ns, note.group, event, note.post, *rest)

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
        self._named: tuple[int, tuple[Entry, ...], msgspec.Raw] = 0, (), _NONE

    def boot(self) -> None:
        """The group's members, and the recovered state with the whole log.

        Of the log: the terms of what it begins behind, and entries.
        """
        log = self._core.log
        first = log.base_index + 1
        entries = [entry_digest(i, log.entry(i)) for i in range(first, log.last_index + 1)]
        found: dict[str, Any] = {"entries": entries}
        if log.base_index:
            found["base"] = log.base
        self._file.note(self._group, self._post(), _booted, self._core.members, found)

    def stop(self) -> None:
        """A clean end: no record is missing after this one."""
        self._file.note(self._group, self._post(), _stopped)

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
        return self._file.note(
            self._group, self._post(), self._described, event, uid, ready, out, held, also
        )

    def durable(self, through: int, released: Sent) -> int:
        """A sync ended after which the core had no step to make."""
        return self._file.note(self._group, self._post(), _synced, through, self.uids(released))

    def uids(self, messages: Sent) -> list[Uid]:
        """The names of messages."""
        return [(message.message.src, message.incarnation, message.number) for message in messages]

    def _described(
        self,
        event: Event,
        uid: Uid | None,
        ready: Ready,
        out: Sent,
        held: Sent,
        also: Mapping[str, Any],
    ) -> Described:
        persist: dict[str, Any] = {}
        if ready.hard_state is not None:
            persist["hard_state"] = [ready.hard_state.term, ready.hard_state.vote]
        if ready.truncate_from is not None:
            persist["truncate_from"] = ready.truncate_from
        if ready.entries:
            persist["entries"] = self._digests(ready.first_index, ready.entries)
        if ready.base is not None:
            persist["base"] = ready.base
            persist["installs"] = ready.installs
        described = self._event(event, uid)
        if also:
            described.update(also)
        sent, waiting = [self._sent(m) for m in out], [self._sent(m) for m in held]
        synced = not (persist or held)
        rest = (sent, waiting, persist, synced, ready.reads or UNSET, ready.lost or UNSET)
        return described, rest

    def _event(self, event: Event, uid: Uid | None) -> dict[str, Any]:
        """What happened, in the words of docs/traces.md."""
        match event:
            case TimerFired(timer=timer):
                return {"kind": "timer", "timer": timer}
            case Received(message=message):
                described = _Message(type(message).__name__, self._fields(message))
                return {"kind": "received", "uid": uid, "message": described}
            case Proposed(entries=entries):
                digests = [digest(kind, payload) for kind, payload in entries]
                return {"kind": "proposed", "entries": digests}
            case ReadRequested(tokens=tokens):
                return {"kind": "reads", "tokens": tokens}
            case Persisted(index=index, term=term):
                return {"kind": "persisted", "index": index, "term": term}
            case Compacted(index=index):
                return {"kind": "compacted", "index": index}

    def _sent(self, sent: PeerMessage) -> _Sent:
        message = sent.message
        uid = (message.src, sent.incarnation, sent.number)
        return _Sent(uid, message.dst, type(message).__name__, self._fields(message))

    def _fields(self, message: Message) -> msgspec.Struct:
        """A message's fields without its addresses; entries as digests."""
        make, get = _FIELDS[type(message)]
        if isinstance(message, AppendRequest):
            return make(*get(message), self._digests(message.prev_index + 1, message.entries))
        return make(*get(message))

    def _digests(self, first: int, entries: tuple[Entry, ...]) -> msgspec.Raw:
        """As JSON: a step that writes entries names the same ones up to three times."""
        if not entries:
            return _NONE
        known, named, raw = self._named
        # Equal entries of one member are the same objects, so that no bytes are compared.
        if first != known or entries != named:
            digests = [entry_digest(index, entry) for index, entry in enumerate(entries, first)]
            raw = msgspec.Raw(_encoder.encode(digests))
            self._named = first, entries, raw
        return raw

    def _post(self) -> _Post:
        core = self._core
        log = core.log
        last = (log.last_index, log.last_term)
        return _Post(core.term, core.vote, core.role, core.leader, log.commit, last)


def _booted(members: Sequence[str], found: dict[str, Any]) -> Described:
    return {"kind": "boot", "members": members}, (*(UNSET,) * 6, found)


def _stopped() -> Described:
    return {"kind": "stop"}, ()


def _synced(through: int, released: list[Uid]) -> Described:
    return {"kind": "persisted", "through": through, "released": released}, ([], [], {}, True)


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
    # Twice as quick as BLAKE2b on processors that have instructions for it.
    hashed = hashlib.sha256(bytes((kind,)))
    hashed.update(payload)
    return hashed.digest()[:DIGEST_BYTES].hex()


_remembered = lru_cache(REMEMBERED)(_hashed)
_long: dict[int, tuple[bytes, int, str]] = {}
"""By identity, which a held payload keeps: looking at every byte is what should be spared."""
