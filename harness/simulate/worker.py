"""A simulated worker: the jobs of one process, each blocked by every sync in it."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import copy_context

from greenlet import GreenletExit, getcurrent, greenlet

from .disk import SimDisk
from .process import Process

SYNC_NS = 200_000, 1_500_000
"""How long a sync takes at least and at most, on a disk that is not slow."""

Job = Callable[[], None]
Done = Callable[[OSError | None], None]


class SimWorker:
    """The worker of one process: jobs in order, one at a time, blocked by every sync in them.

    Jobs run in a greenlet, so that one stops in the middle of a sync while the world goes on.
    """

    # Invariant: the greenlet, where there is one, is in the middle of a job or waits for the next.

    def __init__(self, process: Process, disk: SimDisk) -> None:
        self._process = process
        self._disk = disk
        self._jobs: deque[tuple[Job, Done]] = deque()
        """The first of them is under way."""
        self._greenlet: greenlet | None = None
        self._is_done = False
        """Whether the job under way came to its end."""
        self._error: OSError | None = None
        self._idle: list[asyncio.Future[None]] = []
        process.at_end(self._abandon)

    def submit(self, job: Job, done: Done) -> None:
        self._jobs.append((job, done))
        if len(self._jobs) == 1:
            self._process.call(self._begin)

    def _begin(self) -> None:
        if self._greenlet is None:
            self._greenlet = greenlet(self._work)
            self._greenlet.gr_context = copy_context()
        self._go_on()

    def _go_on(self) -> None:
        """Run the job until it is blocked or done."""
        assert self._greenlet is not None
        self._disk.block = self._block
        try:
            self._greenlet.switch()
        finally:
            self._disk.block = None
        if self._is_done:
            self._is_done = False
            self._end()

    def _block(self) -> None:
        """In the job: wait as long as a sync takes."""
        took_ns = int(self._process.chance.uniform(*SYNC_NS) * self._disk.state.slow)
        self._process.call_after(took_ns, self._go_on)
        getcurrent().parent.switch()

    def _abandon(self) -> None:
        """The process is dead: a job in the middle of a sync ends there, or it would never go."""
        job, here = self._greenlet, getcurrent()
        if job is not None and job is not here and not job.dead:
            job.parent = here
            try:
                job.throw(GreenletExit)
            except BaseException as error:
                # What code of a dead process raises concerns nobody: whoever killed it least.
                if isinstance(error, (KeyboardInterrupt, SystemExit)):
                    raise

    def _work(self) -> None:
        """One job after the other, each when it is begun."""
        while True:
            self._error = None
            try:
                self._jobs[0][0]()
            except OSError as error:
                self._error = error
            self._is_done = True
            getcurrent().parent.switch()

    def _end(self) -> None:
        _, done = self._jobs.popleft()
        if self._jobs:
            self._process.call(self._begin)
        done(self._error)
        if self._jobs:
            return
        waiting, self._idle = self._idle, []
        for future in waiting:
            future.set_result(None)

    async def close(self) -> None:
        if self._jobs:
            self._idle.append(self._process.loop.create_future())
            await self._idle[-1]
