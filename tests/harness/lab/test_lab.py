"""A laboratory: hosts that share only a network, and nothing left after them."""

import asyncio
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
from delphic.harness.agent import proc
from delphic.harness.errors import UsageError, WorldError
from delphic.harness.hosts.connection import Host
from delphic.harness.lab import host as one_host
from delphic.harness.lab import kernel, lab
from delphic.harness.lab.lab import Lab

pytestmark = pytest.mark.slow

T = TypeVar("T")


def on(made: Lab, work: Callable[[list[Host]], Awaitable[T]]) -> T:
    async def run() -> T:
        hosts = await asyncio.gather(*(Host.open(entry) for entry in made.inventory.hosts))
        try:
            return await asyncio.wait_for(work(list(hosts)), 60)
        finally:
            for host in hosts:
                host.close()

    return asyncio.run(run())


def left(labs: Path, *names: str) -> list[str]:
    """What there is of laboratories: links by their numbers, mounts, processes, files."""
    numbers = [name.removeprefix("lab") for name in names]
    # One that was killed before it had its bridge has left the number to others.
    owners = kernel.bridges()
    whose = {n: owners.get(kernel.bridge(int(n)), "") for n in numbers}
    numbers = [n for n, owner in whose.items() if not owner or owner.startswith(str(labs))]
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    found = [
        link
        for link in (line.split(": ")[1].split("@")[0] for line in links.splitlines())
        for number in numbers
        if link == kernel.bridge(int(number)) or link.startswith(kernel.cable(int(number), 0)[:-1])
    ]
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    found += [line for line in mounts if str(labs) in line]
    found += [f"process {pid}" for pid in processes(labs)]
    return found + [str(path) for path in labs.iterdir()]


def processes(labs: Path) -> list[int]:
    """Everything that has the folder of a laboratory in its command line or in its environment."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                text = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
            except OSError:
                continue
            if os.fsencode(labs) in text:
                found.append(int(folder.name))
    return found


def test_hosts_have_names_addresses_processes_and_files_of_their_own(labs: Path) -> None:
    made = lab.up(3, addresses=2)
    assert [entry.name for entry in made.inventory.hosts] == ["h1", "h2", "h3"]

    async def work(hosts: list[Host]) -> None:
        for host in hosts:
            assert (await host.must("hostname")).text == host.name
            assert (await host.must("cat", "/etc/hostname")).text == host.name
            shown = (await host.must("ip", "-br", "addr", "show", "eth0")).text
            for address in host.entry.every_address:
                assert f"{address}/24" in shown
                assert f"{kernel.sixth(address)}/64" in shown
            await host.must(
                "sh",
                "-c",
                "echo $0 > /tmp/delphic-mine; echo $0 > /var/tmp/delphic-mine",
                host.name,
            )
        for host in hosts:
            assert (
                await host.must("cat", "/tmp/delphic-mine", "/var/tmp/delphic-mine")
            ).text.split() == [host.name] * 2
            listed = (await host.must("ls", "/proc")).text.split()
            assert len([name for name in listed if name.isdigit()]) < 15
            assert (
                made.files(host.name).joinpath("tmp/delphic-mine").read_text() == f"{host.name}\n"
            )

    on(made, work)
    assert not Path("/tmp/delphic-mine").exists()
    assert not Path("/etc/delphic-may-break-this-host").exists()
    assert len(left(labs, made.name)) > 6
    assert lab.down(made) == [made.name]
    assert left(labs, made.name) == []


def test_hosts_reach_one_another_at_every_address(labs: Path) -> None:
    made = lab.up(3, addresses=2)
    listen = (
        "import socket, sys\n"
        "s = socket.create_server((sys.argv[1], 7777), family=int(sys.argv[2]))\n"
        "print('ready', flush=True)\n"
        "c, a = s.accept()\n"
        "c.sendall(a[0].encode())\n"
    )
    ask = (
        "import socket, sys\n"
        "s = socket.create_connection((sys.argv[1], 7777), 5, (sys.argv[2], 0))\n"
        "print(s.recv(99).decode())\n"
    )

    async def work(hosts: list[Host]) -> None:
        a, b = hosts[0], hosts[2]
        for to, own in zip(b.entry.every_address, a.entry.every_address, strict=True):
            for family, spell in (("2", str), ("10", kernel.sixth)):
                server = await b.channel("python3", "-c", listen, spell(to), family)
                assert await server.receive() == b"ready\n"
                words = ("python3", "-c", ask, spell(to), spell(own))
                assert (await a.must(*words)).text == spell(own)
                server.close()

    on(made, work)


def test_laboratories_live_side_by_side(labs: Path) -> None:
    first, second = lab.up(3), lab.up(3)
    addresses = {e.address for made in (first, second) for e in made.inventory.hosts}
    assert len(addresses) == 6
    assert {status.name for status in lab.status()} == {first.name, second.name}
    lab.down(first)

    async def work(hosts: list[Host]) -> list[str]:
        return [(await host.must("hostname")).text for host in hosts]

    assert on(second, work) == ["h1", "h2", "h3"]
    lab.down(second)
    assert lab.status() == []


def test_whoever_is_not_root_becomes_it_by_sudo(labs: Path, require: Callable[..., None]) -> None:
    require(Path("/usr/bin/sudo").exists(), "there is no sudo: apt-get install sudo")
    made = lab.up(3, sudo=True)

    async def work(hosts: list[Host]) -> list[str]:
        host = hosts[0]
        assert (await host.must("whoami")).text == one_host.OPERATOR
        assert (await host.must("whoami", sudo=True)).text == "root"
        said = await host.must("cat", sudo=True, input=b"in\0put")
        assert said.out == b"in\0put"
        assert await host.put(b"kept", "/etc/by-root", 0o600, sudo=True)
        assert (await host.run("cat", "/etc/by-root")).code != 0
        channel = await host.channel("sh", "-c", "id -u; cat", sudo=True)
        assert await channel.receive() == b"0\n"
        channel.close()
        return []

    on(made, work)


def test_an_sshd_that_is_killed_comes_back(labs: Path) -> None:
    made = lab.up(3)

    async def work(hosts: list[Host]) -> None:
        host = hosts[0]
        kill = 'for p in /proc/[0-9]*; do [ "${p##*/}" = 1 ] || kill -KILL "${p##*/}"; done'
        with pytest.raises(WorldError, match="nobody knows what it did"):
            await host.run("sh", "-c", kill)
        assert (await host.must("echo", "back")).text == "back"

    on(made, work)


UP_AND_DIE = """
import os, signal
from delphic.harness.lab import host, kernel, lab
def die(*words, **more):
    os.kill(os.getpid(), signal.SIGKILL)
