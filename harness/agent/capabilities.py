"""What can be done to this host, tried out where it harms nobody: in a namespace of its own.

An answer is a reason why not, or nothing.
"""

import contextlib
import json
import os
import socket
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from . import disk, pressure, tool
from .kept import Lacks, kept
from .netlink import Queue, queue_rule
from .ruleset import MASK, link, queue_table, ruleset
from .run import Refused, Run
from .shaper import FAMILIES, sender

_NONE = "192.0.2.1"
_NONE6 = "2001:db8::1"
"""Addresses that are nobody's (RFC 5737, RFC 3849)."""

_PROBE_S = 60.0
_ABORT_S = 5.0

CAP_NET_ADMIN = 12


class Capabilities:
    """What can be done to this host."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def verbs(self) -> Mapping[str, Any]:
        return {"capabilities": self.capabilities}

    def capabilities(self) -> Lacks:
        """Why each kind of thing cannot be done here; None where it can."""
        return {**kept(self._run, "capabilities", _found), "disk": disk.why_not(self._run)}


def _found() -> Lacks:
    return {**_network(), **pressure.probe(), "permissions": _permissions()}


def _permissions() -> str | None:
    """What makes permissions of files mean something to a process that root starts."""
    return tool.missing("setpriv") if os.geteuid() == 0 else None


def _network() -> Lacks:
    lacking = tool.missing("nft", "ip", "unshare") or _powers()
    if lacking is None:
        words = ("unshare", "--net", *tool.own("try"))
        try:
            ran = subprocess.run(
                words, capture_output=True, text=True, timeout=_PROBE_S, check=True
            )
            return dict(json.loads(ran.stdout))
        except subprocess.SubprocessError as error:
            lacking = f"no network namespace to try it in: {tool.said(error).splitlines()[-1]}"
    return dict.fromkeys(_TRIALS, lacking)


def _powers() -> str | None:
    if tool.may(CAP_NET_ADMIN):
        return None
    return "the agent may not administer the network: log in as root, or say sudo: true"


def try_all() -> None:
    """Try everything in this namespace, and write what came of it."""
    # Nothing can be sent over a loopback that is down.
    tool.run_now("ip", "link", "set", "lo", "up")
    print(json.dumps({name: _why_not(trial) for name, trial in _TRIALS.items()}))  # noqa: T201


def _why_not(trial: Callable[[], None]) -> str | None:
    try:
        trial()
    except (*tool.FAILURES, Refused) as error:
        return tool.said(error).splitlines()[0]
    return None


def _table(own: str, source: str, **wanted: object) -> None:
    made = link({"source": source, "own": own, **wanted})
    tool.run_now("nft", "-f", "-", text=ruleset("probe", [made], 1.0, None, {}, None))


def _cut() -> None:
    _table("127.0.0.1", _NONE, cut=True)


def _has_ipv6() -> bool:
    return Path("/proc/net/if_inet6").exists()


def _cut6() -> None:
    if not _has_ipv6():
        raise Refused("the kernel has no IPv6")
    _table("::1", _NONE6, cut=True)


def _loss() -> None:
    _table("127.0.0.1", _NONE, loss=0.5)


def _rate() -> None:
    _table("127.0.0.1", _NONE, rate_bytes_s=100_000)


def _shape() -> None:
    """Copies, a queue, and a way to send packets there: nft's own, or the target of iptables."""
    for version, family in FAMILIES.items():
        if version == 4 or _has_ipv6():
            sender(family).close()
    queue = Queue(1)
    try:
        try:
            tool.run_now("nft", "-f", "-", text=queue_table("probe", 1, rule=True))
        except subprocess.CalledProcessError:
            tool.run_now("nft", "-f", "-", text=queue_table("probe", 1, rule=False))
            queue_rule("probe", "input", 1 << 16, MASK, 1)
    finally:
        queue.close()


def _reset() -> None:
    lacking = tool.missing("ss")
    if lacking:
        raise Refused(lacking)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port), _ABORT_S) as made:
            tool.run_now("ss", "-K", "-tn", "state", "established", "dport", "=", f":{port}")
            made.settimeout(_ABORT_S)
            with contextlib.suppress(ConnectionError):
                made.recv(1)
                raise Refused("ss -K leaves connections alone: INET_DIAG_DESTROY is off")


_TRIALS: Mapping[str, Callable[[], None]] = {
    "cut": _cut,
    "cut-ipv6": _cut6,
    "loss": _loss,
    "rate": _rate,
    "shape": _shape,
    "reset": _reset,
}
