"""Accepted traces, spoiled in one place: whoever checks traces must notice.

A few of these leave a trace that is as legal as it was: `harmless` says so, from the records alone.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from msgspec.structs import replace

from ...traces import (
    Boot,
    Entry,
    Message,
    Persist,
    Persisted,
    Reads,
    Received,
    Record,
    Stop,
    VoteRequest,
    VoteResponse,
)

Lines = Mapping[str, Sequence[Record]]


@dataclass(frozen=True, slots=True)
class Corrupted:
    """Traces with one thing wrong; `harmless`: why they are legal all the same, if they are."""

    kind: str
    what: str
    traces: dict[str, list[Record]]
    harmless: str | None = None


Corruption = Callable[[Lines, Random], Corrupted | None]
"""None where a draw hits nothing that can be spoiled so."""


def _changed(traces: Lines, node: str, at: int, *records: Record) -> dict[str, list[Record]]:
    """With these records where one was."""
    found = {name: list(lines) for name, lines in traces.items()}
    found[node][at : at + 1] = records
    return found


def _draw(traces: Lines, chance: Random, fits: Callable[[Record], bool]) -> tuple[str, int] | None:
    places = [
        (node, at)
        for node in sorted(traces)
        for at, record in enumerate(traces[node])
        if fits(record)
    ]
    return chance.choice(places) if places else None


def _is_step(record: Record) -> bool:
    return not isinstance(record.event, Boot | Stop)


def _with_post(
    kind: str, traces: Lines, chance: Random, field: str, other: Any
) -> Corrupted | None:
    """One field of one `post` is another; `other(post, chance)` gives it."""
    place = _draw(traces, chance, _is_step)
    if place is None:
        return None
    node, at = place
    record = traces[node][at]
    post = replace(record.post, **{field: other(record.post)})
    what = f"{field} of {_name(record)}"
    return Corrupted(kind, what, _changed(traces, node, at, replace(record, post=post)))


def flipped_term(traces: Lines, chance: Random) -> Corrupted | None:
    """A member says another term than it is in."""
    by = chance.choice((-1, 1))
    return _with_post("flipped term", traces, chance, "term", lambda post: post.term + by)


def changed_commit(traces: Lines, chance: Random) -> Corrupted | None:
    """A member says another commit index than it knows."""
    by = chance.choice((-1, 1))
    return _with_post("changed commit", traces, chance, "commit", lambda post: post.commit + by)


def changed_vote(traces: Lines, chance: Random) -> Corrupted | None:
    """A member says another vote than it gave."""
    names = [*sorted(traces), None]
    other = chance.randrange(1, len(names))
    return _with_post(
        "changed vote",
        traces,
        chance,
        "vote",
        lambda post: names[(names.index(post.vote) + other) % len(names)],
    )


def dropped_record(traces: Lines, chance: Random) -> Corrupted | None:
    """A record is missing."""
    place = _draw(traces, chance, _is_step)
    if place is None:
        return None
    node, at = place
    record = traces[node][at]
    after = traces[node][at + 1 : at + 2]
    is_last = not after or after[0].inc > record.inc
    harmless = "the end of a killed process: what a kill may take" if is_last else None
    return Corrupted("dropped record", _name(record), _changed(traces, node, at), harmless)


def swapped_records(traces: Lines, chance: Random) -> Corrupted | None:
    """Two steps, one after the other, in the other order, with their numbers made good."""
    place = _draw(traces, chance, _is_step)
    if place is None:
        return None
    node, at = place
    lines = traces[node]
    first = lines[at]
    if at + 1 == len(lines) or not _is_step(lines[at + 1]) or lines[at + 1].inc != first.inc:
        return None
    second = lines[at + 1]
    head = {"seq": first.seq, "t_ns": first.t_ns}
    late = {"seq": second.seq, "t_ns": second.t_ns}
    found = _changed(traces, node, at, replace(second, **head), replace(first, **late))
    del found[node][at + 2]
    return Corrupted(
        "swapped records", f"{_name(first)} and the next", found, _order_unseen(lines, at)
    )


def _order_unseen(lines: Sequence[Record], at: int) -> str | None:
    """Why nobody can tell in which order two steps came; None if somebody may."""
    first, second = lines[at], lines[at + 1]
    told = [r.event.message.fields for r in (first, second) if isinstance(r.event, Received)]
    if len(told) == len({*told}) + 1 and first.event.uid[0] == second.event.uid[0]:  # type: ignore[union-attr]
        return "the same message twice, and a network may reorder them"
    if not first.post == second.post == lines[at - 1].post:
        return None
    if _is_idle(first) or _is_idle(second):
        return "one of them does nothing: it may come at any time"
    if _is_free(first) and _is_free(second) and not (first.out and second.out):
        return "neither changes or writes anything, and one at most sends: both orders are legal"
    return None


def _is_idle(record: Record) -> bool:
    return _is_free(record) and not (record.out or record.answered)


def _is_free(record: Record) -> bool:
    return not record.held and record.persist.is_empty


def reused_uid(traces: Lines, chance: Random) -> Corrupted | None:
    """A message is sent under the name of an earlier one."""
    place = _draw(traces, chance, lambda r: any(_number(m) > 1 for m in (*r.out, *r.held)))
    if place is None:
        return None
    node, at = place
    record = traces[node][at]
    field = "out" if any(_number(m) > 1 for m in record.out) else "held"
    messages = list(getattr(record, field))
    which = chance.choice([n for n, m in enumerate(messages) if _number(m) > 1])
    source, inc, number = messages[which].uid
    messages[which] = replace(messages[which], uid=(source, inc, chance.randrange(1, number)))
    spoiled = replace(record, **{field: tuple(messages)})
    return Corrupted("reused uid", _name(record), _changed(traces, node, at, spoiled))


def _number(message: Message) -> int:
    return 0 if message.uid is None else message.uid[2]


def early_through(traces: Lines, chance: Random) -> Corrupted | None:
    """A sync is said to cover the next waiting step, too, which it did not."""
    places = [
        (node, at, waiting)
        for node in sorted(traces)
        for at, record in enumerate(traces[node])
        if isinstance(record.event, Persisted)
        and (waiting := _next_waiting(traces[node], at, record.event.through)) is not None
    ]
    if not places:
        return None
    node, at, waiting = chance.choice(places)
    record = traces[node][at]
    assert isinstance(record.event, Persisted)
    spoiled = replace(record, event=replace(record.event, through=waiting))
    kind, what = "back-dated fsync", f"through of {_name(record)}"
    return Corrupted(kind, what, _changed(traces, node, at, spoiled))


def _next_waiting(lines: Sequence[Record], at: int, through: int) -> int | None:
    """The first step behind `through` and before this record that waits for a disk."""
    found = None
    for record in reversed(lines[:at]):
        if record.inc != lines[at].inc or record.seq <= through:
            break
        if record.held or not record.persist.is_empty:
            found = record.seq
    return found


def early_release(traces: Lines, chance: Random) -> Corrupted | None:
    """What waited for the disk is said to have left at once."""
    place = _draw(traces, chance, lambda r: bool(r.held) and not r.persist.is_empty)
    if place is None:
        return None
    node, at = place
    record = traces[node][at]
    spoiled = replace(record, out=(*record.out, *record.held), held=())
    kind, what = "early release", f"held of {_name(record)}"
    return Corrupted(kind, what, _changed(traces, node, at, spoiled))


def early_vote(traces: Lines, chance: Random) -> Corrupted | None:
    """A candidate is said to have got a vote before its own was on its disk, and had asked."""
    places = [
        (node, at)
        for node in sorted(traces)
        for at, record in enumerate(traces[node])
        if _is_asked(record, traces[node], at) and _is_vote(traces[node][at + 1])
    ]
    if not places:
        return None
    node, at = chance.choice(places)
    asked, vote = traces[node][at : at + 2]
    late = replace(asked, seq=vote.seq, t_ns=vote.t_ns, post=vote.post)
    found = _changed(traces, node, at, replace(vote, seq=asked.seq, t_ns=asked.t_ns), late)
    del found[node][at + 2]
    # What the vote wrote has another number now.
    for n, record in enumerate(found[node][at + 2 :], start=at + 2):
        event = record.event
        if isinstance(event, Persisted) and (record.inc, event.through) == (vote.inc, vote.seq):
            found[node][n] = replace(record, event=replace(event, through=asked.seq))
    return Corrupted("early vote", f"{_name(asked)} and the next", found)


def _is_asked(record: Record, lines: Sequence[Record], at: int) -> bool:
    """Whether this sync released a candidate's questions, and another record of it follows."""
    if record.post.role != "candidate" or not isinstance(record.event, Persisted):
        return False
    released = {uid for uid in record.event.released}
    held = (m for line in lines[:at] if line.inc == record.inc for m in line.held)
    asks = any(m.uid in released and isinstance(m, VoteRequest) for m in held)
    return asks and at + 1 < len(lines) and lines[at + 1].inc == record.inc


