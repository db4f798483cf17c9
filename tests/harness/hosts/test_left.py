"""What runs left on hosts: seen, kept, brought home, removed; never what is still in use."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from delphic.harness.agent import proc
from delphic.harness.commands.heal import heal_command
from delphic.harness.errors import WorldError
from delphic.harness.hosts import left
from delphic.harness.hosts.connection import Host
from delphic.harness.targets.permissions import subject
from headless import headless

NASTY = "it's a $(touch pwned)\n`touch pwned` -rf *"
RUN = "20260101T000000Z-short-1"
HOUR_S = 3600.0

Sshd = Any
"""The server of conftest.py."""


@pytest.fixture(autouse=True)
def clean(sshd: Sshd) -> Iterator[None]:
    """The server is that of all tests of a file."""
    yield
    shutil.rmtree(sshd.entry.directory, ignore_errors=True)


def run_left(sshd: Sshd, name: str, age_s: float) -> Path:
    """A run's folder as a killed harness leaves it."""
    folder = sshd.folder / "data" / "runs" / name
    (folder / "n1" / "log").mkdir(parents=True)
    (folder / "n1" / "log.txt").write_text("n1 INFO it began\n")
    (folder / "n1" / "log" / "locked").write_bytes(bytes(10_000))
    (folder / "n1" / "log").chmod(0o555)
    (folder / left.MARK).touch()
    os.utime(folder, (time.time() - age_s,) * 2)
    return folder


def served(sshd: Sshd, name: str) -> None:
    folder = sshd.folder / "data" / "agent" / "runs" / "some"
    folder.mkdir(parents=True)
    place = {"run": f"{name} on a", "agent": [os.getpid(), 0], "place": ["other", "", "", ""]}
    (folder / "agent.json").write_text(json.dumps(place))


def look(sshd: Sshd) -> dict[str, left.Left]:
    async def ask() -> list[left.Left]:
        host = await Host.open(sshd.entry)
        try:
            return await left.left(host)
        finally:
            host.close()

    return {one.name: one for one in asyncio.run(ask())}


def heal(sshd: Sshd, *words: str) -> Result:
    file = sshd.folder / "hosts.yaml"
    entry = sshd.entry
    file.write_text(
        f"hosts:\n- name: a\n  address: {entry.address}\n  port: {sshd.port}\n"
        f"  user: {entry.user}\n  key: {entry.keys[0]}\n  directory: {entry.directory}\n"
        f"  host_key: {' '.join(sshd.host_key.split()[:2])}\n"
    )
    return CliRunner().invoke(heal_command, [str(file), *words])


def test_a_folder_that_we_may_not_look_into_is_no_runs_and_hinders_nobody(
    tmp_path: Path, require: Callable[[object, str], None]
) -> None:
    require(shutil.which("setpriv"), "there is no setpriv: apt-get install util-linux")
    (tmp_path / "runs/lost+found").mkdir(parents=True)
    (tmp_path / "runs/lost+found").chmod(0)
    words = [sys.executable, "-c", left._LOOK, str(tmp_path), left.RUNS, left.MARK]
    looked = subprocess.run(subject(words), capture_output=True, text=True, check=False)
    assert looked.returncode == 0, looked.stderr
    (found,) = json.loads(looked.stdout)
    assert (found["name"], found["is_run"], found["parts"]) == ("lost+found", False, [])


def test_what_is_left_is_told_from_what_goes_on(sshd: Sshd) -> None:
    for name in ("over", "served", NASTY):
        run_left(sshd, name, HOUR_S)
    served(sshd, "served")
    found = look(sshd)
    assert {name for name, one in found.items() if not one.is_served} == {"over", NASTY}
    assert found["over"].parts == ("n1",)
    assert found["over"].bytes >= 10_000
    assert HOUR_S <= found["over"].age_s < HOUR_S + 60


