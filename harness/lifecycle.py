"""One scenario from start to finish: the only file that knows the order.

Names were looked up when the plan was made. Run directory · up · run (clients, faults, heal, final
operations) · seal · down, always · check · reports. What must not happen: a run that is lost
because something after it failed. So the history is sealed before anything is taken down, and a
report that fails is said, not raised.
"""

import asyncio
import os
import shutil
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import msgspec
import uvloop

from .checkers.online import watched
from .errors import DelphicError, HistoryError, WorldError
from .judging.judgement import TIME_FORMAT, Ending, judge, write
from .nemeses import NEMESES
from .plan import Plan, encode
from .reading import check_name
from .run import Run
from .rundir import RunDir
from .running import signals
from .running.environment import environment
from .running.journal import SEALED, TRACES, Journal, digest, digests
from .running.leases import Lease
from .running.progress import Progress
from .running.recorder import Recorder
from .running.together import first
from .systems import SYSTEMS
from .targets.registry import REAL_TARGETS
from .targets.target import (
    Capability,
    Cluster,
    FurnishedCluster,
    HastyCluster,
    RealTarget,
    RemoteClocks,
    TraceClock,
)
from .verdict import RunVerdict, Validity
from .workloads import WORKLOADS

Report = Callable[[Path], object]
"""Writes the reports of a run directory."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be run, and where its files go."""

    plan: Plan
    text: str
    out: Path
    keep: bool = False
    target: RealTarget | None = None
    """Where it is run; None: at the target of the registry that the plan names."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that is over: its files, what came of it, and what failed besides the system."""

    run: RunDir
    verdict: RunVerdict
    world: DelphicError | None = None
    report_failure: str | None = None


@dataclass(frozen=True, slots=True)
class _Life:
    """One run and all that it needs while it lives."""

    plan: Plan
    run: RunDir
    diary: Journal
    cluster: Cluster
    show: Progress
    ears: signals.Ears


def execute(order: Order, show: Progress, report: Report) -> Finished:
    """Run a scenario. Raises WorldError only where nothing is left to judge.

    SIGINT, SIGTERM and SIGHUP end it early: faults are undone, the history is sealed and checked. A
    second one ends it at once, and raises KeyboardInterrupt when everything is down. While it is
    taken down a signal ends nothing; after a second one what has not come home stays on hosts.
    """
    plan = order.plan
    run = open_run_directory(order)
    diary = Journal(run.journal)
    diary.write("planned")
    ears = signals.Ears()
    with ears.open():
        ending, world, left = _lived(order, run, diary, show, ears)
    verdict = _judged(run, plan, ending)
    return concluded(order, Finished(run, verdict, world or left), diary, report)


def concluded(order: Order, found: Finished, diary: Journal, report: Report) -> Finished:
    """Write the verdict and the reports, and drop what nobody needs.

    A verdict that cannot be written is told all the same: all that it is made of is kept.
    """
    run, validity = found.run, found.verdict.validity
    try:
        write(run, found.verdict)
        diary.write("checked", validity=validity)
    except WorldError as error:
        return replace(found, world=found.world or error)
    if validity is Validity.PASS and not order.keep:
        # Before the reports, which list the files of the run.
        _drop_bulk(order.plan, run)
    return replace(found, report_failure=_reported(run, report))


def _lived(
    order: Order, run: RunDir, diary: Journal, show: Progress, ears: signals.Ears
) -> tuple[Ending, DelphicError | None, DelphicError | None]:
    """How it ended, with which error of the world's if any, and what could not be taken down."""
    plan = order.plan
    lease = Lease(run.path)
    target = order.target or REAL_TARGETS[plan.target]
    cluster = target.cluster(plan.setup, SYSTEMS[plan.system], run, lease)
    if isinstance(cluster, FurnishedCluster):
        cluster.furnish(_needed(plan))
    announce(plan, run, show)
    life = _Life(plan, run, diary, cluster, show, ears)
    left: DelphicError | None = None
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            ending, world = runner.run(_live(life))
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
        finally:
            left = _down(runner, life, lease)
    # What could not be ended or brought home may still grow.
    traces = {} if left is not None else {TRACES: digests(run.traces(plan.members))}
    diary.write("down", left=None if left is None else str(left), **traces)
    return ending, world, left


def announce(plan: Plan, run: RunDir, show: Progress) -> None:
    """Say what begins."""
    show.say(f"{plan.scenario}: seed {plan.seed}, target {plan.target}, {run.path}")
    if plan.stop_on_violation:
        names = watched(WORKLOADS[plan.workload["name"]].checkers)
        show.say(f"checked while it goes on: {', '.join(names)}")


def _needed(plan: Plan) -> frozenset[Capability]:
    """What the run's faults need of its members."""
    needs = (NEMESES[fault.kind].requires for fault in plan.faults)
    return frozenset(need for need in needs if need is not None)


def _down(runner: asyncio.Runner, life: _Life, lease: Lease) -> DelphicError | None:
    """End every process. What cannot be ended stays on the lease, for `delphic heal`."""
    left: DelphicError | None = None
    try:
        runner.run(_take_down(life))
    except DelphicError as error:
        left = error
    try:
        lease.end_rest()
    except WorldError as error:
        return left or error
    lease.release_if_empty() if left else lease.release()
    return left


async def _take_down(life: _Life) -> None:
    """Nobody's signal ends this: processes would run on, and what members wrote would be lost."""
    cluster = life.cluster
    asked = 0

    def hear() -> None:
        nonlocal asked
        asked += 1
        if isinstance(cluster, HastyCluster) and asked > 1:
            cluster.hurry()
        if asked == 1:
            once_more = isinstance(cluster, HastyCluster)
            hint = "; once more, and what has not come home stays on the hosts" * once_more
            _say(life.show, f"everything is being taken down{hint}")

    with life.ears.answered(hear):
        await cluster.down()


