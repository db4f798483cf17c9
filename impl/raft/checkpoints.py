"""When the tables of a group are made durable, so that its log may be cut at the beginning (V5).

Every `interval_s`, if anything was applied since the last time, and as soon as the log has grown by
`log_bytes_max`: the log is in memory, too. One checkpoint at a time; none while a snapshot is sent,
which the next one would make worthless, or installed.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ..runtime import Alarm, Clock, Worker
from .machine import Machine


@dataclass(frozen=True, slots=True)
class Policy:
    """How often."""

    interval_s: float
    log_bytes_max: int


class Checkpoints:
    """Makes them, one after the other."""

    def __init__(
        self,
        machine: Machine,
        clock: Clock,
        worker: Worker,
        policy: Policy,
        *,
        applied: Callable[[], int | None],
        done: Callable[[OSError | None], None],
    ) -> None:
        """`applied` gives the last applied entry, or None if it is no time for a checkpoint."""
        self._machine = machine
        self._clock = clock
        self._worker = worker
        self._policy = policy
        self._applied = applied
        self._done = done
        self._bytes = 0
        self._is_due = False
        self._is_running = False
        self._alarm: Alarm | None = None
        self.count = 0

    @property
    def index(self) -> int:
        """Up to which entry the newest checkpoint goes."""
        return self._machine.checkpointed.index

    @property
    def is_due(self) -> bool:
        """Whether it is time for the next one."""
        return self._is_due

    def start(self) -> None:
        """Begin to count the time."""
        self._alarm = self._clock.call_later(self._policy.interval_s, self._rang)

    def close(self) -> None:
        """Make no more."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def grown(self, log_bytes: int) -> None:
        """So much more was applied."""
        self._bytes += log_bytes
        if self._bytes >= self._policy.log_bytes_max:
            self._is_due = True

    def go_on(self) -> None:
        """Begin one if it is due and may be. Raises OSError."""
        if not self._is_due or self._is_running:
            return
        applied = self._applied()
        if applied is None:
            return
        self._is_due = False
        self._bytes = 0
        if applied > self.index:
            self._is_running = self._machine.checkpoint(self._worker, self._ended)

    def _rang(self) -> None:
        self._alarm = self._clock.call_later(self._policy.interval_s, self._rang)
        self._is_due = True
        self._done(None)

    def _ended(self, error: OSError | None) -> None:
        self._is_running = False
        if error is None and self._alarm is not None:
            self.count += 1
        self._done(error)