def _is_vote(record: Record) -> bool:
    event = record.event
    message = event.message if isinstance(event, Received) else None
    return isinstance(message, VoteResponse) and not message.fields.pre


def changed_digest(traces: Lines, chance: Random) -> Corrupted | None:
    """An entry that is written, sent or received has another content."""
    place = _draw(traces, chance, lambda r: bool(r.persist.entries) or _carries(r))
    if place is None:
        return None
    node, at = place
    record = traces[node][at]
    if record.persist.entries:
        entries = _other_digest(record.persist.entries, chance)
        spoiled = replace(record, persist=_persist(record.persist, entries))
    else:
        assert isinstance(record.event, Received)
        message = record.event.message
        entries = _other_digest(message.fields.entries, chance)  # type: ignore[union-attr]
        fields = replace(message.fields, entries=entries)
        spoiled = replace(
            record, event=replace(record.event, message=replace(message, fields=fields))
        )
    return Corrupted("changed digest", _name(record), _changed(traces, node, at, spoiled))


def _carries(record: Record) -> bool:
    event = record.event
    return isinstance(event, Received) and bool(getattr(event.message.fields, "entries", ()))


def _persist(persist: Persist, entries: tuple[Entry, ...]) -> Persist:
    return replace(persist, entries=entries)


def _other_digest(entries: Sequence[Entry], chance: Random) -> tuple[Entry, ...]:
    which = chance.randrange(len(entries))
    index, term, digest = entries[which]
    other = f"{int(digest, 16) ^ (1 << chance.randrange(64)):016x}"
    return (*entries[:which], (index, term, other), *entries[which + 1 :])


