"""A host that is this machine: the agent as a process, without SSH."""

import asyncio
import contextlib
import itertools
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from ctypes.util import find_library
from dataclasses import dataclass
from pathlib import Path

from delphic.harness.agent import proc
from delphic.harness.agent.proc import Identity
from delphic.harness.errors import WorldError
from delphic.harness.hosts.agent import Agent
from delphic.harness.hosts.connection import Ran

_ENDS_S = 20.0


@dataclass(frozen=True)
class NearEntry:
    """What an inventory would say."""

    directory: str
    name: str = "near"
    port: int = 22
    user: str = "root"
    is_sudo: bool = False
    python: str = sys.executable
    loop_devices: bool = True


class NearChannel:
    """A process's input and output."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def send(self, data: bytes) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(data)
            await self.process.stdin.drain()
        except OSError as error:
            raise WorldError("the command on the host does not listen any more") from error

    async def receive(self) -> bytes:
        assert self.process.stdout is not None
        return await self.process.stdout.read(1 << 16)

    async def ended(self, timeout_s: float) -> tuple[int, str]:
        assert self.process.stderr is not None
        try:
            said = await asyncio.wait_for(self.process.stderr.read(), timeout_s)
        except TimeoutError as error:
            raise WorldError("the command on the host goes on") from error
        return await self.process.wait(), said.decode()

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()


class NearHost:
    """Runs words as processes, all of them behind `prefix` (a namespace to enter)."""

    def __init__(
        self, folder: Path, *prefix: str, name: str = "near", loop_devices: bool = True
    ) -> None:
        self.entry = NearEntry(str(folder), name, loop_devices=loop_devices)
        self.prefix = prefix
        self.channels: list[NearChannel] = []

    async def __aenter__(self) -> "NearHost":
        return self

    async def __aexit__(self, *_: object) -> None:
        """Wait until everything that was started here has ended."""
        for channel in self.channels:
            channel.close()
            await channel.process.wait()
            if channel.process.stderr is not None:
                await channel.process.stderr.read()

    async def put(self, local: Path | bytes, remote: str) -> bool:
        return _put(local if isinstance(local, bytes) else local.read_bytes(), Path(remote))  # noqa: ASYNC240

    async def channel(self, *words: str, sudo: bool) -> NearChannel:
        assert not sudo
        process = await asyncio.create_subprocess_exec(
            *self.prefix,
            *words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        self.channels.append(NearChannel(process))
        return self.channels[-1]

    async def run(self, *words: str, sudo: bool, timeout_s: float, again: bool) -> Ran:
        channel = await self.channel(*words, sudo=sudo)
        out, err = await asyncio.wait_for(channel.process.communicate(), timeout_s)
        return Ran(channel.process.returncode or 0, out, err)

    @property
    def marks(self) -> list[str]:
        """What is in the environment of everything that was started here for a run."""
        return _marks(Path(self.entry.directory))

    @property
    def runs(self) -> list[str]:
        """Runs whose undo logs are still there."""
        return sorted(path.name for path in Path(self.entry.directory).glob("agent/runs/*"))


def _marks(folder: Path) -> list[str]:
    entries = [json.loads(path.read_text()) for path in folder.glob("agent/runs/*/undo/*.json")]
    return sorted({entry["mark"] for entry in entries if "mark" in entry})


def _put(content: bytes, target: Path) -> bool:
    if target.exists() and target.read_bytes() == content:
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return True


def loops(part: str) -> list[str]:
    """Files of loop devices, as those who made them see them, whose paths have that in them."""
    found = []
    for path in Path("/sys/block").glob("loop*/loop/backing_file"):
        with contextlib.suppress(OSError):  # It has just been let go of.
            found.append(path.read_text().strip())
    return [each for each in found if part in each]


def no_fuse() -> str | None:
    """Why there can be no file system in user space here; None if there can."""
    if find_library("fuse3") is None:
        return "libfuse3 is not installed: apt-get install fuse3"
    return None if Path("/dev/fuse").exists() else "there is no /dev/fuse: modprobe fuse"


async def until(claim: Callable[[], bool], within_s: float = 10.0) -> bool:
    """Whether this becomes true in time."""
    loop = asyncio.get_running_loop()
    give_up = loop.time() + within_s
    for _ in itertools.count():
        if claim():
            return True
        if loop.time() > give_up:
            return False
        await asyncio.sleep(0.02)
    raise AssertionError("counting ends")


async def until_gone(identities: list[Identity], within_s: float) -> bool:
    """Whether all of these processes ended in time."""
    return await until(lambda: not any(map(proc.alive, identities)), within_s)


@contextlib.asynccontextmanager
async def watched(*agents: Agent) -> AsyncIterator[None]:
    """At the end these agents are left, and must end by themselves with their guardians."""
    found = [
        identity
        for agent in agents
        for pid in (agent.hello["pid"], agent.hello["guardian"])
        if (identity := proc.identity(pid)) is not None
    ]
    try:
        yield
    finally:
        for agent in agents:
            await agent.abandon()
        ended = await until_gone(found, _ENDS_S)
        for identity in found:
            if proc.alive(identity):
                os.kill(identity.pid, signal.SIGKILL)
    assert ended
