"""Calls that a member passes on to the leader, and their answers, on the links of peers (V13)."""

import itertools
from collections.abc import Callable, Mapping
from typing import Any

from ..client.errors import INDETERMINATE, RequestError
from ..runtime import Alarm, Clock
from ..wire import Failure, Frame, FrameError, Request, Result
from .call import Answer, Call, Function, Functions


class Forwarding:
    """Whoever is asked for what the leader does need not be the leader."""

    def __init__(
        self,
        clock: Clock,
        send: Callable[[str, Frame], bool],
        patience_s: float,
        functions: Mapping[str, Function],
    ) -> None:
        """`functions` are those that peers may call; each answers NotLeader if it cannot help."""
        self._clock = clock
        self._send = send
        self._patience_s = patience_s
        self._names = frozenset(functions)
        self._functions = Functions(functions)
        self._ids = itertools.count(1)
        self._waiting: dict[int, tuple[Answer, Alarm]] = {}

    def forward(
        self, alias: str, name: str, args: tuple[Any, ...], answer: Answer, lost: RequestError
    ) -> None:
        """Let a peer do it; answers `lost` if there is no link to it."""
        call_id = next(self._ids)
        if not self._send(alias, Request(call_id, name, args)):
            answer(lost)
            return
        alarm = self._clock.call_later(self._patience_s, lambda: self._give_up(call_id))
        self._waiting[call_id] = (answer, alarm)

    def serve(self, alias: str, request: Request) -> None:
        """Do what a peer forwards; raises FrameError if nobody forwards that."""
        if request.function not in self._names:
            raise FrameError(f"{request.function} is not forwarded")

        def answer(value: Any) -> None:
            if isinstance(value, RequestError):
                failure = Failure(request.id, value.name, value.definite, value.message)
                self._send(alias, failure)
            else:
                self._send(alias, Result(request.id, value))

        self._functions.call(request.function, request.args, Call(answer))

    def returned(self, call_id: int, value: Any) -> None:
        """An answer came, perhaps too late."""
        answer, alarm = self._waiting.pop(call_id, (None, None))
        if answer is not None and alarm is not None:
            alarm.cancel()
            answer(value)

    def close(self) -> None:
        """Wait for nothing any more."""
        for _, alarm in self._waiting.values():
            alarm.cancel()
        self._waiting.clear()

    def _give_up(self, call_id: int) -> None:
        answer, _ = self._waiting.pop(call_id)
        answer(RequestError(INDETERMINATE, False, "the leader gave no answer"))
