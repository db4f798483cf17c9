"""Crashes and power cuts of a chunk store at every effect: what was voted and decided is kept.

Beside the node stands who decides, and never forgets: transactions are committed only once the node
has voted. After each crash it tells what was decided of all that is in doubt, and then the chunks
must be what the committed transactions make of them: no more, no less.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from delphic.harness.crash import CrashPoint
from delphic.harness.simulate.world import World
from delphic.impl.client.errors import RequestError
from delphic.impl.cluster.changes import Blocks, Delete, Update, Upsert, Work, apply
from delphic.impl.cluster.checkpoint import CheckpointPolicy
from delphic.impl.cluster.chunk_store import ChunkStore
from delphic.impl.cluster.operations import Condition
from delphic.impl.runtime import Runtime
from node_of_chunks import FOLDER, LATEST, SCHEMA, append, body_of, change

CHUNKS = 4
STEPS = 16
MOMENTS_MAX = 10_000
POLICY = CheckpointPolicy(log_bytes=3000, interval_s=60.0)


@dataclass(slots=True)
class Decider:
    """What the log of the controllers knows."""

    chance: Random
    works: dict[int, list[Work]] = field(default_factory=dict)
    voted: set[int] = field(default_factory=set)
    committed: dict[int, int] = field(default_factory=dict)
    """cid by tid."""
    aborted: set[int] = field(default_factory=set)
    dropped: set[int] = field(default_factory=set)
    recoveries: int = 0
    resolved: int = 0

    def begin(self) -> tuple[int, list[Work]]:
        """A new transaction on some chunks."""
        tid = len(self.works) + 1
        there = [chunk for chunk in range(1, CHUNKS + 1) if chunk not in self.dropped]
        chosen = sorted(self.chance.sample(there, self.chance.randint(1, min(2, len(there)))))
        self.works[tid] = [self.work(chunk, tid) for chunk in chosen]
        return tid, self.works[tid]

    def work(self, chunk: int, tid: int) -> Work:
        few = [self.chance.randrange(20) for _ in range(self.chance.randint(1, 4))]
        some = (Condition("id", "<", self.chance.randrange(20)),)
        rows = append(chunk, *few)
        return self.chance.choice(
            [
                rows,
                rows,
                rows,
                change(chunk, Upsert(body_of(*few), ("id",))),
                change(chunk, Update((("n", tid),), some)),
                change(chunk, Delete(some)),
            ]
        )

    def decide(self, tid: int) -> int | None:
        """The cid, or None for an abort: the same for ever."""
        if tid not in self.committed and tid not in self.aborted:
            touched = {work.chunk for work in self.works[tid]}
            may = tid in self.voted and not touched & self.dropped
            if may and self.chance.random() < 0.8:
                self.committed[tid] = max(self.committed.values(), default=0) + 2
            else:
                self.aborted.add(tid)
        return self.committed.get(tid)

    def expected(self) -> dict[int, list[Any]]:
        """The rows of each chunk."""
        blocks: dict[int, Blocks] = {chunk: () for chunk in range(1, CHUNKS + 1)}
        for tid in sorted(self.committed, key=lambda tid: self.committed[tid]):
            for work in self.works[tid]:
                blocks[work.chunk] = apply(work.change, SCHEMA, blocks[work.chunk]).blocks
        return {c: [] if c in self.dropped else rows(found) for c, found in blocks.items()}


def rows(blocks: Blocks) -> list[Any]:
    return [row for block in blocks for row in pa.Table.from_batches([block]).to_pylist()]


async def told(call: Callable[[Callable[[Any], None]], None]) -> Any:
    """What a call of the store is answered."""
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    call(future.set_result)
    return await future


async def live(runtime: Runtime, decider: Decider, steps: int) -> None:
    """Recover, be told what was decided, compare; then take part in some more transactions."""

    def failed(reason: str) -> None:
        raise AssertionError(reason)

    store = ChunkStore(runtime.disk, FOLDER, runtime.clock, runtime.worker, failed, POLICY)
    store.open()
    doubts = [one.tid for one in store.in_doubt()]
    undecided = decider.voted - decider.committed.keys() - decider.aborted
    assert undecided <= set(doubts), "a vote was forgotten"
    for chunk in sorted(decider.dropped):
        await told(lambda answer, chunk=chunk: store.drop([chunk], answer))
    for tid in doubts:
        await finish(store, decider, tid)
        decider.resolved += 1
    seen = {c: store.seen(c, LATEST, ()) for c in range(1, CHUNKS + 1)}
    found = {c: [] if one is None else rows(one.blocks) for c, one in seen.items()}
    assert found == decider.expected()
    decider.recoveries += 1
    waiting: list[asyncio.Task[None]] = []
    for _ in range(steps):
        waiting.append(asyncio.create_task(take_part(store, decider)))
        if decider.chance.random() < 0.5:
            await asyncio.gather(*waiting)
            waiting.clear()
        if decider.chance.random() < 0.05 and len(decider.dropped) < 2:
            await asyncio.gather(*waiting)
            chunk = decider.chance.randint(1, CHUNKS)
            decider.dropped.add(chunk)
            await told(lambda answer, chunk=chunk: store.drop([chunk], answer))
    await asyncio.gather(*waiting)


async def take_part(store: ChunkStore, decider: Decider) -> None:
    tid, works = decider.begin()
    vote = await told(lambda answer: store.prepare(tid, "n1", works, answer))
    if isinstance(vote, RequestError):
        assert vote.definite
        decider.aborted.add(tid)
        return
    decider.voted.add(tid)
    if decider.chance.random() < 0.3:
        await asyncio.sleep(decider.chance.uniform(0, 0.01))
    await finish(store, decider, tid)


async def finish(store: ChunkStore, decider: Decider, tid: int) -> None:
    cid = decider.decide(tid)
    if cid is None:
        await told(lambda answer: store.abort(tid, answer))
    else:
        await told(lambda answer: store.commit(tid, cid, answer))


def lives(seed: str, crash: CrashPoint | None, steps: int = STEPS) -> tuple[Decider, int]:
    """A life that perhaps crashes there, and two more; gives the effects of the first one."""
    world = World(seed, ["n1"])
    decider = Decider(Random(seed))

    async def until_over() -> None:
        for _ in range(MOMENTS_MAX):
            if not world.hosts["n1"].is_up:
                return
            await asyncio.sleep(0.01)
        raise AssertionError("it neither ended nor crashed")

    for number, count in enumerate((steps, 3, 0)):
        world.boot(
            "n1", lambda runtime, n=count: live(runtime, decider, n), crash if not number else None
        )
        world.loop.run_until_complete(until_over())
        ends = [how for _, how in world.deaths if "exit code 0" not in how]
        assert not ends, (seed, crash, ends)
        if crash is None and number == 0:
            world.cut_power(["n1"])
    first = world.hosts["n1"].first_effects()
    world.end()
    return decider, first


def test_without_a_crash_all_that_was_decided_is_there_after_a_power_cut() -> None:
    decider, effects = lives("calm", None)
    assert decider.recoveries == 3
    assert len(decider.committed) > STEPS / 2
    assert effects > 60


@pytest.mark.slow
@pytest.mark.parametrize("power", [False, True])
def test_a_crash_at_any_effect_loses_no_vote_and_no_decision(power: bool) -> None:
    _, effects = lives("crash", None)
    resolved = 0
    for effect in range(1, effects + 1):
        for after in (False, True) if not power else (True,):
            decider, _ = lives("crash", CrashPoint("n1", effect, after, power))
            assert decider.recoveries >= 2
            resolved += decider.resolved
    assert resolved > 20, "nothing was ever in doubt"


@pytest.mark.slow
def test_power_cuts_in_many_other_lives_lose_nothing_either() -> None:
    resolved = 0
    for seed in range(60):
        at = Random(f"where {seed}").randint(1, 120)
        decider, _ = lives(f"many {seed}", CrashPoint("n1", at, bool(seed % 2), power=True))
        resolved += decider.resolved
    assert resolved > 10
