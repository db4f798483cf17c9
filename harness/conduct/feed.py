"""States of members as their traces tell them, while the traces are being written."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from .triggers import MemberState, Snapshot

Read = Callable[[str, int], bytes | None]
"""What a member's trace holds from this byte on; None if it is shorter than that."""

_HEAD = b'{"node":'
"""How every record begins: after a torn one, where the next begins."""


class _Post(msgspec.Struct):
    term: int
    vote: str | None
    role: str
    leader: str | None
    commit: int
    last: tuple[int, int]


class _Record(msgspec.Struct):
    t_ns: int
    post: _Post


@dataclass(slots=True)
class _Tail:
    """How far one trace was read; `rest` is the beginning of a line."""

    offset: int = 0
    rest: bytes = b""


class Feed:
    """Reads what was added to the traces. Costs what was written since the last look, no more."""

    def __init__(self, members: Sequence[str], read: Read, is_alive: Callable[[str], bool]) -> None:
        self._read = read
        self._is_alive = is_alive
        self._tails = {alias: _Tail() for alias in members}
        self._states: dict[str, MemberState] = {}
        self._decoder = msgspec.json.Decoder(_Record)

    def advance(self) -> list[Snapshot]:
        """A snapshot for every step since the last call, oldest first; the last is what is known.

        Steps of different members are in the order of their clocks, among those that were written
        since the last call.
        """
        alive = {alias: self._is_alive(alias) for alias in self._tails}
        records = sorted(
            (
                (record.t_ns, alias, record.post)
                for alias in self._tails
                for record in self._new(alias)
            ),
            key=lambda one: one[:2],
        )
        found: list[Snapshot] = []
        for _, alias, post in records:
            self._states[alias] = _state(post, alive=alive[alias])
            found.append(dict(self._states))
        for alias, state in self._states.items():
            if not alive[alias]:
                # Its next process begins as a follower, whatever this one was.
                fallen = msgspec.structs.replace(state, role="follower", leader=None, alive=False)
                self._states[alias] = fallen
            elif not state.alive:
                self._states[alias] = msgspec.structs.replace(state, alive=True)
        found.append(dict(self._states))
        return found

    def _new(self, alias: str) -> list[_Record]:
        tail = self._tails[alias]
        data = self._read(alias, tail.offset)
        if data is None:
            # A power cut took back what had been read.
            tail.offset, tail.rest = len(self._read(alias, 0) or b""), b""
            return []
        tail.offset += len(data)
        *lines, tail.rest = (tail.rest + data).split(b"\n") if data else [tail.rest]
        return [record for line in lines if (record := self._record(line)) is not None]

    def _record(self, line: bytes) -> _Record | None:
        """The record in a line, or the whole one after a torn one."""
        try:
            return self._decoder.decode(line[max(0, line.rfind(_HEAD)) :])
        except msgspec.DecodeError:
            return None


def _state(post: _Post, *, alive: bool) -> MemberState:
    last, last_term = post.last
    return MemberState(
        post.term, post.vote, post.role, post.leader, post.commit, last, last_term, alive
    )
