"""Members as processes: a tiny system of three greeters, started, stopped and reached."""

import asyncio
import os
import shutil
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
import uvloop
from delphic.harness.agent import proc
from delphic.harness.errors import WorldError
from delphic.harness.op import OpType
from delphic.harness.rundir import RunDir
from delphic.harness.running import leases
from delphic.harness.running.leases import Lease
from delphic.harness.system import Answer, Place, Setup, Site, Status
from delphic.harness.targets import permissions
from delphic.harness.targets.crashes import CRASHED
from delphic.harness.targets.faults import CrashState, CutFile
from delphic.harness.targets.links import HEALED, as_wanted, cut, isolate
from delphic.harness.targets.local import LOCAL, LocalCluster
from delphic.harness.targets.target import ProcessState
from near_host import until

pytestmark = pytest.mark.slow

GREETER = """
import pathlib, socket, sys
alias, port, *dials = sys.argv[1:]
print("dials", *sorted(dials), flush=True)
listening = socket.socket()
listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
listening.bind(("127.0.0.1", int(port)))
listening.listen()
while True:
    connection, _ = listening.accept()
    connection.sendall(alias.encode() + b"\\n")
"""
REFUSER = "import sys; print('no such option: colour'); sys.exit(2)"


class Greeting:
    """A connection to a greeter that said its name."""

    def __init__(self, writer: asyncio.StreamWriter, alias: str) -> None:
        self._writer = writer
        self.alias = alias
        self.is_open = True

    async def perform(self, f: str, key: Any, value: Any, timeout_s: float) -> Answer:
        return Answer(OpType.OK)

    async def status(self, key: Any, timeout_s: float) -> Status | None:
        return None

    def close(self) -> None:
        self._writer.close()


class Greeters:
    """The system: members are greeters, but for one that may run other code."""

    name = "greeters"
    bugs: tuple[str, ...] = ()

    def __init__(self, code: str = GREETER) -> None:
        self.code = code

    def problems(self, setup: Setup) -> Iterator[tuple[tuple[str | int, ...], str]]:
        return iter(())

    def files(
        self, setup: Setup, alias: str, sites: Mapping[str, Site], home: Path
    ) -> dict[str, str]:
        told = " ".join(f"{s.alias}:{s.port}" for s in sites.values())
        return {"config/sites": told, "data/file": ""}

    def command(
        self,
        setup: Setup,
        alias: str,
        place: Place,
        sites: Mapping[str, Site],
        dials: Mapping[str, Site],
    ) -> list[str]:
        ports = dict(word.split(":") for word in (place.home / "config/sites").read_text().split())
        code = self.code if alias == "n2" else GREETER
        return [place.python, "-c", code, alias, ports[alias], *dials]

    def bulk(self, home: Path) -> list[Path]:
        return [home / "data", home / "never-made"]

    async def open(self, site: Site, timeout_s: float) -> Greeting | None:
        writer: asyncio.StreamWriter | None = None
        line = b""
        try:
            async with asyncio.timeout(timeout_s):
                reader, writer = await asyncio.open_connection(site.host, site.port)
                line = await reader.readline()
                return Greeting(writer, line.decode().strip())
        except (TimeoutError, OSError):
            return None
        finally:
            if writer is not None and not line:
                writer.transport.abort()


def check(
    folder: Path, scene: Callable[[LocalCluster], Awaitable[None]], code: str = GREETER
) -> None:
    """Play a scene on a group of three, and see that nothing is left of it."""
    run = RunDir(folder)
    lease = Lease(folder)
    setup = Setup(("n1", "n2", "n3"))
    cluster = LOCAL.cluster(setup, Greeters(code), run, lease)

    async def play() -> None:
        try:
            async with asyncio.timeout(30):
                await scene(cluster)
        finally:
            await cluster.down()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(play())
    assert proc.marked(f"{leases.LEASE_VARIABLE}={lease.name}") == []
    lease.release()


