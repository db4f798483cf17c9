"""Pure decisions during a run: when a client's next operation is due, and which fault is.

Nothing here reads a clock or knows a cluster: time and what was observed are arguments.
"""

import random
from dataclasses import dataclass, replace

from .fault import Fault
from .language.sides import MASTER
from .language.units import spell
from .nemeses import NEMESES

LEADER_WAIT_S = 5.0
"""How long a step that aims at the leader waits for one to be known."""


class Pace:
    """When one client's operations are due: a seeded Poisson stream that skips what it missed."""

    def __init__(self, rate: float, chance: random.Random) -> None:
        """Of `rate` operations a second; 0 means at once, always."""
        self._rate = rate
        self._chance = chance
        self._due_s = 0.0

    def next(self, now_s: float) -> float:
        """Seconds to wait before the next operation."""
        if self._rate == 0:
            return 0.0
        self._due_s = max(self._due_s + self._chance.expovariate(self._rate), now_s)
        return self._due_s - now_s


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known when something is decided: who leads, and in which term that one does.

    While no leader is known, `term` is the highest in which one was seen.
    """

    now_s: float
    term: int = 0
    leader: str | None = None
    held: frozenset[int] = frozenset()
    """Steps whose state was seen since they wait for it."""
    led: frozenset[str] = frozenset()
    """Of several clusters those whose leader is known."""

    def is_newer(self, term: int, leader: str | None) -> bool:
        """Whether another one leads now, or the same one in a later term. Not an older one."""
        if self.leader is None:
            return False
        return self.term > term or (self.term == term and self.leader != leader)


@dataclass(frozen=True, slots=True)
class Due:
    """A step to do now, or to undo; `missed` says why it cannot be done any more."""

    step: int
    undo: bool = False
    missed: str | None = None


@dataclass(frozen=True, slots=True)
class Chain:
    """Steps that wait for one another: a step with a time of its own begins a new chain."""

    steps: tuple[int, ...]
    since_s: float = 0.0
    term: int = 0
    leader: str | None = None


@dataclass(frozen=True, slots=True)
class FaultSchedule:
    """What is left to do. Immutable: `after` gives the schedule that remains."""

    faults: tuple[Fault, ...]
    chains: tuple[Chain, ...]
    undos: tuple[tuple[float, int], ...] = ()

    @classmethod
    def of(cls, faults: tuple[Fault, ...], seen: Seen) -> "FaultSchedule":
        """The schedule of a plan, when a run begins."""
        chains: list[list[int]] = []
        for step, fault in enumerate(faults):
            if fault.at_s is not None or not chains:
                chains.append([step])
            else:
                chains[-1].append(step)
        begun = (Chain(tuple(steps), seen.now_s, seen.term, seen.leader) for steps in chains)
        return cls(faults, tuple(begun))

    def due(self, seen: Seen) -> Due | None:
        """What to do now, the longest due first; None if nothing is."""
        ready = [(time_s, step, Due(step, undo=True)) for time_s, step in self.undos]
        for chain in self.chains:
            head = self._head(chain, seen)
            if head is not None:
                ready.append((head[0], chain.steps[0], head[1]))
        ready = [one for one in ready if one[0] <= seen.now_s]
        return min(ready, key=lambda one: one[:2])[2] if ready else None

    def wake_s(self, now_s: float) -> float | None:
        """The next moment at which something may become due by time alone."""
        moments = [time_s for time_s, _ in self.undos]
        for chain in self.chains:
            fault = self.faults[chain.steps[0]]
            moment = _moment(fault, chain)
            moments += [_begins_s(fault, chain), moment, moment + LEADER_WAIT_S]
        return min((moment for moment in moments if moment > now_s), default=None)

    def waiting(self, now_s: float) -> frozenset[int]:
        """Steps that wait for a state now."""
        heads = ((chain, chain.steps[0]) for chain in self.chains)
        return frozenset(
            step
            for chain, step in heads
            if self.faults[step].when is not None and _begins_s(self.faults[step], chain) <= now_s
        )

    def after(self, due: Due, seen: Seen) -> "FaultSchedule":
        """The schedule once `due` has been done, begun at `seen.now_s`."""
        if due.undo:
            return replace(self, undos=tuple(u for u in self.undos if u[1] != due.step))
        fault = self.faults[due.step]
        chains: list[Chain] = []
        for chain in self.chains:
            if chain.steps[0] != due.step:
                chains.append(chain)
            elif len(chain.steps) > 1 and due.missed is None:
                chains.append(Chain(chain.steps[1:], seen.now_s, seen.term, seen.leader))
        undos = self.undos
        if fault.for_s is not None and due.missed is None:
            undos = tuple(sorted((*undos, (seen.now_s + fault.for_s, due.step))))
        return replace(self, chains=tuple(chains), undos=undos)

    def without_undo(self, step: int) -> "FaultSchedule":
        """The schedule once something else has undone a step."""
        return replace(self, undos=tuple(u for u in self.undos if u[1] != step))

    def left(self) -> tuple[int, ...]:
        """Steps that were never done."""
        return tuple(sorted(step for chain in self.chains for step in chain.steps))

    def is_behind(self, now_s: float) -> bool:
        """Whether a step is still to be done that by the clock alone should have been by now."""
        moments = (self._planned_s(chain.steps[0]) for chain in self.chains)
        return any(moment is not None and moment < now_s for moment in moments)

    def _planned_s(self, step: int) -> float | None:
        """When a step was to be due if every act took no time; None if it waits for an event."""
        moment = 0.0
        for fault in reversed(self.faults[: step + 1]):
            if fault.after is not None or fault.when is not None:
                return None
            if fault.at_s is not None:
                return moment + fault.at_s
            moment += fault.then_s or 0.0
        return moment

    def _head(self, chain: Chain, seen: Seen) -> tuple[float, Due] | None:
        """The chain's first step and since when it is due."""
        step = chain.steps[0]
        fault = self.faults[step]
        moment = _moment(fault, chain)
        if fault.when is not None:
            if step in seen.held:
                return seen.now_s, Due(step)
            why = f"{fault.when!r} was not seen within {spell(fault.within_s or 0.0)}"
            return moment, Due(step, missed=why)
        if fault.after is not None:
            if seen.is_newer(chain.term, chain.leader):
                return seen.now_s, Due(step)
            why = f"no new leader was seen within {spell(fault.within_s or 0.0)}"
            return moment, Due(step, missed=why)
        if not _leads(fault) <= seen.led | ({MASTER} if seen.leader is not None else set()):
            why = f"no leader was known for {spell(LEADER_WAIT_S)}"
            return moment + LEADER_WAIT_S, Due(step, missed=why)
        return moment, Due(step)


def _moment(fault: Fault, chain: Chain) -> float:
    """When a step is due by time alone; for one that waits for an event, when that is too late."""
    waits = fault.after is not None or fault.when is not None
    return _begins_s(fault, chain) + ((fault.within_s or 0.0) if waits else 0.0)


def _begins_s(fault: Fault, chain: Chain) -> float:
    """When a step is due, or begins to wait."""
    if fault.at_s is not None:
        return fault.at_s
    return chain.since_s + (fault.then_s or 0.0)


def _leads(fault: Fault) -> frozenset[str]:
    """The sides whose leaders a step aims at."""
    selectors = NEMESES[fault.kind].selectors(fault.target)
    return frozenset[str]().union(*(s.leads(fault.order) for s in selectors))
