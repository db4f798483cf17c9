"""Laboratories: several hosts on this machine, made in a moment, and removed whatever happened.

The order keeps a crash harmless: the record is written before anything is made, hosts that were not
told to go on end with whoever made them, and what a record, a bridge or a process names is removed
by `down`, `heal` and the next `up`.
"""

import os
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec
import yaml

from ..agent import proc
from ..agent.proc import Identity, Whose
from ..errors import UsageError, WorldError
from ..hosts.inventory import Inventory, load
from . import host, kernel, rootless
from .folder import MARK, Folder, HostRecord, Record, cache_directory, create, folders

HOSTS_MIN, HOSTS_MAX = 3, kernel.HOSTS_MAX

TOOLS = ("ip", "unshare", "ssh-keygen", "/usr/sbin/sshd")
"""What a laboratory is made with."""

_ELSEWHERE = "it is of another namespace of pids"
_SSH = 22
_SSHD_S = 20.0
_RECORDED_S = 60.0  # A folder is made, and then says what it is: no more than a moment apart.


@dataclass(frozen=True, slots=True)
class Lab:
    """A laboratory that is up."""

    folder: Folder
    inventory: Inventory

    @property
    def name(self) -> str:
        return self.folder.name

    def files(self, name: str) -> Path:
        """The files of one host, as this machine sees them: log, tmp, var-tmp."""
        return self.folder.host(name)


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of a laboratory, and which of its hosts are on."""

    name: str
    inventory: Path
    hosts: tuple[tuple[str, str, bool], ...]
    owner: int | None
    is_stale: bool
    error: str | None = None
    """Why nothing else is known of it."""


def up(count: int = 3, *, addresses: int = 1, sudo: bool = False, keep: bool = False) -> Lab:
    """Make a laboratory of so many hosts, each with so many addresses, and wait for their sshds.

    It is this process's, and goes when this process is gone and somebody looks; `keep`: it stays
    until it is taken down. `sudo`: the inventory's user is not root, but may become it. Raises
    WorldError, and then nothing is left.
    """
    if not HOSTS_MIN <= count <= HOSTS_MAX:
        raise UsageError(f"a laboratory has {HOSTS_MIN} to {HOSTS_MAX} hosts, not {count}")
    if not 1 <= addresses <= kernel.ADDRESSES_MAX:
        raise UsageError(f"a host has 1 to {kernel.ADDRESSES_MAX} addresses, not {addresses}")
    if missing := hindrance():
        raise WorldError(missing)
    heal()
    folder = _claim(None if keep else proc.identity(os.getpid()))
    try:
        return _fill(folder, count, addresses, sudo=sudo)
    except BaseException:
        with suppress(WorldError):  # The next one to heal says so.
            remove(folder)
        raise


def down(lab: Lab | None = None) -> list[str]:
    """Remove this laboratory, or else all that no living run has made for itself; their names."""
    gone = [lab.folder] if lab is not None else [f for f in folders() if not _is_in_use(f)]
    for folder in gone:
        remove(folder)
    return [folder.name for folder in gone]


def status() -> list[Status]:
    """All laboratories of this user."""
    found = []
    for folder in folders():
        try:
            record = folder.read()
        except WorldError as unread:
            found.append(Status(folder.name, folder.inventory, (), None, False, unread.message))
            continue
        if record is None:
            continue
        whose = record.whose
        hosts = tuple(
            (
                h.name,
                h.addresses[0],
                whose is Whose.OURS and h.process is not None and proc.alive(h.process),
            )
            for h in (() if whose is Whose.OTHERS else record.hosts)
        )
        owner = None if record.owner is None else record.owner.pid
        error = _ELSEWHERE if whose is Whose.OTHERS else None
        found.append(Status(folder.name, folder.inventory, hosts, owner, _is_stale(record), error))
    return found


def remove(folder: Folder) -> None:
    """Hosts, bridge, files, in this order, whoever uses it; what is gone already is no failure."""
    record = folder.read()
    if record is not None and record.boot == proc.boot_id():
        is_ours = record.whose is Whose.OURS
        for at in record.hosts if is_ours else ():
            if at.process is not None:
                host.end(at.process)
        for process in proc.marked(folder.mark):
            host.end(process)
        held = record.inside if is_ours else None
        if held is not None and not rootless.is_needed(held, besides=folder):
            host.end(held)
        name = kernel.bridge(record.number)
        if kernel.bridges().get(name) in ("", str(folder.path)):
            kernel.disconnect(name)
    folder.remove()


def heal() -> tuple[list[str], bool]:
    """Remove the laboratories that nobody needs any more.

    Returns a sentence about each, and whether all of them are gone.
    """
    said, is_whole = [], True
    for folder in folders():
        try:
            said.append(_heal(folder))
        except WorldError as error:  # The others are to be removed.
            said.append(f"The laboratory {folder.name} is not gone: {error}.")
            is_whole = False
    if hindrance() is None:
        said += [_forgotten(name, owner) for name, owner in kernel.bridges().items() if owner]
    return [sentence for sentence in said if sentence], is_whole


def _heal(folder: Folder) -> str:
    """What is to be said of one laboratory, if anything. Raises WorldError."""
    try:
        record = folder.read()
    except WorldError:
        if not proc.is_older_than_boot(folder.record):
            raise
        folder.remove()  # Nothing of it outlived the boot.
        return f"The laboratory {folder.name}, which is of before the machine started, is gone."
    if record is None and folder.age_s() > _RECORDED_S:
        folder.remove()  # Whoever made it was killed before it said what for.
    if record is not None and record.whose is Whose.OTHERS:
        return f"The laboratory {folder.name} is of another namespace of pids: left alone."
    if record is None or not _is_stale(record):
        return ""
    remove(folder)
    return f"The laboratory {folder.name}, which nobody needed any more, is gone."


def hindrance() -> str | None:
    """Why there can be no laboratory here, and what would help; None if there can."""
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        return (
            f"a laboratory needs {', '.join(missing)}: "
            "apt-get install iproute2 util-linux openssh-server openssh-client"
        )
    if not rootless.may_here():
        why = rootless.hindrance() or "it can be made here: delphic lab up --rootless"
        return f"a laboratory needs root, or user namespaces: {why}"
    if rootless.is_inside():
        return rootless.hindrance()
    done = subprocess.run(
        ["unshare", *host.NAMESPACES, "--fork", "true"],  # noqa: S607
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    if done.returncode:
        return f"root may not make namespaces: {done.stderr.strip()}; {rootless.advice()}"
    return None


def _is_in_use(folder: Folder) -> bool:
    """Whether a living run has made it for itself, or may have, as far as is to be seen here."""
    try:
        record = folder.read()
    except WorldError:
        return True
    if record is None:
        return False
    has_owner = record.owner is not None and not _is_stale(record)
    return has_owner or record.whose is Whose.OTHERS


def _is_stale(record: Record) -> bool:
    """Whether its owner is gone, or its network, or the machine has been restarted."""
    if (whose := record.whose) is not Whose.OURS:
        return whose is Whose.GONE
    needed = (record.owner, record.inside)
    return any(process is not None and not proc.alive(process) for process in needed)


def _claim(owner: Identity | None) -> Folder:
    """A number that nobody else has: its folder and its bridge."""
    first = random.SystemRandom().randrange(kernel.NUMBERS)
    for step in range(kernel.NUMBERS):
        number = (first + step) % kernel.NUMBERS
        folder = create(number, owner, rootless=rootless.is_inside(), inside=rootless.holder())
        if folder is None:
            continue
        try:
            if kernel.connect(number, folder.path):
                return folder
        except BaseException:
            with suppress(WorldError):
                remove(folder)
            raise
        folder.remove()
    raise WorldError(f"all {kernel.NUMBERS} networks for laboratories are taken: delphic lab down")


def _fill(folder: Folder, count: int, addresses: int, *, sudo: bool) -> Lab:
    record = folder.read()
    assert record is not None
    number = record.number
    hosts = [
        HostRecord(f"h{at}", tuple(kernel.address(number, at, index) for index in range(addresses)))
        for at in range(1, count + 1)
    ]
    keys = _keys(folder, hosts)
    user = host.OPERATOR if sudo or record.rootless else "root"
    _inventory(folder, hosts, keys, user=user, sudo=sudo and not record.rootless)
    cache = cache_directory()
    cache.mkdir(parents=True, exist_ok=True)
    starting: list[host.Starting] = []
    try:
        for at in hosts:
            whole = [f"{address}/24" for address in at.addresses]
            if kernel.has_sixth():
                whole += [f"{kernel.sixth(address)}/64" for address in at.addresses]
            way = host.WITHOUT_ROOT if record.rootless else host.WITH_ROOT
            words = (*way, *host.NAMESPACES)
            starting.append(host.start(at.name, folder.host(at.name), cache, tuple(whole), words))
        for one in starting:
            one.wait(b"plug")
        pids = [one.pid for one in starting]
        kept = tuple(
            msgspec.structs.replace(at, process=proc.identity(pid))
            for at, pid in zip(hosts, pids, strict=True)
        )
        folder.write(msgspec.structs.replace(record, hosts=kept))
        kernel.plug(number, pids)
        for one in starting:
            one.go_on()
        for one in starting:
            one.wait(b"up")
    finally:
        for one in starting:
            one.close()
    _await_sshds(hosts)
    return Lab(folder, load(folder.inventory, ssh_config=Path(os.devnull)))


def _keys(folder: Folder, hosts: Sequence[HostRecord]) -> dict[str, str]:
    """A key for whoever logs in and one for each host; the public halves of the hosts'."""
    files = {"": folder.path / "key"}
    for at in hosts:
        files[at.name] = folder.host(at.name) / "host_key"
        files[at.name].parent.mkdir()
    # Side by side: the time is in starting them.
    running = [
        subprocess.Popen(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(file)],  # noqa: S607
            stdin=subprocess.DEVNULL,
        )
        for file in files.values()
    ]
    if any([process.wait(30) for process in running]):
        raise WorldError("ssh-keygen cannot make a key")
    user, *public = (file.with_suffix(".pub").read_text() for file in files.values())
    names = "".join(f"{at.addresses[0]} {at.name}\n" for at in hosts)
    for at in hosts:
        own = folder.host(at.name)
        (own / "authorized").write_text(user)
        (own / "host.sh").write_text(host.SCRIPT)
        (own / "sshd_config").write_text(host.SSHD_CONFIG)
        (own / "hosts").write_text(f"127.0.0.1 localhost\n::1 localhost\n{names}")
        for name in ("tmp", "var-tmp"):
            (own / name).mkdir()
            (own / name).chmod(0o1777)
    return {at.name: " ".join(key.split()[:2]) for at, key in zip(hosts, public, strict=True)}


