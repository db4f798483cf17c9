"""Disks of processes: what was not synced is lost, what was is there, and nothing of it stays."""

import asyncio
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from delphic.harness.errors import WorldError
from near_host import loops, until

pytestmark = pytest.mark.slow

# It syncs one block, then writes one more to the same file, and a new file, and syncs neither.
WRITER = """
import os, sys, time
folder = sys.argv[1]
one = os.open(folder + "/log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
os.write(one, b"a" * 4096)
os.fsync(one)
handle = os.open(folder, os.O_RDONLY)
os.fsync(handle)
os.write(one, b"b" * 5000)
open(folder + "/new", "wb").write(b"c" * 100)
open(folder + "/../begun", "w").close()
time.sleep(600)
"""

Require = Callable[[object, str], None]


async def able(agent: Any, require: Require) -> None:
    why = (await agent.call("capabilities"))["disk"]
    require(why is None, str(why))


def test_a_power_cut_takes_what_was_not_synced_and_nothing_else(
    on_hosts: Any, tmp_path: Path, require: Require
) -> None:
    async def test(hosts: Sequence[Any]) -> None:
        agent = hosts[0].agent
        await able(agent, require)
        home = tmp_path / "a home"
        data = home / "data"
        await agent.call("disk-make", name="n1", folders=[str(data), str(home / "more")])
        assert loops(str(tmp_path))
        await agent.call("spawn", name="n1", words=[sys.executable, "-c", WRITER, str(data)])
        assert await until((home / "begun").exists)
        await agent.call("signal", name="n1", signal="KILL")
        assert await agent.call("disk-cut", name="n1") == {"bytes": 5100, "files": 2}
        listed = await agent.call("list", path=str(data))
        assert listed == [{"path": "log", "size": 4096}]
        assert await agent.call("disk-cut", name="n1") == {"bytes": 0, "files": 0}

    on_hosts(test, count=1)
    assert loops(str(tmp_path)) == []


def test_a_full_disk_takes_nothing_more_over_a_power_cut_until_it_is_given_back(
    on_hosts: Any, tmp_path: Path, require: Require
) -> None:
    async def test(hosts: Sequence[Any]) -> None:
        host = hosts[0]
        await able(host.agent, require)
        data = tmp_path / "home" / "data"
        await host.agent.call("disk-make", name="n1", folders=[str(data)])

        async def says() -> str:
            """What becomes of a hundred kilobytes written there."""
            code = f"open({str(data / 'file')!r}, 'wb').write(bytes(100_000))"
            log = tmp_path / "said"
            log.unlink(missing_ok=True)
            await host.agent.call(
                "spawn", name="w", words=[sys.executable, "-c", code], log=str(log)
            )
            ended = await asyncio.wait_for(host.agent.events.get(), 20)
            assert ended["event"] == "ended"
            return log.read_text()

        assert await says() == ""
        full = await host.agent.call("disk-fill", name="n1", full=True)
        assert full["full"] is True
        assert await host.agent.call("remove", path=str(data / "file"))
        await host.agent.call("disk-fill", name="n1", full=True)
        assert "No space left on device" in await says()
        await host.agent.call("disk-cut", name="n1")
        assert "No space left on device" in await says()
        empty = await host.agent.call("disk-fill", name="n1", full=False)
        assert empty["full"] is False
        assert await says() == ""

    on_hosts(test, count=1)


def test_what_has_no_disk_of_its_own_can_lose_none(on_hosts: Any) -> None:
    async def test(hosts: Sequence[Any]) -> None:
        with pytest.raises(WorldError, match="n1 has no disk of its own here"):
            await hosts[0].agent.call("disk-cut", name="n1")

    on_hosts(test, count=1)
