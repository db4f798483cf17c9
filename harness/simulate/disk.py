"""A simulated disk."""

import errno
import posixpath
import random
from collections.abc import Callable
from pathlib import Path

from ..targets.faults import DiskState
from .process import Process


class _File:
    def __init__(self) -> None:
        self.now = bytearray()
        self.durable = b""


class SimDisk:
    def __init__(self) -> None:
        self.files: dict[str, _File] = {}
        self.folders: set[str] = {"/"}
        self.state = DiskState()
        self.deferred: list[Callable[[], None]] | None = None

    def set(self, state: DiskState) -> None:
        self.state = state

    def handle(self, process: Process) -> "DiskHandle":
        return DiskHandle(self, process)

    def write_file(self, path: str, data: bytes) -> None:
        file = self.files[path] = _File()
        file.now = bytearray(data)
        file.durable = data

    def power_cut(self, chance: random.Random) -> None:
        for path in sorted(self.files):
            file = self.files[path]
            base = file.durable
            if bytes(file.now[: len(base)]) == base and len(file.now) > len(base):
                keep = chance.randint(len(base), len(file.now))
                file.now = file.now[:keep]
            elif bytes(file.now) != base and chance.random() < 0.5:
                file.now = bytearray(base)
            file.durable = bytes(file.now)

    def flip(self, chance: random.Random, folder: str) -> tuple[str, int] | None:
        names = sorted(p for p, f in self.files.items() if p.startswith(folder) and f.now)
        if not names:
            return None
        path = chance.choice(names)
        at = chance.randrange(len(self.files[path].now))
        self.files[path].now[at] ^= 1 << chance.randrange(8)
        return path, at

    def export(self, folder: str, to: Path) -> None:
        for path, file in self.files.items():
            if path.startswith(folder + "/"):
                target = to / posixpath.relpath(path, folder)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(file.now)

    def tree(self) -> dict[str, bytes]:
        return {path: bytes(file.now) for path, file in self.files.items()}


class FileHandle:
    def __init__(self, disk: SimDisk, process: Process, path: str) -> None:
        self.disk, self.process, self.path = disk, process, path
        self.file = disk.files[path]

    def size(self) -> int:
        return len(self.file.now)

    def read(self, at: int, size: int) -> bytes:
        return bytes(self.file.now[at : at + size])

    def append(self, data: bytes | memoryview) -> None:
        if self.disk.state.full:
            raise OSError(errno.ENOSPC, "no space left on device")
        self.process.effect("append", self.path, lambda: self.file.now.extend(data))

    def truncate(self, size: int) -> None:
        self.process.effect(
            "truncate", self.path, lambda: self.file.now.__delitem__(slice(size, None))
        )

    def sync(self) -> None:
        if self.disk.state.fail_sync:
            raise OSError(errno.EIO, "input/output error")
        self.process.effect("sync", self.path, self._sync)

    def _sync(self) -> None:
        image = bytes(self.file.now)

        def done() -> None:
            self.file.durable = image

        if self.disk.deferred is not None:
            self.disk.deferred.append(done)
        else:
            done()

    def close(self) -> None:
        return


class DiskHandle:
    def __init__(self, disk: SimDisk, process: Process) -> None:
        self.disk, self.process = disk, process

    def open(self, path: str) -> FileHandle:
        if path not in self.disk.files:
            self.process.effect("open", path, lambda: self.disk.files.setdefault(path, _File()))
        return FileHandle(self.disk, self.process, path)

    def read(self, path: str) -> bytes | None:
        file = self.disk.files.get(path)
        return None if file is None else bytes(file.now)

    def names(self, folder: str) -> list[str]:
        found = {
            p[len(folder) + 1 :].split("/")[0]
            for p in self.disk.files
            if p.startswith(folder + "/")
        }
        found |= {
            p[len(folder) + 1 :].split("/")[0]
            for p in self.disk.folders
            if p.startswith(folder + "/")
        }
        return sorted(found)

    def make_folder(self, folder: str) -> None:
        self.process.effect("make_folder", folder, lambda: self.disk.folders.add(folder))

    def rename(self, old: str, new: str) -> None:
        def do() -> None:
            self.disk.files[new] = self.disk.files.pop(old)

        self.process.effect("rename", new, do)

    def remove(self, path: str) -> None:
        self.process.effect("remove", path, lambda: self.disk.files.pop(path))

    def sync_folder(self, folder: str) -> None:
        self.process.effect("sync_folder", folder, lambda: None)


class SimWorker:
    def __init__(self, process: Process, disk: SimDisk) -> None:
        self.process, self.disk = process, disk
        self.busy_until = 0

    def submit(self, job: Callable[[], None], done: Callable[[OSError | None], None]) -> None:
        loop = self.process.loop
        self.busy_until = max(self.busy_until, loop.now_ns)
        begin = self.busy_until - loop.now_ns
        took = int(self.process.chance.uniform(0.2e6, 1.5e6) * self.disk.state.slow)
        self.busy_until += took

        def start() -> None:
            error: OSError | None = None
            pending: list[Callable[[], None]] = []
            self.disk.deferred = pending
            try:
                job()
            except OSError as failed:
                error = failed
            finally:
                self.disk.deferred = None

            def finish() -> None:
                for one in pending:
                    one()
                done(error)

            self.process.call_after(took, finish)

        self.process.call_after(begin, start)

    async def close(self) -> None:
        return
