"""The messages between members around a moment, out of their traces: who told whom what, and when.

A trace is as long as its run; what lies around a moment is found in it by bisection.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from ...harness.clocks import Clocks, Course
from ...harness.reading import UNDECODABLE
from .tracelines import lines

EVENTS_MAX = 72
"""So many are still a picture."""

MOMENTS_MAX = 4
AROUND_US = 400_000
MARGIN_US = 1_000_000
"""So long before and after it is looked for where a message came from and went."""


class Message(msgspec.Struct, frozen=True):
    """One message; times in microseconds. `sent` is None where its sender's trace does not say;
    of a target that left no trace nobody knows whether it arrived."""

    source: str
    target: str
    kind: str
    text: str
    sent: int | None
    arrived: tuple[int, ...]
    is_target_traced: bool = True

    @property
    def is_lost(self) -> bool:
        """Whether it arrived nowhere, as far as was looked."""
        return self.is_target_traced and not self.arrived

    @property
    def first(self) -> int:
        """When it is first heard of."""
        return min(t for t in (self.sent, *self.arrived) if t is not None)


class Turn(msgspec.Struct, frozen=True):
    """A member became something else: what, in a few words, and its role and term from then on."""

    node: str
    time: int
    role: str
    term: int
    text: str


class Exchange(msgspec.Struct, frozen=True):
    """What members said and became around a moment, all from `begin` to `end`.

    `before` is what each was at the beginning; `marks` are moments to be pointed out. There was
    more than is shown where `is_cut`. Members' clocks were brought together give or take `within`.
    """

    name: str
    begin: int
    end: int
    members: tuple[str, ...]
    messages: tuple[Message, ...]
    turns: tuple[Turn, ...]
    before: tuple[Turn, ...]
    marks: tuple[tuple[int, str], ...]
    is_cut: bool
    within: int = 0


class _Told(msgspec.Struct):
    kind: str
    fields: dict[str, Any] = {}


class _Sent(_Told):
    uid: tuple[str, int, int] = ("", 0, 0)
    dst: str = ""


class _Event(msgspec.Struct):
    kind: str
    uid: tuple[str, int, int] | None = None
    message: _Told | None = None
    timer: str = ""
    released: tuple[tuple[str, int, int], ...] = ()


class _Post(msgspec.Struct):
    term: int
    role: str
    commit: int = 0


class _Record(msgspec.Struct):
    """What is read of a record of Raft; others have another `post`, and are passed over."""

    node: str
    t_ns: int
    event: _Event
    post: _Post
    out: tuple[_Sent, ...] = ()
    held: tuple[_Sent, ...] = ()


_decoder = msgspec.json.Decoder(_Record)

Moment = tuple[str, int, tuple[tuple[int, str], ...]]
"""A name, a time in microseconds, and what happened when that is to be pointed out."""


def exchanges(
    traces: Mapping[str, Path], clocks: Clocks, moments: Iterable[Moment]
) -> tuple[Exchange, ...]:
    """What was said around each moment, by the traces of members whose clocks are known."""
    timed = [(node, path, course) for node, path in traces.items() if (course := clocks.of(node))]
    found: dict[tuple[int, int], Exchange] = {}
    for moment in islice(moments, MOMENTS_MAX):
        one = _exchange(timed, moment)
        if one is not None:
            # Moments close to each other show the same.
            found.setdefault((one.begin, one.end), one)
    return tuple(found.values())


def _exchange(timed: Sequence[tuple[str, Path, Course]], moment: Moment) -> Exchange | None:
    name, middle, marks = moment
    begin, end = middle - AROUND_US - MARGIN_US, middle + AROUND_US + MARGIN_US
    records = {node: list(_records(path, course, begin, end)) for node, path, course in timed}
    everything = _messages(records)
    turns = [turn for node, found in records.items() for turn in _turns(node, found)]
    times = sorted(
        (
            *(t for m in everything for t in (m.sent, *m.arrived) if t is not None),
            *(turn.time for turn in turns),
        ),
        key=lambda time: abs(time - middle),
    )
    near = [time for time in times if abs(time - middle) <= AROUND_US]
    shown = near[:EVENTS_MAX]
    if not shown:
        return None
    begin, end = min(*shown, middle), max(*shown, middle)
    kept = [
        m
        for m in everything
        if begin <= m.first <= end or any(begin <= t <= end for t in m.arrived)
    ]
    return Exchange(
        name=name,
        begin=begin,
        end=end,
        members=tuple(records),
        messages=tuple(sorted(kept, key=lambda m: m.first)),
        turns=tuple(sorted((t for t in turns if begin <= t.time <= end), key=lambda t: t.time)),
        before=tuple(_before(node, turns, begin) for node in records),
        marks=tuple(mark for mark in marks if begin <= mark[0] <= end),
        is_cut=len(near) > len(shown),
        within=max(course.within_ns for _, _, course in timed) // 1000,
    )


def _before(node: str, turns: Iterable[Turn], begin: int) -> Turn:
    """What a member was then, by the last of its turns until then or the role it turned from."""
    own = [turn for turn in turns if turn.node == node and turn.time < begin]
    last = max(own, key=lambda turn: turn.time, default=Turn(node, begin, "unknown", 0, ""))
    return msgspec.structs.replace(last, time=begin, text="")


def _records(path: Path, course: Course, begin: int, end: int) -> Iterator[tuple[int, _Record]]:
    """The records of these microseconds, each with its own; damaged lines are passed over."""
    for line in lines(path, course.told_ns(begin * 1000), course.told_ns(end * 1000)):
        try:
            record = _decoder.decode(line)
        except UNDECODABLE:
            continue
        yield course.at_ns(record.t_ns) // 1000, record


Records = Mapping[str, Sequence[tuple[int, _Record]]]


def _messages(records: Records) -> list[Message]:
    """Every message of which either end is told."""
    about: dict[tuple[str, int, int], tuple[str, _Told]] = {}
    sent: dict[tuple[str, int, int], int] = {}
    arrived: dict[tuple[str, int, int], list[int]] = {}
    for node, found in records.items():
        for time, record in found:
            for one in (*record.out, *record.held):
                about[one.uid] = (one.dst, one)
            for one in record.out:
                sent[one.uid] = time
            for uid in record.event.released:
                sent[uid] = time
            came, message = record.event.uid, record.event.message
            if came is not None and message is not None:
                about.setdefault(came, (node, message))
                arrived.setdefault(came, []).append(time)
    return [
        Message(
            source=uid[0],
            target=target,
            kind=told.kind,
            text=_text(told),
            sent=sent.get(uid),
            arrived=tuple(sorted(arrived.get(uid, ()))),
            is_target_traced=target in records,
        )
        for uid, (target, told) in about.items()
        if uid in sent or uid in arrived
    ]


def _text(told: _Told) -> str:
    """A message in a few words."""
    fields = told.fields
    pre = "pre-vote" if fields.get("pre") else "vote"
    term = f" {fields['term']}" if type(fields.get("term")) is int else ""
    match told.kind:
        case "VoteRequest":
            return f"{pre}{term}?"
        case "VoteResponse":
            return f"{pre}{term}: {'yes' if fields.get('granted') else 'no'}"
        case "AppendRequest":
            entries = fields.get("entries")
            count = len(entries) if isinstance(entries, list) else 0
            return f"append{term}, {count} new" if count else f"heartbeat{term}"
        case "AppendResponse":
            return f"append{term}: {'done' if fields.get('success') else 'refused'}"
        case "SnapshotRequest":
            return f"snapshot{term}"
        case other:
            return other


def _turns(node: str, records: Iterable[tuple[int, _Record]]) -> Iterator[Turn]:
    """Where a member's role, term or commit index changed, or its process began or ended."""
    last: _Post | None = None
    for time, record in records:
        post, kind = record.post, record.event.kind
        said = []
        if kind in ("boot", "stop"):
            said.append("starts" if kind == "boot" else "ends")
        if last is None or (post.role, post.term) != (last.role, last.term):
            said.append(f"{post.role}, term {post.term}")
        if last is not None and post.commit != last.commit:
            said.append(f"commit {post.commit}")
        last = post
        if said:
            role = "dead" if kind == "stop" else post.role
            yield Turn(node, time, role, post.term, "; ".join(said))