def _say(show: Progress, text: str) -> None:
    """Tell whoever looks: a terminal that is gone is no reason to stop."""
    with suppress(OSError):
        show.say(text)


def _judged(run: RunDir, plan: Plan, ending: Ending) -> RunVerdict:
    try:
        return judge(run, plan, ending)
    except HistoryError as error:
        raise AssertionError("Delphic wrote a history that it cannot read") from error


async def _live(life: _Life) -> tuple[Ending, DelphicError | None]:
    """Up, run, seal. What is up afterwards is the caller's to take down."""
    zero_s, start_ns = time.time(), time.monotonic_ns()
    started = datetime.fromtimestamp(zero_s, UTC).strftime(TIME_FORMAT)
    stop = asyncio.Event()
    with life.run.history.open("wb", buffering=0) as stream, _interrupts(stop, life):
        recorder = Recorder(stream, lambda: time.monotonic_ns() - start_ns)
        running = Run(life.plan, life.cluster, recorder)
        world: DelphicError | None = None
        why: str | None = "a bug of Delphic ended it"
        try:
            life.diary.write("up", zero_unix_s=zero_s)
            world = await _up_and_run(life, running, stop)
            why = None if world is None else str(world).split("\n")[0]
        finally:
            clock = _trace_clock(life.cluster)
            ending = Ending(
                started=started,
                duration_s=round(recorder.now_ns() / 1e9, 3),
                interrupted=stop.is_set(),
                died=tuple(running.live.observer.died),
                error=None if stop.is_set() and world is None else why,
                zero_ns=start_ns if clock is TraceClock.OURS else None,
                hosts_zero_ns=start_ns if clock is TraceClock.HOSTS else None,
                seen=running.listener.first,
                watch_crash=running.listener.crash,
            )
            _seal(life, stream, recorder, ending)
    return ending, world


def _trace_clock(cluster: Cluster) -> TraceClock:
    return cluster.traces_by() if isinstance(cluster, RemoteClocks) else TraceClock.OURS


async def _up_and_run(life: _Life, running: Run, stop: asyncio.Event) -> DelphicError | None:
    """The error with which the world ended the run, if it did."""
    try:
        await life.cluster.up()
        life.diary.write("run")
        async with asyncio.TaskGroup() as group:
            showing = group.create_task(_show(life, running))
            await running.run(stop)
            showing.cancel()
    except DelphicError as error:
        return error
    except BaseExceptionGroup as errors:
        cause = first(errors)
        if isinstance(cause, DelphicError):
            return cause
        raise cause from None
    return None


async def _show(life: _Life, running: Run) -> None:
    """Show the run as long as somebody looks: a terminal that is gone is no reason to end it."""
    with suppress(OSError):
        await life.show.follow(life.plan, running.live)


@contextmanager
def _interrupts(stop: asyncio.Event, life: _Life) -> Iterator[None]:
    """The first signal asks for an early end, the second ends at once."""
    task = asyncio.current_task()
    assert task is not None

    def interrupted() -> None:
        if stop.is_set():
            task.cancel()
        else:
            stop.set()
            _say(life.show, "stopping: faults are undone, then what there is is checked")

    with life.ears.answered(interrupted):
        yield


def _seal(life: _Life, stream: BinaryIO, recorder: Recorder, ending: Ending) -> None:
    """Make the history final: on disk, and its digest in the journal. Raises WorldError."""
    recorder.flush()
    os.fsync(stream.fileno())
    life.diary.write(
        SEALED,
        sha256=digest(life.run.history),
        ops=recorder.next_index,
        ending=msgspec.to_builtins(ending),
    )


def _reported(run: RunDir, report: Report) -> str | None:
    """Write the reports; what went wrong with them, if anything did: they never cost a run."""
    try:
        report(run.path)
    except Exception:
        return traceback.format_exc()
    return None


def _drop_bulk(plan: Plan, run: RunDir) -> None:
    """Delete what members kept and nobody needs."""
    for alias in plan.members:
        for path in SYSTEMS[plan.system].bulk(run.node(alias)):
            shutil.rmtree(path, ignore_errors=True)


def open_run_directory(order: Order) -> RunDir:
    """A new directory with all that is known beforehand, and `latest` pointing at it.

    Raises UsageError where its name could stand in no result, WorldError where it cannot be made.
    """
    check_name(order.out.absolute())
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    name = f"{now}-{order.plan.scenario}-{order.plan.seed}"
    latest = order.out / "latest"
    try:
        if latest.is_dir() and not latest.is_symlink():
            raise WorldError(f"{latest} is a folder, where a link to the latest run should be")
        run = RunDir(_made(order.out, name).resolve())
        run.scenario.write_text(order.text, encoding="utf-8")
        run.plan.write_bytes(encode(order.plan))
        facts = msgspec.json.format(msgspec.json.encode(environment()), indent=2)
        run.environment.write_bytes(facts + b"\n")
        _point(latest, run.path.name)
    except OSError as error:
        raise WorldError(f"cannot write {error.filename or order.out}: {error.strerror}") from error
    return run


def _made(out: Path, name: str) -> Path:
    """A directory of this name, or of this name and a number."""
    out.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        path = out / (name if number == 1 else f"{name}-{number}")
        try:
            path.mkdir()
        except FileExistsError:
            number += 1
        else:
            return path


def _point(link: Path, name: str) -> None:
    fresh = link.with_name(f".{link.name}-{os.getpid()}")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(name)
    fresh.replace(link)
