"""Every op of a run goes by here once it is recorded: is something wrong already?"""

import traceback
from collections.abc import Callable, Sequence

from ...history import Call
from ...op import Op, OpType, ProcessId
from .watch import Sighting, Watch


class Listener:
    """Tells watches of ops until one of them sees something wrong, and then somebody else of that.

    A watch that crashes is a bug of Delphic: it costs what it would have seen, never the run.
    """

    def __init__(self, watches: Sequence[Watch], alarm: Callable[[], None]) -> None:
        self._watches = list(watches)
        self._alarm = alarm
        self._open: dict[ProcessId, Op] = {}
        self.first: Sighting | None = None
        self.crash: str | None = None
        """A traceback for each watch that crashed."""

    def hear(self, op: Op) -> None:
        """The next op."""
        if self.first is not None:
            return
        call = self._call(op) if op.is_client else None
        for watch in self._watches:
            try:
                flaw = watch.hear(op, call)
            except Exception:
                self.crash = f"{self.crash or ''}{traceback.format_exc()}"
                self._watches = [other for other in self._watches if other is not watch]
                continue
            if flaw is not None:
                self.first = Sighting(watch.name, op.index, op.time_ns, flaw)
                self._alarm()
                return

    def _call(self, op: Op) -> Call:
        if op.type is OpType.INVOKE:
            self._open[op.process] = op
            return Call(op, None)
        return Call(self._open.pop(op.process), op)
