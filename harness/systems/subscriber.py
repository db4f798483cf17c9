"""One subscriber program for the workload `subscribe`: it handles rows, fails, crashes, comes back.

Each operation answers with what befell the subscription since the last one, in order: `live`
(start, member, term), `handled` (offset, row ids, member, term), `failed` (offset, rows),
`recorded` (offset), `lost`, `ended` (why). The handler takes its time and fails now and then. What
the program stores is in memory here and outlives its crashes, but not a store that is under way.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from ...impl.client.cursor import STORED
from ...impl.client.errors import RequestError
from ...impl.client.offsets import Offsets
from ...impl.client.session import Session
from ...impl.client.subscribing import Note, Options
from ...impl.client.subscription import Subscription
from ...impl.raft.disk import File
from ...impl.runtime import ClientRuntime, pause
from ...impl.runtime_asyncio import loop_client_runtime
from ..op import OpType
from ..system import Answer, Site, Status
from .rows import answer_to, devices

HANDLER_S, STORE_S = 0.004, 0.006
"""How long they take at most."""

WAIT_S = 0.1
"""How long an operation waits for something to happen."""

FOLDER = "/offsets"


class HandlerError(Exception):
    """What the handler raises by chance."""


class MemoryFile:
    """A `File` of which every append counts as synced: stores are made in one piece, or not."""

    def __init__(self, files: dict[str, bytes], path: str) -> None:
        self._files = files
        self._path = path
        files.setdefault(path, b"")

    def size(self) -> int:
        return len(self._files[self._path])

    def read(self, at: int, size: int) -> bytes:
        return self._files[self._path][at : at + size]

    def append(self, *pieces: bytes | memoryview) -> None:
        self._files[self._path] += b"".join(pieces)

    def rewrite(self, at: int, data: bytes | memoryview) -> None:
        assert self.read(at, len(data)) == data

    def truncate(self, size: int) -> None:
        self._files[self._path] = self._files[self._path][:size]

    def sync(self) -> None:
        """Nothing is left to do."""

    def close(self) -> None:
        """Nothing to give back."""


class MemoryDisk:
    """A `Disk` that only the program's crashes leave as it is."""

    def __init__(self) -> None:
        self._files: dict[str, bytes] = {}

    def open(self, path: str) -> File:
        return MemoryFile(self._files, path)

    def read(self, path: str) -> bytes | None:
        return self._files.get(path)

    def names(self, folder: str) -> list[str]:
        prefix = f"{folder}/"
        return sorted(p.removeprefix(prefix) for p in self._files if p.startswith(prefix))

    def make_folder(self, folder: str) -> None:
        """Folders are where their files are."""

    def rename(self, old: str, new: str) -> None:
        self._files[new] = self._files.pop(old)

    def remove(self, path: str) -> None:
        del self._files[path]

    def remove_folder(self, folder: str) -> None:
        """Folders are where their files are."""

    def sync_folder(self, folder: str) -> None:
        """Nothing is left to do."""


class SlowWorker:
    """A `Worker` of one life: jobs take time, and those under way die with the program."""

    def __init__(self, runtime: ClientRuntime) -> None:
        self._runtime = runtime
        self._is_dead = False

    def submit(self, job: Callable[[], None], done: Callable[[OSError | None], None]) -> None:
        def work() -> None:
            if not self._is_dead:
                job()
                self._runtime.clock.call_soon(told)

        def told() -> None:
            if not self._is_dead:
                done(None)

        self._runtime.clock.call_later(self._runtime.randomness.uniform(0, STORE_S), work)

    def kill(self) -> None:
        self._is_dead = True

    async def close(self) -> None:
        self.kill()


