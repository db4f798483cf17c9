"""A deterministic asyncio loop: time is a number, and the seed decides which process runs next.

Inside one process callbacks run in the order in which they were scheduled, as in any asyncio loop;
between processes any order is possible, and chance picks one. Time stands still while anything can
run, then jumps to the next timer. The same seed and the same code give the same run.
"""

import asyncio
import heapq
import itertools
import random
import signal
from asyncio import events
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context, copy_context
from types import FrameType
from typing import Any, TypeVar

from .process import CURRENT, Handle, Process

T = TypeVar("T")

STANDSTILL_MAX = 2_000_000
"""Callbacks at one moment after which the world is taken to run in a circle."""

BURIAL_ROUNDS = 20
"""How often the coroutines of a dead process are cancelled before they are closed."""

COMPACT_MIN = 4_096

HARNESS = "harness"

_ENDS_ALL = (KeyboardInterrupt, SystemExit)


class Standstill(AssertionError):
    """Callbacks follow callbacks and time does not move: a bug of whoever schedules them."""


class Deadlock(AssertionError):
    """Something is waited for that nothing can bring about any more."""


class SimTask(asyncio.Task[Any]):
    """A task with a number for a hash: asyncio keeps tasks in sets, and walks through them."""

    def __init__(self, coroutine: Any, *, number: int, process: Process, **options: Any) -> None:
        self._number = number
        self.process = process
        super().__init__(coroutine, **options)

    @property
    def is_unheard(self) -> bool:
        """Whether it ended with an error that nobody has taken."""
        return self.done() and bool(self._log_traceback)

    def __hash__(self) -> int:
        return self._number

    def __eq__(self, other: object) -> bool:
        return self is other


