"""Members in a simulated world: virtual time, and every decision from a seed."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from ..conduct.triggers import MemberState, Snapshot
from ..crash import CrashPoint
from ..errors import WorldError
from ..rundir import RunDir
from ..simulate.rules import RuleBook
from ..simulate.world import World
from ..system import Connection, Member, Setup, Site, System
from .crashes import CRASHED, CrashLoops
from .faults import TRUE, ClockState, Crashes, CrashState, CutFile, DiskState, Messages
from .links import Links, Pair, Probes, pairs
from .ready import answers
from .rules import Rules
from .target import Capability, ProcessState

PORT = 8848
HOME = Path("/node")
"""Where a member lives on its own simulated disk."""

RESTART_NS = 300_000_000
"""How long a member that crashed at a crash point stays down."""

READY_S = 15.0


class SimCluster:
    """A group in a world of its own."""

    def __init__(
        self,
        setup: Setup,
        system: System,
        seed: int,
        crash: Sequence[CrashPoint] = (),
    ) -> None:
        """`crash`: where members are to crash in their first life."""
        self.world = World(str(seed), setup.members)
        self._rules = RuleBook(self.world.net)
        self._setup = setup
        self._system = system
        self._runtime = self.world.client_runtime()
        self._sites = {
            alias: Site(alias, f"10.0.0.{number}", PORT)
            for number, alias in enumerate(setup.members, start=1)
        }
        self._crash = {point.node: point for point in crash}
        self.world.crashed = self._crashed
        self._to_restart: set[str] = set()
        self._members: dict[str, Member] = {}
        self._clocks: dict[str, ClockState] = {}
        self._seen: dict[str, MemberState] = {}
        self._loops = CrashLoops(self._kill, self._start)

    @property
    def members(self) -> tuple[str, ...]:
        return self._setup.members

    async def up(self) -> None:
        for alias in self.members:
            disk = self.world.hosts[alias].disk
            for name, text in self._system.files(self._setup, alias, self._sites, HOME).items():
                disk.write_file(str(HOME / name), text.encode())
            self._boot(alias)
        ready = await asyncio.gather(*(self._answers(alias) for alias in self.members))
        for alias, is_ready in zip(self.members, ready, strict=True):
            if not is_ready:
                raise WorldError(
                    f"does not answer after its start: {self._last(alias)}", node=alias
                )

    async def down(self) -> None:
        await self._loops.close()
        self.world.end()
        self.world.loop.main.complain()
        # The dead are unwound before anything else runs.
        await asyncio.sleep(0)
        if self.world.loop.complaints:
            raise AssertionError("; ".join(self.world.loop.complaints))

    def export(self, run: RunDir) -> None:
        """Leave in a run directory what members wrote, and their logs."""
        for alias in self.members:
            host = self.world.hosts[alias]
            host.disk.export(str(HOME), run.node(alias))
            if host.trace:
                run.node_trace(alias).write_bytes(host.trace)
            log = "".join(f"{line}\n" for line in host.log)
            run.node_log(alias).write_text(log, encoding="utf-8")

    def inspect(self) -> dict[str, dict[str, Any] | None]:
        """What each member has in memory; None for one that is not up."""
        return {
            alias: self._members[alias].inspect()
            if alias in self._members and self.world.hosts[alias].is_up
            else None
            for alias in self.members
        }

    def effects(self) -> dict[str, int]:
        """How many effects the first process of each member had so far."""
        return {alias: self.world.hosts[alias].first_effects() for alias in self.members}

    def trace(self, alias: str) -> bytes:
        """All that a member has traced, as the world heard it: no crash takes any of it."""
        return bytes(self.world.hosts[alias].trace)

    async def set_links(self, links: Links) -> None:
        self.world.net.set_links(links)

    async def probe(self, links: Links) -> Probes:
        wanted = pairs(self.members)
        seconds = await asyncio.gather(*(self.world.net.probe(a, b) for a, b in wanted))
        return dict(zip(wanted, seconds, strict=True))

    async def cut_power(
        self, aliases: Sequence[str], *, keeps_nothing: bool = False
    ) -> Mapping[str, int]:
        for alias in aliases:
            await self._loops.end(alias)
        self.world.cut_power(aliases, keeps_nothing=keeps_nothing)
        return {}

    async def set_messages(self, messages: Messages) -> None:
        self.world.net.set_messages(messages)

    def messages(self) -> Messages:
        return self.world.net.messages()

    async def set_rules(self, rules: Rules) -> int:
        return self._rules.set(rules)

    def rules(self) -> Rules:
        return self._rules.rules

    async def reset_links(self, pairs: Collection[Pair]) -> int:
        return self.world.net.reset(pairs)

    async def set_disk(self, alias: str, state: DiskState) -> None:
        if self.disk_state(alias).read_only and not state.read_only:
            # A file system is only made writable again by mounting it anew, without its users.
            await self.cut_power([alias])
        self.world.hosts[alias].disk.set(state)

    def disk_state(self, alias: str) -> DiskState:
        return self.world.hosts[alias].disk.state

    async def flip(self, alias: str, of: str | None) -> tuple[str, int] | None:
        chance = self.world.loop.main.chance
        return self.world.hosts[alias].disk.flip(chance, self._folders(of))

    async def cut_tail(self, alias: str, of: str | None, size: int | None) -> CutFile | None:
        chance = self.world.loop.main.chance
        return self.world.hosts[alias].disk.cut_tail(chance, self._folders(of), size)

    async def lose_task_data(self, alias: str) -> int:
        disk = self.world.hosts[alias].disk
        folders = self._system.task_data(HOME)
        return sum(disk.clear(str(folder)) for folder in folders)

    async def set_writable(self, alias: str, writable: bool, of: str | None = None) -> None:
        self.world.hosts[alias].disk.lock([] if writable else self._folders(of))

    async def is_writable(self, alias: str, of: str | None = None) -> bool:
        disk = self.world.hosts[alias].disk
        there = disk.below(str(HOME))
        folders = [each for each in self._folders(of) if Path(each).name in there]
        return not folders or not all(map(disk.is_locked, folders))

    def _folders(self, of: str | None) -> list[str]:
        return [str(folder) for folder in self._system.bulk(HOME) if of in (None, folder.name)]

    async def set_clock(self, alias: str, state: ClockState) -> None:
        self._clocks[alias] = state
        self.world.hosts[alias].clock.set(_ns(state.offset_s), state.drift)

    def clock_state(self, alias: str) -> ClockState:
        asked, clock = self._clocks.get(alias, TRUE), self.world.hosts[alias].clock
        if (clock.offset_ns, clock.rate) == (_ns(asked.offset_s), asked.drift):
            return asked  # as it was asked for: seconds from nanoseconds would be rounded anew
        return ClockState(clock.offset_ns / 1e9, clock.rate)

    async def set_crashes(self, crashes: Crashes) -> None:
        for alias in await self._loops.set(crashes):
            await self._answers(alias)

    def crash_states(self) -> Mapping[str, CrashState]:
        return self._loops.states()

    async def set_process(self, alias: str, state: ProcessState) -> None:
        await self._loops.end(alias)
        before = self.process_state(alias)
        match state:
            case ProcessState.DEAD:
                self.world.kill(alias)
            case ProcessState.PAUSED:
                self.world.pause(alias)
            case ProcessState.RUNNING if before is ProcessState.PAUSED:
                self.world.resume(alias)
            case ProcessState.RUNNING if before is ProcessState.DEAD:
                self._boot(alias)
                await self._answers(alias)

    def process_state(self, alias: str) -> ProcessState:
        host = self.world.hosts[alias]
        if host.process is None or not host.is_up:
            return ProcessState.DEAD
        return ProcessState.PAUSED if host.process.is_paused else ProcessState.RUNNING

    def deaths(self) -> list[tuple[str, str]]:
        found = [*self.world.deaths, *self._loops.deaths()]
        self.world.deaths.clear()
        return found

    def states(self) -> Sequence[Snapshot]:
        """What members are at this moment; of those that are down, what they were last seen to be.

        Read from memory, where a trace would tell it up to 50 ms later.
        """
        for alias, member in self._members.items():
            if self.world.hosts[alias].is_up:
                self._seen[alias] = member.state() or self._seen.get(alias, MemberState())
            elif alias in self._seen:
                self._seen[alias] = msgspec.structs.replace(
                    self._seen[alias], alive=False, role="follower", leader=None
                )
        return [self._with_caught()]

    def _with_caught(self) -> Snapshot:
        caught = self._rules.caught()
        if not caught:
            return dict(self._seen)
        by_sender: dict[str, dict[str, int]] = {}
        for (name, sender), count in sorted(caught.items()):
            by_sender.setdefault(sender, {})[name] = count
        return {
            alias: msgspec.structs.replace(state, caught=by_sender.get(alias, {}))
            for alias, state in self._seen.items()
        }

    async def open(self, alias: str, timeout_s: float) -> Connection | None:
        return await self._system.open(self._sites[alias], timeout_s, self._runtime)

    def roam(self, name: str) -> Connection:
        return self._system.roam(self._setup, list(self._sites.values()), name, self._runtime)

    async def _kill(self, alias: str) -> str:
        if not self.world.hosts[alias].is_up:
            return ""
        self.world.kill(alias)
        return CRASHED

    async def _start(self, alias: str) -> None:
        self._boot(alias)

    def _boot(self, alias: str) -> None:
        self._members.pop(alias, None)
        started = partial(self._members.__setitem__, alias)
        program = partial(self._system.program, self._setup, alias, HOME, started)
        self.world.boot(alias, program, self._crash.pop(alias, None))

    def _crashed(self, aliases: Sequence[str], _: str) -> None:
        for alias in aliases:
            self._to_restart.add(alias)
            self.world.loop.main.call_after(RESTART_NS, self._restart, alias)

    def _restart(self, alias: str) -> None:
        """Start a crashed member, unless a step of the scenario did."""
        self._to_restart.discard(alias)
        if not self.world.hosts[alias].is_up:
            self._boot(alias)

    async def _answers(self, alias: str) -> bool:
        """Whether it comes up, or was ended for good."""

        def is_over() -> bool:
            return self.process_state(alias) is ProcessState.DEAD and alias not in self._to_restart

        return await answers(lambda timeout_s: self.open(alias, timeout_s), is_over, READY_S)

    def _last(self, alias: str) -> str:
        return next(iter(reversed(self.world.hosts[alias].log)), "it wrote nothing")


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)


class Sim:
    """The target `sim`."""

    name = "sim"
    reasons: Mapping[Capability, str] = {
        Capability.PACKETS: "its connections carry messages, which `messages` harms",
        Capability.CPU: "its members take no time to compute",
        Capability.MEMORY: "its members share the memory of one process",
    }
    capabilities = frozenset(Capability) - reasons.keys()
    inventory_digest: str | None = None


SIM = Sim()
