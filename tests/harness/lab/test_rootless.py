"""A laboratory in a user namespace: made, used and removed by somebody with no rights outside."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from delphic.harness.lab import kernel, lab, rootless

Require = Callable[[object, str], None]


@pytest.fixture
def inside(require: Require, labs: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a program as whoever enters a user namespace; its result."""
    reason = rootless.hindrance()
    require(reason is None, reason or "")

    def run(
        *words: str, way: tuple[str, ...] = rootless.ENTER
    ) -> "subprocess.CompletedProcess[str]":
        command = [*way, *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)

    return run


USE = """
import asyncio, json, os, signal, sys
from delphic.harness.hosts.connection import Host
from delphic.harness.lab import kernel, lab, rootless

assert rootless.is_inside()
made = lab.up(3, addresses=2)
LOOK = (
    "PATH=$PATH:/usr/sbin; hostname; id -u; nft add table inet ours && nft list tables; "
    "mount -t tmpfs none /mnt && echo mounted; ls /proc | grep -c '^[0-9]'"
)

async def work():
    hosts = await asyncio.gather(*(Host.open(entry) for entry in made.inventory.hosts))
    said = [(await host.must("sh", "-c", LOOK)).text.split("\\n") for host in hosts]
    tables = (await hosts[0].must("/usr/sbin/nft", "list", "tables")).text
    await hosts[0].must("sh", "-c", "echo mine > /tmp/file")
    others = (await hosts[1].must("ls", "/tmp")).text
    for host in hosts:
        host.close()
    return said, tables, others

print(json.dumps([*asyncio.run(work()), made.name]), flush=True)
if sys.argv[1] == "die":
    os.kill(os.getpid(), signal.SIGKILL)
lab.down(made)
"""


LAB = (
    *(sys.executable, "-c"),
    "from delphic.harness.lab.command import lab_command; lab_command(prog_name='lab')",
)
"""As `delphic lab`, without all the other commands."""