async def watch_deaths(cluster: LocalCluster) -> None:
    while True:
        cluster.deaths()
        await asyncio.sleep(0)


async def greeted(cluster: LocalCluster, alias: str) -> str | None:
    connection = await cluster.open(alias, 0.5)
    if connection is None:
        return None
    connection.close()
    return connection.alias


def test_every_member_comes_up_on_its_own_port_and_dials_the_links(tmp_path: Path) -> None:
    async def scene(cluster: LocalCluster) -> None:
        await cluster.up()
        assert [await greeted(cluster, alias) for alias in cluster.members] == ["n1", "n2", "n3"]
        assert RunDir(tmp_path).node_log("n1").read_text() == "dials n2 n3\n"

    check(tmp_path, scene)


def test_a_member_without_permission_starts_only_once_it_is_back(
    tmp_path: Path, require: Callable[[object, str], None]
) -> None:
    require(os.geteuid() or shutil.which("setpriv"), "setpriv (util-linux) is not installed")

    async def scene(cluster: LocalCluster) -> None:
        await cluster.up()
        assert await cluster.is_writable("n2")
        await cluster.set_writable("n2", False)
        assert not await cluster.is_writable("n2")
        assert await cluster.is_writable("n1")
        assert await greeted(cluster, "n2") == "n2"
        await cluster.set_process("n2", ProcessState.DEAD)
        await cluster.set_process("n2", ProcessState.RUNNING)
        assert cluster.process_state("n2") is ProcessState.DEAD
        assert "PermissionError" in RunDir(tmp_path).node_log("n2").read_text()
        cluster.deaths()
        await cluster.set_writable("n2", True)
        await cluster.set_process("n2", ProcessState.RUNNING)
        assert await greeted(cluster, "n2") == "n2"
        await cluster.set_writable("n3", False)

    file = RunDir(tmp_path).node("n2") / "data/file"
    check(tmp_path, scene, f"open({str(file)!r}, 'a').close()\n{GREETER}")
    (RunDir(tmp_path).node("n3") / "data/file").write_text("what was locked is open again")
    assert not permissions.is_locked([RunDir(tmp_path).node("n3") / "data"])


def test_a_killed_member_is_gone_and_comes_back_at_the_same_place(tmp_path: Path) -> None:
    async def scene(cluster: LocalCluster) -> None:
        await cluster.up()
        await cluster.set_process("n2", ProcessState.DEAD)
        assert cluster.process_state("n2") is ProcessState.DEAD
        assert await greeted(cluster, "n2") is None
        await cluster.set_process("n2", ProcessState.RUNNING)
        assert await greeted(cluster, "n2") == "n2"
        assert cluster.deaths() == []

    check(tmp_path, scene)


def test_a_paused_member_is_silent_until_it_is_resumed(tmp_path: Path) -> None:
    async def scene(cluster: LocalCluster) -> None:
        await cluster.up()
        await cluster.set_process("n2", ProcessState.PAUSED)
        assert cluster.process_state("n2") is ProcessState.PAUSED
        assert await greeted(cluster, "n2") is None
        await cluster.set_process("n2", ProcessState.RUNNING)
        assert await greeted(cluster, "n2") == "n2"

    check(tmp_path, scene)


def test_a_member_crashes_again_and_again_until_something_else_is_done_to_it(
    tmp_path: Path,
) -> None:
    async def scene(cluster: LocalCluster) -> None:
        await cluster.up()
        await cluster.set_crashes({"n2": 0.2})
        assert cluster.crash_states()["n2"].every_s == 0.2
        assert await until(lambda: cluster.crash_states()["n2"].count >= 2)
        told = cluster.deaths()
        assert told == [("n2", CRASHED)] * cluster.crash_states()["n2"].count
        await cluster.set_crashes({})
        assert await greeted(cluster, "n2") == "n2"
        await cluster.set_crashes({"n2": 60.0})
        await cluster.set_process("n2", ProcessState.DEAD)
        assert cluster.crash_states()["n2"] == CrashState(None, 1)
        assert cluster.process_state("n2") is ProcessState.DEAD
        await cluster.set_crashes({"n1": 0.1})

    check(tmp_path, scene)


