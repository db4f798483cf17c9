"""The node as a process: it starts, survives a kill, stops cleanly, and fails in one clear line."""

import asyncio
import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO

import pytest
from delphic.impl.client.errors import RequestError
from delphic.impl.client.session import Session
from members import ALIASES, GROUP, SCHEMA, Homes, ids, rows, run

pytestmark = pytest.mark.slow


class Processes:
    """Nodes as child processes; each is reaped at the end, whatever happened."""

    def __init__(self, homes: Homes) -> None:
        self._homes = homes
        self._stack = contextlib.ExitStack()
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._running.values():
            process.kill()
            process.wait()
        self._stack.close()

    def start(self, *aliases: str, more: Sequence[str] = ()) -> None:
        for alias in aliases:
            home = self._homes.home(alias)
            log: IO[bytes] = self._stack.enter_context((home / "log.txt").open("ab"))
            command = [sys.executable, "-m", "delphic.impl.node", "--home", str(home)]
            self._running[alias] = subprocess.Popen(
                [*command, "--alias", alias, "--reuse-port", *more],
                stdout=subprocess.DEVNULL,
                stderr=log,
                cwd=home,
            )

    def signal(self, alias: str, number: signal.Signals) -> int:
        """Send a signal that ends the node; gives its exit status."""
        process = self._running.pop(alias)
        process.send_signal(number)
        return process.wait(timeout=10)

    def pid(self, alias: str) -> int:
        return self._running[alias].pid

    def log(self, alias: str) -> str:
        return (self._homes.home(alias) / "log.txt").read_text()


@pytest.fixture
def homes(tmp_path: Path) -> Iterator[Homes]:
    with Homes(tmp_path) as made:
        yield made


async def in_session(homes: Homes, scenario: Callable[[Session], Awaitable[None]]) -> None:
    """Run with a session that is closed whatever happens."""
    with contextlib.closing(Session(homes.sites, attempt_s=0.5)) as session:
        await scenario(session)


def node(home: Path, *more: str, alias: str = "n1") -> subprocess.CompletedProcess[str]:
    """Run a node that is expected to end by itself."""
    command = [sys.executable, "-m", "delphic.impl.node", "--home", str(home), "--alias", alias]
    return subprocess.run(
        [*command, *more], capture_output=True, text=True, timeout=20, check=False
    )


def last_line(text: str) -> str:
    return text.rstrip().split("\n")[-1]


def test_a_killed_member_comes_back_with_every_acknowledged_row(homes: Homes) -> None:
    """Promise HS-2."""

    async def scenario(processes: Processes, session: Session) -> None:
        await session.create_table(GROUP, "t", SCHEMA)
        for i in range(20):
            assert await session.append("t", rows(i)) == i
        for alias in ALIASES:
            assert processes.signal(alias, signal.SIGKILL) == -signal.SIGKILL
        processes.start(*ALIASES)
        assert ids(await session.read("t", 0)) == list(range(20))
        for alias in ALIASES:
            await reachable(homes.ports[alias])
            assert processes.signal(alias, signal.SIGTERM) == 0
            assert last_line(processes.log(alias)).endswith(f"{alias} stopped")

    with Processes(homes) as processes:
        processes.start(*ALIASES)
        run(in_session(homes, partial(scenario, processes)))
        assert "recovered term" in processes.log("n1")
        assert "bug" not in "".join(processes.log(alias) for alias in ALIASES)


def test_a_paused_leader_loses_its_place_and_what_it_is_told_then_is_not_lost(
    homes: Homes,
) -> None:
    """V6: back from its pause, the old leader follows."""

    async def appended(session: Session, start: int) -> tuple[int, int]:
        """The first id from `start` on that was acknowledged, and its offset."""
        for i in itertools.count(start):
            with contextlib.suppress(RequestError):
                return i, await session.append("t", rows(i))
        raise AssertionError

    async def scenario(processes: Processes, session: Session) -> None:
        await session.create_table(GROUP, "t", SCHEMA)
        first, at = await appended(session, 0)
        old = await session.call("getStreamingLeader", (GROUP,), timeout_s=5)
        os.kill(processes.pid(old), signal.SIGSTOP)
        try:
            second, then = await appended(session, first + 1)
            found = ids(await session.read("t", 0))
        finally:
            os.kill(processes.pid(old), signal.SIGCONT)
        assert (found[at], found[then]) == (first, second)
        third, _ = await appended(session, 1000)
        later = ids(await session.read("t", 0))
        assert later[: len(found)] == found
        assert third in later

    with Processes(homes) as processes:
        processes.start(*ALIASES)
        run(in_session(homes, partial(scenario, processes)))


