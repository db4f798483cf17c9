"""One subscriber's side: `impl/client/cursor.py` makes the steps of `model/subscription.py`."""

from typing import Any

from ....impl.client.cursor import STORED, Cursor, GapError
from ....impl.wire import Rows
from ....model.actor import Receive
from ....model.subscription_rules import Options, wanted
from ....model.subscription_types import Frame, Own, Phase, State, Subscribe, Subscribed, What

ENDED = (Phase.GONE, Phase.REFUSED)


class Taker:
    """Puts cursors into the model's states and steps them. `way`: how rows are cut into frames."""

    def __init__(self, options: Options, bugs: frozenset[str]) -> None:
        self._options = options
        self._bugs = bugs
        self.steps = 0

    def compare(self, state: State, event: Any, step: Any) -> list[tuple[str, Any, Any]] | None:
        """What differs: field, the model's value, the cursor's; None where it has no part in it."""
        if step is None or state.phase in ENDED or step.state.phase in ENDED:
            return None
        if event is Own.FAIL or state.held is not None:
            return None
        found: list[tuple[str, Any, Any]] = []
        for size in {1, max(1, len(state.queue))}:
            self.steps += 1
            found += self._compare(state, event, step, size) + self._refuses(state, size)
        return found

    def cursor(self, s: State, size: int) -> Cursor:
        """A cursor that is where the model's subscriber is; its rows wait in frames of `size`."""
        options = self._options
        asks = STORED if options.persist and s.ran else int(options.offset)
        stored = s.stored[0] if options.persist else None
        made = Cursor(asks, stored=stored, missing=int(options.offset), bugs=self._bugs)
        if s.next is not None:
            made.live(s.queue[0] if s.queue else s.next)
            for at in range(0, len(s.queue), size):
                rows = s.queue[at : at + size]
                made.take(_frame(rows[0], len(rows)), "n0")
        return made

    def _compare(
        self, state: State, event: Any, step: Any, size: int
    ) -> list[tuple[str, Any, Any]]:
        cursor, after = self.cursor(state, size), step.state
        found: list[tuple[str, Any, Any]] = []
        try:
            record = self._do(cursor, state, event)
        except GapError as error:
            return [("rows", "taken", str(error))]
        if event in (Own.CRASH, Own.KEEP, Own.REMOVE):
            cursor = self.cursor(after, size)
        recorded = [note.offset for note in step.notes if note.what is What.RECORDED]
        expected = after.due if event in (Own.HANDLE, Own.THROTTLE) else next(iter(recorded), None)
        if self._options.persist and event is not Own.RECORD and record != expected:
            found.append(("to record", expected, record))
        queue = tuple(
            row
            for taken in cursor.waiting
            for row in range(taken.rows.offset, taken.rows.offset + taken.rows.count)
        )
        if queue != after.queue:
            found.append(("rows that wait", after.queue, queue))
        asked = next((m.offset for m in step.sends if isinstance(m, Subscribe)), None)
        asked = wanted(self._options, after) if asked is None else asked
        if cursor.wanted != asked:
            found.append(("offset to ask for", asked, cursor.wanted))
        return found

    def _refuses(self, state: State, size: int) -> list[tuple[str, Any, Any]]:
        """Rows that it has had, or with a gap before them: the model's frames always fit."""
        if state.next is None:
            return []
        following = state.queue[-1] + 1 if state.queue else state.next
        found: list[tuple[str, Any, Any]] = []
        for offset in (following - 1, following + 1):
            cursor = self.cursor(state, size)
            before = cursor.wanted, tuple(cursor.waiting)
            try:
                cursor.take(_frame(offset, 1), "n0")
            except GapError:
                if (cursor.wanted, tuple(cursor.waiting)) == before:
                    continue
            found.append((f"rows that are not row {following}", "refused, nothing changed", offset))
        return found

    def _do(self, cursor: Cursor, state: State, event: Any) -> int | None:
        match event:
            case Receive(Subscribed(start=start)):
                return cursor.live(start)
            case Receive(Frame() as frame):
                cursor.take(_frame(frame.offset, len(frame.rows)), "n0")
            case Own.HANDLE | Own.THROTTLE:
                return cursor.handled(len(cursor.waiting))
        return None


def _frame(offset: int, count: int) -> Rows:
    return Rows(1, 1, offset, count, ())