def processes(labs: Path) -> list[int]:
    """Everything that has the folder of a laboratory in its command line."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                text = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if os.fsencode(labs) in text:
                found.append(int(folder.name))
    return found


@pytest.mark.slow
def test_whoever_makes_it_uses_it_and_nothing_is_left(
    inside: Callable[..., subprocess.CompletedProcess[str]], labs: Path
) -> None:
    done = inside(sys.executable, "-c", USE, "leave")
    assert done.returncode == 0, done.stderr
    said, tables, others, _ = json.loads(done.stdout)
    for at, (name, user, table, mounted, processes_there) in enumerate(said, 1):
        assert (name, user, table) == (f"h{at}", "4242", "table inet ours")
        assert mounted == "mounted"
        assert int(processes_there) < 15
    assert tables == "table inet ours"
    assert others == ""
    assert processes(labs) == []
    assert list(labs.iterdir()) == []


@pytest.mark.slow
def test_what_a_killed_one_leaves_is_removed_from_outside(
    inside: Callable[..., subprocess.CompletedProcess[str]], labs: Path
) -> None:
    done = inside(sys.executable, "-c", USE, "die")
    assert done.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL), done.stderr
    *_, name = json.loads(done.stdout)
    assert len(processes(labs)) > 3
    assert any(name in said for said in lab.heal()[0])
    assert processes(labs) == []
    assert list(labs.iterdir()) == []


@pytest.mark.slow
def test_a_kept_one_is_entered_and_taken_down(
    inside: Callable[..., subprocess.CompletedProcess[str]], labs: Path
) -> None:
    made = inside(sys.executable, "-m", "delphic", "lab", "up", "--rootless", way=())
    assert made.returncode == 0, made.stderr
    assert "delphic lab enter" in made.stdout
    (status,) = lab.status()
    assert [on for _, _, on in status.hosts] == [True, True, True]
    assert not status.is_stale
    address = status.hosts[2][1]
    ask = f"import socket; print(socket.create_connection(({address!r}, 22), 5).recv(4))"
    entered = inside(*LAB, "enter", sys.executable, "-c", ask, way=())
    assert entered.stdout == "b'SSH-'\n", entered.stderr
    assert not any(str(labs) in owner for owner in kernel.bridges().values())
    gone = inside(*LAB, "down", way=())
    assert gone.stdout.count(f"{status.name} is gone.") == 1, gone.stderr
    assert processes(labs) == []
    assert list(labs.iterdir()) == []
    none = inside(*LAB, "enter", "true", way=())
    assert none.returncode != 0
    assert "no laboratory was made without root" in none.stderr


@pytest.mark.slow
def test_a_failure_lets_the_namespaces_go(
    inside: Callable[..., subprocess.CompletedProcess[str]],
    labs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "state").write_text("no folder")
    monkeypatch.setenv("DELPHIC_STATE", str(tmp_path / "state"))
    failed = inside(*LAB, "up", "--rootless", way=())
    assert failed.returncode != 0
    assert "cannot make" in failed.stderr
    mark = f"DELPHIC_STATE={tmp_path / 'state'}".encode()
    left = [
        folder.name
        for folder in Path("/proc").iterdir()
        if folder.name.isdigit()
        and int(folder.name) != os.getpid()
        and mark in environment(folder / "environ")
    ]
    assert left == []
    monkeypatch.setenv("DELPHIC_STATE", str(tmp_path / "other"))


def environment(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""


def test_a_map_of_few_users_is_one_of_a_user_namespace() -> None:
    assert not rootless.is_inside("         0          0 4294967295\n")
    assert rootless.is_inside("         0       1000          1\n")
    assert rootless.is_inside("0 1000 1\n1 100000 65536\n")


def test_only_who_may_make_networks_and_mounts_stays_where_he_is() -> None:
    for held in ("000001ffffffffff", "0000000000201000"):
        assert rootless.may_here(f"Name:\tx\nCapEff:\t{held}\n")
    for held in ("0000000000000000", "0000000000001000", "0000000000200000", "00000000a80425fb"):
        assert not rootless.may_here(f"CapEff:\t{held}\n")


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("proc/sys/user/max_user_namespaces", "0\n", "user.max_user_namespaces=10000"),
        ("proc/sys/kernel/unprivileged_userns_clone", "0\n", "unprivileged_userns_clone=1"),
        (
            "proc/sys/kernel/apparmor_restrict_unprivileged_userns",
            "1\n",
            "apparmor_restrict_unprivileged_userns=0",
        ),
        ("proc/sys/user/max_user_namespaces", "5000\n", "seccomp=unconfined"),
    ],
)
def test_what_turned_user_namespaces_off_is_named(
    tmp_path: Path, file: str, text: str, said: str
) -> None:
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(text)
    assert said in rootless.advice(tmp_path)


def test_where_neither_works_it_is_said_why_and_what_would(
    labs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = ("sh", "-c", "echo unshare failed: Operation not permitted >&2; exit 1")
    monkeypatch.setattr(rootless, "ENTER", refused)
    monkeypatch.setattr(rootless, "may_here", lambda: False)
    rootless.enter()
    reason = lab.hindrance()
    assert reason is not None
    assert "needs root, or user namespaces: unshare failed: Operation not permitted; " in reason
    assert rootless.advice() in reason


RUN = """\
name: short
promises: [HS-2]
workload: {name: log, clients: 3, rate: 50, op_timeout: 500ms}
duration: 3s
faults:
  - {at: 500ms, partition: leader, for: 1s}
  - {at: 2s, kill: leader, for: 500ms}
"""

AS_NOBODY = """
import runpy, sys
from delphic.harness.lab import rootless

# Root of this machine may make laboratories; the run is to do as those who may not.
if not rootless.is_inside():
    rootless.may_here = lambda: False
sys.argv[0] = "delphic"
runpy.run_module("delphic", run_name="__main__")
"""


@pytest.mark.slow
def test_a_run_moves_inside_by_itself(
    inside: Callable[..., subprocess.CompletedProcess[str]],
    labs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("DELPHIC_CACHE")  # Another test may have filled the usual one.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "short.yaml").write_text(RUN)
    words = ("run", "short.yaml", "--seed", "3", "--on", "lab")
    done = inside(sys.executable, "-c", AS_NOBODY, *words, way=())
    assert done.returncode == 0, done.stdout + done.stderr
    acts = (tmp_path / "runs/latest/history.jsonl").read_text().splitlines()
    told = [op for op in map(json.loads, acts) if op["process"] == "nemesis"]
    took = [(op["f"], op["value"]["bit"]) for op in told if op["type"] == "info"]
    assert took == [(f, True) for f in ("partition", "heal", "kill", "restart")]
    hosts = json.loads((tmp_path / "runs/latest/hosts.json").read_text())["hosts"]
    assert sorted(hosts) == ["h1", "h2", "h3"]
    assert processes(labs) == []
    assert list(labs.iterdir()) == []
