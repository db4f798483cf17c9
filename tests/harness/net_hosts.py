"""Network namespaces that can stand for hosts, beside one another on a bridge of their own."""

import asyncio
import ctypes
import os
import secrets
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_CLONE_NEWNET = 0x40000000

SUBNET4, SUBNET6 = "10.123.45.", "fd12:3456::"
"""The bridge has a namespace to itself too, so that these are nobody else's."""


@dataclass(frozen=True)
class Net:
    """A namespace with an address of either family, and a second one of version 4."""

    name: str
    number: int

    @property
    def address(self) -> str:
        return f"{SUBNET4}{self.number}"

    @property
    def second(self) -> str:
        return f"{SUBNET4}{100 + self.number}"

    @property
    def address6(self) -> str:
        return f"{SUBNET6}{self.number}"

    @property
    def enter(self) -> tuple[str, ...]:
        """What goes before a command that is to run there."""
        return ("ip", "netns", "exec", self.name)

    def open(self, family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM) -> socket.socket:
        """A socket that lives there, in this process."""
        with ThreadPoolExecutor(1) as thread:  # The thread enters the namespace, and ends there.
            return thread.submit(self._open, family, kind).result()

    def _open(self, family: int, kind: int) -> socket.socket:
        handle = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.setns(handle, _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(handle)
        made = socket.socket(family, kind)
        made.setblocking(False)
        return made


def ip(*words: str, text: str = "") -> str:
    ran = subprocess.run(
        ["ip", *words], input=text, capture_output=True, text=True, check=False, timeout=20
    )
    if ran.returncode:
        raise RuntimeError(f"ip {words} {text}: {ran.stderr}")
    return ran.stdout


@contextmanager
def nets(count: int) -> Iterator[list[Net]]:
    """So many namespaces that reach one another; all of it is gone afterwards."""
    name = f"dlt{secrets.token_hex(4)}"
    switch, made = f"{name}s", [Net(f"{name}n{n}", n) for n in range(1, count + 1)]
    try:
        for each in (switch, *(net.name for net in made)):
            ip("netns", "add", each)
        ip(
            "-n",
            switch,
            "-batch",
            "-",
            text="link add name bridge0 type bridge forward_delay 0\nlink set bridge0 up",
        )
        for net in made:
            _join(net, switch)
        yield made
    finally:
        for each in (switch, *(net.name for net in made)):
            if Path(f"/run/netns/{each}").exists():
                ip("netns", "del", each)


def _join(net: Net, switch: str) -> None:
    port = f"v{net.number}"
    ip("-n", switch, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", net.name)
    ip("-n", switch, "-batch", "-", text=f"link set {port} master bridge0\nlink set {port} up")
    lines = [f"addr add {address}/24 dev eth0" for address in (net.address, net.second)]
    lines += [f"addr add {net.address6}/64 dev eth0 nodad", "link set eth0 up", "link set lo up"]
    ip("-n", net.name, "-batch", "-", text="\n".join(lines))


async def connected(
    source: Net, target: Net, version: int = 4
) -> tuple[socket.socket, socket.socket]:
    """A TCP connection from one to the other: its two ends, made and accepted."""
    loop = asyncio.get_running_loop()
    family = {4: socket.AF_INET, 6: socket.AF_INET6}[version]
    with target.open(family) as listener:
        listener.bind((target.address if version == 4 else target.address6, 0))
        listener.listen()
        made = source.open(family)
        made.bind((source.address if version == 4 else source.address6, 0))
        accepting = asyncio.ensure_future(loop.sock_accept(listener))
        await asyncio.wait_for(loop.sock_connect(made, listener.getsockname()), 5)
        accepted, _ = await asyncio.wait_for(accepting, 5)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made, accepted
