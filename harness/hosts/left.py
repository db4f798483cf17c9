"""What runs keep on a host, and what of it is left when nobody serves the run any more.

Each run has a folder there, with what its members wrote: logs, traces, data. It goes when all of it
has come home; what a killed harness left is evidence, and stays until it is brought home, until
somebody says that it may go, or until a run a day later.
"""

from pathlib import PurePosixPath

import msgspec

from .connection import Host

RUNS = "runs"
"""The folder of a host's directory in which each run has one."""

MARK = ".delphic-run"
"""The file in the folder of a run by which it is known as one: the directory may be anybody's."""

KEPT_S = 24 * 3600.0
"""What nobody asked for is removed by the next run after so long."""

_LOOK_S = 60.0

_LOOK = """
import json, os, sys, time
from pathlib import Path

# A run's agent is there before its folder, so that folders are looked at first.
folders = sorted(path for path in Path(sys.argv[1], sys.argv[2]).glob("*") if path.is_dir())
served = []
for file in Path(sys.argv[1], "agent", "runs").glob("*/agent.json"):
    try:
        served.append(json.loads(file.read_text())["run"])
    except (FileNotFoundError, ValueError):
        continue  # Gone, or lost when the machine stopped: nobody serves it.
found = []
for folder in folders:
    try:
        at = folder.stat().st_mtime
        inside = os.listdir(folder)
    except FileNotFoundError:
        continue
    except PermissionError:
        inside = []  # As lost+found: no run's, whose folders are ours.
    is_served = any(run.startswith(f"{folder.name} on ") for run in served)
    size = 0
    # What grows is not worth the time.
    for path, _, names in () if is_served else os.walk(folder):
        for name in names:
            try:
                size += os.lstat(os.path.join(path, name)).st_blocks * 512
            except FileNotFoundError:
                continue
    parts = sorted(name for name in inside if name != sys.argv[3])
    one = {"name": folder.name, "age_s": time.time() - at, "bytes": size, "parts": parts}
    found.append({**one, "is_served": is_served, "is_run": sys.argv[3] in inside})
print(json.dumps(found))
"""
"""Standard library: the host's own Python runs it."""


_CARRIED = """
import json, os, sys
from pathlib import Path

boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
spaces = [os.readlink(f"/proc/self/ns/{kind}") for kind in ("pid", "net")]
here = [boot, *spaces]  # Whatever the machine is called meanwhile.

def goes_on(said):
    pid, began = said["agent"]
    stat = Path(f"/proc/{pid}/stat").read_text()
    state, *fields = stat.rpartition(")")[2].split()
    lives = state != "Z" or int(fields[16]) > 1  # Threads.
    return said["place"][1:] == here and lives and int(fields[18]) == began

found = []
for file in Path(sys.argv[1], "agent", "runs").glob("*/agent.json"):
    try:
        said = json.loads(file.read_text())
        if goes_on(said):
            found.append(said["run"].rpartition(" on ")[0])
    except (FileNotFoundError, ProcessLookupError, ValueError):
        continue  # Gone meanwhile, or with its machine.
# Who only looks has an agent, and no folder.
print(json.dumps([run for run in found if Path(sys.argv[1], sys.argv[2], run).is_dir()]))
"""
"""As _LOOK; whether an agent lives is asked as the agent does it (agent/proc.py)."""


class Left(msgspec.Struct, frozen=True):
    """A folder on a host where those of runs are. `parts`: what is in it, a member's home each."""

    name: str
    age_s: float
    """Since the run began."""
    bytes: int
    """On the disk; 0 for one that is served."""
    parts: tuple[str, ...]
    is_served: bool
    """Whether it goes on, or is not undone yet."""
    is_run: bool
    """Whether a run made it."""


async def left(host: Host) -> list[Left]:
    """All folders that are where those of runs are. Raises WorldError."""
    entry = host.entry
    words = (entry.python, "-c", _LOOK, entry.directory, RUNS, MARK)
    ran = await host.must(*words, sudo=host.entry.is_sudo, again=True, timeout_s=_LOOK_S)
    try:
        found = msgspec.json.decode(ran.out, type=list[Left])
    except msgspec.DecodeError as error:
        raise host.error("says something else than which runs it keeps", ran.said) from error
    for name in (name for one in found for name in (one.name, *one.parts)):
        # What a host says becomes names of files here.
        if name in ("", ".", "..") or "\0" in name or PurePosixPath(name).name != name:
            raise host.error(f"has a run or a member of an impossible name: {name!r}")
    return found


async def carried(host: Host) -> list[str]:
    """The runs that go on there at this moment. Raises WorldError."""
    entry = host.entry
    words = (entry.python, "-c", _CARRIED, entry.directory, RUNS)
    ran = await host.must(*words, sudo=entry.is_sudo, again=True, timeout_s=_LOOK_S)
    try:
        return msgspec.json.decode(ran.out, type=list[str])
    except msgspec.DecodeError as error:
        raise host.error("says something else than which runs go on there", ran.said) from error


async def make(host: Host, name: str) -> None:
    """Make a run's folder, known as one. Raises WorldError."""
    await host.must("sh", "-c", _MAKE, "sh", path(host, name), MARK, again=True)


async def remove(host: Host, name: str) -> None:
    """Remove a run's folder; that it is gone already is no failure. Raises WorldError."""
    words = ("sh", "-c", _REMOVE, "sh", path(host, name))
    await host.must(*words, sudo=host.entry.is_sudo, again=True, timeout_s=_LOOK_S)


async def remove_old(host: Host) -> None:
    """Remove what has been left for so long that nobody will ask for it. Raises WorldError."""
    for one in await left(host):
        if one.is_run and not one.is_served and one.age_s > KEPT_S:
            await remove(host, one.name)


def path(host: Host, name: str) -> str:
    """A run's folder on a host."""
    return f"{host.entry.directory}/{RUNS}/{name}"


_MAKE = 'mkdir -p -- "$1" && : > "$1/$2"'

_REMOVE = '[ ! -d "$1" ] || { chmod -R u+w -- "$1"; rm -rf -- "$1"; }'
"""A killed run may have left files that nobody may write."""
