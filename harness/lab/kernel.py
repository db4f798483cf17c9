"""What a laboratory has in the kernel: a bridge with a subnet of its own, a cable to each host.

The number of a laboratory is that of its bridge and of its subnet: whoever makes the bridge has it.
The bridge says to whom it belongs, so that those whose files are gone can be removed, too.
"""

import ipaddress
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import WorldError

NUMBERS = 256
HOSTS_MAX = 9
ADDRESSES_MAX = 20

_TIMEOUT_S = 30.0


def bridge(number: int) -> str:
    """The name of the bridge."""
    return f"delphic-lab{number}"


def cable(number: int, at: int) -> str:
    """The name of our end of the cable to host `at`."""
    return f"delphic{number}h{at}"


def address(number: int, at: int, index: int = 0) -> str:
    """The addresses of host `at`, which begins at 1."""
    assert 1 <= at <= HOSTS_MAX
    assert 0 <= index < ADDRESSES_MAX
    return f"10.97.{number}.{at * ADDRESSES_MAX + index}"


def has_sixth() -> bool:
    """Whether this kernel has IPv6."""
    return Path("/proc/net/if_inet6").exists()


def sixth(ipv4: str) -> str:
    """The IPv6 address that goes with an address of a laboratory."""
    *_, number, last = ipv4.split(".")
    return f"fd97:de1f:0:{int(number):x}::{int(last):x}"


def ours(number: int) -> str:
    """The address of the machine itself in the laboratory."""
    return f"10.97.{number}.254"


def connect(number: int, owner: Path) -> bool:
    """Make the bridge and say whose it is; False if the number or its addresses are taken."""
    subnet = ipaddress.ip_network(f"10.97.{number}.0/24")
    for route in _ip_json("-4", "route", "show", "table", "all"):
        to = route.get("dst", "default")
        if to != "default" and ipaddress.ip_network(to, strict=False).overlaps(subnet):
            return False
    name = bridge(number)
    made = _ip("link", "add", name, "type", "bridge", "forward_delay", "0")
    if "File exists" in made.stderr:
        return False
    _check(made)
    lines = [
        f'link set {name} alias "{owner}"',
        f"addr add {ours(number)}/24 dev {name}",
        f"link set {name} up",
    ]
    batch(lines)
    if has_sixth():
        batch([f"addr add {sixth(ours(number))}/64 dev {name} nodad"])
    return True


def plug(number: int, processes: Sequence[int]) -> None:
    """A cable from the bridge into the network namespace of each process, as its eth0."""
    lines = []
    for at, pid in enumerate(processes, 1):
        name = cable(number, at)
        lines += [
            f"link add {name} type veth peer name eth0 netns {pid}",
            f"link set {name} master {bridge(number)} up",
        ]
    batch(lines)


def bridges() -> dict[str, str]:
    """Every laboratory's bridge in this network namespace, and whose it says it is."""
    return {
        link["ifname"]: link.get("ifalias", "")
        for link in _ip_json("link", "show", "type", "bridge")
        if link.get("ifname", "").startswith("delphic-lab")
    }


def disconnect(name: str) -> None:
    """Remove the bridge and what is plugged into it. May be called twice."""
    # A namespace removes its end of a cable when it likes; ours, and with it both, goes now.
    links = _ip_json("link", "show", "master", name, missing=True)
    ports = [link["ifname"] for link in links if "ifname" in link]
    gone = [_ip("link", "delete", port) for port in (*ports, name)]
    for done in gone:
        # Whoever was quicker, it is gone: ip says so in more than one way.
        if done.returncode and _ip("link", "show", done.args[-1]).returncode == 0:
            _check(done)


def batch(lines: Sequence[str]) -> None:
    """Several commands of ip at once. Raises WorldError."""
    _check(_ip("-batch", "-", text="\n".join(lines) + "\n"))


def _ip(*words: str, text: str = "") -> subprocess.CompletedProcess[str]:
    command = ["ip", *words]
    try:
        return subprocess.run(
            command, input=text, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WorldError(f"cannot run {' '.join(command)}: {error}") from error


def _check(done: subprocess.CompletedProcess[str]) -> None:
    if done.returncode:
        raise WorldError(f"{' '.join(done.args)} failed", detail=done.stderr.strip())


def _ip_json(*words: str, missing: bool = False) -> list[dict[str, Any]]:
    done = _ip("-json", *words)
    if missing and done.returncode:
        return []
    _check(done)
    found: list[dict[str, Any]] = json.loads(done.stdout or "[]")
    return found
