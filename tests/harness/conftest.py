"""A group that lives in memory, so that runs can be tried without processes."""

import asyncio
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from delphic.harness.conduct.triggers import MemberState, Snapshot
from delphic.harness.op import OpType
from delphic.harness.rundir import RunDir
from delphic.harness.running.leases import Lease
from delphic.harness.system import Answer, Connection, Setup, Status, System
from delphic.harness.targets.crashes import CRASHED
from delphic.harness.targets.faults import (
    SOUND,
    TRUE,
    ClockState,
    Crashes,
    CrashState,
    CutFile,
    DiskState,
    MemoryState,
    Messages,
    PacketFaults,
    PacketProbe,
    Packets,
    Shares,
    Spares,
)
from delphic.harness.targets.links import OPEN, Links, Pair, Probes, pairs, payload
from delphic.harness.targets.registry import REAL_TARGETS, TARGETS
from delphic.harness.targets.rules import Rules
from delphic.harness.targets.target import Capability, ProcessState

sys.path.insert(0, str(Path(__file__).parent))


class MemoryConnection:
    """Asks a MemoryCluster, whose answers are always right."""

    def __init__(self, cluster: "MemoryCluster", alias: str) -> None:
        self._cluster = cluster
        self._alias = alias
        self.is_open = True

    async def perform(self, f: str, key: Any, value: Any, timeout_s: float) -> Answer:
        await asyncio.sleep(0)
        cluster, alias = self._cluster, self._alias
        cluster.asked.append((alias, f))
        if cluster.processes[alias] is ProcessState.DEAD:
            self.is_open = False
            return Answer(OpType.INFO, error="Disconnected")
        if cluster.processes[alias] is ProcessState.PAUSED or cluster.is_cut_off(alias):
            await asyncio.sleep(timeout_s)
            return Answer(OpType.INFO, error="Timeout")
        if cluster.leader != alias:
            return Answer(OpType.FAIL, error="NotLeader", leader=cluster.leader)
        if f == "create":
            return Answer(OpType.OK)
        if f == "append":
            cluster.rows.extend(value)
            return Answer(OpType.OK, len(cluster.rows) - len(value))
        start, limit = value
        return Answer(OpType.OK, cluster.rows[start:][:limit])

    async def status(self, key: Any, timeout_s: float) -> Status | None:
        cluster, alias = self._cluster, self._alias
        if cluster.processes[alias] is not ProcessState.RUNNING:
            self.is_open = cluster.processes[alias] is not ProcessState.DEAD
            await asyncio.sleep(0.01)
            return None
        role = "leader" if cluster.leader == alias else "follower"
        rows = len(cluster.rows)
        return Status(role, cluster.term, cluster.leader, rows, rows, f"{sum(cluster.rows):x}")

    def close(self) -> None:
        self.is_open = False