def _inventory(
    folder: Folder,
    hosts: Sequence[HostRecord],
    keys: dict[str, str],
    *,
    user: str,
    sudo: bool,
) -> None:
    """hosts.yaml, as anybody would write it for these hosts."""
    text = yaml.safe_dump(
        {
            "defaults": {
                "user": user,
                "sudo": sudo,
                "key": str(folder.path / "key"),
                "cache": host.CACHE,
            },
            "hosts": [
                {
                    "name": at.name,
                    "address": at.addresses[0],
                    "addresses": list(at.addresses[1:]),
                    "host_key": keys[at.name],
                }
                for at in hosts
            ],
        },
        sort_keys=False,
    )
    folder.inventory.write_text(text, encoding="utf-8")


def _await_sshds(hosts: Sequence[HostRecord]) -> None:
    until = time.monotonic() + _SSHD_S
    for at in hosts:
        while not _answers(at.addresses[0]):
            if time.monotonic() > until:
                raise WorldError(f"no sshd answers within {_SSHD_S:g} s", node=at.name)
            time.sleep(0.01)


def _answers(address: str) -> bool:
    try:
        with socket.create_connection((address, _SSH), 1.0) as probe:
            return probe.recv(4) == b"SSH-"
    except OSError:  # Nobody is there yet, or is slow, or has begun and goes again.
        return False


def _forgotten(name: str, owner: str) -> str:
    """Remove a bridge whose laboratory has lost its files."""
    folder = Folder(Path(owner))
    if folder.path.exists():
        return ""
    for process in proc.marked(f"{MARK}={owner}"):
        host.end(process)
    kernel.disconnect(name)
    return f"The laboratory of {owner}, whose files are gone, is gone, too."
