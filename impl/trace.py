"""What a node did, step by step: one JSON line per step of a Raft core. See docs/traces.md.

Lines are collected and written every FLUSH_S, so that a kill loses at most that much of the end.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from .raft.core import Core
from .raft.disk import File
from .raft.messages import AppendRequest, Entry, Message
from .raft.ready import (
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

Sent = Sequence[PeerMessage]

Uid = tuple[str, int, int]
"""Source, its incarnation, number: equal where a message is sent and where it arrives."""

_encoder = msgspec.json.Encoder()


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
        self._lines = bytearray()
        self._alarm: Alarm | None = None

    def write(self, fields: dict[str, Any]) -> int:
        """Add a record; gives its number, dense from 0 on in this incarnation."""
        seq = self._seq
        self._seq += 1
        head = {
            "node": self._node,
            "inc": self._incarnation,
            "seq": seq,
            "t_ns": self._clock.now_ns(),
        }
        line = _encoder.encode(head | fields) + b"\n"
        self._lines += line
        if self._heard is not None:
            self._heard(line)
        if self._alarm is None:
            self._alarm = self._clock.call_later(FLUSH_S, self.flush)
        return seq

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
        """The recovered state, with the whole log."""
        log = self._core.log
        entries = ((i, log.entry(i)) for i in range(1, log.last_index + 1))
        self._write({"kind": "boot"}, log={"entries": [entry_digest(i, e) for i, e in entries]})

    def stop(self) -> None:
        """A clean end: no record is missing after this one."""
        self._write({"kind": "stop"})

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
            numbered = enumerate(ready.entries, start=ready.first_index)
            persist["entries"] = [entry_digest(index, entry) for index, entry in numbered]
        answered = {"answered": ready.reads} if ready.reads else {}
        return self._write(
            event_fields(event, uid) | dict(also),
            out=[self._sent(message) for message in out],
            held=[self._sent(message) for message in held],
            persist=persist,
            synced=not (persist or held),
            **answered,
        )

    def durable(self, through: int, released: Sent) -> int:
        """A sync ended after which the core had no step to make."""
        event = {"kind": "persisted", "through": through, "released": self.uids(released)}
        return self._write(event, out=[], held=[], persist={}, synced=True)

    def uids(self, messages: Sent) -> list[Uid]:
        """The names of messages."""
        return [(message.message.src, message.incarnation, message.number) for message in messages]

    def _sent(self, sent: PeerMessage) -> dict[str, Any]:
        message = sent.message
        uid = (message.src, sent.incarnation, sent.number)
        return {"uid": uid, "dst": message.dst} | message_fields(message)

    def _write(self, event: dict[str, Any], **fields: Any) -> int:
        core = self._core
        post = {
            "term": core.term,
            "vote": core.vote,
            "role": core.role,
            "leader": core.leader,
            "commit": core.commit,
            "last": [core.log.last_index, core.log.term_at(core.log.last_index)],
        }
        return self._file.write({"group": self._group, "event": event, "post": post} | fields)


def event_fields(event: Event, uid: Uid | None) -> dict[str, Any]:
    """What happened, in the words of docs/traces.md."""
    match event:
        case TimerFired(timer=timer):
            return {"kind": "timer", "timer": timer}
        case Received(message=message):
            return {"kind": "received", "uid": uid, "message": message_fields(message)}
        case Proposed(entries=entries):
            digests = [digest(kind, payload) for kind, payload in entries]
            return {"kind": "proposed", "entries": digests}
        case ReadRequested(tokens=tokens):
            return {"kind": "reads", "tokens": tokens}
        case Persisted(index=index, term=term):
            return {"kind": "persisted", "index": index, "term": term}


def message_fields(message: Message) -> dict[str, Any]:
    """A message without its addresses; entries as digests."""
    fields = {
        name: getattr(message, name)
        for name in message.__struct_fields__
        if name not in ("src", "dst", "entries")
    }
    if isinstance(message, AppendRequest):
        numbered = enumerate(message.entries, start=message.prev_index + 1)
        fields["entries"] = [entry_digest(index, entry) for index, entry in numbered]
    return {"kind": type(message).__name__, "fields": fields}


def entry_digest(index: int, entry: Entry) -> tuple[int, int, str]:
    """An entry of the log: index, term, and a digest of its kind and content."""
    return index, entry.term, digest(entry.kind, entry.payload)


def digest(kind: int, payload: bytes) -> str:
    """Equal for equal entries."""
    hashed = hashlib.blake2b(bytes((kind,)), digest_size=DIGEST_BYTES)
    hashed.update(payload)
    return hashed.hexdigest()