class MemoryCluster:
    """One log that all members share. It elects as soon as its leader is gone or cut off."""

    def __init__(self, setup: Setup, system: System, run: RunDir, lease: Lease) -> None:
        self.members = setup.members
        self.processes = dict.fromkeys(self.members, ProcessState.DEAD)
        self.links: Links = {}
        self.task_data = dict.fromkeys(self.members, 3)
        self.locked: set[str] = set()
        self.found_shares: Shares = {}
        self.found_spares: Spares = {}
        self.found_crashes: dict[str, CrashState] = {}
        self.rows: list[int] = []
        self.leader: str | None = None
        self.term = 0
        self.asked: list[tuple[str, str]] = []
        self.log: list[str] = []
        """What was done to it, in order."""
        self.deaf_to: set[str] = set()
        """Orders that it takes and does not carry out."""
        self.run = run
        self.found_packets: Packets = {}
        self.found_messages: Messages = {}
        self.found_rules: Rules = {}
        self.held: dict[str, int] = {}
        """How many messages the rule of a name holds."""
        self.disks: dict[str, DiskState] = {}
        self.clocks: dict[str, ClockState] = {}
        self.stored = dict.fromkeys(self.members, 64)
        """Bytes on each member's disk."""
        self.ended: list[tuple[str, str]] = []
        """Who ended by itself, and how."""
        self.uncommitted = 0
        """Entries that the leader's log holds and has not committed."""

    async def up(self) -> None:
        self.log.append("up")
        self.processes = dict.fromkeys(self.members, ProcessState.RUNNING)
        self._elect()

    async def down(self) -> None:
        self.log.append("down")
        self.processes = dict.fromkeys(self.members, ProcessState.DEAD)

    async def set_links(self, links: Links) -> None:
        self.log.append(f"links {len(links)}")
        if "links" not in self.deaf_to:
            self.links = dict(links)
            self._elect()

    async def probe(self, links: Links) -> Probes:
        states = {pair: self.links.get(pair, OPEN) for pair in pairs(self.members)}
        return {
            pair: None if state.cut else payload(state)[1] + 0.001 for pair, state in states.items()
        }

    async def set_process(self, alias: str, state: ProcessState) -> None:
        self.log.append(f"{alias} {state.value}")
        if "processes" not in self.deaf_to:
            self.processes[alias] = state
            self._elect()

    def process_state(self, alias: str) -> ProcessState:
        return self.processes[alias]

    async def cut_power(
        self, aliases: Sequence[str], *, keeps_nothing: bool = False
    ) -> dict[str, int]:
        self.log.append(f"power of {', '.join(aliases)}{' for good' if keeps_nothing else ''}")
        for alias in aliases:
            await self.set_process(alias, ProcessState.DEAD)
        return dict.fromkeys(aliases, 7)

    async def set_packets(self, packets: Packets) -> None:
        if "packets" not in self.deaf_to:
            self.found_packets = dict(packets)

    async def probe_packets(self, packets: Packets) -> dict[Pair, PacketProbe]:
        return {pair: self._fate(self.found_packets.get(pair)) for pair in pairs(self.members)}

    def _fate(self, faults: PacketFaults | None) -> PacketProbe:
        if faults is None:
            return PacketProbe(20, 20, 0, 0)
        return PacketProbe(20, 15 if faults.lose else 20, 0, 0, faults.jitter_s)

    async def set_shares(self, shares: Shares) -> None:
        if "shares" not in self.deaf_to:
            self.found_shares = dict(shares)

    async def shares(self) -> Shares:
        return self.found_shares

    async def set_spares(self, spares: Spares) -> None:
        if "spares" not in self.deaf_to:
            self.found_spares = dict(spares)
            for alias in sorted(spares):
                self.end(alias, "signal 9")

    async def memory(self) -> dict[str, MemoryState]:
        found = self.found_spares
        return {
            alias: MemoryState(100 + found[alias] if alias in found else None, 100, 1, 0)
            for alias in self.members
        }

    async def set_crashes(self, crashes: Crashes) -> None:
        if "crashes" not in self.deaf_to:
            ended = {a: CrashState(None, s.count + 2) for a, s in self.found_crashes.items()}
            begun = {alias: CrashState(every_s, 1) for alias, every_s in crashes.items()}
            self.found_crashes = ended | begun
            self.ended += [(alias, CRASHED) for alias in begun]

    def crash_states(self) -> dict[str, CrashState]:
        return self.found_crashes

    async def set_messages(self, messages: Messages) -> None:
        if "messages" not in self.deaf_to:
            self.found_messages = dict(messages)

    def messages(self) -> Messages:
        return self.found_messages

    async def set_rules(self, rules: Rules) -> int:
        if "rules" in self.deaf_to:
            return 0
        gone = [rule for pair, found in self.found_rules.items() for rule in found]
        still = [rule for found in rules.values() for rule in found]
        self.found_rules = dict(rules)
        return sum(self.held.pop(rule.name or "", 0) for rule in set(gone) - set(still))

    def rules(self) -> Rules:
        return self.found_rules

    async def reset_links(self, pairs: Collection[Pair]) -> int:
        self.log.append(f"reset {len(pairs)}")
        return 0 if "resets" in self.deaf_to else len(pairs)

    async def set_disk(self, alias: str, state: DiskState) -> None:
        if "disks" not in self.deaf_to:
            self.disks[alias] = state
            if state.full:
                self.end(alias, "no space left on device")

    def end(self, alias: str, how: str) -> None:
        """The member ends by itself."""
        self.processes[alias] = ProcessState.DEAD
        self.ended.append((alias, how))
        self._elect()

    def disk_state(self, alias: str) -> DiskState:
        return self.disks.get(alias, SOUND)

    async def flip(self, alias: str, of: str | None) -> tuple[str, int] | None:
        return ("log", self.stored[alias] // 2) if self.stored[alias] else None

    async def lose_task_data(self, alias: str) -> int:
        return self.task_data.pop(alias, 0)

    async def cut_tail(self, alias: str, of: str | None, size: int | None) -> CutFile | None:
        was = self.stored[alias]
        return CutFile(f"/{of or 'log'}/file", was, max(0, was - (size or 1))) if was else None

    async def set_writable(self, alias: str, writable: bool, of: str | None = None) -> None:
        if "permissions" not in self.deaf_to:
            (self.locked.discard if writable else self.locked.add)(alias)

    async def is_writable(self, alias: str, of: str | None = None) -> bool:
        return alias not in self.locked

    async def set_clock(self, alias: str, state: ClockState) -> None:
        if "clocks" not in self.deaf_to:
            self.clocks[alias] = state

    def clock_state(self, alias: str) -> ClockState:
        return self.clocks.get(alias, TRUE)

    def deaths(self) -> list[tuple[str, str]]:
        ended, self.ended = self.ended, []
        return ended

    def states(self) -> list[Snapshot]:
        return [{alias: self._state(alias) for alias in self.members}]

    def _state(self, alias: str) -> MemberState:
        leads = alias == self.leader
        count = len(self.rows)
        return MemberState(
            term=self.term,
            vote=self.leader,
            role="leader" if leads else "follower",
            leader=self.leader,
            commit=count,
            last=count + (self.uncommitted if leads else 0),
            last_term=self.term,
            alive=self.processes[alias] is not ProcessState.DEAD,
        )

    async def open(self, alias: str, timeout_s: float) -> Connection | None:
        await asyncio.sleep(0)
        if self.processes[alias] is ProcessState.PAUSED:
            await asyncio.sleep(max(0.0, timeout_s))
        if self.processes[alias] is not ProcessState.RUNNING:
            return None
        return MemoryConnection(self, alias)

    def roam(self, name: str) -> MemoryConnection:
        """It asks whoever leads now, and does not look for another."""
        return MemoryConnection(self, self.leader or self.members[0])

    def is_cut_off(self, alias: str) -> bool:
        heard = [
            peer
            for peer in self.members
            if peer != alias
            and not self.links.get((alias, peer), OPEN).cut
            and not self.links.get((peer, alias), OPEN).cut
        ]
        return len(heard) + 1 <= len(self.members) // 2

    def _fit(self, alias: str) -> bool:
        return self.processes[alias] is ProcessState.RUNNING and not self.is_cut_off(alias)

    def _elect(self) -> None:
        if self.leader is None or not self._fit(self.leader):
            self.leader = next((alias for alias in self.members if self._fit(alias)), None)
            self.term += self.leader is not None


class MemoryTarget:
    """Groups in memory; the last one made stays at hand."""

    name = "memory"
    kind = MemoryCluster
    capabilities = frozenset(Capability)
    reasons: Mapping[Capability, str] = {}
    inventory_digest: str | None = None

    def __init__(self) -> None:
        self.last: MemoryCluster | None = None

    def cluster(self, setup: Setup, system: System, run: RunDir, lease: Lease) -> MemoryCluster:
        self.last = MemoryCluster(setup, system, run, lease)
        return self.last


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> MemoryTarget:
    """The target `memory`, in the registry while the test runs."""
    target = MemoryTarget()
    monkeypatch.setitem(REAL_TARGETS, target.name, target)
    monkeypatch.setitem(TARGETS, target.name, target)
    return target


@pytest.fixture
def late_ends(memory: MemoryTarget, monkeypatch: pytest.MonkeyPatch) -> MemoryTarget:
    """The same target; a full disk ends its member only a moment after it is sound again."""

    async def set_disk(self: MemoryCluster, alias: str, state: DiskState) -> None:
        was, self.disks[alias] = self.disk_state(alias), state
        if was.full and not state.full:
            asyncio.get_running_loop().call_soon(end, self, alias)

    def end(self: MemoryCluster, alias: str) -> None:
        if self.processes[alias] is not ProcessState.DEAD:
            self.end(alias, "no space left on device")

    monkeypatch.setattr(MemoryCluster, "set_disk", set_disk)
    return memory


@pytest.fixture(autouse=True, scope="session")
def _own_state_directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Leases of tests are nobody else's business."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DELPHIC_STATE", str(tmp_path_factory.mktemp("state")))
        yield
