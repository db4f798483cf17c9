"""Disks of processes: what was not synced is lost, what was is there, and nothing of it stays."""

import asyncio
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from delphic.harness.agent import disk
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


# It says what comes of writing to a file that it opened when it began, once there is one more line.
HOLDER = """
import os, sys, time
one = os.open(sys.argv[1] + "/log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
os.write(one, b"a" * 4096)
os.fsync(one)
os.write(one, b"b" * 5000)
open(sys.argv[1] + "/../begun", "w").close()
while not os.path.exists(sys.argv[1] + "/../go"):
    time.sleep(0.01)
for act in (lambda: os.write(one, b"c"), lambda: os.fsync(one), lambda: open("new", "w")):
    try:
        print(act(), flush=True)
    except OSError as error:
        print(error.strerror, flush=True)
time.sleep(600)
"""


def test_nothing_is_written_to_a_read_only_disk_not_even_what_is_open_until_it_is_mounted_anew(
    on_hosts: Any, tmp_path: Path, require: Require
) -> None:
    async def test(hosts: Sequence[Any]) -> None:
        agent = hosts[0].agent
        await able(agent, require)
        data, said = tmp_path / "home" / "data", tmp_path / "said"
        await agent.call("disk-make", name="n1", folders=[str(data)])
        words = [sys.executable, "-c", HOLDER, str(data)]
        await agent.call("spawn", name="n1", words=words, cwd=str(data), log=str(said))
        assert await until((tmp_path / "home" / "begun").exists)
        await agent.call("signal", name="n1", signal="STOP")
        assert await agent.call("disk-lock", name="n1", read_only=True) is True
        assert await agent.call("disk-lock", name="n1", read_only=True) is True
        await agent.call("signal", name="n1", signal="CONT")
        (tmp_path / "home" / "go").touch()
        assert await until(lambda: said.read_text().count("\n") == 3)
        assert said.read_text() == "Read-only file system\n" * 3
        with pytest.raises(WorldError, match="the disk of n1 is read-only"):
            await agent.call("disk-fill", name="n1", full=True)
        await agent.call("signal", name="n1", signal="KILL")
        # What it had not synced was written before nothing could be any more.
        assert await agent.call("disk-cut", name="n1") == {"bytes": 0, "files": 0}
        log = {"path": "log", "size": 9096}
        assert await agent.call("list", path=str(data)) == [log]
        with pytest.raises(WorldError, match="Read-only file system"):
            await agent.call("write", path=str(data / "new"), data="")
        assert await agent.call("disk-lock", name="n1", read_only=False) is False
        await agent.call("write", path=str(data / "new"), data="")
        assert await agent.call("list", path=str(data)) == [log, {"path": "new", "size": 0}]

    on_hosts(test, count=1)
    assert loops(str(tmp_path)) == []


def test_what_has_no_disk_of_its_own_can_lose_none(on_hosts: Any) -> None:
    async def test(hosts: Sequence[Any]) -> None:
        with pytest.raises(WorldError, match="n1 has no disk of its own here"):
            await hosts[0].agent.call("disk-cut", name="n1")

    on_hosts(test, count=1)


def test_where_no_disk_can_be_made_it_is_said_that_nothing_stands_in_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("mkfs.ext4", "mount", "umount", "unshare"):
        tool = tools / name
        tool.write_text("#!/bin/sh\necho no loop device >&2\nexit 1\n")
        tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    stand_in = "none in user space (FUSE) stands in for it"
    why = f"a file system in a file cannot be used: no loop device; {stand_in}"
    assert disk.probe(tmp_path) == why
    monkeypatch.setattr("os.geteuid", lambda: 4242)
    found = disk.probe(tmp_path) or ""
    assert found.startswith("only root mounts file systems")
    assert found.endswith(stand_in)