setattr({at}, die)
lab.up(3)
die()
"""


@pytest.mark.parametrize(
    "at",
    [
        "lab, 'nothing'",
        "kernel, 'connect'",
        "lab, '_fill'",
        "lab, '_keys'",
        "kernel, 'plug'",
        "host.Starting, 'go_on'",
        "lab, '_await_sshds'",
    ],
)
def test_whenever_its_owner_dies_a_laboratory_is_removed(labs: Path, at: str) -> None:
    died = subprocess.run([sys.executable, "-c", UP_AND_DIE.format(at=at)], check=False)
    assert died.returncode == -signal.SIGKILL
    (status,) = lab.status()
    assert status.is_stale
    assert any(status.name in said for said in lab.heal()[0])
    assert left(labs, status.name) == []


def test_a_laboratory_whose_files_are_gone_is_found_by_its_bridge(labs: Path) -> None:
    made = lab.up(3, keep=True)
    subprocess.run(["rm", "-rf", str(made.folder.path)], check=True)
    assert any(str(made.folder.path) in said for said in lab.heal()[0])
    assert left(labs, made.name) == []


def test_only_what_nobody_uses_is_taken_down(labs: Path) -> None:
    kept, used = lab.up(3, keep=True), lab.up(3)
    assert not any(made.name in said for made in (kept, used) for said in lab.heal()[0])
    assert lab.down() == [kept.name]
    assert [status.name for status in lab.status()] == [used.name]


def test_a_failure_half_way_leaves_nothing(labs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_host, "SCRIPT", one_host.SCRIPT.replace("echo up", "echo no >&2; exit"))
    with pytest.raises(WorldError, match=r"h1: the host does not start\nno"):
        lab.up(3)
    assert processes(labs) == []
    assert list(labs.iterdir()) == []
    assert not any(str(labs) in owner for owner in kernel.bridges().values())


def test_sizes_out_of_bounds_are_mistakes(labs: Path) -> None:
    for wrong in ({"count": 2}, {"count": 10}, {"addresses": 0}, {"addresses": 21}):
        with pytest.raises(UsageError, match="to"):
            lab.up(**wrong)
    assert not labs.exists()


def test_the_record_says_which_processes_are_the_hosts(labs: Path) -> None:
    made = lab.up(3)
    record = made.folder.read()
    assert record is not None
    assert all(h.process is not None and proc.alive(h.process) for h in record.hosts)
    one_host.end(record.hosts[0].process)
    assert [on for _, _, on in lab.status()[0].hosts] == [False, True, True]


def test_a_host_whose_cable_is_cut_is_given_up_in_time_and_found_again(labs: Path) -> None:
    made = lab.up(3)
    record = made.folder.read()
    assert record is not None
    entry = made.inventory.hosts[0]

    def cable(state: str) -> None:
        name = kernel.cable(record.number, 1)
        subprocess.run(["ip", "link", "set", name, state], check=True)

    async def work() -> float:
        host = await Host.open(entry, silence_s=1.5, patience_s=0.5)
        try:
            assert (await host.run("true")).code == 0
            cable("down")
            began = time.monotonic()
            with pytest.raises(WorldError, match="h1: "):
                await host.run("true", timeout_s=5.0)
            took = time.monotonic() - began
            cable("up")
            await host.must("echo", "back", again=True)
            return took
        finally:
            host.close()

    assert asyncio.run(asyncio.wait_for(work(), 60)) < 9.0


def test_a_folder_that_says_nothing_is_somebody_elses_moment_or_a_dead_ones(labs: Path) -> None:
    for name in ("lab7", "lab8"):
        (labs / name).mkdir(parents=True)
    os.utime(labs / "lab7", (0, 0))
    lab.heal()
    assert [path.name for path in labs.iterdir()] == ["lab8"]


@pytest.mark.parametrize("behaviour", ["silent", "resets"])
def test_an_sshd_that_is_slow_or_goes_again_does_not_answer_yet(
    monkeypatch: pytest.MonkeyPatch, behaviour: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(lab, "_SSH", server.getsockname()[1])

        def reset() -> None:
            connection, _ = server.accept()
            # Closed so, it is no end of the stream but an error.
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            connection.close()

        thread = threading.Thread(target=reset if behaviour == "resets" else str)
        thread.start()
        assert not lab._answers("127.0.0.1")
        thread.join()


def test_a_kernel_without_ipv6_has_laboratories_all_the_same(
    labs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel, "has_sixth", lambda: False)

    async def work(hosts: list[Host]) -> None:
        found = (await hosts[0].must("ip", "-o", "addr", "show", "dev", "eth0")).text
        assert " inet " in found
        assert "inet6 fd" not in found

    on(lab.up(3), work)
