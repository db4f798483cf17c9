"""A simulated process: what runs in it, whether it runs, and every effect that it has."""

import asyncio
import random
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

if TYPE_CHECKING:
    from .loop import SimLoop, SimTask

T = TypeVar("T")

CURRENT: ContextVar["Process | None"] = ContextVar("process", default=None)
"""The process whose code runs. Tasks and callbacks inherit it as they inherit any context."""

HELD_TASKS_MIN = 64

CLOSINGS_MAX = 20
"""How often a coroutine that waits again while it is closed is closed again."""


class Crashed(BaseException):
    """This process is dead. Nothing may catch it: what follows has no effect anyway."""


class Handle(msgspec.Struct, eq=False):
    """A callback in a queue; asyncio's handles in all but ancestry."""

    process: "Process"
    callback: Callable[..., object] | None
    args: tuple[Any, ...]
    context: Context
    when_ns: int = 0
    is_cancelled: bool = False

    def cancel(self) -> None:
        self.is_cancelled = True
        self.callback, self.args = None, ()

    def cancelled(self) -> bool:
        return self.is_cancelled

    def when(self) -> float:
        """Seconds, as `loop.time()` counts them."""
        return self.when_ns / 1e9


def _owner(callback: Callable[..., object] | None) -> object:
    return getattr(callback, "__self__", None)


class Process:
    """One incarnation of a process. Its callbacks run in order; the loop picks whose turn it is.

    It is alive until it is killed or ends. A paused one keeps its callbacks and its timers, and
    runs them once it is resumed.
    """

    def __init__(self, loop: "SimLoop", name: str, incarnation: int, seed: str) -> None:
        self.loop = loop
        self.name = name
        self.incarnation = incarnation
        self.chance = random.Random(f"{seed}/{name}/{incarnation}")
        self.is_alive = True
        self.is_paused = False
        self.is_buried = False
        """Whether the loop still has to unwind the coroutines of a dead process."""
        self.effects = 0
        """How many effects on the world were begun."""
        self.crash_at = 0
        """The number of the effect at which it crashes; 0: at none."""
        self.crash_after = False
        """Whether that effect still happens."""
        self.crash: Callable[[str], None] = lambda _: self.kill()
        """How it crashes; hears at which effect."""
        self.queue: deque[Handle] = deque()
        self.context = Context()
        self.context.run(CURRENT.set, self)
        self._ends: list[Callable[[], None]] = []
        self._tasks: list[SimTask] = []
        self._tasks_kept = HELD_TASKS_MIN

    def call(self, callback: Callable[..., object], *args: Any) -> None:
        """Run it soon, in this process; forgotten if it is dead."""
        if self.is_alive:
            self.loop.enqueue(Handle(self, callback, args, self.context))

    def call_after(self, delay_ns: int, callback: Callable[..., object], *args: Any) -> Handle:
        """Run it in this process after so much of the world's time, unless it is dead by then."""
        loop = self.loop
        when_ns = loop.now_ns + delay_ns if delay_ns > 0 else loop.now_ns
        return loop.enqueue_at(Handle(self, callback, args, self.context, when_ns))

    def effect(self, kind: str, detail: str, do: Callable[..., T], *args: Any) -> T:
        """Do something to the world; here is where crash points bite. Raises Crashed."""
        if not self.is_alive:
            raise Crashed
        self.effects += 1
        if self.effects != self.crash_at:
            return do(*args)
        if self.crash_after:
            # Where it fails, nobody lives to hear of it.
            with suppress(OSError):
                do(*args)
        self.crash(f"{'after' if self.crash_after else 'before'} {kind} {detail}".rstrip())
        raise Crashed

    def at_end(self, callback: Callable[[], None]) -> None:
        """Have the world do something when this process dies."""
        self._ends.append(callback)

    def kill(self) -> None:
        """End at once: nothing of it runs any more. May be called twice."""
        if not self.is_alive:
            return
        if not self.queue:
            # Else somebody may be about to hear of what a task ended with.
            self.complain()
        self.is_alive = False
        # Steps of its coroutines are kept for their burial: one that never began could not end.
        steps = (h for h in self.queue if isinstance(_owner(h.callback), asyncio.Task))
        self.queue = deque(steps)
        ends, self._ends = self._ends, []
        for end in ends:
            end()
        self.loop.bury(self)

    def pause(self) -> None:
        """Run nothing until `resume`."""
        self.is_paused = True
        self.loop.suspend(self)

    def resume(self) -> None:
        """Run what has waited."""
        self.is_paused = False
        self.loop.wake(self)

    def hold(self, task: "SimTask") -> None:
        """Keep a task alive as long as it is not done: the collector must not decide anything."""
        self._tasks.append(task)
        if len(self._tasks) > self._tasks_kept:
            self._tasks = [one for one in self._tasks if not one.done() or one.is_unheard]
            self._tasks_kept = max(HELD_TASKS_MIN, 2 * len(self._tasks))

    def pending(self) -> "list[SimTask]":
        """Its tasks that are not done, oldest first."""
        self._tasks = [one for one in self._tasks if not one.done() or one.is_unheard]
        return [one for one in self._tasks if not one.done()]

    def close_pending(self) -> None:
        """Unwind now whom cancelling did not end: the collector would do it at any time, loudly.

        A group of tasks waits for the word that one is done, which may have died with the process.
        """
        for task in self.pending():
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            for _ in range(CLOSINGS_MAX):
                # On its way out it may wait once more; what it ends with concerns nobody.
                with suppress(Exception, Crashed):
                    self.context.run(task.get_coro().close)
                    break

    def complain(self) -> None:
        """Tell the loop of its tasks that ended with an error that nobody has taken.

        A real node ends there (`impl/node.py`), but for an OSError, which is a socket's. Those that
        are held would be heard only when they are collected, and then of a process that is dead.
        """
        for task in self._tasks:
            if task.is_unheard and not isinstance(error := task.exception(), OSError):
                self.loop.complaints.append(f"{self.name}: nobody took {error!r} of a task")
