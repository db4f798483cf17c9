"""(Plan) → history, traces and verdict, in a simulated world and in memory."""

import asyncio
import io
from dataclasses import dataclass
from typing import Any

import msgspec

from ..clocks import shared
from ..errors import WorldError
from ..evidence import Evidence
from ..history import load
from ..judging.judgement import Ending, decide
from ..nemeses.tail import CUT_TAIL
from ..op import Op
from ..plan import Plan
from ..run import Run
from ..running.recorder import Recorder
from ..systems import SYSTEMS
from ..targets.sim import SimCluster
from ..traces import Trace
from ..verdict import RunVerdict
from .clock import EPOCH_NS
from .lockstep import Lockstep
from .loop import SimLoop

STARTED = "1970-01-01T00:00:00Z"
"""When every simulated world begins."""


States = dict[str, dict[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Simulated:
    """One simulated run. The same plan gives the same history and the same traces."""

    cluster: SimCluster
    verdict: RunVerdict
    ending: Ending
    history: bytes
    traces: dict[str, bytes]
    effects: dict[str, int]
    """How many effects on the world each member's first process had."""
    states: States
    """What each member had in memory at the end; None for one that was not up."""
    world: WorldError | None = None
    """What kept the run from its end: a group that did not get ready."""


def simulate_plan(plan: Plan, *, until: int | None = None) -> Simulated:
    """Run a plan to its end and judge it; touches no file and no clock.

    With `until` the world stops right after the op of that index; in lockstep, at the first step of
    a member that is not the model's. Where the group never gets ready, what there is is judged.
    """
    cluster = SimCluster(plan.setup, SYSTEMS[plan.system], plan.seed, plan.crash)
    stream, loop = io.BytesIO(), cluster.world.loop
    cuts = sum(fault.kind == CUT_TAIL.kind and fault.of in (None, "log") for fault in plan.faults)
    lockstep = Lockstep(plan.members, loop.stop, cuts=cuts) if plan.lockstep else None
    if lockstep is not None:
        cluster.world.witness = lockstep.hear
    recorder = _Recorder(stream, cluster, until)
    running = Run(plan, cluster, recorder)
    with cluster.world.watched():
        states, world = _played(loop, cluster, running)
    recorder.flush()
    history = _first_lines(stream.getvalue(), until)
    traces = {alias: cluster.trace(alias) for alias in plan.members}
    effects = cluster.effects()
    interrupted = until is not None or (lockstep is not None and lockstep.is_broken)
    is_whole = not interrupted and world is None and running.listener.first is None
    ending = Ending(
        started=STARTED,
        duration_s=round(recorder.now_ns() / 1e9, 3),
        interrupted=interrupted,
        died=tuple(running.live.observer.died),
        error=None if world is None else str(world).split("\n")[0],
        zero_ns=EPOCH_NS,
        seen=running.listener.first,
        watch_crash=running.listener.crash,
        missed=_missed(plan, effects) if is_whole else (),
    )
    evidence = Evidence(
        history=load(io.BytesIO(history)),
        members=plan.members,
        limits=plan.limits,
        traces={alias: Trace(data) for alias, data in traces.items()} if plan.trace else {},
        planned_faults=tuple(msgspec.to_builtins(fault) for fault in plan.faults),
        minimum=plan.minimum,
        facts=plan.facts,
        clocks=shared(EPOCH_NS),
    )
    verdict = decide(evidence, plan, ending, sealed=True)
    return Simulated(cluster, verdict, ending, history, traces, effects, states, world)


def _missed(plan: Plan, effects: dict[str, int]) -> tuple[tuple[str, int], ...]:
    """Crash points that lie behind the last effect of their member's first process."""
    points = [(point, effects[point.node]) for point in plan.crash]
    return tuple((str(point), count) for point, count in points if count < point.effect)


class _Recorder(Recorder):
    """Stops the loop after one op."""

    def __init__(self, stream: io.BytesIO, cluster: SimCluster, until: int | None) -> None:
        super().__init__(stream, cluster.world.now_ns)
        self._loop = cluster.world.loop
        self._until = until

    def add(self, *what: Any, **more: Any) -> Op:
        op = super().add(*what, **more)
        if op.index == self._until:
            self._loop.stop()
        return op


def _played(loop: SimLoop, cluster: SimCluster, running: Run) -> tuple[States, WorldError | None]:
    """Run until the end, or until something stops the loop; what members then had in memory."""

    async def play() -> None:
        await cluster.up()
        await running.run(asyncio.Event())

    task = loop.create_task(play())

    def done(_: asyncio.Task[None]) -> None:
        loop.stop()

    task.add_done_callback(done)
    try:
        loop.run_forever()
        task.remove_done_callback(done)
        states = cluster.inspect()
        error = task.exception() if task.done() else None
        world = error if isinstance(error, WorldError) else None
        if error is not world:
            task.result()
        cluster.world.end()
        task.cancel()
        loop.run_until_complete(_quietly(task))
        loop.run_until_complete(cluster.down())
    except BaseException:
        cluster.world.end()
        loop.abandon()
        raise
    finally:
        loop.close()
    return states, world


async def _quietly(task: asyncio.Task[None]) -> None:
    await asyncio.gather(task, return_exceptions=True)


def _first_lines(history: bytes, until: int | None) -> bytes:
    """Without what was recorded while the run was being ended."""
    if until is None:
        return history
    return b"".join(history.splitlines(keepends=True)[: until + 1])
