"""A clock that a test winds by hand."""

from collections.abc import Callable


class HandAlarm:
    """A waiting callback."""

    def __init__(self, at_ns: int, callback: Callable[[], None]) -> None:
        self.at_ns = at_ns
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class HandClock:
    """Time passes only in `advance`."""

    def __init__(self) -> None:
        self._now_ns = 0
        self.alarms: list[HandAlarm] = []

    def now_ns(self) -> int:
        return self._now_ns

    def wall_ns(self) -> int:
        return self._now_ns

    def call_soon(self, callback: Callable[[], None]) -> None:
        self.alarms.append(HandAlarm(self._now_ns, callback))

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> HandAlarm:
        alarm = HandAlarm(self._now_ns + round(delay_s * 1e9), callback)
        self.alarms.append(alarm)
        return alarm

    def advance(self, seconds: float) -> None:
        """Let time pass; what becomes due runs at its time, in order."""
        end_ns = self._now_ns + round(seconds * 1e9)
        while True:
            self.alarms = [alarm for alarm in self.alarms if not alarm.cancelled]
            due = [alarm for alarm in self.alarms if alarm.at_ns <= end_ns]
            if not due:
                break
            first = min(due, key=lambda alarm: alarm.at_ns)
            self.alarms.remove(first)
            self._now_ns = max(self._now_ns, first.at_ns)
            first.callback()
        self._now_ns = end_ns