def test_the_end_of_a_file_is_cut_off_while_its_member_waits(tmp_path: Path) -> None:
    async def scene(cluster: LocalCluster) -> None:
        await cluster.up()
        home = RunDir(tmp_path).node("n2")
        assert await cluster.cut_tail("n2", None, None) is None
        (home / "data").mkdir(exist_ok=True)
        file = home / "data/file"
        file.write_bytes(bytes(100))
        assert await cluster.cut_tail("n2", "log", 1) is None
        assert await cluster.cut_tail("n2", "data", 30) == CutFile(str(file), 100, 70)
        assert file.stat().st_size == 70
        assert await greeted(cluster, "n2") == "n2"
        cut = await cluster.cut_tail("n2", None, None)
        assert cut is not None
        assert cut.left == file.stat().st_size < 70

    check(tmp_path, scene)


def test_links_are_cut_and_healed_between_members(tmp_path: Path) -> None:
    async def scene(cluster: LocalCluster) -> None:
        await cluster.up()
        wanted = cut(isolate(["n2"], cluster.members))
        await cluster.set_links(wanted)
        assert as_wanted(wanted, await cluster.probe(wanted), cluster.members)
        await cluster.set_links(HEALED)
        assert as_wanted(HEALED, await cluster.probe(HEALED), cluster.members)

    check(tmp_path, scene)


def test_a_member_that_refuses_to_start_is_told_with_its_last_words(tmp_path: Path) -> None:
    async def scene(cluster: LocalCluster) -> None:
        with pytest.raises(WorldError) as caught:
            await cluster.up()
        assert str(caught.value) == (
            "n2: ended right after its start (exit status 2)\nno such option: colour"
        )

    check(tmp_path, scene, REFUSER)


def test_a_member_that_never_answers_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("delphic.harness.targets.local.READY_S", 0.5)

    async def scene(cluster: LocalCluster) -> None:
        with pytest.raises(WorldError, match=r"n2: does not answer 0\.5 s after its start"):
            await cluster.up()

    check(tmp_path, scene, "import time; time.sleep(60)")


def test_a_member_that_does_not_come_back_is_left_dead_and_its_death_is_told(
    tmp_path: Path,
) -> None:
    flag = tmp_path / "once"
    code = f"import pathlib, sys\nif pathlib.Path({str(flag)!r}).exists(): sys.exit(7)\n{GREETER}"

    async def scene(cluster: LocalCluster) -> None:
        await cluster.up()
        await cluster.set_process("n2", ProcessState.DEAD)
        flag.write_text("")
        await cluster.set_process("n2", ProcessState.RUNNING)
        assert cluster.process_state("n2") is ProcessState.DEAD
        assert cluster.deaths() == [("n2", "exit status 7")]

    check(tmp_path, scene, code)


def test_a_link_proxy_that_dies_ends_the_run(tmp_path: Path) -> None:
    async def scene(cluster: LocalCluster) -> None:
        await cluster.up()
        (lease,) = leases.state_directory().glob("*.json")
        children = msgspec.json.decode(lease.read_bytes(), type=leases.Record).children
        (proxy,) = [child for child in children if child.what == "link proxy"]
        os.kill(proxy.process.pid, signal.SIGKILL)
        with pytest.raises(WorldError, match=r"link proxy: ended by itself \(signal 9\)"):
            await watch_deaths(cluster)

    check(tmp_path, scene)


def test_going_down_twice_or_before_coming_up_does_no_harm(tmp_path: Path) -> None:
    async def scene(cluster: LocalCluster) -> None:
        await cluster.down()
        await cluster.down()
        assert cluster.deaths() == []

    check(tmp_path, scene)
