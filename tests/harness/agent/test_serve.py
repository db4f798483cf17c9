"""The agent as a process: requests, processes, files, and what becomes of them when it is left."""

import asyncio
import base64
import contextlib
import json
import os
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from delphic.harness.agent import proc, undo
from delphic.harness.agent.proc import Identity
from delphic.harness.agent.undo import UndoLog
from delphic.harness.errors import WorldError
from delphic.harness.hosts.agent import Agent, heal
from delphic.harness.hosts.program import program
from near_host import NearHost, until, until_gone, watched

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]

FORK = """
import os, time
child = os.fork()
if child:
    os.write(1, b"%d\\n" % child)
else:
    os.setsid()
    os.write(1, b"away\\n")
time.sleep(600)
"""
FORKS = [sys.executable, "-c", FORK]
"""A process with a child that leaves its session. Each writes its line in one piece."""

LEASE_S = 1.0

pytestmark = pytest.mark.slow  # Each starts Python two or three times.


@asynccontextmanager
async def served(host: NearHost, lease_s: float = 5.0) -> AsyncIterator[Agent]:
    agent = await Agent.start(host, f"run {uuid.uuid4().hex} 'of' $(tests)", lease_s)
    async with watched(agent):
        yield agent


def on_this_machine(tmp_path: Path, test: Callable[[Agent, NearHost], Awaitable[None]]) -> NearHost:
    host = NearHost(tmp_path)

    async def go() -> None:
        async with host, served(host) as agent:
            await test(agent, host)

    asyncio.run(go())
    return host


async def heard(path: Path, count: int = 1) -> list[str]:
    """The first lines that a started process writes into its log."""

    def said() -> list[str]:
        return path.read_text().splitlines() if path.exists() else []

    assert await until(lambda: len(said()) >= count)
    return said()


def test_a_process_is_started_paused_resumed_killed_and_each_is_seen(tmp_path: Path) -> None:
    log = tmp_path / "log"

    async def test(agent: Agent, host: NearHost) -> None:
        began = await agent.call("spawn", name="n1", words=SLEEP, log=str(log))
        assert proc.identity(began["pid"]) == Identity(began["pid"], began["start"])
        assert await heard(log) == ["up"]
        assert (await agent.call("state", name="n1"))["state"] == "running"
        await agent.call("signal", name="n1", signal="STOP")
        assert await until(lambda: proc.letter(began["pid"]) == "T")
        assert (await agent.call("state", name="n1"))["state"] == "paused"
        await agent.call("signal", name="n1", signal="CONT")
        assert (await agent.call("state"))["n1"]["state"] == "running"
        assert (await agent.call("signal", name="n1", signal="KILL"))["state"] == "dead"
        ended = await agent.events.get()
        assert ended == {"event": "ended", "name": "n1", "pid": began["pid"], "code": -9}
        again = await agent.call("spawn", name="n1", words=SLEEP, log=str(log))
        assert again["pid"] != began["pid"]
        await agent.bye()
        assert proc.identity(again["pid"]) is None

    assert on_this_machine(tmp_path, test).runs == []


def test_a_process_that_ends_by_itself_is_an_event_with_its_exit_code(tmp_path: Path) -> None:
    async def test(agent: Agent, host: NearHost) -> None:
        words = [sys.executable, "-c", "import os; print(os.environ['A']); raise SystemExit(7)"]
        log = tmp_path / "log"
        await agent.call("spawn", name="n1", words=words, env={"A": "$(b) 'c'"}, log=str(log))
        event = await asyncio.wait_for(agent.events.get(), 10)
        assert (event["name"], event["code"]) == ("n1", 7)
        assert await heard(log) == ["$(b) 'c'"]
        assert (await agent.call("state", name="n1"))["code"] == 7

    on_this_machine(tmp_path, test)


def test_a_pause_with_a_lease_ends_by_itself(tmp_path: Path) -> None:
    async def test(agent: Agent, host: NearHost) -> None:
        began = await agent.call("spawn", name="n1", words=SLEEP)
        await agent.call("signal", name="n1", signal="STOP", lease_s=0.3)
        assert await until(lambda: proc.letter(began["pid"]) == "T")
        assert await until(lambda: proc.letter(began["pid"]) in ("S", "R"))

    on_this_machine(tmp_path, test)


