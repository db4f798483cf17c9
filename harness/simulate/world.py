"""A whole world in one process: hosts with clocks and disks, a network, and whatever runs there."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from random import Random

from ...impl.runtime import ClientRuntime, Runtime
from ..crash import CrashPoint
from .clock import HostClock, SimClock
from .disk import SimDisk
from .guard import guarded
from .loop import SimLoop
from .loss import NothingKept
from .network import SimNet
from .process import CURRENT, Crashed, Process
from .worker import SimWorker

Program = Callable[[Runtime], Coroutine[None, None, None]]
"""What a process runs: it ends when the coroutine does."""


@dataclass(slots=True)
class Host:
    """One machine. Disk and clock outlive its processes."""

    name: str
    disk: SimDisk
    clock: HostClock
    process: Process | None = None
    starts: int = 0
    log: list[str] = field(default_factory=list)
    trace: bytearray = field(default_factory=bytearray)
    """Every line of a trace that a process here ever made. Its file may lose some."""

    first: Process | None = None

    def first_effects(self) -> int:
        """How many effects its first process had."""
        return 0 if self.first is None else self.first.effects

    @property
    def is_up(self) -> bool:
        return self.process is not None and self.process.is_alive


@dataclass(frozen=True, slots=True)
class SimClientRuntime:
    """A `ClientRuntime`."""

    clock: SimClock
    network: object
    randomness: Random


class World:
    """Everything that a seed decides. `run` it once."""

    def __init__(self, seed: str, hosts: Sequence[str]) -> None:
        self.loop = SimLoop(seed)  # type: ignore[abstract]
        self.loop.failed = self._failed
        self.net = SimNet(seed, self.loop)
        self.hosts = {
            name: Host(name, SimDisk(), HostClock(self.loop)) for name in (*hosts, "harness")
        }
        self.deaths: list[tuple[str, str]] = []
        """Processes that ended by themselves, and how; whoever reads them clears the list."""
        self.crashed: Callable[[Sequence[str], str], None] = lambda names, where: None
        """Who hears which processes died at a crash point, and at which effect."""
        self.witness: Callable[[bytes], None] = lambda line: None
        """Who hears every line of every trace, in the order of the world."""
        self._seed = seed

    def now_ns(self) -> int:
        """Virtual time."""
        return self.loop.now_ns

    def client_runtime(self) -> ClientRuntime:
        """For clients inside the harness, which lives on a host of its own."""
        main = self.loop.main
        clock = SimClock(self.hosts[main.name].clock, main)
        return SimClientRuntime(clock, self.net.of(main), main.chance)  # type: ignore[return-value]

    def boot(self, name: str, program: Program, crash: CrashPoint | None = None) -> None:
        """Start a process on a host that runs none; it may have to crash at some effect."""
        host = self.hosts[name]
        assert not host.is_up
        host.starts += 1
        process = Process(self.loop, name, host.starts, self._seed)
        if crash is not None:
            process.crash_at, process.crash_after = crash.effect, crash.after
            process.crash = partial(self._crash, process, crash)
        host.process = process
        host.first = host.first or process
        runtime = Runtime(
            clock=SimClock(host.clock, process),
            network=self.net.of(process),
            disk=host.disk.handle(process),
            worker=SimWorker(process, host.disk),
            background=SimWorker(process, host.disk),
            randomness=process.chance,
            heard=partial(self._heard, process),
        )
        process.call(self._begin, process, program, runtime)

    def _heard(self, process: Process, line: bytes) -> None:
        """A line of a trace; the dead, while they are unwound, have nothing to say."""
        if process.is_alive:
            self.hosts[process.name].trace += line
            self.witness(line)

    def _begin(self, process: Process, program: Program, runtime: Runtime) -> None:
        task = self.loop.create_task(program(runtime))
        task.add_done_callback(lambda done: self._ended(process, done))

    def _ended(self, process: Process, task: asyncio.Task[None]) -> None:
        if not process.is_alive:
            return
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._failed(process, error)
            return
        process.kill()
        self.deaths.append((process.name, "ended by itself, exit code 0"))

    def _failed(self, process: Process, error: BaseException) -> None:
        """A process came to its end by an error that nothing in it caught."""
        if not process.is_alive or isinstance(error, Crashed):
            return
        how = f"{type(error).__name__}: {error}"
        self.hosts[process.name].log.append(self._line(process, "CRITICAL", how))
        self.deaths.append((process.name, how))
        process.kill()

    def _crash(self, process: Process, crash: CrashPoint, where: str) -> None:
        """A crash point was reached, in the middle of the process's code."""
        self.hosts[process.name].log.append(self._line(process, "CRASH", where))
        if crash.power:
            hit = [name for name, host in self.hosts.items() if host.is_up]
            self.cut_power(hit)
        else:
            hit = [process.name]
            process.kill()
        self.crashed(hit, where)

    def kill(self, name: str) -> None:
        """SIGKILL: what the kernel has taken stays."""
        process = self.hosts[name].process
        if process is not None:
            process.kill()

    def cut_power(self, names: Sequence[str], *, keeps_nothing: bool = False) -> None:
        """Kill, and lose what was not synced: as little or as much as chance likes, or all."""
        for name in names:
            host = self.hosts[name]
            if host.process is not None:
                self.net.power_lost(host.process)
                host.process.kill()
            chance = NothingKept if keeps_nothing else Random
            host.disk.power_cut(chance(f"{self._seed}/{name}/{self.loop.now_ns}/power"))

    def pause(self, name: str) -> None:
        process = self.hosts[name].process
        assert process is not None
        process.pause()

    def resume(self, name: str) -> None:
        process = self.hosts[name].process
        assert process is not None
        process.resume()

    def end(self) -> None:
        """Kill everything."""
        for host in self.hosts.values():
            if host.process is not None:
                host.process.kill()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """While the world runs: log lines go to their host, and nothing real can be reached."""
        handler = _Logs(self)
        logger = logging.getLogger("delphic")
        before = logger.level, logger.propagate
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        try:
            with guarded():
                yield
        finally:
            logger.removeHandler(handler)
            logger.level, logger.propagate = before

    def note(self, process: Process, record: logging.LogRecord) -> None:
        """Keep a log line of a process."""
        line = self._line(process, record.levelname, record.getMessage())
        self.hosts[process.name].log.append(line)

    def _line(self, process: Process, level: str, text: str) -> str:
        now_ms = self.loop.now_ns // 1_000_000
        seconds, milliseconds = divmod(now_ms, 1000)
        minutes, second = divmod(seconds, 60)
        hours, minute = divmod(minutes, 60)
        moment = f"{hours:02}:{minute:02}:{second:02}.{milliseconds:03}"
        return f"{moment} {process.name} {level} {text}"


class _Logs(logging.Handler):
    """Sorts log lines by the process that runs."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        process = CURRENT.get()
        if process is not None and process.is_alive:
            self._world.note(process, record)
