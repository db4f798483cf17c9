"""A simulated group under whatever hypothesis thinks of: also an example of the parts as a library.

The rules act on a live group and let virtual time pass between them. What was acknowledged is kept
in a list of ours, and every answer is held against it.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from delphic.harness.conduct.triggers import leader_of
from delphic.harness.op import OpType
from delphic.harness.system import Answer, Setup
from delphic.harness.systems import SYSTEMS
from delphic.harness.targets.links import HEALED, cut, isolate
from delphic.harness.targets.sim import SimCluster
from delphic.harness.targets.target import ProcessState
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

TABLE = "readings"
PATIENCE_S = 2.0
MEMBERS = ("n1", "n2", "n3")

LEADER = "the leader"

members = st.sampled_from((*MEMBERS, LEADER, LEADER, LEADER))


class SimulatedGroup(RuleBasedStateMachine):
    """Three members. Promises HS-2, HS-3 and HS-4, as one client at a time sees them."""

    bugs: tuple[str, ...] = ()

    def __init__(self) -> None:
        super().__init__()
        self.next_id = 0
        self.acknowledged: dict[int, int] = {}
        """Offset by row id."""

    @initialize(seed=st.integers(0, 2**32))
    def start(self, seed: int) -> None:
        self.cluster = SimCluster(self.setup(), SYSTEMS["hastream"], seed)
        self.watching = self.cluster.world.watched()
        self.watching.__enter__()
        self.run(self.cluster.up())
        assert self.insist("create", None).type is OpType.OK

    def setup(self) -> Setup:
        return Setup(MEMBERS, bugs=dict.fromkeys(MEMBERS, self.bugs) if self.bugs else {})

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.cluster.world.loop.run_until_complete(work)

    def meant(self, alias: str) -> str:
        """Who that is now."""
        if alias != LEADER:
            return alias
        return leader_of(self.cluster.states()[-1]) or MEMBERS[0]

    def ask(self, alias: str, f: str, value: Any) -> Answer:
        async def asking() -> Answer:
            connection = await self.cluster.open(alias, PATIENCE_S)
            if connection is None:
                return Answer(OpType.FAIL)
            answer = await connection.perform(f, TABLE, value, PATIENCE_S)
            connection.close()
            return answer

        answer = self.run(asking())
        assert isinstance(answer, Answer)
        return answer

    def insist(self, f: str, value: Any) -> Answer:
        """Ask one member after the other until one takes it."""
        for _ in range(30):
            for alias in MEMBERS:
                answer = self.ask(alias, f, value)
                if answer.type is not OpType.FAIL:
                    return answer
            self.run(asyncio.sleep(0.2))
        return answer

    @rule(alias=members, rows=st.integers(1, 3))
    def append(self, alias: str, rows: int) -> None:
        ids = list(range(self.next_id, self.next_id + rows))
        self.next_id += rows
        answer = self.ask(self.meant(alias), "append", ids)
        if answer.type is OpType.OK:
            self.acknowledged |= {row: answer.value + at for at, row in enumerate(ids)}

    @rule(alias=members)
    def read(self, alias: str) -> None:
        answer = self.ask(self.meant(alias), "read", [0, None])
        if answer.type is OpType.OK:
            self.compare(answer.value)

    def compare(self, rows: list[int]) -> None:
        assert len(set(rows)) == len(rows), "a row twice"
        for row, offset in self.acknowledged.items():
            assert rows[offset : offset + 1] == [row], f"row {row} is not at offset {offset}"

    @rule(alias=members)
    def cut_off(self, alias: str) -> None:
        self.run(self.cluster.set_links(cut(isolate([self.meant(alias)], MEMBERS))))

    @rule()
    def heal(self) -> None:
        self.run(self.cluster.set_links(HEALED))

    @rule(alias=members)
    def kill(self, alias: str) -> None:
        alias = self.meant(alias)
        if self.cluster.process_state(alias) is not ProcessState.DEAD:
            self.run(self.cluster.set_process(alias, ProcessState.DEAD))

    @rule(aliases=st.sets(members, min_size=1))
    def cut_power(self, aliases: set[str]) -> None:
        self.run(self.cluster.cut_power(sorted({self.meant(alias) for alias in aliases})))

    @rule(alias=st.sampled_from(MEMBERS))
    def restart(self, alias: str) -> None:
        self.run(self.cluster.set_process(alias, ProcessState.RUNNING))

    @rule(milliseconds=st.integers(1, 2_000))
    def wait(self, milliseconds: int) -> None:
        self.run(asyncio.sleep(milliseconds / 1000))

    def teardown(self) -> None:
        if not hasattr(self, "cluster"):
            return
        try:
            self.heal()
            for alias in MEMBERS:
                self.restart(alias)
            answer = self.insist("read", [0, None])
            assert answer.type is OpType.OK, "the group does not serve again"
            self.compare(answer.value)
        finally:
            self.run(self.cluster.down())
            self.watching.__exit__(None, None, None)


SETTINGS = settings(
    max_examples=60,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)

SimulatedGroup.TestCase.settings = SETTINGS
TestSimulatedGroup = pytest.mark.slow(SimulatedGroup.TestCase)


@pytest.mark.slow
def test_the_machine_finds_a_seeded_bug() -> None:
    """Without shrinking: that is hypothesis's own business, and takes its time."""

    class Buggy(SimulatedGroup):
        bugs = ("ack-before-quorum",)

    found = settings(SETTINGS, max_examples=300, phases=[Phase.generate])
    with pytest.raises(AssertionError, match=r"row|does not serve"):
        run_state_machine_as_test(Buggy, settings=found)
