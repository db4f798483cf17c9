"""Traces on hosts are followed, however many members one host has, and leave room for all else."""

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from delphic.harness.errors import WorldError
from delphic.harness.hosts.link import CHANNELS_MAX
from delphic.harness.targets.remote import tails
from delphic.harness.targets.remote.tails import Tails

MEMBERS = [f"n{number}" for number in range(CHANNELS_MAX + 2)]


class Trace:
    """A channel on which a trace comes, and then nothing more, or its end."""

    def __init__(self, host: "Connection", path: str, ends: bool) -> None:
        self.host = host
        self.parts: Iterator[bytes] = iter([path.encode(), *([b""] if ends else [])])

    async def receive(self) -> bytes:
        for part in self.parts:
            return part
        self.host.waiting.put_nowait(None)
        await asyncio.Event().wait()
        raise AssertionError("nobody wakes it")

    def close(self) -> None:
        self.host.channels -= 1


class Connection:
    """A connection to a host of which everything is remembered."""

    made: ClassVar[list["Connection"]]
    waiting: ClassVar["asyncio.Queue[None]"]
    """One of each trace of which there is no more."""
    ends = False

    def __init__(self) -> None:
        self.channels = self.most = 0
        self.is_closed = False
        self.made.append(self)

    @classmethod
    async def open(cls, entry: Any) -> "Connection":
        return cls()

    async def channel(self, *words: str) -> Trace:
        self.channels += 1
        self.most = max(self.most, self.channels)
        return Trace(self, words[-1], self.ends)

    def error(self, message: str) -> WorldError:
        return WorldError(message)

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture(autouse=True)
def connections(monkeypatch: pytest.MonkeyPatch) -> list[Connection]:
    monkeypatch.setattr(Connection, "made", [], raising=False)
    monkeypatch.setattr(Connection, "waiting", asyncio.Queue(), raising=False)
    monkeypatch.setattr(tails, "Host", Connection)
    return Connection.made


def followed() -> Tails:
    station: Any = SimpleNamespace(name="h1", entry=None)
    return Tails({alias: (station, f"/{alias}") for alias in MEMBERS})


def test_more_members_than_places_are_followed_beside_all_else(
    connections: list[Connection],
) -> None:
    async def work() -> dict[str, bytes]:
        made = followed()
        assert made.read("n0", 0) == b""
        for _ in MEMBERS:
            await Connection.waiting.get()
        found = {alias: made.read(alias, 1) for alias in MEMBERS}
        await made.close()
        assert made.lost == []
        return found

    assert asyncio.run(asyncio.wait_for(work(), 20)) == {a: a.encode() for a in MEMBERS}
    assert [one.most for one in connections] == [CHANNELS_MAX, 2]
    assert all(one.is_closed and one.channels == 0 for one in connections)


def test_a_trace_that_ends_before_its_time_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "ends", True)

    async def work() -> list[str]:
        made = followed()
        made.read("n0", 0)
        await asyncio.gather(*made._tasks)
        return [str(error) for error in made.lost]

    assert asyncio.run(asyncio.wait_for(work(), 20))[0] == "/n0 cannot be followed any more"