def test_a_run_goes_on_where_its_agent_lives_and_has_a_folder_for_it(sshd: Sshd) -> None:
    me, here = proc.me(), proc.here()
    agents = {
        "on": (me, here),
        "dead": (replace(me, start=me.start + 1), here),
        "renamed": (me, here._replace(machine="other")),
        "elsewhere": (me, here._replace(boot="other")),
        "doctor": (me, here),
    }
    for name, (agent, place) in agents.items():
        folder = sshd.folder / "data/agent/runs" / name
        folder.mkdir(parents=True)
        said = {"run": f"{name} on a", "agent": astuple(agent), "place": place}
        (folder / "agent.json").write_text(json.dumps(said))
        if name != "doctor":
            run_left(sshd, name, 0.0)
    (sshd.folder / "data/agent/runs/half").mkdir()
    (sshd.folder / "data/agent/runs/half/agent.json").touch()

    async def ask() -> list[str]:
        host = await Host.open(sshd.entry)
        try:
            return await left.carried(host)
        finally:
            host.close()

    assert sorted(asyncio.run(ask())) == ["on", "renamed"]


def test_a_run_goes_on_until_the_last_thread_of_its_agent_has_ended(tmp_path: Path) -> None:
    def carried() -> list[str]:
        words = [sys.executable, "-c", left._CARRIED, str(tmp_path), left.RUNS]
        asked = subprocess.run(words, capture_output=True, text=True, check=True)
        return list(json.loads(asked.stdout))

    with headless() as pid:
        agent = proc.identity(pid)
        assert agent is not None
        said = {"run": f"{RUN} on a", "agent": astuple(agent), "place": proc.here()}
        for folder in ("agent/runs/some", f"{left.RUNS}/{RUN}"):
            (tmp_path / folder).mkdir(parents=True)
        (tmp_path / "agent/runs/some/agent.json").write_text(json.dumps(said))
        assert carried() == [RUN]
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert carried() == []


def test_an_agent_that_is_lost_with_its_machine_serves_no_run(sshd: Sshd) -> None:
    run_left(sshd, "over", HOUR_S)
    run_left(sshd, "served", HOUR_S)
    served(sshd, "served")
    lost = sshd.folder / "data" / "agent" / "runs" / "lost"
    lost.mkdir()
    (lost / "agent.json").touch()
    assert {name: one.is_served for name, one in look(sshd).items()} == {
        "over": False,
        "served": True,
    }


def test_files_of_a_dead_run_stay_until_somebody_says_that_they_may_go(sshd: Sshd) -> None:
    over = run_left(sshd, "over", 2 * HOUR_S)
    nasty = run_left(sshd, NASTY, HOUR_S)
    on = run_left(sshd, "on", HOUR_S)
    served(sshd, "on")
    told = heal(sshd)
    assert told.exit_code == 0, told.output
    assert (
        "a: The files of run over (0.0 MiB, begun 2 h ago) are still there: --home" in told.output
    )
    assert "The files of run on" not in told.output
    assert all(folder.is_dir() for folder in (over, nasty, on))

    purged = heal(sshd, "--purge")
    assert purged.exit_code == 0, purged.output
    assert "The files of run over (0.0 MiB, begun 2 h ago) are removed." in purged.output
    assert [folder.is_dir() for folder in (over, nasty, on)] == [False, False, True]
    assert list(sshd.folder.rglob("pwned")) == []


def remove_old(sshd: Sshd) -> None:
    """As the next run does."""

    async def remove() -> None:
        host = await Host.open(sshd.entry)
        try:
            await left.remove_old(host)
        finally:
            host.close()

    asyncio.run(remove())


def test_a_folder_that_no_run_made_is_nobodys_to_remove(sshd: Sshd) -> None:
    thesis = sshd.folder / "data" / "runs" / "thesis"
    (thesis / "data").mkdir(parents=True)
    old = run_left(sshd, "old", 48 * HOUR_S)
    os.utime(thesis, (time.time() - 7 * 24 * HOUR_S,) * 2)

    remove_old(sshd)
    assert (thesis / "data").is_dir()
    assert not old.exists()
    purged = heal(sshd, "--purge")
    assert purged.exit_code == 0, purged.output
    assert "runs/thesis was made by no run: left alone." in purged.output
    assert (thesis / "data").is_dir()


