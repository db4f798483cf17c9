"""A chunk store on a simulated disk, whose clock and worker a test moves by hand."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
from delphic.harness.simulate.disk import SimDisk
from delphic.harness.simulate.loop import SimLoop
from delphic.harness.simulate.process import Process
from delphic.impl.cluster.changes import Append, Change, Work, encoded
from delphic.impl.cluster.checkpoint import CheckpointPolicy
from delphic.impl.cluster.chunk_store import ChunkStore
from delphic.impl.stream.schema import to_bytes
from hand_clock import HandClock

FOLDER = "/node/volume"
SCHEMA = pa.schema([("id", pa.int64()), ("n", pa.int64())])
SCHEMA_BYTES = to_bytes(SCHEMA)
LATEST = 1 << 60


class HandWorker:
    """Jobs wait until the test lets them run."""

    def __init__(self) -> None:
        self.jobs: list[tuple[Callable[[], None], Callable[[OSError | None], None]]] = []

    def submit(self, job: Callable[[], None], done: Callable[[OSError | None], None]) -> None:
        self.jobs.append((job, done))

    async def close(self) -> None:
        assert not self.jobs

    def work(self) -> None:
        """Run one job; what it raises as OSError is its result."""
        job, done = self.jobs.pop(0)
        error = None
        try:
            job()
        except OSError as raised:
            error = raised
        done(error)


def body_of(*ids: int) -> bytes:
    """Rows with these ids, as they travel."""
    return encoded(pa.record_batch([list(ids), [0] * len(ids)], schema=SCHEMA))


def append(chunk: int, *ids: int) -> Work:
    """A work that appends rows with these ids."""
    return Work(chunk, SCHEMA_BYTES, Append(body_of(*ids)))


def change(chunk: int, what: Change) -> Work:
    """A work that does something else."""
    return Work(chunk, SCHEMA_BYTES, what)


class Node:
    """A store, what callers were told, by the name of their call, and what failed."""

    def __init__(self, disk: SimDisk | None = None, policy: CheckpointPolicy | None = None) -> None:
        self.disk = disk or SimDisk()
        self.policy = policy or CheckpointPolicy()
        self.failures: list[str] = []
        self.told: dict[str, Any] = {}
        self.lives = 0
        self.start()

    def start(self) -> None:
        """A new process on what the disk holds."""
        self.lives += 1
        self.clock, self.worker = HandClock(), HandWorker()
        self.process = Process(SimLoop("1"), "n1", self.lives, "1")
        self.store = ChunkStore(
            self.disk.handle(self.process),
            FOLDER,
            self.clock,
            self.worker,
            self.failures.append,
            self.policy,
        )
        self.store.open()

    def restart(self) -> None:
        """Killed and started again: what the kernel had stays."""
        self.process.kill()
        self.start()

    def hear(self, name: str) -> Callable[[Any], None]:
        """Remember what a call is told; it must be told once."""

        def answer(value: Any) -> None:
            assert name not in self.told, f"{name} was answered twice"
            self.told[name] = value

        return answer

    def prepare(self, tid: int, *works: Work) -> None:
        """Ask; what is told is kept as "p" and the tid."""
        self.store.prepare(tid, "n1", works, self.hear(f"p{tid}"))

    def settle(self) -> None:
        """Let everything be done that needs no time."""
        self.clock.advance(0)
        while self.worker.jobs:
            self.worker.work()
            self.clock.advance(0)

    def write(self, tid: int, cid: int, *works: Work) -> None:
        """A whole transaction."""
        self.prepare(tid, *works)
        self.settle()
        assert isinstance(self.told[f"p{tid}"], list), self.told[f"p{tid}"]
        self.store.commit(tid, cid, self.hear(f"c{tid}"))
        self.settle()
        assert self.told[f"c{tid}"] is None

    def ids(self, chunk: int, cid: int = LATEST, excluded: tuple[int, ...] = ()) -> list[int]:
        """What a reader sees of the column id."""
        seen = self.store.seen(chunk, cid, excluded)
        blocks = () if seen is None else seen.blocks
        return [value for block in blocks for value in block["id"].to_pylist()]