class SimLoop(asyncio.AbstractEventLoop):
    """See the file. `main` is the process of whatever runs in no other one: the harness."""

    def __init__(self, seed: str) -> None:
        self.now_ns = 0
        self.seed = seed
        self.main = Process(self, HARNESS, 1, seed)
        self.complaints: list[str] = []
        """What went wrong where nobody listened; of dead processes nothing is said."""
        self.failed: Callable[[Process, BaseException], None] | None = None
        """Who hears that a callback of a process other than `main` raised."""
        self._standing = 0
        self._chance = random.Random(f"{seed}/schedule")
        self._ready: list[Process] = []
        self._timers: list[tuple[int, int, Handle]] = []
        self._compact_at = COMPACT_MIN
        self._numbers = itertools.count(1)
        self._task_numbers = itertools.count(1)
        self._graves: list[Process] = []
        self._running = self._stopping = self._closed = False
        self._signals: dict[int, tuple[Callable[..., object], tuple[Any, ...]]] = {}
        self._signalled: list[int] = []

    # Queues.

    def enqueue(self, handle: Handle) -> None:
        """Let a callback wait for its turn."""
        process = handle.process
        queue = process.queue
        if not queue and not process.is_paused:
            self._ready.append(process)
        queue.append(handle)

    def enqueue_at(self, handle: Handle) -> Handle:
        """Let a callback wait for its time."""
        timers = self._timers
        heapq.heappush(timers, (handle.when_ns, next(self._numbers), handle))
        if len(timers) > self._compact_at:
            timers[:] = [timer for timer in timers if not timer[2].is_cancelled]
            heapq.heapify(timers)
            self._compact_at = max(COMPACT_MIN, 2 * len(timers))
        return handle

    def suspend(self, process: Process) -> None:
        """A process is paused."""
        if process in self._ready:
            self._ready.remove(process)

    def wake(self, process: Process) -> None:
        """A process is no longer paused."""
        if process.queue and process not in self._ready:
            self._ready.append(process)

    def bury(self, process: Process) -> None:
        """Unwind what a dead process left: its coroutines end without any effect."""
        self.suspend(process)
        self._graves.append(process)

    # Running.

    def _turns(self) -> None:
        """Run callbacks of processes, one at a time, until somebody stops the loop."""
        timers, ready, chance = self._timers, self._ready, self._chance.random
        while not self._stopping:
            if self._graves or self._signalled:
                self._interrupt()
            if not ready:
                self._advance()
            elif timers and timers[0][0] <= self.now_ns:
                self._take_due()
            if not ready:
                continue
            self._standing += 1
            if self._standing > STANDSTILL_MAX:
                raise Standstill(
                    f"{STANDSTILL_MAX:,} callbacks at {self.now_ns} ns of virtual time"
                )
            at = int(chance() * len(ready)) if len(ready) > 1 else 0
            process = ready[at]
            queue = process.queue
            handle = queue.popleft()
            if not queue:
                ready[at] = ready[-1]
                ready.pop()
            callback = handle.callback
            if callback is None:
                continue
            try:
                handle.context.run(callback, *handle.args)
            except BaseException as error:
                self._raised(process, error)

    def _interrupt(self) -> None:
        """What comes before any callback: the dead are unwound, signals are handed on."""
        while self._graves:
            self._unwind(self._graves.pop(0))
        while self._signalled:
            callback, args = self._signals[self._signalled.pop(0)]
            self.main.call(callback, *args)

    def _advance(self) -> None:
        """Let time pass until something is due."""
        timers = self._timers
        while timers and timers[0][2].is_cancelled:
            heapq.heappop(timers)
        if not timers:
            raise Deadlock(f"nothing is due any more at {self.now_ns} ns of virtual time")
        if timers[0][0] > self.now_ns:
            self.now_ns, self._standing = timers[0][0], 0
        self._take_due()

    def _take_due(self) -> None:
        timers, now_ns, pop = self._timers, self.now_ns, heapq.heappop
        while timers and timers[0][0] <= now_ns:
            handle = pop(timers)[2]
            process = handle.process
            if not handle.is_cancelled and process.is_alive:
                # As `enqueue`: every timer comes by here.
                if not process.queue and not process.is_paused:
                    self._ready.append(process)
                process.queue.append(handle)

    def _raised(self, process: Process, error: BaseException) -> None:
        """A callback raised: fatal for the harness, the end of any other process."""
        if process is self.main or isinstance(error, _ENDS_ALL):
            raise error
        if not process.is_alive:
            return
        if self.failed is None:
            raise error
        self.failed(process, error)

    def _unwind(self, process: Process) -> None:
        """Cancel its tasks until all are done; their effects come to nothing."""
        process.is_buried = True
        left = STANDSTILL_MAX
        for _ in range(BURIAL_ROUNDS):
            if not (process.queue or process.pending()):
                break
            left = self._cancel(process, left)
        if process.pending():
            process.close_pending()
            # What has no coroutine any more ends as soon as it is woken.
            self._cancel(process, STANDSTILL_MAX)
        process.queue.clear()
        process.is_buried = False

    def _cancel(self, process: Process, left: int) -> int:
        """One round; how many callbacks may be run after it, of so many before."""
        for task in process.pending():
            task.cancel()
        while process.queue and left:
            left -= 1
            self._run_dead(process.queue.popleft())
        return left

    def _run_dead(self, handle: Handle) -> None:
        """What code of a dead process raises concerns nobody."""
        if handle.callback is not None:
            try:
                handle.context.run(handle.callback, *handle.args)
            except BaseException as error:
                if isinstance(error, _ENDS_ALL):
                    raise

    def abandon(self) -> None:
        """Unwind all that is left, of the harness as well, after whatever ended the run.

        A KeyboardInterrupt comes between any two instructions, and takes a callback with it that
        was about to run: nothing is waited for, since it might never come.
        """
        before = events._get_running_loop()
        events._set_running_loop(self)
        try:
            for process in (*self._graves, self.main):
                self._abandon(process)
        finally:
            events._set_running_loop(before)
        self._graves.clear()

    def _abandon(self, process: Process) -> None:
        for _ in range(BURIAL_ROUNDS):
            # Whoever waits for a task that was interrupted is interrupted by the same error.
            with suppress(*_ENDS_ALL):
                self._unwind(process)
                break
        process.close_pending()

    # asyncio's loop, as far as code without sockets, threads and processes needs it.

    def time(self) -> float:
        return self.now_ns / 1e9

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Handle:
        if context is None:
            context = copy_context()
        process = context.get(CURRENT) or self.main
        handle = Handle(process, callback, args, context)
        if process.is_alive:
            self.enqueue(handle)
        elif process.is_buried:
            process.queue.append(handle)
        return handle

    def call_later(  # type: ignore[override]
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> Handle:
        return self._call_at_ns(self.now_ns + int(max(0.0, delay) * 1e9), callback, args, context)

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> Handle:
        # Rounded up, so that whoever wakes up finds that its time has come.
        return self._call_at_ns(int(when * 1e9) + 1, callback, args, context)

    def _call_at_ns(
        self,
        when_ns: int,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        context: Context | None,
    ) -> Handle:
        if context is None:
            context = copy_context()
        process = context.get(CURRENT) or self.main
        handle = Handle(process, callback, args, context, max(when_ns, self.now_ns))
        if process.is_alive:
            self.enqueue_at(handle)
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]
        self,
        coro: Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> asyncio.Task[T]:
        options = {} if context is None else {"context": context}
        process = (CURRENT.get() if context is None else context.get(CURRENT)) or self.main
        number = next(self._task_numbers)
        task = SimTask(coro, number=number, process=process, loop=self, name=name, **options)
        process.hold(task)
        return task

    def run_until_complete(self, future: Any) -> Any:
        task = asyncio.ensure_future(future, loop=self)
        task.add_done_callback(self._complete)
        try:
            self.run_forever()
        finally:
            task.remove_done_callback(self._complete)
        if not task.done():
            raise RuntimeError("the loop was stopped before its work was done")
        return task.result()

    def _complete(self, _: asyncio.Future[Any]) -> None:
        self.stop()

    def run_forever(self) -> None:
        """Until `stop`; raises what a callback of the harness raised."""
        before = events._get_running_loop()
        events._set_running_loop(self)
        self._running, self._stopping = True, False
        try:
            self._turns()
        finally:
            self._running = False
            events._set_running_loop(before)

    def stop(self) -> None:
        self._stopping = True

    def is_running(self) -> bool:
        return self._running

    def is_closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        self._closed = True
        self._timers.clear()
        self._ready.clear()

    def get_debug(self) -> bool:
        return False

    def set_debug(self, enabled: bool) -> None:
        """There is no debug mode."""

    async def shutdown_asyncgens(self) -> None:
        """There are none that outlive their user."""

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """There is no executor."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Called where an error has nobody to go to, in the middle of anything: note it."""
        task = context.get("task") or context.get("future")
        process = task.process if isinstance(task, SimTask) else CURRENT.get() or self.main
        if process.is_alive and not self._closed:
            error = context.get("exception")
            self.complaints.append(f"{process.name}: {context.get('message')} {error!r}")

    def add_signal_handler(  # type: ignore[override]
        self, sig: int, callback: Callable[..., object], *args: Any
    ) -> None:
        def signalled(number: int, _: FrameType | None) -> None:
            self._signalled.append(number)

        self._signals[sig] = (callback, args)
        signal.signal(sig, signalled)

    def remove_signal_handler(self, sig: int) -> bool:
        known = self._signals.pop(sig, None) is not None
        if known:
            default = signal.default_int_handler if sig == signal.SIGINT else signal.SIG_DFL
            signal.signal(sig, default)
        return known
