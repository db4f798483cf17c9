"""What is certain of a switch that people set while others look: on, off, or either."""

import msgspec

from ...history import Call


class Setting(msgspec.Struct, frozen=True):
    """A switch was set to `value` at some moment from `begin` to `end`."""

    value: bool
    begin: int
    end: int
    call: Call | None = None


class Switch(msgspec.Struct, frozen=True):
    """Its first position, and everybody who set it, or may have."""

    first: bool
    settings: tuple[Setting, ...] = ()

    def may_be(self, value: bool, begin: int, end: int) -> bool:
        """Whether it can have been in this position at some moment from `begin` to `end`."""
        return self.may_come_from(value, begin, end) is not None

    def may_come_from(self, value: bool, begin: int, end: int) -> Setting | None:
        """Who can have put it so; of several, the last one asked."""
        since_ever = Setting(self.first, -2, -1)
        for setting in (*reversed(self.settings), since_ever):
            if setting.value is not value or setting.begin > end:
                continue
            if not any(setting.end < other.begin and other.end < begin for other in self.settings):
                return setting
        return None

    def is_certainly(self, value: bool, begin: int, end: int) -> bool:
        """Whether it was in this position all the time from `begin` to `end`."""
        return not self.may_be(not value, begin, end)
