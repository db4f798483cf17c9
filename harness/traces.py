"""Members' traces as typed records (docs/traces.md), decoded once and only when somebody asks."""

from collections.abc import Iterable
from functools import cached_property
from typing import Any, Literal

import msgspec

from .reading import UNDECODABLE

Uid = tuple[str, int, int]
"""A message's name: its source, the incarnation of that, and its number there."""

Entry = tuple[int, int, str]
"""An entry of the log: index, term, digest."""

Runs = tuple[tuple[int, int], ...]
"""Terms, ascending, each with the index of its last entry."""

HEAD = b'{"node":'
"""How every record begins: behind a torn one, where the next begins."""

CORE = b'"group":"'
"""In records about cores that are not Raft's: their groups are names, not numbers."""


class VoteRequestFields(msgspec.Struct, frozen=True, gc=False):
    """As in `impl/raft/messages.py`, without addresses; so are the others."""

    term: int
    last_index: int
    last_term: int
    pre: bool


class VoteResponseFields(msgspec.Struct, frozen=True, gc=False):
    term: int
    granted: bool
    pre: bool


class AppendRequestFields(msgspec.Struct, frozen=True, gc=False):
    term: int
    prev_index: int
    prev_term: int
    commit: int
    round: int
    entries: tuple[Entry, ...]


class AppendResponseFields(msgspec.Struct, frozen=True, gc=False):
    term: int
    success: bool
    match: int
    hint: int
    round: int


class SnapshotRequestFields(msgspec.Struct, frozen=True, gc=False):
    term: int
    terms: Runs


class _Message(msgspec.Struct, frozen=True, gc=False, tag_field="kind"):
    """`uid` and `dst` stand where a message is sent; where it arrives they are not repeated."""

    uid: Uid | None = None
    dst: str = ""


class VoteRequest(_Message, frozen=True, gc=False, kw_only=True):
    fields: VoteRequestFields


class VoteResponse(_Message, frozen=True, gc=False, kw_only=True):
    fields: VoteResponseFields


class AppendRequest(_Message, frozen=True, gc=False, kw_only=True):
    fields: AppendRequestFields


class AppendResponse(_Message, frozen=True, gc=False, kw_only=True):
    fields: AppendResponseFields


class SnapshotRequest(_Message, frozen=True, gc=False, kw_only=True):
    fields: SnapshotRequestFields


Message = VoteRequest | VoteResponse | AppendRequest | AppendResponse | SnapshotRequest


class _Event(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag=str.lower):
    pass


class Boot(_Event, frozen=True, gc=False):
    """The recovered state. `members` of the group; none where a trace is too old to tell."""

    members: tuple[str, ...] = ()


class Timer(_Event, frozen=True, gc=False):
    timer: Literal["election", "lease", "heartbeat", "quorum"]


class Received(_Event, frozen=True, gc=False):
    uid: Uid
    message: Message


class Proposed(_Event, frozen=True, gc=False):
    """`entries`: digests."""

    entries: tuple[str, ...]


class Reads(_Event, frozen=True, gc=False):
    tokens: tuple[int, ...]


class Compacted(_Event, frozen=True, gc=False):
    """The tables' files hold durably what the entries up to `index` did."""

    index: int


class Persisted(_Event, frozen=True, gc=False):
    """A sync ended; `index` and `term` of the last entry among what it made durable, if any."""

    through: int
    released: tuple[Uid, ...]
    index: int | None = None
    term: int | None = None


class Stop(_Event, frozen=True, gc=False):
    """The node ends cleanly."""


Event = Boot | Timer | Received | Proposed | Reads | Compacted | Persisted | Stop


class Post(msgspec.Struct, frozen=True, gc=False):
    """A member's state after a step; `last` is the index and the term of the last entry."""

    term: int
    vote: str | None
    role: Literal["follower", "precandidate", "candidate", "leader"]
    leader: str | None
    commit: int
    last: tuple[int, int]


