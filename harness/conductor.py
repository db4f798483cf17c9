"""Carries out the fault schedule on a cluster, and writes a receipt for every act."""

import asyncio
from collections.abc import Sequence
from typing import Any

from .fault import Fault
from .generator import Due, FaultSchedule, Seen
from .nemeses import NEMESES
from .nemeses.nemesis import Aim
from .observer import Observer
from .op import NEMESIS, OpType
from .plan import Plan
from .recorder import Recorder
from .selector import View
from .targets.links import Links, as_wanted, merged
from .targets.target import Cluster, ProcessState
from .together import together

_ANSWER_S = 2.0
"""How long a member that was restarted or resumed may take to greet a client."""

_LOOK_S = 0.05
"""How often to look whether the run is to stop."""


class Conductor:
    """The run's nemesis. One act at a time: invoke, do, observe, info.

    Network faults stack: each adds its links while it lasts, and the desired state of all links is
    always all of them merged, so that undoing one leaves the others in force.
    """

    def __init__(
        self, plan: Plan, cluster: Cluster, recorder: Recorder, observer: Observer
    ) -> None:
        self._faults = plan.faults
        self._members = plan.members
        self._cluster = cluster
        self._recorder = recorder
        self._observer = observer
        self._names: dict[str, tuple[str, ...]] = {}
        # In force, by step: what a network fault adds to the links, whom a process fault hit.
        self._links: dict[int, Links] = {}
        self._hit: dict[int, tuple[str, ...]] = {}
        self._schedule = FaultSchedule.of(plan.faults, Seen(0.0))

    @property
    def active(self) -> list[str]:
        """Faults in force, for people."""
        found = [f"{self._faults[s].kind} {_spelled(self._faults[s].target)}" for s in self._links]
        for state in (ProcessState.DEAD, ProcessState.PAUSED):
            nodes = [alias for alias, now in self._states().items() if now is state]
            if nodes:
                found.append(f"{', '.join(nodes)} {state.value}")
        return found

    async def conduct(self, duration_s: float, stop: asyncio.Event) -> None:
        """Do what is due until the time is over or `stop` is set. Raises WorldError."""
        now_s = asyncio.get_running_loop().time
        began = now_s()
        self._schedule = FaultSchedule.of(self._faults, self._seen(0.0))
        while not stop.is_set() and (elapsed := now_s() - began) < duration_s:
            self._observer.changed.clear()
            due = self._schedule.due(self._seen(elapsed))
            if due is not None:
                await self._act(due, elapsed)
                continue
            wake = self._schedule.wake_s(elapsed)
            await self._look(min(_LOOK_S, duration_s - elapsed, (wake or duration_s) - elapsed))
        for step in () if stop.is_set() else self._schedule.left():
            await self._act(Due(step, missed="the run ended before its moment came"), duration_s)

    async def heal(self) -> None:
        """Undo everything that is in force: resumes, open links, restarts. Raises WorldError."""
        states = self._states()
        paused = tuple(a for a, state in states.items() if state is ProcessState.PAUSED)
        if paused:
            await self._set("resume", "all", paused, ProcessState.RUNNING)
        if self._links:
            await self._heal("all", list(self._links))
        dead = tuple(a for a, state in states.items() if state is ProcessState.DEAD)
        if dead:
            await self._set("restart", "all", dead, ProcessState.RUNNING)

    async def _act(self, due: Due, now_s: float) -> None:
        fault = self._faults[due.step]
        before = len(self._schedule.left())
        self._schedule = self._schedule.after(due, self._seen(now_s))
        if due.missed is not None:
            behind = before - len(self._schedule.left()) - 1
            self._missed(fault, due.missed, behind)
        elif due.undo:
            await self._undo(due.step)
        else:
            await self._break(due.step)

    async def _break(self, step: int) -> None:
        fault = self._faults[step]
        nemesis = NEMESES[fault.kind]
        view = View(fault.order, self._observer.leader, self._names)
        aim = nemesis.aim(fault, view, self._states())
        if fault.name is not None:
            self._names[fault.name] = aim.nodes
        if fault.kind == "heal":
            named = [s for s in self._links if fault.target in ("all", self._faults[s].name)]
            for healed in named:
                self._schedule = self._schedule.without_undo(healed)
            await self._heal(fault.target, named)
        elif not aim.nodes or (aim.process is None and not aim.links):
            self._missed(fault, "no member qualified", 0)
        elif aim.process is not None:
            self._hit[step] = aim.nodes
            await self._set(nemesis.f, fault.target, aim.nodes, aim.process)
        else:
            await self._add_links(step, aim)

    async def _undo(self, step: int) -> None:
        fault = self._faults[step]
        if NEMESES[fault.kind].undo == "heal":
            await self._heal(fault.name or fault.target, [step])
            return
        broken = ProcessState.DEAD if fault.kind == "kill" else ProcessState.PAUSED
        states = self._states()
        # A later step may have brought some of them back already.
        nodes = tuple(a for a in self._hit.pop(step, ()) if states[a] is broken)
        undo = NEMESES[fault.kind].undo
        if nodes and undo is not None:
            await self._set(undo, fault.target, nodes, ProcessState.RUNNING)

    async def _set(self, f: str, target: Any, nodes: Sequence[str], state: ProcessState) -> None:
        """Make these processes so, all at once, and write down what they then were."""
        asked = {"kind": f, "target": target}
        self._recorder.add(NEMESIS, OpType.INVOKE, f, value=asked)
        await together(*(self._cluster.set_process(alias, state) for alias in nodes))
        if state is ProcessState.DEAD:
            for alias in nodes:
                self._observer.forget(alias)
        seen = {alias: self._cluster.process_state(alias) for alias in nodes}
        observed: dict[str, Any] = {"processes": {alias: s.value for alias, s in seen.items()}}
        bit = all(now is state for now in seen.values())
        if state is ProcessState.RUNNING:
            answers = dict(zip(nodes, await self._answers(nodes), strict=True))
            observed["answers"] = answers
            bit = bit and all(answers.values())
        value = {"asked": asked, "nodes": list(nodes), "observed": observed, "bit": bit}
        self._recorder.add(NEMESIS, OpType.INFO, f, value=value)

    async def _add_links(self, step: int, aim: Aim) -> None:
        fault = self._faults[step]
        asked = {"kind": fault.kind, "target": fault.target}
        if fault.by_s is not None:
            asked["by_s"] = fault.by_s
        if fault.rate_bytes_s is not None:
            asked["rate_bytes_s"] = fault.rate_bytes_s
        f = NEMESES[fault.kind].f
        self._recorder.add(NEMESIS, OpType.INVOKE, f, value=asked)
        self._links[step] = aim.links
        await self._apply(f, asked, aim.nodes, aim.links)

    async def _heal(self, target: Any, steps: Sequence[int]) -> None:
        asked = {"kind": "heal", "target": target}
        self._recorder.add(NEMESIS, OpType.INVOKE, "heal", value=asked)
        healed = merged(self._links.pop(step) for step in steps if step in self._links)
        nodes = sorted({alias for pair in healed for alias in pair})
        await self._apply("heal", asked, nodes, healed)

    async def _apply(self, f: str, asked: Any, nodes: Sequence[str], touched: Links) -> None:
        """Make all links as they now should be, and write down how each was then seen to be."""
        desired = merged(self._links.values())
        await self._cluster.set_links(desired)
        probes = await self._cluster.probe(desired)
        value = {
            "asked": asked,
            "nodes": list(nodes),
            "links": [list(pair) for pair in touched],
            "observed": {"links": {f"{a}->{b}": seconds for (a, b), seconds in probes.items()}},
            "wanted": {f"{a}->{b}": state for (a, b), state in desired.items()},
            "bit": as_wanted(desired, probes, self._members),
        }
        self._recorder.add(NEMESIS, OpType.INFO, f, value=value)

    def _missed(self, fault: Fault, why: str, behind: int) -> None:
        f = NEMESES[fault.kind].f
        asked = {"kind": fault.kind, "target": fault.target}
        left_out = f"; {behind} steps behind it were left out" if behind else ""
        self._recorder.add(NEMESIS, OpType.INVOKE, f, value=asked)
        value = {"asked": asked, "nodes": [], "observed": {}, "bit": False}
        self._recorder.add(NEMESIS, OpType.INFO, f, value=value, error=why + left_out)

    async def _answers(self, nodes: Sequence[str]) -> list[bool]:
        """Whether each of these members greets a client."""
        opened = await asyncio.gather(*(self._cluster.open(a, _ANSWER_S) for a in nodes))
        for connection in opened:
            if connection is not None:
                connection.close()
        return [connection is not None for connection in opened]

    def _states(self) -> dict[str, ProcessState]:
        return {alias: self._cluster.process_state(alias) for alias in self._members}

    def _seen(self, now_s: float) -> Seen:
        return Seen(now_s, self._observer.term, self._observer.leader)

    async def _look(self, seconds: float) -> None:
        """Until something is seen to change, but not longer than this."""
        try:
            async with asyncio.timeout(max(0.001, seconds)):
                await self._observer.changed.wait()
        except TimeoutError:
            return


def _spelled(target: Any) -> str:
    if isinstance(target, dict):
        return f"{_spelled(target['from'])} to {_spelled(target['to'])}"
    if isinstance(target, list):
        sign = " | " if any(isinstance(part, list) for part in target) else ", "
        return sign.join(_spelled(part) for part in target)
    return str(target)
