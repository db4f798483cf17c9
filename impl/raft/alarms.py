"""The core's timers on a real clock.

Timers are set anew far more often than they fire: a follower does so with every message of its
leader. Setting one therefore only notes the deadline; an alarm that rings too early rings again.
"""

from collections.abc import Callable

from ..runtime import Alarm, Clock, Randomness
from .ready import Timer

HEARTBEATS_PER_TICK = 10


class Alarms:
    """Arms and disarms the timers of one core and reports those that are due."""

    # Invariant: a timer with a deadline has an alarm that rings no later than the deadline.

    def __init__(
        self,
        clock: Clock,
        randomness: Randomness,
        tick_s: float,
        fired: Callable[[Timer], None],
    ) -> None:
        """`tick_s` is the documents' raftElectionTick: silence of [tick, 2 tick] is too long."""
        self._clock = clock
        self._randomness = randomness
        self._tick_s = tick_s
        self._fired = fired
        self._deadlines: dict[Timer, int] = {}
        self._alarms: dict[Timer, tuple[int, Alarm]] = {}

    def arm(self, timer: Timer) -> None:
        """Let the timer fire one period from now, and not before."""
        period_ns = int(self._period_s(timer) * 1e9)
        deadline_ns = self._clock.now_ns() + period_ns
        self._deadlines[timer] = deadline_ns
        waiting = self._alarms.get(timer)
        if waiting is None:
            self._wait(timer, deadline_ns)
        elif waiting[0] > deadline_ns:
            waiting[1].cancel()
            self._wait(timer, deadline_ns)

    def disarm(self, timer: Timer) -> None:
        """Do not let it fire."""
        self._deadlines.pop(timer, None)

    def close(self) -> None:
        """Disarm all."""
        self._deadlines.clear()
        for _, alarm in self._alarms.values():
            alarm.cancel()
        self._alarms.clear()

    def _period_s(self, timer: Timer) -> float:
        match timer:
            case Timer.ELECTION:
                return self._randomness.uniform(self._tick_s, 2 * self._tick_s)
            case Timer.HEARTBEAT:
                return self._tick_s / HEARTBEATS_PER_TICK
            case Timer.LEASE | Timer.QUORUM:
                return self._tick_s

    def _wait(self, timer: Timer, deadline_ns: int) -> None:
        delay_s = max(0.0, (deadline_ns - self._clock.now_ns()) / 1e9)
        alarm = self._clock.call_later(delay_s, lambda: self._rang(timer))
        self._alarms[timer] = (deadline_ns, alarm)

    def _rang(self, timer: Timer) -> None:
        del self._alarms[timer]
        deadline_ns = self._deadlines.get(timer)
        if deadline_ns is None:
            return
        if self._clock.now_ns() < deadline_ns:
            self._wait(timer, deadline_ns)
            return
        del self._deadlines[timer]
        self._fired(timer)