class Persist(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What a step writes to the log.

    `base`: what the log begins behind from now on; if it `installs`, none of the old log stays.
    """

    hard_state: tuple[int, str | None] | None = None
    truncate_from: int | None = None
    entries: tuple[Entry, ...] = ()
    base: Runs | None = None
    installs: bool = False

    @property
    def is_empty(self) -> bool:
        return (
            self.hard_state is None
            and self.truncate_from is None
            and not self.entries
            and self.base is None
        )

    @property
    def last(self) -> tuple[int, int] | None:
        """Index and term of the last entry that is written, or that a snapshot stands for."""
        if self.entries:
            return self.entries[-1][:2]
        if self.base is not None and self.installs and self.base:
            term, index = self.base[-1]
            return (index, term)
        return None


class WholeLog(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The entries of a log, and what it begins behind."""

    entries: tuple[Entry, ...]
    base: Runs = ()


NOTHING = Persist()


class Lost(msgspec.Struct, frozen=True, gc=False):
    """A peer that had `acknowledged` all entries up to that one lacks it."""

    member: str
    acknowledged: int
    left: int


class Record(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One step of one member. `answered`: reads that are confirmed, token and index of each.

    `lost`: what a leader learned that a peer's disk has lost.
    """

    node: str
    inc: int
    seq: int
    t_ns: int
    group: int
    event: Event
    post: Post
    out: tuple[Message, ...] = ()
    held: tuple[Message, ...] = ()
    persist: Persist = NOTHING
    synced: bool | None = None
    answered: tuple[tuple[int, int], ...] = ()
    lost: Lost | None = None
    log: WholeLog | None = None


class CoreRecord(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One step of a core of replication. `index`: of its entry in the controllers' log."""

    node: str
    inc: int
    seq: int
    t_ns: int
    group: str
    event: dict[str, Any]
    post: dict[str, Any]
    out: Any = None
    index: int = 0


class Torn(msgspec.Struct, frozen=True, gc=False):
    """A line that is no record: its number from 1 on, and what it says."""

    line: int
    text: str


_decoder = msgspec.json.Decoder(Record)
_core_decoder = msgspec.json.Decoder(CoreRecord)


def decode(line: bytes) -> Record:
    """The record in one line. Raises msgspec.DecodeError."""
    return _decoder.decode(line)


def is_raft(line: bytes) -> bool:
    """Whether the line is about a Raft group. A torn one is, unless it tells otherwise."""
    return CORE not in line


class Trace:
    """What one member wrote about Raft: records in its order, and between them torn lines.

    What it wrote about cores of replication is apart.
    """

    def __init__(self, data: bytes = b"") -> None:
        self._cores: tuple[bytes, ...] = ()
        if not is_raft(data):
            lines = data.splitlines(keepends=True)
            self._cores = tuple(line for line in lines if not is_raft(line))
            data = b"".join(_of_raft(line) for line in lines)
        self._data = data

    @classmethod
    def of(cls, found: Iterable[Record | Torn]) -> "Trace":
        """A trace that is decoded already."""
        trace = cls()
        trace.__dict__["lines"] = tuple(found)
        return trace

    @cached_property
    def lines(self) -> tuple[Record | Torn, ...]:
        """Everything in the trace."""
        data, self._data = self._data, b""
        return tuple(_read(data))

    @cached_property
    def cores(self) -> tuple[CoreRecord, ...]:
        """Records about cores of replication, in their order; torn ones are not there."""
        lines, self._cores = self._cores, ()
        return tuple(record for line in lines if (record := _core(line)) is not None)

    @cached_property
    def records(self) -> tuple[Record, ...]:
        """What is whole."""
        return tuple(line for line in self.lines if isinstance(line, Record))


def _core(line: bytes) -> CoreRecord | None:
    """Behind a torn record another process may have begun."""
    try:
        return _core_decoder.decode(line[line.rfind(HEAD) :])
    except UNDECODABLE:
        return None


def _of_raft(line: bytes) -> bytes:
    """What of a line is about Raft: behind a torn record another process may have begun."""
    if is_raft(line):
        return line
    rest = line[line.rfind(HEAD) :]
    return rest if is_raft(rest) else b""


def _read(data: bytes) -> Iterable[Record | Torn]:
    try:
        # In one go, where no line is torn.
        return _decoder.decode_lines(data)
    except UNDECODABLE:
        return _one_by_one(data)


def _one_by_one(data: bytes) -> Iterable[Record | Torn]:
    for number, line in enumerate(data.split(b"\n"), start=1):
        if not line:
            continue
        try:
            yield decode(line)
        except UNDECODABLE:
            # What a kill cut short, and behind it perhaps the first line of the next process.
            at = line.rfind(HEAD)
            yield Torn(number, line[: at if at > 0 else None].decode(errors="replace"))
            if at > 0:
                yield _rest(line[at:], number)


def _rest(line: bytes, number: int) -> Record | Torn:
    try:
        return decode(line)
    except UNDECODABLE:
        return Torn(number, line.decode(errors="replace"))


def encode(record: Record) -> bytes:
    """The line of a record, without its end."""
    return msgspec.json.encode(record)
