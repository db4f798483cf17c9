"""Single acts on a cluster, each with its receipt: invoke, do, look what is so now, info."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from ..op import NEMESIS, OpType
from ..running.observer import Observer
from ..running.recorder import Recorder
from ..running.together import together
from ..targets.links import Pair
from ..targets.target import (
    Cluster,
    DiskCluster,
    FileCluster,
    MessageCluster,
    PowerCluster,
    ProcessState,
    ResetCluster,
)
from .layers import Layer, Part, spelled

_ANSWER_S = 2.0
"""How long a member that was restarted or resumed may take to greet a client."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be done to whom. `fired` is the state for which the act had waited."""

    f: str
    asked: dict[str, Any]
    nodes: Sequence[str] = ()
    fired: dict[str, Any] | None = None


class Acts:
    """Does what it is told, and writes down what came of it. A receipt's `bit` is observed."""

    def __init__(self, cluster: Cluster, recorder: Recorder, observer: Observer) -> None:
        self._cluster = cluster
        self._recorder = recorder
        self._observer = observer

    def states(self) -> dict[str, ProcessState]:
        """What every member's process is now."""
        return {alias: self._cluster.process_state(alias) for alias in self._cluster.members}

    async def cut_power(self, wish: Wish, *, keeps_nothing: bool) -> None:
        """End these processes, all at once, with what they had not synced."""
        self._ask(wish)
        assert isinstance(self._cluster, PowerCluster)
        lost = await self._cluster.cut_power(wish.nodes, keeps_nothing=keeps_nothing)
        await self._tell_processes(
            wish, ProcessState.DEAD, **({"lost": dict(lost)} if lost else {})
        )

    async def set_processes(self, wish: Wish, state: ProcessState) -> None:
        """Make these processes so, all at once."""
        self._ask(wish)
        await together(*(self._cluster.set_process(alias, state) for alias in wish.nodes))
        await self._tell_processes(wish, state)

    async def _tell_processes(self, wish: Wish, state: ProcessState, **more: object) -> None:
        if state is ProcessState.DEAD:
            for alias in wish.nodes:
                self._observer.forget(alias)
        seen = {alias: self._cluster.process_state(alias) for alias in wish.nodes}
        observed: dict[str, Any] = {"processes": {alias: s.value for alias, s in seen.items()}}
        observed |= more
        bit = all(now is state for now in seen.values())
        if state is ProcessState.RUNNING:
            answers = dict(zip(wish.nodes, await self._answers(wish.nodes), strict=True))
            observed["answers"] = answers
            # Whoever wakes up on a disk that fails may rightly end.
            bit = all(
                alias in self._observer.excused or (answers[alias] and now is state)
                for alias, now in seen.items()
            )
        self._tell(wish, observed, bit)

    async def make(self, wish: Wish, layer: Layer, wanted: Part, touched: Part) -> None:
        """Make a whole layer as wanted; `touched` is what this act changed."""
        self._ask(wish)
        seen, bit = await layer.make(self._cluster, wanted, wish.nodes)
        more: dict[str, Any] = {"wanted": spelled(wanted)}
        if layer.by_link:
            more["links"] = [list(pair) for pair in touched]
        self._tell(wish, {layer.name: seen}, bit, **more)

    async def release(self, wish: Wish, wanted: Part, touched: Part) -> None:
        """Make the rules as wanted, and count what those that are gone had held."""
        self._ask(wish)
        assert isinstance(self._cluster, MessageCluster)
        count = await self._cluster.set_rules(wanted)
        links = [list(pair) for pair in touched]
        self._tell(wish, {"released": count}, count > 0, links=links)

    def reached(self, wish: Wish) -> None:
        """Write down that the state came for which the step waited."""
        self._ask(wish)
        self._tell(wish, {}, bit=True)

    async def reset(self, wish: Wish, pairs: Collection[Pair]) -> None:
        """Break the connections that carry these links."""
        self._ask(wish)
        assert isinstance(self._cluster, ResetCluster)
        count = await self._cluster.reset_links(pairs)
        links = [list(pair) for pair in sorted(pairs)]
        self._tell(wish, {"connections": count}, count > 0, links=links)

    async def flip(self, wish: Wish, of: str | None) -> None:
        """Turn one bit of what each of these members stores, perhaps in the folder `of`."""
        self._ask(wish)
        cluster = self._cluster
        assert isinstance(cluster, DiskCluster)
        flipped = {alias: await cluster.flip(alias, of) for alias in wish.nodes}
        places = {alias: None if at is None else list(at) for alias, at in flipped.items()}
        self._tell(wish, {"flipped": places}, None not in places.values())

    async def cut_tail(self, wish: Wish, of: str | None, size: int | None) -> None:
        """Cut the end off one file of each of these members, perhaps in the folder `of`."""
        self._ask(wish)
        cluster = self._cluster
        assert isinstance(cluster, FileCluster)
        cut = {alias: await cluster.cut_tail(alias, of, size) for alias in wish.nodes}
        seen = {
            alias: None if one is None else msgspec.to_builtins(one) for alias, one in cut.items()
        }
        bit = all(one is not None and one.left < one.was for one in cut.values())
        self._tell(wish, {"cut": seen}, bit)

    async def lose_task_data(self, wish: Wish) -> None:
        """Remove what each of these members keeps for slaves."""
        self._ask(wish)
        cluster = self._cluster
        assert isinstance(cluster, FileCluster)
        counts = {alias: await cluster.lose_task_data(alias) for alias in wish.nodes}
        self._tell(wish, {"files": counts}, any(counts.values()))

    def missed(self, wish: Wish, why: str) -> None:
        """Write down that it was not done."""
        self._ask(wish)
        self._tell(wish, {}, bit=False, error=why)

    def _ask(self, wish: Wish) -> None:
        self._recorder.add(NEMESIS, OpType.INVOKE, wish.f, value=wish.asked)

    def _tell(
        self, wish: Wish, observed: Any, bit: bool, *, error: str | None = None, **more: Any
    ) -> None:
        value: dict[str, Any] = {"asked": wish.asked, "nodes": list(wish.nodes)}
        if wish.fired is not None:
            value["fired"] = wish.fired
        value |= {"observed": observed, **more, "bit": bit}
        self._recorder.add(NEMESIS, OpType.INFO, wish.f, value=value, error=error)

    async def _answers(self, nodes: Sequence[str]) -> list[bool]:
        """Whether each of these members greets a client."""
        opened = await asyncio.gather(*(self._cluster.open(a, _ANSWER_S) for a in nodes))
        for connection in opened:
            if connection is not None:
                connection.close()
        return [connection is not None for connection in opened]
