"""Calls among the nodes of a cluster, and their answers, on the links of peers.

What peers may call is a table of its own: clients reach none of it. Some calls are those that a
member passes on to the leader (V13).
"""

import itertools
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from ..client.errors import INDETERMINATE, RequestError
from ..runtime import Alarm, Clock
from ..wire import Failure, Frame, FrameError, Request, Result
from .call import Answer, Call, Function, Functions

AGAIN_S = 0.1
"""An answer for which there is no link is sent again after this time: a node that has just been
started is asked before it has reached whoever asks.
"""

INCARNATION_SHIFT = 32
"""Bits of a call's number that one process of a node has to itself."""


class Ask(Protocol):
    """Has a peer do something; see `Forwarding.ask`."""

    def __call__(
        self,
        alias: str,
        function: str,
        args: tuple[Any, ...],
        answer: Answer,
        lost: RequestError,
        patience_s: float | None = None,
    ) -> None: ...


class Forwarding:
    """Asks peers, and does what they ask."""

    def __init__(
        self,
        alias: str,
        clock: Clock,
        send: Callable[[str, Frame], bool],
        patience_s: float,
    ) -> None:
        """`alias` is this node's: what it asks of itself it does as if a peer had asked."""
        self._alias = alias
        self._clock = clock
        self._send = send
        self._patience_s = patience_s
        self._functions = Functions()
        self._ids = itertools.count(1)
        """Of calls: no two processes of a node have one in common; see `begin`."""
        self._waiting: dict[int, tuple[str, Answer, Alarm]] = {}
        """Who is asked, who waits, and for how long."""
        self._is_closed = False

    def begin(self, incarnation: int) -> None:
        """The how manieth process of this node asks from now on.

        An answer may be long under way and find another process than the one that asked.
        """
        self._ids = itertools.count((incarnation << INCARNATION_SHIFT) + 1)

    def offer(self, functions: Mapping[str, Function]) -> None:
        """Let peers call these, too; a function of the leader answers NotLeader elsewhere."""
        self._functions.add(functions)

    def ask(
        self,
        alias: str,
        function: str,
        args: tuple[Any, ...],
        answer: Answer,
        lost: RequestError,
        patience_s: float | None = None,
    ) -> None:
        """Let a node of this cluster do it; answers `lost` if it was certainly not asked.

        Whoever is silent for so long (if nothing is said: some election ticks) has perhaps done it.
        Arguments and results are what the wire carries; both must fit into a frame.
        """
        if self._is_closed:
            return
        call_id = next(self._ids)
        if alias == self._alias:
            # A disk of one's own may hang as well: the others must not wait for it without an end.
            call = Call(lambda value: self.returned(alias, call_id, value), peer=alias)
            self._clock.call_soon(lambda: self._functions.call(function, args, call))
        elif not self._send(alias, Request(call_id, function, args)):
            answer(lost)
            return
        delay_s = self._patience_s if patience_s is None else patience_s
        alarm = self._clock.call_later(delay_s, lambda: self._give_up(call_id, alias))
        self._waiting[call_id] = (alias, answer, alarm)

    def serve(self, alias: str, request: Request) -> None:
        """Do what a peer asks for; raises FrameError if no peer asks for that."""
        if request.function not in self._functions:
            raise FrameError(f"{request.function} is not for peers")

        def answer(value: Any) -> None:
            until_ns = self._clock.now_ns() + round(self._patience_s * 1e9)
            if isinstance(value, RequestError):
                failure = Failure(request.id, value.name, value.definite, value.message)
                self._reply(alias, failure, until_ns)
            else:
                self._reply(alias, Result(request.id, value), until_ns)

        self._functions.call(request.function, request.args, Call(answer, peer=alias))

    def _reply(self, alias: str, frame: Frame, until_ns: int) -> None:
        """As soon as there is a link, if anybody still waits then."""
        if self._is_closed or self._send(alias, frame):
            return
        if self._clock.now_ns() < until_ns:
            self._clock.call_later(AGAIN_S, lambda: self._reply(alias, frame, until_ns))

    def returned(self, alias: str, call_id: int, value: Any) -> None:
        """A peer's answer came, perhaps too late; one to a call of another peer is nobody's."""
        waiting = self._waiting.get(call_id)
        if waiting is not None and waiting[0] == alias:
            _, answer, alarm = self._waiting.pop(call_id)
            alarm.cancel()
            answer(value)

    def gone(self, alias: str) -> None:
        """The peer's connection has ended, on which its answers come: nobody waits for them."""
        for call_id, (asked, _, alarm) in list(self._waiting.items()):
            if asked == alias:
                alarm.cancel()
                self._give_up(call_id, alias)

    def close(self) -> None:
        """Wait for nothing any more, and ask nobody."""
        self._is_closed = True
        for _, _, alarm in self._waiting.values():
            alarm.cancel()
        self._waiting.clear()

    def _give_up(self, call_id: int, alias: str) -> None:
        waiting = self._waiting.pop(call_id, None)
        if waiting is not None:
            waiting[1](RequestError(INDETERMINATE, False, f"{alias} gave no answer"))