class SubscriberConnection:
    """One program, life after life; a `Connection` that goes where the leader is by itself."""

    def __init__(
        self,
        sites: Sequence[Site],
        name: str,
        bugs: frozenset[str],
        runtime: ClientRuntime | None,
    ) -> None:
        self._sites = [f"{site.host}:{site.port}" for site in sites]
        self._name = name
        self._bugs = bugs
        self._runtime = loop_client_runtime() if runtime is None else runtime
        self._disk = MemoryDisk()
        self._worker = SlowWorker(self._runtime)
        self._subscription: Subscription | None = None
        self._task: asyncio.Task[None] | None = None
        self._asked: Mapping[str, Any] = {}
        self._events: list[list[Any]] = []
        self._news: asyncio.Future[None] | None = None
        self._seen: list[int] = []
        self._next = 0

    @property
    def is_open(self) -> bool:
        return True

    async def status(self, key: Any, timeout_s: float) -> Status | None:
        """A subscriber is no member."""
        return None

    async def perform(self, f: str, key: Any, value: Any, timeout_s: float) -> Answer:
        clock = self._runtime.clock
        deadline_ns = clock.now_ns() + int(timeout_s * 1e9)
        _require_sound(self._task)
        match f:
            case "subscribe":
                failed = await self._subscribe(key, value, timeout_s)
                if failed is not None:
                    return failed
            case "receive":
                await self._until(lambda: bool(self._events), timeout_s=min(timeout_s, WAIT_S))
            case "disconnect":
                if self._subscription is not None:
                    self._subscription.disconnect()
            case "crash":
                await self._crash()
            case "drain":
                await self._drain(key, deadline_ns)
            case _:
                raise AssertionError(f"a subscriber has no operation {f!r}")
        events, self._events = self._events, []
        return Answer(OpType.OK, events)

    def close(self) -> None:
        self._worker.kill()
        if self._task is not None:
            self._task.cancel()

    async def _subscribe(
        self, key: str, asked: Mapping[str, Any], timeout_s: float
    ) -> Answer | None:
        """None, or the answer if it did not begin in time; then it is given up."""
        await self._crash()
        known = len(self._events)
        self._worker = SlowWorker(self._runtime)
        places = asked.get("places")
        options = Options(
            action=self._name,
            offset=asked["offset"],
            msg_as_table=True,
            batch_size=asked.get("batch_size", 0),
            throttle_s=WAIT_S,
            reconnect=True,
            persist_offset=asked["persist"],
            handler_need_msg_id=True,
            filter=None if places is None else devices(places),
        )
        try:
            found = Subscription(
                self._sites,
                key,
                self._handle,
                options,
                offsets=Offsets(self._disk, self._worker, FOLDER),
                runtime=self._runtime,
                told=self._told,
                bugs=self._bugs,
            )
        except RequestError as error:
            return answer_to(error)
        self._asked = asked
        self._subscription = found
        self._task = asyncio.get_running_loop().create_task(self._run(found))
        if await self._until(lambda: found.is_live or self._subscription is None, timeout_s):
            return None
        await self._crash()
        del self._events[known:]
        return Answer(OpType.FAIL, error="Timeout: the subscription did not begin")

    async def _run(self, subscription: Subscription) -> None:
        try:
            await subscription.run()
        except (RequestError, OSError) as error:
            self._subscription = None
            self._add(["ended", str(error)])

    async def _crash(self) -> None:
        """The program ends wherever it is."""
        self._worker.kill()
        self._subscription = None
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
            _require_sound(task)

    async def _handle(self, table: pa.Table, last: int) -> None:
        runtime = self._runtime
        await pause(runtime.clock, runtime.randomness.uniform(0, HANDLER_S))
        if runtime.randomness.uniform(0, 1) < self._asked.get("failing", 0):
            raise HandlerError
        self._seen = table.column(0).to_pylist()
        self._next = max(self._next, last + 1)

    def _told(self, note: Note) -> None:
        match note.what:
            case "live":
                self._add(["live", note.offset, note.leader, note.term])
            case "handled":
                count = () if self._asked.get("places") is None else (note.count,)
                self._add(["handled", note.offset, self._seen, note.leader, note.term, *count])
                # Where the filter leaves nothing, the handler is not called.
                self._seen = []
                self._next = max(self._next, note.offset + note.count)
            case "failed":
                self._add(["failed", note.offset, note.count])
            case "recorded":
                self._add(["recorded", note.offset])
            case what:
                self._add([what])

    async def _drain(self, key: str, deadline_ns: int) -> None:
        """Handle all that the table holds by now, if there is time."""
        clock = self._runtime.clock

        def left_s() -> float:
            return (deadline_ns - clock.now_ns()) / 1e9

        if self._subscription is None and self._asked.get("persist"):
            await self._resume(key, left_s)
        session = Session(self._sites, runtime=self._runtime)
        try:
            args = (key, 0, 0)
            answer = await session.call("readRows", args, timeout_s=max(left_s(), 0.1))
        except RequestError:
            return
        finally:
            session.close()
        await self._until(lambda: self._next >= answer["end"], left_s())

    async def _resume(self, key: str, left_s: Callable[[], float]) -> None:
        """Go on from what is stored: a leader refuses that while it keeps the life before."""
        asked = {**self._asked, "offset": STORED}
        while self._subscription is None and left_s() > 0:
            if await self._subscribe(key, asked, left_s()) is not None:
                return
            if self._subscription is None:
                await pause(self._runtime.clock, min(WAIT_S, max(left_s(), 0)))

    def _add(self, event: list[Any]) -> None:
        self._events.append(event)
        self._wake()

    def _wake(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    async def _until(self, true: Callable[[], bool], timeout_s: float) -> bool:
        """Wait for what comes with an event."""
        clock = self._runtime.clock
        deadline_ns = clock.now_ns() + int(timeout_s * 1e9)
        while not true():
            if clock.now_ns() >= deadline_ns:
                return False
            self._news = asyncio.get_running_loop().create_future()
            alarm = clock.call_later((deadline_ns - clock.now_ns()) / 1e9, self._wake)
            try:
                await self._news
            finally:
                alarm.cancel()
        return True


def _require_sound(task: asyncio.Task[None] | None) -> None:
    """Raise what a program ended with that no program may end with: a bug, and nobody's answer."""
    if task is not None and task.done() and not task.cancelled():
        task.result()