@pytest.mark.parametrize(
    ("do", "arguments", "why"),
    [
        ("dance", {}, "unknown verb dance"),
        ("spawn", {"name": "n1"}, "words"),
        ("spawn", {"name": "n1", "words": ["/no/such/program"]}, "does not start"),
        ("spawn", {"name": "n1", "words": ["true"], "user": "no such user"}, "there is no user"),
        ("spawn", {"name": "n1", "words": ["true"], "log": "/no/such/folder/log"}, "cannot write"),
        ("signal", {"name": "n1", "signal": "KILL"}, "nothing called n1"),
        ("signal", {"name": "n1", "signal": "HUP"}, "unknown signal"),
        ("remove", {"path": "/proc/version"}, "/proc/version"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_reason(
    tmp_path: Path, do: str, arguments: dict[str, Any], why: str
) -> None:
    async def test(agent: Agent, host: NearHost) -> None:
        with pytest.raises(WorldError, match=why) as caught:
            await agent.call(do, **arguments)
        assert caught.value.node == "near"
        assert (await agent.call("hello"))["pid"] == agent.hello["pid"]

    on_this_machine(tmp_path, test)


def test_the_end_of_a_file_is_cut_off_wherever_chance_points(tmp_path: Path) -> None:
    async def test(agent: Agent, host: NearHost) -> None:
        folder = tmp_path / "data"
        folder.mkdir()
        folders = [str(folder), str(tmp_path / "missing")]
        (folder / "empty").touch()
        assert await agent.call("cut-tail", folders=folders, at=0.5) is None
        (folder / "a").write_bytes(b"a" * 100)
        (folder / "b").write_bytes(b"b" * 300)
        cut = await agent.call("cut-tail", folders=folders, at=0.2, size=30)
        assert cut == {"path": str(folder / "a"), "was": 100, "left": 70}
        cut = await agent.call("cut-tail", folders=folders, at=0.9)
        assert (cut["path"], cut["was"]) == (str(folder / "b"), 300)
        assert 0 <= cut["left"] < 300
        assert (folder / "b").read_bytes() == b"b" * cut["left"]
        cut = await agent.call("cut-tail", folders=folders, at=0.0, size=9999)
        assert (cut["left"], (folder / "a").stat().st_size) == (0, 0)

    on_this_machine(tmp_path, test)


def test_files_are_written_listed_read_in_pieces_and_removed(tmp_path: Path) -> None:
    folder = tmp_path / "a folder\n'$(x)"
    content = bytes(range(256))

    async def test(agent: Agent, host: NearHost) -> None:
        encoded = base64.b64encode(content).decode()
        await agent.call("write", path=str(folder / "sub/-x"), data=encoded, mode=0o600)
        assert (folder / "sub/-x").read_bytes() == content
        listed = await agent.call("list", path=str(folder))
        assert listed == [{"path": "sub/-x", "size": 256}]
        piece = await agent.call("read", path=str(folder / "sub/-x"), offset=10, limit=5)
        assert base64.b64decode(piece["data"]) == content[10:15]
        assert piece["size"] == 256
        assert (await agent.call("read", path=str(folder / "none")))["size"] is None
        assert await agent.call("remove", path=str(folder)) is True
        assert await agent.call("remove", path=str(folder)) is False
        assert not folder.exists()

    on_this_machine(tmp_path, test)


def test_requests_overlap(tmp_path: Path) -> None:
    async def test(agent: Agent, host: NearHost) -> None:
        answers = await asyncio.gather(
            *(agent.call("read", path="/proc/version") for _ in range(50)), agent.call("beat")
        )
        assert len({answer["data"] for answer in answers[:-1]}) == 1

    on_this_machine(tmp_path, test)


async def broken(agent: Agent, tmp_path: Path) -> list[Identity]:
    """A running, a paused, and a forked process that hides in a session of its own."""
    pids = []
    for name, words in (("n1", SLEEP), ("n2", SLEEP), ("n3", FORKS)):
        log = tmp_path / f"{name}.log"
        began = await agent.call("spawn", name=name, words=words, log=str(log))
        pids.append(began["pid"])
        lines = await heard(log, 2 if name == "n3" else 1)
        pids += [int(line) for line in lines if line.isdigit() and int(line)]
    await agent.call("signal", name="n2", signal="STOP")
    found = [proc.identity(pid) for pid in pids]
    assert len(found) == 4
    return [identity for identity in found if identity is not None]


def test_everything_ends_when_the_harness_hangs_up(tmp_path: Path) -> None:
    async def test(agent: Agent, host: NearHost) -> None:
        processes = [*await broken(agent, tmp_path), *_own(agent)]
        await agent.abandon()
        assert await host.channels[0].process.wait() == 3
        assert await until_gone(processes, 1.0)

    assert on_this_machine(tmp_path, test).runs == []


def test_everything_ends_when_the_agent_is_killed(tmp_path: Path) -> None:
    async def test(agent: Agent, host: NearHost) -> None:
        processes = await broken(agent, tmp_path)
        guardian = proc.identity(agent.hello["guardian"])
        assert guardian is not None
        os.kill(agent.hello["pid"], signal.SIGKILL)
        assert await until_gone([*processes, guardian], 2.0)
        with pytest.raises(WorldError, match="the agent has ended"):
            await agent.call("hello")

    assert on_this_machine(tmp_path, test).runs == []


@pytest.mark.parametrize("stopped", ["harness", "agent"])
def test_everything_ends_when_the_lease_lapses(tmp_path: Path, stopped: str) -> None:
    """A harness that says nothing is noticed by the agent, a stopped agent by its guardian."""
    host = NearHost(tmp_path)

    async def go() -> None:
        async with host, served(host, LEASE_S) as agent:
            processes = [*await broken(agent, tmp_path), *_own(agent)]
            if stopped == "agent":
                os.kill(agent.hello["pid"], signal.SIGSTOP)
            else:
                for task in agent._tasks:
                    task.cancel()
            assert not await until_gone(processes, LEASE_S / 2)
            assert await until_gone(processes, LEASE_S / 2 + 2.0)

    asyncio.run(go())
    assert host.runs == []


def test_heal_undoes_what_agent_and_guardian_left_and_leaves_living_runs_alone(
    tmp_path: Path,
) -> None:
    host = NearHost(tmp_path)

    async def go() -> None:
        async with host, served(host) as living, served(host) as dying:
            kept = await living.call("spawn", name="n1", words=SLEEP)
            left = await broken(dying, tmp_path)
            os.kill(dying.hello["guardian"], signal.SIGKILL)
            os.kill(dying.hello["pid"], signal.SIGKILL)
            await host.channels[1].process.wait()
            assert all(proc.alive(each) for each in left)
            sentences, is_sound = await heal(host)
            assert is_sound
            assert len(sentences) == 2
            assert any("left alone" in each for each in sentences)
            assert any("everything is undone" in each for each in sentences)
            assert await until_gone(left, 0.0)
            assert proc.identity(kept["pid"]) == Identity(kept["pid"], kept["start"])
            await living.bye()
            assert await heal(host) == ([], True)

    asyncio.run(go())


@pytest.mark.parametrize("how", ["reads nothing", "says nonsense"])
def test_everything_ends_when_the_harness_behaves_oddly(tmp_path: Path, how: str) -> None:
    """Requests renew the lease, so that only what it cannot get rid of tells the agent."""
    host = NearHost(tmp_path)
    large = tmp_path / "large"
    large.write_bytes(bytes(1 << 20))
    agent = ("--run", "odd", "--lease", "30")

    async def go() -> None:
        await host.put(program().content, f"{tmp_path}/agent.pyz")
        words = (
            host.entry.python,
            f"{tmp_path}/agent.pyz",
            "serve",
            "--state",
            f"{tmp_path}/agent",
        )
        async with host:
            channel = await host.channel(*words, *agent, sudo=False)
            spawn = {"id": 0, "do": "spawn", "name": "n1", "words": SLEEP}
            await channel.send(json.dumps(spawn).encode() + b"\n")
            assert await until(lambda: len(host.marks) == 1)
            (mark,) = host.marks
            assert await until(lambda: len(proc.marked(mark)) == 1)
            read = {"id": 1, "do": "read", "path": str(large)}
            odd = json.dumps(read) if how == "reads nothing" else "nonsense"
            with contextlib.suppress(WorldError):
                for _ in range(60):
                    await channel.send(odd.encode() + b"\n")
            assert await until(lambda: host.runs == [], 20)
            assert proc.marked(mark) == []
            while await channel.receive():
                pass

    asyncio.run(go())


def test_a_run_is_served_once_and_what_a_dead_agent_left_is_undone_first(tmp_path: Path) -> None:
    host = NearHost(tmp_path)

    async def go() -> None:
        async with host:
            await again()

    async def again() -> None:
        first = await Agent.start(host, "mine", 5.0)
        async with watched(first):
            left = await broken(first, tmp_path)
            with pytest.raises(WorldError, match="is being served"):
                await Agent.start(host, "mine", 5.0)
            os.kill(first.hello["guardian"], signal.SIGKILL)
            os.kill(first.hello["pid"], signal.SIGKILL)
            await host.channels[0].process.wait()
            second = await Agent.start(host, "mine", 5.0)
            async with watched(second):
                assert await until_gone(left, 0.0)
                await second.bye()

    asyncio.run(go())
    assert host.runs == []


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({0: "elsewhere", 1: "another boot"}, "another machine's"),
        ({3: "net:[1]"}, "other namespaces"),
        ({0: "elsewhere", 1: "another boot", 2: "pid:[1]", 3: "net:[1]"}, "another machine's"),
    ],
)
def test_a_run_of_another_place_on_a_shared_disk_is_left_alone(
    tmp_path: Path, change: dict[int, str], why: str
) -> None:
    run = tmp_path / "runs" / "mine"
    own = [*proc.here()]
    place = [change.get(at, value) for at, value in enumerate(own)]
    UndoLog(run).add("unheard of")
    owner = {"run": "mine", "agent": [1, 1], "place": place}
    (run / "agent.json").write_text(json.dumps(owner))
    (sentence,), failed = undo.heal(tmp_path, {})
    assert why in sentence
    assert failed == []
    assert len(list(run.glob("undo/*"))) == 1


@pytest.mark.parametrize("change", [{"machine": "renamed"}, {"pids": "pid:[1]"}])
def test_a_dead_run_of_a_host_that_was_renamed_or_of_a_container_that_is_gone_is_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, str]
) -> None:
    monkeypatch.setattr(proc, "FIRST_NAMESPACE", proc.pid_namespace())
    run = tmp_path / "runs" / "mine"
    undone: list[object] = []
    UndoLog(run).add("noted", what="this")
    place = [*proc.here()._replace(**change)]
    (run / "agent.json").write_text(json.dumps({"run": "m", "agent": [1, 1], "place": place}))
    (sentence,), failed = undo.heal(tmp_path, {"noted": lambda what: undone.append(what["what"])})
    assert "everything is undone" in sentence
    assert (undone, failed) == (["this"], [])
    assert not run.exists()


