"""What a master's data node does for slaves: keeps the data of its writes, hands it out, drops it.

Whether data is still needed only the controllers know: every so often they are asked about all that
there is, so that nothing stays for ever that was aborted, was no task in the end, or is truncated;
and nothing goes that some slave may still fetch (PR-18, PR-30).
"""

import logging
from collections.abc import Callable
from typing import Any

import msgspec

from ..client.errors import RequestError
from ..cluster.controllers import Controllers
from ..raft.disk import Disk
from ..runtime import Alarm, Clock, Worker
from ..service.call import Call, Function
from .executor import FETCH, Fetched
from .master_service import ASKED_MAX, MAY_FETCH, NEEDED
from .taskdata import Lack, TaskDataStore

SWEEP_S = 2.0

PATIENCE_S = 1.0
"""What a slave asks for is written at once; before it is told to wait, it waits here so long."""

log = logging.getLogger("delphic.replication")


class Keeper:
    """Of one data node. All calls belong to its event loop."""

    def __init__(
        self,
        disk: Disk,
        folder: str,
        worker: Worker,
        clock: Clock,
        controllers: Controllers,
        bugs: frozenset[str] = frozenset(),
    ) -> None:
        self.store = TaskDataStore(disk, folder, worker, clock, bugs)
        self._clock = clock
        self._controllers = controllers
        self._alarm: Alarm | None = None
        self._next = 0
        """The sweep goes on with this tid."""

    def functions(self) -> dict[str, Function]:
        """What data nodes of slaves call; Delphic's own."""
        return {FETCH: (tuple[int], self._fetch)}

    def open(self) -> None:
        """Find what there is. Raises OSError."""
        self.store.open()
        self._sweep_later()

    def finish(self) -> None:
        """Let the worker write all that waits: the node ends."""
        self.store.finish()

    def close(self) -> None:
        """Sweep no more."""
        self.store.close()
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _fetch(self, call: Call, tid: int) -> None:
        def checked(refusal: Any) -> None:
            if isinstance(refusal, RequestError):
                call.answer(refusal)
            else:
                self._await(tid, lambda: call.answer(self._found(tid)))

        if call.user is None:
            checked(None)
        else:
            self._controllers.ask(MAY_FETCH, (call.user,), checked)

    def _await(self, tid: int, then: Callable[[], None]) -> None:
        """Go on once it is written, or after a while."""
        is_over = False

        def go_on() -> None:
            nonlocal is_over
            alarm.cancel()
            if not is_over:
                is_over = True
                then()

        if not self.store.watch(tid, go_on):
            then()
            return
        alarm = self._clock.call_later(PATIENCE_S, go_on)
        self.store.hurry()

    def _found(self, tid: int) -> Any:
        try:
            found = self.store.fetch(tid)
        except OSError as error:
            return RequestError("TaskData", True, f"S01037 the data cannot be read: {error}")
        fetched = Fetched(lack=found.value) if isinstance(found, Lack) else Fetched(found)
        return msgspec.structs.asdict(fetched)

    # What may go.

    def _sweep_later(self) -> None:
        self._alarm = self._clock.call_later(SWEEP_S, self._sweep)

    def _sweep(self) -> None:
        self._alarm = None
        tids = self.store.tids
        asked = [tid for tid in tids if tid >= self._next][:ASKED_MAX]
        self._next = asked[-1] + 1 if len(tids) > ASKED_MAX and asked else 0
        if asked:
            self._controllers.ask(NEEDED, (asked,), lambda told: self._swept(asked, told))
        else:
            self._sweep_later()

    def _swept(self, asked: list[int], needed: Any) -> None:
        if not isinstance(needed, RequestError):
            for tid in set(asked).difference(needed):
                self.store.delete(tid)
        self._sweep_later()