def test_files_of_a_dead_run_come_home_to_where_the_run_has_them(
    sshd: Sshd, tmp_path: Path
) -> None:
    over = run_left(sshd, f"{RUN}-1234abcd", HOUR_S)
    runs = tmp_path / "runs"
    said = heal(sshd, "--home", str(runs))
    assert said.exit_code == 0, said.output
    assert f"have come home: {runs / RUN / 'nodes' / 'n1'}." in said.output
    assert (runs / RUN / "nodes/n1/log.txt").read_text() == "n1 INFO it began\n"
    assert (runs / RUN / "nodes/n1/log/locked").stat().st_size == 10_000
    assert not over.exists()


def test_what_is_at_home_already_is_not_written_over_and_nothing_is_removed(
    sshd: Sshd, tmp_path: Path
) -> None:
    over = run_left(sshd, f"{RUN}-1234abcd", HOUR_S)
    mine = tmp_path / "runs" / RUN / "nodes" / "n1" / "log.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    said = heal(sshd, "--home", str(tmp_path / "runs"))
    assert said.exit_code == 4, said.output
    assert "is there already" in said.output
    assert mine.read_text() == "mine"
    assert over.is_dir()


def test_what_came_home_in_part_comes_home_in_whole_the_next_time(
    sshd: Sshd, tmp_path: Path
) -> None:
    """Whoever brought it was killed, or one part could not come: what came is not in the way."""
    over = run_left(sshd, f"{RUN}-1234abcd", HOUR_S)
    nodes = tmp_path / "runs" / RUN / "nodes"
    for name in ("n0", "n2"):
        (over / name).mkdir()
        (over / name / "log.txt").write_text(f"{name} INFO it began\n")
    nodes.mkdir(parents=True)
    (nodes / "n1").touch()
    said = heal(sshd, "--home", str(tmp_path / "runs"))
    assert said.exit_code == 4, said.output
    assert "are still there: n1: " in said.output
    assert over.is_dir()
    for name in ("n0", "n2"):
        assert (nodes / name / "log.txt").read_text() == f"{name} INFO it began\n"

    (nodes / "n1").unlink()
    (nodes / "n0" / "what the run added").touch()
    said = heal(sshd, "--home", str(tmp_path / "runs"))
    assert said.exit_code == 0, said.output
    assert (nodes / "n1/log.txt").is_file()
    assert not over.exists()
    assert sorted(path.name for path in nodes.iterdir()) == ["n0", "n1", "n2"]


def test_one_run_that_cannot_come_home_hinders_no_other(sshd: Sshd, tmp_path: Path) -> None:
    first, second = (run_left(sshd, f"{RUN}{n}-1234abcd", HOUR_S) for n in (1, 2))
    blocked = tmp_path / "runs" / f"{RUN}1"
    blocked.parent.mkdir()
    blocked.touch()
    said = heal(sshd, "--home", str(tmp_path / "runs"))
    assert said.exit_code == 4, said.output
    assert "have come home" in said.output
    assert (first.is_dir(), second.is_dir()) == (True, False)


def test_the_next_run_removes_what_has_been_left_for_a_day(sshd: Sshd) -> None:
    old, fresh = run_left(sshd, "old", 25 * HOUR_S), run_left(sshd, "fresh", 23 * HOUR_S)
    long = run_left(sshd, "long", 50 * HOUR_S)
    served(sshd, "long")

    remove_old(sshd)
    assert [folder.is_dir() for folder in (old, fresh, long)] == [False, True, True]


@pytest.mark.parametrize("name", ["..", "a/b", ""])
def test_a_host_that_names_a_path_for_a_run_is_not_believed(
    sshd: Sshd, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = {"name": name, "age_s": 1e6, "bytes": 1, "parts": [], "is_served": False, "is_run": True}
    monkeypatch.setattr(left, "_LOOK", f"print({json.dumps([one])!r})")
    with pytest.raises(WorldError, match="impossible name"):
        look(sshd)