def lost_write(traces: Lines, chance: Random) -> Corrupted | None:
    """Term and vote are said not to have been written."""
    place = _draw(traces, chance, lambda r: r.persist.hard_state is not None)
    if place is None:
        return None
    node, at = place
    record = traces[node][at]
    spoiled = replace(record, persist=replace(record.persist, hard_state=None))
    return Corrupted("lost write", _name(record), _changed(traces, node, at, spoiled))


def early_read(traces: Lines, chance: Random) -> Corrupted | None:
    """A read is said to be confirmed by a round that had begun before it was asked."""
    return _moved_read("early read", traces, chance, is_early=True)


def late_read(traces: Lines, chance: Random) -> Corrupted | None:
    """A read is said to be confirmed by the round after its own."""
    return _moved_read("late read", traces, chance, is_early=False)


def _moved_read(kind: str, traces: Lines, chance: Random, *, is_early: bool) -> Corrupted | None:
    """A read moves from one round to its neighbour, of which both keep some."""
    places = [
        (node, at, after, token)
        for node in sorted(traces)
        for at, after in _rounds(traces[node])
        if (token := _movable(traces[node], at, after, is_early=is_early)) is not None
    ]
    if not places:
        return None
    node, at, after, token = chance.choice(places)
    found = {name: list(lines) for name, lines in traces.items()}
    source, target = (after, at) if is_early else (at, after)
    first, second = traces[node][source], traces[node][target]
    kept = tuple(one for one in first.answered if one[0] != token)
    moved = (*second.answered, (token, second.answered[0][1]))
    found[node][source] = replace(first, answered=kept)
    found[node][target] = replace(second, answered=moved)
    return Corrupted(kind, f"read {token} of {_name(first)}", found)


def _rounds(lines: Sequence[Record]) -> Iterator[tuple[int, int]]:
    """Steps that confirm reads, and the next such step of the same leader."""
    last: int | None = None
    for at, record in enumerate(lines):
        if record.post.role != "leader":
            last = None
        elif record.answered:
            if last is not None:
                yield last, at
            last = at


def _movable(lines: Sequence[Record], at: int, after: int, *, is_early: bool) -> int | None:
    """A read that the first step might have confirmed, or the second one might as well."""
    first, second = lines[at], lines[after]
    if len((second if is_early else first).answered) < 2:
        return None
    if not is_early:
        return first.answered[0][0]
    late = {token for token, _ in second.answered}
    before = reversed(lines[:at])
    asked = (r.event.tokens for r in before if isinstance(r.event, Reads))
    return next((token for token in next(asked, ()) if token in late), None)


def _name(record: Record) -> str:
    return f"step {record.seq} of incarnation {record.inc} of {record.node}"


CORRUPTIONS: tuple[Corruption, ...] = (
    flipped_term,
    changed_commit,
    changed_vote,
    dropped_record,
    swapped_records,
    reused_uid,
    early_through,
    early_release,
    early_vote,
    changed_digest,
    lost_write,
)

OF_READS: tuple[Corruption, ...] = (early_read, late_read)
"""Of traces of a leader that is asked for several reads at once."""
