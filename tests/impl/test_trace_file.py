"""When lines of a trace are written: later than the steps, and as they were then."""

import json
from typing import Any

import pytest
from delphic.impl.raft.core import Core
from delphic.impl.raft.messages import HardState, Kind
from delphic.impl.raft.ready import Event, Proposed, Timer, TimerFired
from delphic.impl.trace import FLUSH_S, NOTES_MAX, GroupTrace, TraceFile
from hand_clock import HandClock


class Paper:
    """A file that takes everything."""

    def __init__(self) -> None:
        self.written = b""

    def append(self, *pieces: bytes | memoryview) -> None:
        self.written += b"".join(pieces)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.written.splitlines()]

    def close(self) -> None:
        """As a file."""


class Member(GroupTrace):
    """The only one of a group, which leads as soon as it is asked; its steps are traced."""

    def __init__(self, clock: HandClock, paper: Any, heard: list[bytes] | None = None) -> None:
        tell = None if heard is None else heard.append
        trace = TraceFile(clock, paper, "n1", 1, pytest.fail, tell)
        self.core = Core.recover("n1", ("n1",), HardState(), ())
        super().__init__(trace, 2, self.core)

    def makes(self, event: Event) -> None:
        self.step(event, None, self.core.step(event), [], [], {})


def test_a_record_tells_the_state_after_its_step_not_when_it_is_written() -> None:
    clock, paper = HandClock(), Paper()
    member = Member(clock, paper)
    member.boot()
    clock.advance(FLUSH_S / 5)
    member.makes(TimerFired(Timer.ELECTION))
    member.makes(Proposed(((Kind.APPEND, b"a"),)))
    member.makes(Proposed(((Kind.APPEND, b"b"), (Kind.APPEND, b"a"))))
    assert paper.written == b""
    clock.advance(FLUSH_S)
    lines = paper.lines()
    assert [line["post"]["last"] for line in lines] == [[0, 0], [1, 1], [2, 1], [4, 1]]
    assert [line["t_ns"] for line in lines] == [0, 10_000_000, 10_000_000, 10_000_000]
    assert [line["seq"] for line in lines] == [0, 1, 2, 3]
    a, b = lines[2]["persist"]["entries"][0], lines[3]["persist"]["entries"]
    assert lines[3]["event"]["entries"] == [b[0][2], a[2]]
    assert b[0][2] != a[2] == b[1][2]


def test_many_steps_are_written_before_their_time() -> None:
    clock, paper = HandClock(), Paper()
    member = Member(clock, paper)
    for _ in range(NOTES_MAX + 1):
        member.stop()
    assert len(paper.lines()) == NOTES_MAX
    clock.advance(FLUSH_S)
    assert [line["seq"] for line in paper.lines()] == list(range(NOTES_MAX + 1))


def test_whoever_listens_hears_each_line_at_once_and_as_it_is_written() -> None:
    clock, paper, heard = HandClock(), Paper(), list[bytes]()
    member = Member(clock, paper, heard)
    member.boot()
    assert len(heard) == 1
    member.makes(TimerFired(Timer.ELECTION))
    member.makes(Proposed(((Kind.APPEND, b"a"),)))
    assert len(heard) == 3
    assert paper.written == b""
    clock.advance(FLUSH_S)
    assert paper.written == b"".join(heard)
