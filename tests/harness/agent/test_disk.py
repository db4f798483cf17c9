"""Disks of processes: what was not synced is lost, what was is there, and nothing of it stays."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from delphic.harness.agent import disk, proc
from delphic.harness.errors import WorldError
from delphic.harness.hosts.agent import Agent
from near_host import NearHost, loops, until, watched

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

by_both = pytest.mark.parametrize("loop_devices", [True, False], ids=["loop", "user-space"])


async def able(agent: Any, require: Require) -> None:
    why = (await agent.call("capabilities"))["disk"]
    require(why is None, str(why))


@by_both
def test_a_power_cut_takes_what_was_not_synced_and_nothing_else(
    on_hosts: Any, tmp_path: Path, require: Require, loop_devices: bool
) -> None:
    async def test(hosts: Sequence[Any]) -> None:
        agent = hosts[0].agent
        await able(agent, require)
        home = tmp_path / "a home"
        data = home / "data"
        made = await agent.call("disk-make", name="n1", folders=[str(data), str(home / "more")])
        assert made == ("on a loop device" if loop_devices else "in user space")
        assert bool(loops(str(tmp_path))) is loop_devices
        await agent.call("spawn", name="n1", words=[sys.executable, "-c", WRITER, str(data)])
        assert await until((home / "begun").exists)
        await agent.call("signal", name="n1", signal="KILL")
        assert await agent.call("disk-cut", name="n1") == {"bytes": 5100, "files": 2}
        listed = await agent.call("list", path=str(data))
        assert listed == [{"path": "log", "size": 4096}]
        assert await agent.call("disk-cut", name="n1") == {"bytes": 0, "files": 0}

    on_hosts(test, count=1, loop_devices=loop_devices)
    assert loops(str(tmp_path)) == []


@by_both
def test_a_full_disk_takes_nothing_more_over_a_power_cut_until_it_is_given_back(
    on_hosts: Any, tmp_path: Path, require: Require, loop_devices: bool
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

    on_hosts(test, count=1, loop_devices=loop_devices)


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


@by_both
def test_nothing_is_written_to_a_read_only_disk_not_even_what_is_open_until_it_is_mounted_anew(
    on_hosts: Any, tmp_path: Path, require: Require, loop_devices: bool
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

    on_hosts(test, count=1, loop_devices=loop_devices)
    assert loops(str(tmp_path)) == []


# One transaction after another; each is told of when it is committed, and the last never is.
BOOK = """
import sqlite3, sys, time
folder, mode, synchronous = sys.argv[1:]
book = sqlite3.connect(folder + "/book", isolation_level=None)
book.execute("pragma journal_mode = " + mode)
book.execute("pragma synchronous = " + synchronous)
book.execute("create table t (n integer primary key, text blob)")
for n in range(40):
    book.execute("insert into t values (?, ?)", (n, bytes(3000)))
    print(n, flush=True)
book.execute("begin")
book.execute("insert into t values (40, 'never')")
time.sleep(600)
"""

READ = """
import sqlite3, sys
book = sqlite3.connect(sys.argv[1] + "/book")
ask = lambda what: book.execute(what).fetchall()
print(ask("pragma integrity_check"), ask("select n from t"), "end")
"""


@by_both
@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_database_keeps_what_it_committed_over_a_power_cut_if_it_syncs(
    on_hosts: Any, tmp_path: Path, require: Require, loop_devices: bool, mode: str
) -> None:
    """Somebody else's code, which renames, removes, maps and cuts files, and knows how to sync."""

    async def test(hosts: Sequence[Any]) -> None:
        agent = hosts[0].agent
        await able(agent, require)
        # When a kernel writes by itself is its own affair.
        for synchronous in ("extra",) if loop_devices else ("extra", "off"):
            data, said = tmp_path / synchronous / "data", tmp_path / synchronous / "said"
            await agent.call("disk-make", name=synchronous, folders=[str(data)])
            words = [sys.executable, "-c", BOOK, str(data), mode, synchronous]
            await agent.call("spawn", name=synchronous, words=words, log=str(said))
            assert await until(lambda said=said: "39\n" in said.read_text(), 60), said.read_text()
            await agent.call("signal", name=synchronous, signal="KILL")
            lost = await agent.call("disk-cut", name=synchronous)
            if synchronous == "off":
                assert lost["bytes"] > 40 * 3000
                continue
            log = tmp_path / "read"
            await agent.call(
                "spawn", name="r", words=[sys.executable, "-c", READ, str(data)], log=str(log)
            )
            assert await until(lambda log=log: log.read_text().endswith("end\n"), 60)
            assert log.read_text() == f"[('ok',)] {[(n,) for n in range(40)]} end\n"

    on_hosts(test, count=1, loop_devices=loop_devices)


def test_a_disk_whose_process_is_killed_is_told_of_and_leaves_nothing(
    on_hosts: Any, tmp_path: Path, require: Require
) -> None:
    async def test(hosts: Sequence[Any]) -> None:
        agent = hosts[0].agent
        await able(agent, require)
        data = tmp_path / "home" / "data"
        await agent.call("disk-make", name="n1", folders=[str(data)])
        (disk_,) = [found for mark in hosts[0].host.marks for found in proc.marked(mark)]
        os.kill(disk_.pid, signal.SIGKILL)
        event = await asyncio.wait_for(agent.events.get(), 20)
        assert (event["event"], event["what"]) == ("failed", "disk")
        with pytest.raises(WorldError, match="not connected"):
            await agent.call("write", path=str(data / "file"), data="")
        await agent.bye()
        assert list(data.iterdir()) == []

    on_hosts(test, count=1, loop_devices=False)


LOOK = """
"$@"
code=$?
cat /proc/self/mountinfo > "$0"
exit $code
"""


@by_both
def test_a_disk_behind_a_symbolic_link_leaves_nothing(
    tmp_path: Path, require: Require, loop_devices: bool
) -> None:
    require(os.geteuid() == 0, "file systems are mounted by root")
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    seen = tmp_path / "mounts"
    private = ("unshare", "--mount", "sh", "-c", LOOK, str(seen))
    host = NearHost(tmp_path / "host", *private, loop_devices=loop_devices)

    async def go() -> None:
        async with host:
            agent = await Agent.start(host, "linked", 10.0)
            async with watched(agent):
                await able(agent, require)
                data = tmp_path / "link" / "home" / "data"
                await agent.call("disk-make", name="n1", folders=[str(data)])
                await agent.call("write", path=str(data / "file"), data="")
                await agent.call("disk-cut", name="n1")
                await agent.bye()

    asyncio.run(go())
    assert [line for line in seen.read_text().splitlines() if str(tmp_path) in line] == []
    assert loops(str(tmp_path)) == []


def test_mounts_are_found_among_those_whose_names_are_no_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = (b"M\xfcller", b"a\\040b")
    lines = [b"1 2 0:1 / /%s rw - ext4 /dev/x rw\n" % name for name in names]
    (tmp_path / "mountinfo").write_bytes(b"".join(lines))
    monkeypatch.setattr(disk, "_MOUNTS", tmp_path / "mountinfo")
    assert disk._is_mounted("/a b")
    assert disk._is_mounted(os.fsdecode(b"/M\xfcller"))
    assert not disk._is_mounted("/a")


def test_what_has_no_disk_of_its_own_can_lose_none(on_hosts: Any) -> None:
    async def test(hosts: Sequence[Any]) -> None:
        with pytest.raises(WorldError, match="n1 has no disk of its own here"):
            await hosts[0].agent.call("disk-cut", name="n1")

    on_hosts(test, count=1)
