"""A laboratory without root: in a user namespace, where the kernel lets anybody make one.

Whoever makes the laboratory is root there, of a network that only those inside reach: so what uses
the laboratory runs inside, too. Each host is a user namespace below, in which its sshd is no root
(it could not drop what root may), but has all capabilities for what is the host's own.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..agent import proc
from ..agent.proc import Identity
from ..errors import WorldError
from . import host
from .folder import Folder, folders

ENTER = ("unshare", "--user", "--map-root-user", "--net", "--mount")
"""Before a command: it is inside."""

HOLDER = "DELPHIC_LAB_HOLDER"
"""The environment variable by which those inside know who keeps the namespaces: `pid:start`."""

_ALL = 4_294_967_295
_POWERS = 1 << 12 | 1 << 21  # CAP_NET_ADMIN and CAP_SYS_ADMIN.
_TIMEOUT_S = 30.0

_SWITCHES = (
    ("/proc/sys/user/max_user_namespaces", "0", "sysctl user.max_user_namespaces=10000"),
    (
        "/proc/sys/kernel/unprivileged_userns_clone",
        "0",
        "sysctl kernel.unprivileged_userns_clone=1",
    ),
    (
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "sysctl kernel.apparmor_restrict_unprivileged_userns=0",
    ),
)
"""What turns user namespaces off, and what turns them on again."""


def is_inside(uid_map: str | None = None) -> bool:
    """Whether this process is in a user namespace of few users, as unshare makes them."""
    text = Path("/proc/self/uid_map").read_text() if uid_map is None else uid_map
    return all(int(line.split()[2]) < _ALL for line in text.splitlines())


def may_here(status: str | None = None) -> bool:
    """Whether this process may make networks and mount where it is."""
    text = Path("/proc/self/status").read_text() if status is None else status
    held = next(line for line in text.splitlines() if line.startswith("CapEff:"))
    return int(held.split()[1], 16) & _POWERS == _POWERS


def hindrance() -> str | None:
    """Why nobody can make a laboratory without root here, and what would help; None if one can."""
    nested = [*host.WITHOUT_ROOT, *host.NAMESPACES, "--fork", "true"]
    try:
        done = subprocess.run(
            [*([] if is_inside() and may_here() else ENTER), *nested],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"namespaces cannot be tried: {error}"
    return None if done.returncode == 0 else f"{done.stderr.strip()}; {advice()}"


def advice(root: Path = Path("/")) -> str:
    """What would help where user namespaces are refused."""
    for file, off, command in _SWITCHES:
        switch = root / file.removeprefix("/")
        if switch.is_file() and switch.read_text().strip() == off:
            return f"as root: {command}"
    return (
        "in a container: --security-opt seccomp=unconfined, or as root with "
        "--cap-add SYS_ADMIN --cap-add NET_ADMIN; util-linux must be 2.38 or newer"
    )


def enter() -> None:
    """Start this very command again inside, unless it may make laboratories where it is."""
    if may_here() or hindrance() is not None:
        return  # Whoever makes the laboratory says what hinders it.
    _replace([*ENTER, "--", sys.executable, *sys.orig_argv[1:]], os.environ)


def enter_holder(who: Identity, words: Sequence[str]) -> None:
    """Run a command inside the namespaces that a process holds, in this one's place."""
    _replace([*into(who.pid), *words], {**os.environ, HOLDER: f"{who.pid}:{who.start}"})


def holder() -> Identity | None:
    """Who keeps the namespaces that this process is in; None if they go with it."""
    pid, _, start = os.environ.get(HOLDER, "").partition(":")
    if not is_inside() or not (pid.isdecimal() and start.isdecimal()):
        return None
    known = Identity(int(pid), int(start))
    return known if proc.alive(known) else None


def into(pid: int) -> tuple[str, ...]:
    """Before a command: it is where that process is."""
    way = ("nsenter", "--preserve-credentials", "--user", "--net", "--mount", "--wd=.")
    return (*way, "--target", str(pid), "--")


def hold() -> Identity:
    """Start a process that does nothing but hold the namespaces of a laboratory.

    Raises WorldError where there can be none.
    """
    words = [
        *ENTER,
        "sh",
        "-c",
        "ip link set lo up; echo held; exec sleep infinity > /dev/null 2>&1",
    ]
    back, ours = os.pipe()
    with os.fdopen(back, "rb") as said:
        pid = os.posix_spawnp(
            words[0],
            words,
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, ours, 1),
            ],
            setsid=True,
        )
        os.close(ours)
        held = proc.identity(pid) if said.readline() == b"held\n" else None
    if held is None:
        os.waitpid(pid, 0)
        raise WorldError(f"no laboratory without root: {hindrance()}")
    return held


def let_go() -> None:
    """End who holds the namespaces that this process is in, if there is no laboratory in them."""
    held = holder()
    if held is not None and not is_needed(held):
        host.end(held)


def is_needed(held: Identity, besides: Folder | None = None) -> bool:
    """Whether a laboratory is in those namespaces, or may be: its record cannot be read.

    `besides`: another one than this.
    """
    try:
        records = [folder.read() for folder in folders() if folder != besides]
    except WorldError:
        return True
    return any(record is not None and record.inside == held for record in records)


def _replace(words: Sequence[str], environment: Mapping[str, str]) -> None:
    if shutil.which(words[0]) is None:
        raise WorldError(f"there is no {words[0]}: apt-get install util-linux")
    sys.stdout.flush()
    sys.stderr.flush()
    os.execvpe(words[0], list(words), dict(environment))  # noqa: S606 - a list of words
