"""A subscriber of a group's table: it asks, is redirected, receives, handles, records, comes back.

The program that subscribes is part of it: after a crash, and after it unsubscribed, it subscribes
again, with −2 if it persists its offset. Rows are handled and recorded one after another, whether
or not there is a connection.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .actor import Receive, Step
from .subscription_rules import (
    Failure,
    Options,
    Recording,
    Resume,
    Unsubscribed,
    topic,
    wanted,
)
from .subscription_types import (
    Frame,
    Gone,
    Note,
    NotLeader,
    Own,
    Phase,
    State,
    Subscribe,
    Subscribed,
    What,
)

CONNECTED = (Phase.ASKING, Phase.LIVE)
SUBSCRIBED = (Phase.SEEKING, *CONNECTED)


@dataclass(frozen=True)
class Subscriber:
    """The actor."""

    options: Options

    def initial(self, node: int) -> State:
        return State(
            me=node, phase=Phase.SEEKING, site=0, connection=0, took=0, next=None, queue=(),
            due=None, held=None, topic=0, stored=(None,) * self.options.topics, ran=False,
            handled=0,
        )  # fmt: skip

    def durable(self, state: State) -> State:
        """Its stored offsets; and what is outside: connections were, effects are."""
        return self.initial(state.me)._replace(
            connection=state.connection,
            stored=state.stored,
            ran=state.ran,
            handled=state.handled,
        )

    def recover(self, node: int, durable: State) -> State:
        return durable

    def events(self, state: State) -> Iterator[Own]:
        yield from Own

    def step(self, state: State, event: Own | Receive) -> Step | None:
        match event:
            case Receive(message):
                return self._receive(state, message)
            case Own.TRY:
                return self._try(state)
            case Own.LOSE:
                if state.phase not in CONNECTED:
                    return None
                ring = (state.site + 1) % self.options.members
                return self._lose(state, ring if self.options.ring else state.site)
            case Own.HANDLE:
                return self._handle(state) if len(state.queue) >= self.options.batch else None
            case Own.THROTTLE:
                less = 0 < len(state.queue) < self.options.batch
                return self._handle(state) if less and self.options.throttle else None
            case Own.FAIL:
                ready = len(state.queue) >= (1 if self.options.throttle else self.options.batch)
                return self._fail(state) if ready and state.due is None else None
            case Own.RECORD:
                if state.due is None:
                    return None
                note = Note(state.me, What.RECORDED, state.due)
                return Step(_stored(state, state.due)._replace(due=None), notes=(note,))
            case Own.CRASH:
                note = Note(state.me, What.CRASHED)
                back = self.durable(state)
                return None if back == state else Step(back, notes=(note,), cost="crashes")
            case Own.KEEP | Own.REMOVE:
                return self._unsubscribe(state, event)

    # Its connection.

    def _try(self, s: State) -> Step | None:
        if s.phase is not Phase.SEEKING or s.connection >= self.options.connections:
            return None
        offset = wanted(self.options, s)
        if offset is None:
            return Step(s._replace(phase=Phase.REFUSED))
        asks = s._replace(phase=Phase.ASKING, connection=s.connection + 1, took=0)
        return Step(asks, (Subscribe(s.me, 0, s.site, asks.connection, offset),))

    def _lose(self, s: State, site: int) -> Step:
        """No connection: where to ask next, and for what."""
        note = Note(s.me, What.LOST)
        s = s._replace(phase=Phase.SEEKING, site=site, took=0)
        if s.held is not None:
            return Step(s._replace(next=s.held, queue=(), held=None), notes=(note,))
        if self.options.resume is Resume.HANDLED and s.queue:
            s = s._replace(next=s.queue[0], queue=())
        return Step(s if self.options.keeps else s._replace(queue=()), notes=(note,))

    def _receive(self, s: State, m: Any) -> Step | None:
        """In the order of its connection; what came on another one is nobody's."""
        in_turn = m.connection == s.connection and m.number == s.took and s.phase in CONNECTED
        late = not self.options.own and isinstance(m, Frame) and s.phase is Phase.LIVE
        late = late and m.connection != s.connection
        if not in_turn and not late:
            return None
        match m:
            case NotLeader(site=site):
                return self._redirected(s, site)
            case Gone():
                return Step(s._replace(phase=Phase.GONE, next=m.offset))
            case Subscribed(start=start):
                return self._live(s, start)
            case Frame():
                return self._take(s._replace(took=s.took + (not late)), m)
        return None

    def _redirected(self, s: State, site: int) -> Step:
        """B5, B6: ask the member that is named; where one named itself, another one."""
        s = s._replace(phase=Phase.SEEKING, took=0)
        if self.options.ring:
            s = s._replace(site=site if site != s.site else (site + 1) % self.options.members)
        return Step(s)

    def _live(self, s: State, start: int) -> Step:
        """It knows where it is; a new subscription records that."""
        key, new = topic(self.options, s.site), s.next is None
        handled = max(s.handled, start) if new else s.handled
        s = s._replace(phase=Phase.LIVE, took=1, next=start, topic=key, ran=True, handled=handled)
        notes = [Note(s.me, What.LIVE, start)]
        if self.options.persist and self.options.anchor and new and s.stored[key] is None:
            s = _stored(s, start - 1)
            notes.append(Note(s.me, What.RECORDED, start - 1))
        return Step(s, notes=tuple(notes))

    def _take(self, s: State, m: Frame) -> Step:
        rows = tuple(range(m.offset, m.offset + len(m.rows)))
        counted = len(rows) if self.options.counted else 1
        s = s._replace(next=m.offset + counted, queue=(*s.queue, *rows))
        notes = [Note(s.me, What.TAKEN, m.offset, len(rows))]
        if self.options.persist and self.options.recording is Recording.RECEIVED:
            s = _stored(s, rows[-1])
            notes.append(Note(s.me, What.RECORDED, rows[-1]))
        return Step(s, notes=tuple(notes))

    # Its handler.

    def _handle(self, s: State) -> Step | None:
        """B15: a batch is all that waits."""
        if s.due is not None:
            return None
        rows = s.queue if self.options.whole else s.queue[: self.options.batch]
        note = Note(s.me, What.HANDLED, rows[0], len(rows))
        due = s.queue[-1] if self.options.records and s.held is None else None
        return Step(
            s._replace(queue=(), due=due, handled=max(s.handled, rows[-1] + 1)), notes=(note,)
        )

    def _fail(self, s: State) -> Step:
        """V21: it is counted, and the rows are not recorded."""
        rows, failure = s.queue, self.options.failure
        notes = (Note(s.me, What.FAILED, rows[0], len(rows)),)
        s = s._replace(queue=())
        if not self.options.persist:
            s = s._replace(handled=max(s.handled, rows[-1] + 1))
        if self.options.persist and failure is Failure.ADVANCE:
            s = s._replace(due=rows[-1])
        elif self.options.persist and failure is not Failure.SKIP:
            s = s._replace(held=rows[0] if s.held is None else s.held)
            if failure is Failure.AGAIN and s.phase in SUBSCRIBED:
                lost = self._lose(s, s.site)
                return Step(lost.state, notes=(*notes, *lost.notes), cost="failures")
        return Step(s, notes=notes, cost="failures")

    def _unsubscribe(self, s: State, event: Own) -> Step | None:
        """Rows that wait are dropped."""
        if s.phase not in SUBSCRIBED or s.due is not None:
            return None
        notes = [Note(s.me, What.KEPT if event is Own.KEEP else What.REMOVED)]
        back = self.durable(s)._replace(site=s.site)
        if event is Own.REMOVE:
            back = back._replace(stored=(None,) * self.options.topics, ran=False)
        elif (
            self.options.unsubscribed is Unsubscribed.RECORDED and self.options.persist and s.queue
        ):
            back = _stored(back._replace(topic=s.topic), s.queue[-1])._replace(topic=0)
            notes.insert(0, Note(s.me, What.RECORDED, s.queue[-1]))
        return Step(back, notes=tuple(notes), cost="unsubscribes")


def _stored(s: State, offset: int) -> State:
    return s._replace(stored=(*s.stored[: s.topic], offset, *s.stored[s.topic + 1 :]))
