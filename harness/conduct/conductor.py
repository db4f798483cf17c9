"""Carries out the fault schedule on a cluster: what is due, whom it hits, what it takes back."""

import asyncio
import math
from typing import Any

from ..fault import Fault
from ..generator import Due, FaultSchedule, Seen
from ..language.selector import View
from ..language.sides import meanings, sides
from ..nemeses import NEMESES
from ..nemeses.nemesis import ENDS, HEALS, Aim
from ..plan import Plan
from ..running.observer import Observer
from ..running.recorder import Recorder
from ..targets.target import Cluster, ProcessState
from .acts import Acts, Wish
from .layers import LAYERS, LINKS, RULES, Layer, Part
from .triggers import MATCHED
from .watch import Match, Watch

_LOOK_S = 0.05
"""How often to look whether the run is to stop."""

LATE_MAX_S = 30.0
"""How long a run goes on for steps that a slow machine has kept from their moments."""

_WATCH_S = 0.001
"""How often to look whether a state has come that a step waits for."""

EXCUSED_S = 5.0
"""How long after its disk was mended, or its memory given back, a member may end by that."""


class Conductor:
    """The run's nemesis. One act at a time."""

    def __init__(
        self, plan: Plan, cluster: Cluster, recorder: Recorder, observer: Observer
    ) -> None:
        self._faults = plan.faults
        self._members = plan.members
        self._sides = tuple(sides(plan.members))
        self._acts = Acts(cluster, recorder, observer)
        self._observer = observer
        self._names: dict[str, tuple[str, ...]] = {}
        # In force, by step: faults that last as parts of a layer, and whom a process fault hit.
        self._parts: dict[int, Aim] = {}
        self._hit: dict[int, tuple[str, ...]] = {}
        self._ended: set[str] = set()
        """Members that a fault ended and nobody has started again."""
        self._watch = Watch(plan.faults, cluster)
        self._schedule = FaultSchedule.of(plan.faults, Seen(0.0))

    def who(self, word: str) -> str | None:
        """The member that a word of a script means now: its alias, `leader`, or a step's `as`."""
        if word == "leader":
            return self._observer.leader
        named = self._names.get(word, (word,))
        return next((alias for alias in named if alias in self._members), None)

    @property
    def active(self) -> list[str]:
        """Faults in force, for people."""
        found = [f"{self._faults[s].kind} {_spelled(self._faults[s].target)}" for s in self._parts]
        for state in (ProcessState.DEAD, ProcessState.PAUSED):
            nodes = self._in_state(state)
            if nodes:
                found.append(f"{', '.join(nodes)} {state.value}")
        return found

    async def conduct(self, duration_s: float, *stops: asyncio.Event) -> None:
        """Do what is due until the time is over or one of `stops` is set. Raises WorldError.

        Where acts took longer than planned, what should have begun by then is done all the same.
        """
        now_s = asyncio.get_running_loop().time
        began = now_s()
        self._schedule = FaultSchedule.of(self._faults, self._seen(0.0))
        while not any(stop.is_set() for stop in stops):
            elapsed = now_s() - began
            ends_s = duration_s + (LATE_MAX_S if self._schedule.is_behind(duration_s) else 0.0)
            if elapsed >= ends_s:
                break
            self._observer.changed.clear()
            await self._bring_back_late()
            waiting = self._schedule.waiting(elapsed)
            self._watch.look(waiting, self._names)
            due = self._schedule.due(self._seen(elapsed))
            if due is not None:
                await self._act(due, elapsed)
                continue
            wake = self._schedule.wake_s(elapsed)
            often_s = _WATCH_S if waiting else _LOOK_S
            await self._look(min(often_s, ends_s - elapsed, (wake or ends_s) - elapsed))
        if any(stop.is_set() for stop in stops):
            return
        for step in self._schedule.left():
            await self._act(Due(step, missed="the run ended before its moment came"), duration_s)

    async def heal(self) -> None:
        """Undo everything that is in force: resumes, all layers, restarts. Raises WorldError."""
        await self._bring_back("resume", "all", self._in_state(ProcessState.PAUSED))
        await self._heal("all", list(self._parts))
        await self._bring_back("restart", "all", self._in_state(ProcessState.DEAD))

    @property
    def may_end_late(self) -> bool:
        """Whether a member runs on that has lived with a failing disk: it may still end by it."""
        return bool(self._observer.excused)

    async def stand_by(self, over: asyncio.Event) -> None:
        """After the heal, until `over` or no member may end late: start those that do.

        Raises WorldError.
        """
        while self.may_end_late and not over.is_set():
            await self._bring_back_late()
            try:
                async with asyncio.timeout(_LOOK_S):
                    await over.wait()
            except TimeoutError:
                continue

    async def _act(self, due: Due, now_s: float) -> None:
        fault = self._faults[due.step]
        before = len(self._schedule.left())
        self._schedule = self._schedule.after(due, self._seen(now_s))
        if due.missed is not None:
            behind = before - len(self._schedule.left()) - 1
            left_out = f"; {behind} steps behind it were left out" if behind else ""
            self._acts.missed(_wish(fault), due.missed + left_out)
        elif due.undo:
            await self._undo(due.step)
        else:
            await self._break(due.step)

    async def _break(self, step: int) -> None:
        fault = self._faults[step]
        # Who ended by itself before this did not end by it, and may be why it finds nobody.
        self._observer.note_deaths()
        match = self._watch.matches.get(step)
        aim = NEMESES[fault.kind].aim(fault, self._view(fault, match), self._acts.states())
        if fault.name is not None:
            self._names[fault.name] = aim.nodes
        wish = _wish(fault, aim.nodes, match)
        if fault.kind == "heal":
            await self._heal_named(fault, match)
        elif fault.kind == "release":
            await self._release(fault, match)
        elif fault.kind == "stage":
            self._acts.reached(wish)
        elif not aim.nodes:
            self._acts.missed(wish, "no member qualified")
        elif aim.loses:
            self._hit[step] = aim.nodes
            self._ended.update(aim.nodes)
            await self._acts.cut_power(wish, keeps_nothing=aim.keeps_nothing)
        elif aim.process is not None:
            self._hit[step] = aim.nodes
            await self._set(wish, aim.process)
        elif aim.resets:
            await self._acts.reset(wish, aim.resets)
        elif aim.forgets:
            await self._acts.lose_task_data(wish)
        elif aim.flips:
            await self._acts.flip(wish, aim.of)
        elif aim.cuts_tail:
            await self._acts.cut_tail(wish, aim.of, aim.tail_bytes)
        else:
            await self._add_parts(step, wish, aim)

    async def _add_parts(self, step: int, wish: Wish, aim: Aim) -> None:
        """A fault that lasts: it adds to one layer."""
        layers = [layer for layer in LAYERS if layer.part(aim)]
        if not layers:
            self._acts.missed(wish, "no member qualified")
        self._observer.excused |= dict.fromkeys(_failing(aim), math.inf)
        for layer in layers:
            self._parts[step] = aim
            await self._acts.make(wish, layer, self._wanted(layer), layer.part(aim))

    async def _undo(self, step: int) -> None:
        fault = self._faults[step]
        undo = NEMESES[fault.kind].undo
        if undo in HEALS:
            await self._heal(fault.name or fault.target, [step])
            return
        assert undo is not None
        broken = ProcessState.DEAD if fault.kind in ENDS else ProcessState.PAUSED
        hit = self._hit.pop(step, ())
        # A later step may have brought some of them back already.
        nodes = tuple(alias for alias in self._in_state(broken) if alias in hit)
        await self._bring_back(undo, fault.target, nodes)

    def _view(self, fault: Fault, match: Match | None) -> View:
        """What the fault's words mean now: for a step that waited, when its state came."""
        names = meanings(self._members, fault.order, self._observer.leader_of) | self._names
        if match is None:
            return View(fault.order, self._observer.leader, names)
        leader = match.leader or self._observer.leader
        return View(fault.order, leader, {**names, MATCHED: match.nodes})

    async def _heal_named(self, fault: Fault, match: Match | None) -> None:
        named = [s for s in self._parts if fault.target in ("all", self._faults[s].name)]
        for step in named:
            self._schedule = self._schedule.without_undo(step)
        if named:
            await self._heal(fault.target, named, match)
        else:
            # All of it was undone before: the receipt shows the links as they are.
            await self._acts.make(_wish(fault, (), match), LINKS, self._wanted(LINKS), {})

    async def _heal(self, target: Any, steps: list[int], match: Match | None = None) -> None:
        """Take these steps' parts back, layer by layer."""
        healed = [aim for step in steps if (aim := self._parts.pop(step, None)) is not None]
        for layer in LAYERS:
            touched = layer.merged(layer.part(aim) for aim in healed)
            if not touched:
                continue
            if layer.by_link:
                nodes = sorted({alias for pair in touched for alias in pair})
            else:
                nodes = sorted(touched)
            told = None if match is None else match.told
            wish = Wish(layer.undo, {"kind": "heal", "target": target}, nodes, told)
            await self._acts.make(wish, layer, self._wanted(layer), touched)
            if layer.undo == "mend":
                await self._bring_back("restart", target, self._fallen(nodes))
        self._excuse_for_a_while({alias for aim in healed for alias in _failing(aim)})

    def _excuse_for_a_while(self, mended: set[str]) -> None:
        """Those of them that were not started anew have lived with what was mended."""
        until = asyncio.get_running_loop().time() + EXCUSED_S
        lived = (mended - self._failing()) & self._observer.excused.keys()
        self._observer.excused |= dict.fromkeys(lived, until)

    async def _release(self, fault: Fault, match: Match | None) -> None:
        """Let go what the step of this name holds: an act that sends nothing did not take hold."""
        step = next((s for s in self._parts if self._faults[s].name == fault.target), None)
        if step is None:
            self._acts.missed(_wish(fault, (), match), f"{fault.target!r} is not in force")
            return
        aim = self._parts.pop(step)
        self._schedule = self._schedule.without_undo(step)
        wanted = self._wanted(RULES)
        await self._acts.release(_wish(fault, aim.nodes, match), wanted, aim.rules)

    def _fallen(self, nodes: list[str]) -> tuple[str, ...]:
        """Those of a mended disk that ended by themselves: nobody else would start them again."""
        dead = self._in_state(ProcessState.DEAD)
        return tuple(alias for alias in nodes if alias in dead and alias not in self._ended)

    async def _bring_back_late(self) -> None:
        """Start whom a failing disk ended after it was mended: a process takes its time to end."""
        if not self.may_end_late:
            return
        held = {a for aim in self._parts.values() for a in (*_failing(aim), *aim.crashes)}
        nodes = self._fallen(sorted(self._observer.excused.keys() - held))
        await self._bring_back("restart", list(nodes), nodes)

    async def _bring_back(self, f: str, target: Any, nodes: tuple[str, ...]) -> None:
        if nodes:
            await self._set(Wish(f, {"kind": f, "target": target}, nodes), ProcessState.RUNNING)

    async def _set(self, wish: Wish, state: ProcessState) -> None:
        if state is ProcessState.DEAD:
            self._ended.update(wish.nodes)
        else:
            self._ended.difference_update(wish.nodes)
            # Only a process that has lived with a failing disk may end by itself.
            self._observer.note_deaths()
            for alias in set(wish.nodes) - self._failing():
                self._observer.excused.pop(alias, None)
        if state is ProcessState.RUNNING:
            # What brought them down is over: a later one of its kind has an undo of its own.
            for step, hit in self._hit.items():
                self._hit[step] = tuple(alias for alias in hit if alias not in wish.nodes)
        await self._acts.set_processes(wish, state)

    def _failing(self) -> set[str]:
        """Whom a fault in force denies what they need."""
        return {alias for aim in self._parts.values() for alias in _failing(aim)}

    def _wanted(self, layer: Layer) -> Part:
        return layer.merged(layer.part(aim) for aim in self._parts.values())

    def _in_state(self, state: ProcessState) -> tuple[str, ...]:
        return tuple(alias for alias, now in self._acts.states().items() if now is state)

    def _seen(self, now_s: float) -> Seen:
        held = frozenset(self._watch.matches)
        leading = self._observer.leader_of
        led = frozenset(side for side in self._sides if leading(side) is not None)
        return Seen(now_s, self._observer.term, self._observer.leader, held, led)

    async def _look(self, seconds: float) -> None:
        """Until something is seen to change, but not longer than this."""
        try:
            async with asyncio.timeout(max(0.001, seconds)):
                await self._observer.changed.wait()
        except TimeoutError:
            return


def _wish(fault: Fault, nodes: tuple[str, ...] = (), match: Match | None = None) -> Wish:
    fired = None if match is None else match.told
    return Wish(NEMESES[fault.kind].f, fault.asked, nodes, fired)


def _failing(aim: Aim) -> set[str]:
    return {alias for alias, disk in aim.disks.items() if disk.fails} | {
        *aim.read_only,
        *aim.spares,
    }


def _spelled(target: Any) -> str:
    if isinstance(target, dict):
        return f"{_spelled(target['from'])} to {_spelled(target['to'])}"
    if isinstance(target, list):
        sign = " | " if any(isinstance(part, list) for part in target) else ", "
        return sign.join(_spelled(part) for part in target)
    return str(target)