def test_a_live_run_of_a_host_that_was_renamed_is_left_alone() -> None:
    assert "is being served" in str(undo.in_use(proc.me(), proc.here()._replace(machine="renamed")))


def test_a_run_from_before_a_reboot_is_undone(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "mine"
    undone: list[object] = []
    UndoLog(run).add("noted", what="this")
    place = [proc.here().machine, "another boot", "pid:[1]", "net:[1]"]
    (run / "agent.json").write_text(json.dumps({"run": "m", "agent": [1, 1], "place": place}))
    (sentence,), failed = undo.heal(tmp_path, {"noted": lambda what: undone.append(what["what"])})
    assert "everything is undone" in sentence
    assert undone == ["this"]
    assert failed == []
    assert not run.exists()


def test_what_cannot_be_undone_is_said_and_kept(tmp_path: Path) -> None:
    async def test(agent: Agent, host: NearHost) -> None:
        entry = tmp_path / "agent/runs" / host.runs[0] / "undo/000099.json"
        entry.write_text(json.dumps({"kind": "unheard of"}))
        with pytest.raises(WorldError, match="not everything could be undone") as caught:
            await agent.bye()
        assert "000099.json" in caught.value.detail
        sentences, is_sound = await heal(host)
        assert not is_sound
        assert "000099.json is not undone" in sentences[0]

    assert len(on_this_machine(tmp_path, test).runs) == 1


def _own(agent: Agent) -> list[Identity]:
    return _known([agent.hello[key] for key in ("pid", "guardian")])


def _known(pids: list[int]) -> list[Identity]:
    found = [proc.identity(pid) for pid in pids]
    assert None not in found
    return [identity for identity in found if identity is not None]
