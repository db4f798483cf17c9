"""How much waited where, over time, out of the members' traces: entries of logs, tasks for slaves.

A trace is looked at so many times, at moments of equal distance, and not read as a whole.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from ...harness.clocks import Clocks
from ...harness.language.sides import MASTER, is_controller, side_of
from ...harness.reading import UNDECODABLE
from .tracelines import states

LOOKS = 400

S = TypeVar("S", bound=msgspec.Struct)


class Queue(NamedTuple):
    """Whose queue, and how long it was at each look; None before the first line of a trace."""

    name: str
    lengths: tuple[int | None, ...]


class Backlog(msgspec.Struct, frozen=True):
    """What waits, by whom; looked at at these times (microseconds)."""

    what: str
    unit: str
    times: tuple[int, ...]
    queues: tuple[Queue, ...]


class _Log(msgspec.Struct):
    commit: int
    last: tuple[int, int]


class _Step(msgspec.Struct):
    group: int
    post: _Log


class _Enqueued(msgspec.Struct):
    head: int
    next: int


class _MasterStep(msgspec.Struct):
    index: int
    post: _Enqueued

    @property
    def waiting(self) -> int:
        return self.post.next - self.post.head


class _Pulled(msgspec.Struct):
    offset: int
    finished: int


class _SlaveStep(msgspec.Struct):
    index: int
    post: _Pulled

    @property
    def waiting(self) -> int:
        return self.post.offset - self.post.finished


def backlogs(
    traces: Mapping[str, Path], clocks: Clocks, sides: Sequence[str], end: int
) -> tuple[Backlog, ...]:
    """Queues of tasks where there are several clusters, else what waits in logs."""
    if end <= 0:
        return ()
    times = tuple(round(end * at / LOOKS) for at in range(LOOKS + 1))
    looks = _Looks({n: path for n, path in traces.items() if clocks.of(n)}, clocks, times)
    found = _tasks(looks, sides) if sides else _entries(looks)
    return tuple(one for one in found if any(any(queue.lengths) for queue in one.queues))


class _Looks(NamedTuple):
    traces: Mapping[str, Path]
    clocks: Clocks
    times: tuple[int, ...]

    def of(self, member: str, mark: bytes, kind: type[S]) -> Iterator[S | None]:
        """What its trace said last at each time; of a Raft log, of the group that comes first."""
        course = self.clocks.of(member)
        assert course is not None
        told_ns = (course.told_ns(time * 1000) for time in self.times)
        return states(self.traces[member], told_ns, mark, _reader(kind))


def _reader(kind: type[S]) -> Callable[[bytes], S | None]:
    decoder = msgspec.json.Decoder(kind)

    def read(line: bytes) -> S | None:
        try:
            return decoder.decode(line)
        except UNDECODABLE:
            return None

    return read


def _entries(looks: _Looks) -> Iterator[Backlog]:
    """Where each log ended when so much was known to be committed, by whoever knew most."""
    logs = {member: list(looks.of(member, b'"role":', _Step)) for member in looks.traces}
    logs = {member: log for member, log in logs.items() if any(log)}
    groups = {step.group for log in logs.values() for step in log if step is not None}
    if len(groups) != 1:
        return
    committed, known = [], 0
    for steps in zip(*logs.values(), strict=True):
        known = max(known, *(0 if step is None else step.post.commit for step in steps))
        committed.append(known)

    def queues(length: Callable[[int, int], int]) -> tuple[Queue, ...]:
        return tuple(
            Queue(
                member,
                tuple(
                    None if step is None else max(0, length(step.post.last[0], most))
                    for step, most in zip(log, committed, strict=True)
                ),
            )
            for member, log in logs.items()
        )

    waiting, missing = (
        queues(lambda last, most: last - most),
        queues(lambda last, most: most - last),
    )
    yield Backlog("Written, not committed", "entries waiting", looks.times, waiting)
    yield Backlog("Committed, not yet here", "entries missing", looks.times, missing)


def _tasks(looks: _Looks, sides: Sequence[str]) -> Iterator[Backlog]:
    """The queue of the master, and of each slave what it has pulled and not finished."""
    found = []
    for side in sides:
        mark, kind = (
            (b'"group":"master"', _MasterStep)
            if side == MASTER
            else (b'"group":"slave"', _SlaveStep)
        )
        members = [m for m in looks.traces if side_of(m) == side and is_controller(m)]
        told = [list(looks.of(member, mark, kind)) for member in members]
        if told:
            # All controllers do the same, some later than others.
            lengths = tuple(_newest(steps) for steps in zip(*told, strict=True))
            found.append(Queue("master" if side == MASTER else side, lengths))
    yield Backlog("Tasks", "tasks waiting", looks.times, tuple(found))


def _newest(steps: Sequence[_MasterStep | _SlaveStep | None]) -> int | None:
    known = [step for step in steps if step is not None]
    return max(known, key=lambda step: step.index).waiting if known else None
