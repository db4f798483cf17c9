"""News of commits waits for the next entries; nothing else waits, and nothing is kept for long."""

from types import SimpleNamespace
from typing import Any

from delphic.impl.raft.messages import AppendRequest, AppendResponse, Entry, Kind, Message
from delphic.impl.raft.outbox import NEWS_WAIT_S, Outbox
from delphic.impl.wire import PeerMessage
from hand_clock import HandClock

ENTRY = Entry(1, Kind.APPEND, b"x")


class Box:
    """An outbox, and what left it: who got which commit index, and how many entries."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.sent: list[PeerMessage] = []
        runtime = SimpleNamespace(clock=self.clock)
        around: Any = SimpleNamespace(incarnation=1, runtime=runtime, send=self._send)
        self.box = Outbox(2, around, self.sent.append)

    def _send(self, peer: str, frame: PeerMessage) -> bool:
        assert frame.message.dst == peer
        self.sent.append(frame)
        return True

    def says(self, *messages: Message) -> None:
        self.box.send(self.box.framed(messages))

    @property
    def left(self) -> list[tuple[str, int, int]]:
        requests = [frame.message for frame in self.sent]
        assert all(isinstance(m, AppendRequest) for m in requests)
        return [(m.dst, m.commit, len(m.entries)) for m in requests]  # type: ignore[union-attr]


def request(commit: int, *entries: Entry, to: str = "n2", term: int = 1, asks: int = 0) -> Message:
    return AppendRequest("n1", to, term, commit, 1, entries, commit, asks)


def test_news_of_a_commit_is_forgotten_when_entries_bring_it() -> None:
    box = Box()
    box.says(request(1, ENTRY))
    box.says(request(2))
    box.clock.advance(NEWS_WAIT_S / 2)
    box.says(request(2, ENTRY))
    box.clock.advance(10 * NEWS_WAIT_S)
    assert box.left == [("n2", 1, 1), ("n2", 2, 1)]
    assert [frame.number for frame in box.sent] == [1, 3]
    assert not box.clock.alarms


def test_news_of_a_commit_is_told_by_itself_when_no_entries_come() -> None:
    box = Box()
    box.says(request(1, ENTRY), request(1, ENTRY, to="n3"))
    box.says(request(2), request(2, to="n3"))
    assert len(box.sent) == 2
    box.clock.advance(NEWS_WAIT_S)
    assert box.left[2:] == [("n2", 2, 0), ("n3", 2, 0)]


def test_news_waits_for_no_longer_because_there_is_more_of_it() -> None:
    box = Box()
    box.says(request(1, ENTRY))
    for commit in (2, 3, 4, 5):
        box.says(request(commit))
        box.clock.advance(NEWS_WAIT_S / 4)
    assert box.left[1:] == [("n2", 5, 0)]


def test_news_that_came_just_before_the_alarm_waits_its_time() -> None:
    box = Box()
    box.says(request(1, ENTRY))
    box.says(request(2))
    box.clock.advance(NEWS_WAIT_S / 2)
    box.says(request(2, ENTRY), request(3))
    box.clock.advance(NEWS_WAIT_S / 2)
    assert box.left[2:] == []
    box.clock.advance(NEWS_WAIT_S / 2)
    assert box.left[2:] == [("n2", 3, 0)]


def test_questions_heartbeats_and_new_terms_do_not_wait() -> None:
    box = Box()
    box.says(request(1))
    box.says(request(1))
    box.says(request(2, asks=1))
    box.says(request(3, asks=1, term=2))
    answer = AppendResponse("n1", "n2", 1, True, 1, 0, 0)
    box.says(answer)
    assert len(box.sent) == 5
    assert box.sent[-1].message == answer


def test_a_closed_outbox_sends_nothing_that_waits() -> None:
    box = Box()
    box.says(request(1, ENTRY))
    box.says(request(2))
    box.box.close()
    box.clock.advance(10 * NEWS_WAIT_S)
    assert box.left == [("n2", 1, 1)]
