"""Hosts with systemd, here the first process of a namespace: a run is a unit of its own."""

import asyncio
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from delphic.harness.agent import proc
from delphic.harness.hosts.agent import Agent
from near_host import NearHost
from systemd_lab import MOUNT, SYSTEMD

pytestmark = pytest.mark.slow

BOOT_S = 60.0

# $1: a folder; $2: the name of a control group; $3: what comes next; $4: MOUNT. systemd takes the
# group for the root of all.
AROUND = """
set -eu
mount --make-rprivate /
$4 "$1/groups"
mkdir "$1/groups/$2"
echo $$ > "$1/groups/$2/cgroup.procs"
umount "$1/groups"
exec unshare --mount --uts --ipc --pid --net --cgroup --fork --kill-child=KILL sh -c "$3" sh "$4"
"""

# The machine's own switches are not for it to set, its own units not for it to start, and its /tmp,
# which a system that starts may empty by rule, not for it to empty.
INSIDE = """
set -eu
mount --make-rprivate /
mount -t proc proc /proc
mount --bind /proc/sys /proc/sys
mount -o remount,ro,bind /proc/sys
mount -t tmpfs -o mode=755 tmpfs /run
for rules in /usr/lib/tmpfiles.d /etc/tmpfiles.d; do mount -t tmpfs tmpfs "$rules"; done
mkdir -p /run/lock /run/systemd/system
mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
case $1 in
*cgroup2*) umount /sys/fs/cgroup && $1 /sys/fs/cgroup ;;
*) mkdir /sys/fs/cgroup/systemd && $1 /sys/fs/cgroup/systemd ;;
esac
printf '[Unit]\\nDefaultDependencies=no\\n' > /run/systemd/system/small.target
container=delphic exec /lib/systemd/systemd --system --unit=small.target --log-target=null
"""

LEAVE = """
set -eu
mount --make-rprivate /
$3 "$1/groups"
find "$1/groups/$2" -depth -type d -exec rmdir {} +
"""

LOOK = """
import os, sys
for folder, _, files in os.walk("/sys/fs/cgroup"):
    if folder.endswith(sys.argv[1]) and "cgroup.events" in files:
        print(os.getxattr(folder, "trusted.delegate").decode())
"""
"""What the group of a unit in version 2, which systemd keeps beside 1, too, is marked with."""


def systemctl(way: tuple[str, ...], *words: str) -> str:
    done = subprocess.run(
        [*way, "systemctl", *words], capture_output=True, text=True, timeout=30, check=False
    )
    return done.stdout.strip()


@pytest.fixture(scope="module", params=[1, 2], ids=["v1", "v2"])
def way(
    request: pytest.FixtureRequest,
    require: Callable[[object, str], None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[str, ...]]:
    """Words before a command that run it where systemd is the first process.

    By the version of control groups that it keeps its units in.
    """
    require(os.geteuid() == 0, "systemd in a namespace takes root")
    require(SYSTEMD.exists(), "there is no systemd: apt-get install systemd")
    folder, group = tmp_path_factory.mktemp("systemd"), f"delphic-test-{uuid.uuid4().hex}"
    (folder / "groups").mkdir()
    words = [
        "unshare",
        "--mount",
        "sh",
        "-c",
        AROUND,
        "sh",
        str(folder),
        group,
        INSIDE,
        MOUNT[request.param],
    ]
    first = subprocess.Popen(words, stdin=subprocess.DEVNULL)
    try:
        until = time.monotonic() + BOOT_S
        inside: tuple[str, ...] = ()
        while not inside or systemctl(inside, "is-system-running") not in ("running", "degraded"):
            assert first.poll() is None, "systemd ended"
            assert time.monotonic() < until, "systemd does not come up"
            time.sleep(0.1)
            inside = tuple(
                word
                for child in proc.children(first.pid)
                for word in ("nsenter", "--target", str(child), "--all", "--")
            )
        yield inside
    finally:
        first.kill()
        first.wait()
        leave = [
            "unshare",
            "--mount",
            "sh",
            "-c",
            LEAVE,
            "sh",
            str(folder),
            group,
            MOUNT[request.param],
        ]
        for _ in range(50):
            if subprocess.run(leave, stderr=subprocess.DEVNULL, check=False).returncode == 0:
                break
            time.sleep(0.1)  # Its processes are still ending.
        shutil.rmtree(folder / "groups", ignore_errors=True)


def units(way: tuple[str, ...]) -> list[str]:
    listed = systemctl(way, "list-units", "--plain", "--no-legend", "delphic-*")
    return [line.split()[0] for line in listed.splitlines()]


def unit_of(way: tuple[str, ...], pid: int) -> str:
    """The unit that a process of the host is in."""
    done = subprocess.run(
        [*way, "cat", f"/proc/{pid}/cgroup"], capture_output=True, text=True, check=True
    )
    # One that is not of the version that systemd keeps its units in is at the top of the other.
    lines = [line for line in done.stdout.splitlines() if "name=systemd" in line or "0::" in line]
    return next(filter(None, (line.rpartition("/")[2] for line in lines)))


def test_a_run_is_a_unit_and_its_processes_are_in_it(way: tuple[str, ...], tmp_path: Path) -> None:
    async def play() -> None:
        async with NearHost(tmp_path, *way) as host:
            agent = await Agent.start(host, "run", 5.0)
            (unit,) = units(way)
            who = await agent.call("spawn", name="n1", words=["sleep", "600"])
            for pid in (agent.hello["pid"], agent.hello["guardian"], who["pid"]):
                assert unit_of(way, pid) == unit
            await agent.bye()

    asyncio.run(play())
    until = time.monotonic() + 10
    while units(way):
        assert time.monotonic() < until, "the unit is left"
        time.sleep(0.1)


def test_a_unit_is_delegated(way: tuple[str, ...], tmp_path: Path) -> None:
    """Else systemd takes controllers away from groups that it did not make itself."""

    async def play() -> None:
        async with NearHost(tmp_path, *way) as host:
            agent = await Agent.start(host, "run", 5.0)
            (unit,) = units(way)
            look = (*way, sys.executable, "-c", LOOK, unit)
            done = await asyncio.to_thread(subprocess.check_output, look, text=True)
            assert systemctl(way, "show", "--property=Delegate", "--value", unit) == "yes"
            assert done.split() == ["1"]
            await agent.bye()

    asyncio.run(play())


def test_the_end_of_the_session_does_not_end_who_has_to_undo(
    way: tuple[str, ...], tmp_path: Path
) -> None:
    """As logind ends sessions (KillUserProcesses): every process of the session's unit."""
    session = ("systemd-run", "--scope", "--quiet", "--collect", "--unit=session-9", "--")
    inside = (*way, *session, "sh", "-c", 'sleep 600 & exec "$@"', "sh")

    async def play() -> None:
        async with NearHost(tmp_path, *inside) as host:
            agent = await Agent.start(host, "run", 5.0)
            who = await agent.call("spawn", name="n1", words=["sleep", "600"])
            systemctl(way, "kill", "--signal=KILL", "session-9.scope")
            state = await agent.call("state", name="n1")
            assert (state["state"], state["pid"]) == ("running", who["pid"])
            await agent.bye()

    asyncio.run(play())


def test_without_systemd_a_run_is_what_was_started(tmp_path: Path) -> None:
    async def play() -> None:
        async with NearHost(tmp_path) as host:
            agent = await Agent.start(host, "run", 5.0)
            try:
                assert agent.hello["pid"] == host.channels[0].process.pid
            finally:
                await agent.bye()

    asyncio.run(play())