def test_a_configuration_that_is_wrong_is_exit_code_2_with_file_and_line(homes: Homes) -> None:
    with (homes.home("n1") / "config" / "cluster.cfg").open("a") as file:
        file.write("raftElectionTik=3\n")
    ended = node(homes.home("n1"))
    assert ended.returncode == 2
    assert last_line(ended.stderr).endswith(
        "n1 ERROR config/cluster.cfg:6: unknown option 'raftElectionTik'; "
        "did you mean raftElectionTick?"
    )
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--dial", "n2"], "argument --dial: want ALIAS=HOST:PORT, got 'n2'"),
        (["--dial", "n2=h:x"], "argument --dial: want a port from 1 to 65535, got 'x'"),
        (
            ["--alias", "n%1"],
            "n%1 ERROR config/cluster.nodes: no node is called n%1; there are n1, n2, n3",
        ),
        (["--what"], "unrecognized arguments: --what"),
        (["--dial", "n9=127.0.0.1:1"], "n1 ERROR --dial n9: no peer is called n9"),
        (["--from", "nowhere"], "'nowhere' does not appear to be an IPv4 or IPv6 address"),
        (["--dial", "h:0=h:1"], "argument --dial: want a port from 1 to 65535, got '0'"),
    ],
)
def test_a_command_line_that_is_wrong_is_exit_code_2(
    homes: Homes, more: list[str], message: str
) -> None:
    ended = node(homes.home("n1"), *more)
    assert ended.returncode == 2
    assert last_line(ended.stderr).endswith(message)


def test_seeded_bugs_are_refused_without_the_flag(homes: Homes) -> None:
    with (homes.home("n1") / "config" / "cluster.cfg").open("a") as file:
        file.write("n1.seededBugs=stale-read\n")
    ended = node(homes.home("n1"))
    assert ended.returncode == 2
    assert "config/cluster.cfg:6: seededBugs breaks promises on purpose" in ended.stderr


def test_a_port_in_use_is_exit_code_4(homes: Homes) -> None:
    port = homes.ports["n1"]
    homes.release()
    with socket.create_server(("127.0.0.1", port)):
        ended = node(homes.home("n1"))
    assert ended.returncode == 4
    assert "address already in use" in last_line(ended.stderr)


def test_a_home_in_use_is_exit_code_4(homes: Homes) -> None:
    with Processes(homes) as processes:
        processes.start("n1")
        run(reachable(homes.ports["n1"]))
        ended = node(homes.home("n1"), "--reuse-port")
    assert ended.returncode == 4
    assert "is in use by another process" in last_line(ended.stderr)


async def reachable(port: int) -> None:
    """Wait until somebody listens."""
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                continue
            writer.close()
            await writer.wait_closed()
            return


def test_peers_are_dialled_from_the_address_that_it_is_told(homes: Homes) -> None:
    """Links between nodes of one host are told apart by it."""

    async def scenario() -> None:
        came: asyncio.Queue[str] = asyncio.Queue()

        def arrived(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            came.put_nowait(writer.get_extra_info("peername")[0])
            writer.close()

        peer = await asyncio.start_server(arrived, "127.0.0.1", 0)
        at = f"127.0.0.1:{peer.sockets[0].getsockname()[1]}"
        more = ["--dial", f"n2={at}", "--from", "127.0.0.37"]
        with Processes(homes) as processes:
            processes.start("n1", more=more)
            async with asyncio.timeout(10):
                assert await came.get() == "127.0.0.37"
        peer.close()
        await peer.wait_closed()

    asyncio.run(scenario())


def test_a_damaged_log_is_exit_code_4(homes: Homes) -> None:
    folder = homes.home("n1") / "log" / "streamLog" / "2"
    folder.mkdir(parents=True)
    (folder / "0000000000000007.wal").write_bytes(b"")
    ended = node(homes.home("n1"), "--reuse-port")
    assert ended.returncode == 4
    assert last_line(ended.stderr).endswith(
        "0000000000000007.wal: corrupt at byte 0: the segment is empty; "
        "a segment is missing before it, and this is not whole"
    )


def test_a_disk_that_fails_is_exit_code_4(homes: Homes) -> None:
    (homes.home("n1") / "data").write_text("a file where a folder belongs")
    ended = node(homes.home("n1"), "--reuse-port")
    assert ended.returncode == 4
    assert "File exists" in last_line(ended.stderr)
