"""The way to the controllers' leader, from any node of the cluster.

Finds who leads, asks again until it is known what came of it or the time is over, and says whether
the outcome is known. What is in the way for a moment (no leader, too much to do, a transaction that
is not complete) is waited for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..client.errors import (
    BUSY,
    DISCONNECTED,
    INDETERMINATE,
    NOT_LEADER,
    OVERLOADED,
    TIMEOUT,
    RequestError,
)
from ..config import NodeConfig
from ..runtime import Clock
from ..service.forwarding import Ask

Answer = Callable[[Any], None]
"""Called once with the result, or with the RequestError that it ended in."""

PATIENCE_TICKS = 12
"""An election takes up to two ticks, if it succeeds at once."""

PATIENCE_S_MIN = 5.0

ATTEMPT_TICKS = 2
ATTEMPT_S_MIN = PATIENCE_S_MIN / 3
"""A leader that cannot decide leads no more after this time, and says so."""

PAUSE_S = 0.02
"""Before the next attempt, at first; then twice as long, up to PAUSE_S_MAX."""

PAUSE_S_MAX = 0.5

ONCE = frozenset(("ddl", "setFlag", "userSet", "userRemove", "replicate"))
"""Done twice, these would say that there is already what the first attempt made: where it is not
known whether they were done, the caller is told so. All others may be asked again."""

_PASSING = frozenset((NOT_LEADER, BUSY, OVERLOADED, DISCONNECTED))


def attempt_s(config: NodeConfig) -> float:
    """How long the leader is waited for before it is asked again."""
    return max(ATTEMPT_S_MIN, ATTEMPT_TICKS * config.election_tick_s)


@dataclass(slots=True, eq=False)
class _Asked:
    function: str
    args: tuple[Any, ...]
    answer: Answer
    deadline_ns: int
    pause_s: float = PAUSE_S
    redirects: int = 0
    is_unknown: bool = False
    """Whether some attempt may have been executed."""


class Controllers:
    """Of one node. `leader` is whom it believes to lead; only a guess."""

    def __init__(self, config: NodeConfig, clock: Clock, ask: Ask) -> None:
        assert config.controllers
        self._names = [site.alias for site in config.controllers]
        self._clock = clock
        self._ask = ask
        self._patience_s = max(PATIENCE_S_MIN, PATIENCE_TICKS * config.election_tick_s)
        self._attempt_s = attempt_s(config)
        self.leader = self._names[0]

    def ask(
        self,
        function: str,
        args: tuple[Any, ...],
        answer: Answer,
        patience_s: float | None = None,
    ) -> None:
        """Let the leader do it; answers its result, or a RequestError: definite if not executed.

        Arguments are plain values, or structs that msgpack knows.
        """
        patience_ns = round((self._patience_s if patience_s is None else patience_s) * 1e9)
        self._try(_Asked(function, args, answer, self._clock.now_ns() + patience_ns))

    def _try(self, asked: _Asked) -> None:
        alias = self.leader
        lost = RequestError(DISCONNECTED, True, f"{alias} cannot be reached")
        left_s = max(0.0, (asked.deadline_ns - self._clock.now_ns()) / 1e9)
        self._ask(
            alias,
            asked.function,
            asked.args,
            lambda told: self._told(asked, alias, told),
            lost,
            min(left_s, self._attempt_s),
        )

    def _told(self, asked: _Asked, alias: str, told: Any) -> None:
        if not isinstance(told, RequestError):
            asked.answer(told)
            return
        is_passing = told.name in _PASSING
        if told.name == INDETERMINATE:
            asked.is_unknown = True
            is_passing = asked.function not in ONCE
        if not is_passing:
            asked.answer(told)
            return
        moved = self._turn(alias, told)
        if moved and asked.redirects < len(self._names):
            asked.redirects += 1
            self._try(asked)
            return
        asked.redirects = 0
        if self._clock.now_ns() + asked.pause_s * 1e9 >= asked.deadline_ns:
            asked.answer(_too_late(asked, told))
            return
        self._clock.call_later(asked.pause_s, lambda: self._try(asked))
        asked.pause_s = min(2 * asked.pause_s, PAUSE_S_MAX)

    def _turn(self, alias: str, told: RequestError) -> bool:
        """Whom to ask next; true if somebody has said so."""
        if alias != self.leader or told.name in (BUSY, OVERLOADED):
            return alias != self.leader
        site = told.site
        if site is not None and site.alias in self._names and site.alias != alias:
            self.leader = site.alias
            return True
        at = self._names.index(alias)
        self.leader = self._names[(at + 1) % len(self._names)]
        return False


def _too_late(asked: _Asked, told: RequestError) -> RequestError:
    if asked.is_unknown:
        message = f"{asked.function}: the controllers gave no answer in time"
        return RequestError(INDETERMINATE, False, message)
    if told.name in (BUSY, OVERLOADED):
        return told
    return RequestError(TIMEOUT, True, f"{asked.function}: no leader of the controllers: {told}")
