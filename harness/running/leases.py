"""Which processes live runs have started, on disk: nothing outlives a killed harness.

A lease is one file a run in the state directory: the harness's own identity and its children's. Its
name also stands in the environment of every child, for those started in the last moment before a
kill. Whoever finds a lease whose harness is gone ends what is left, and says so.
"""

import os
import shlex
import uuid
from pathlib import Path

import msgspec

from ..agent import proc
from ..agent.proc import Identity, Whose
from ..errors import WorldError
from ..reading import UNDECODABLE

LEASE_VARIABLE = "DELPHIC_LEASE"
"""The environment variable that marks every process of a run."""

HARNESS = "harness"


class Child(msgspec.Struct, frozen=True):
    """A process that a run started, and what it is."""

    what: str
    process: Identity


class Record(msgspec.Struct, frozen=True):
    """What a lease's file says."""

    run: str
    boot: str
    harness: Identity
    children: tuple[Child, ...] = ()
    who: str = HARNESS
    pids: str = ""
    """The namespace in which its pids mean something."""


def state_directory() -> Path:
    """Where leases lie: DELPHIC_STATE, or delphic below XDG_STATE_HOME or ~/.local/state."""
    own = os.environ.get("DELPHIC_STATE")
    if own:
        return Path(own)
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "delphic"


class Lease:
    """One live run's claim on its processes. Write it before, and release it after them."""

    def __init__(self, run: Path, who: str = HARNESS) -> None:
        self.name = uuid.uuid4().hex
        self._path = state_directory() / f"{self.name}.json"
        self._record = Record(
            str(run.resolve()), proc.boot_id(), proc.me(), who=who, pids=proc.pid_namespace()
        )
        self._write()

    @property
    def environment(self) -> dict[str, str]:
        """The mark that every child is to carry."""
        return {LEASE_VARIABLE: self.name}

    def add(self, what: str, pid: int) -> None:
        """Note a child, right after its start."""
        process = proc.identity(pid)
        if process is not None:
            self._change((*self._record.children, Child(what, process)))

    def remove(self, pid: int) -> None:
        """Forget a child that has been waited for."""
        self._change(tuple(c for c in self._record.children if c.process.pid != pid))

    @property
    def mark(self) -> str:
        """The mark as it stands in the environment of every child."""
        return f"{LEASE_VARIABLE}={self.name}"

    def end_rest(self) -> None:
        """End what children have left behind. Raises WorldError; then the lease is to stay."""
        try:
            proc.end_marked(self.mark)
        except OSError as error:
            raise WorldError(str(error)) from error

    def release(self) -> None:
        """All children are gone."""
        self._path.unlink(missing_ok=True)

    def release_if_empty(self) -> None:
        """As `release`, unless a child is left that does not end: `heal` is to find it."""
        if not self._record.children:
            self.release()

    def _change(self, children: tuple[Child, ...]) -> None:
        self._record = msgspec.structs.replace(self._record, children=children)
        self._write()

    def _write(self) -> None:
        whole = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            whole.write_bytes(msgspec.json.encode(self._record))
            whole.replace(self._path)
        except OSError as error:
            raise WorldError(f"cannot write {self._path}: {error.strerror}") from error


def heal() -> tuple[list[str], bool]:
    """End what dead harnesses left running.

    Returns a sentence about each of their runs, and whether all of them are undone.
    """
    folder = state_directory()
    said, is_whole = [], True
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        # The others are to be healed, whatever has become of this one.
        sentence, is_undone = _heal(path)
        said += [sentence] if sentence else []
        is_whole = is_whole and is_undone
    return said, is_whole


def _heal(path: Path) -> tuple[str, bool]:
    """What is to be said of one lease, if anything, and whether its run is undone."""
    try:
        record = msgspec.json.decode(path.read_bytes(), type=Record)
    except FileNotFoundError:
        return "", True  # Its owner has just finished.
    except OSError as error:
        return _unread(path, error), False
    except UNDECODABLE as error:
        if not proc.is_older_than_boot(path):
            return _unread(path, error), False
        path.unlink(missing_ok=True)  # The machine stopped while it was written.
        return f"{path} cannot be read, and is of before the machine started: removed.", True
    whose = proc.whose(record.boot, record.pids)
    about = f"The {record.who} of {record.run} (pid {record.harness.pid})"
    if whose is Whose.OTHERS:
        return f"{about} is of another namespace of pids: left alone.", True
    is_ours = whose is Whose.OURS
    if is_ours and proc.alive(record.harness):
        return "", True
    ended, failed = _end_all(record, path.stem) if is_ours else ([], [])
    if not failed:
        path.unlink(missing_ok=True)
    return f"{about} is gone: {_ended(record, ended, failed)}", not failed


def _unread(path: Path, error: Exception) -> str:
    return f"{path} is not healed, for it cannot be read: {error}; remove it if it is not yours."


def _ended(record: Record, ended: list[str], failed: list[str]) -> str:
    parts = [f"ended {', '.join(ended)}"] if ended else []
    parts += [f"not ended: {', '.join(failed)}"] if failed else []
    what = "; ".join(parts) or "nothing of it was running any more"
    if record.who != HARNESS:
        return f"{what}."
    again = shlex.join(["delphic", "check", str(record.run)])
    return f"{what}. What it recorded can still be checked: {again}"


def _end_all(record: Record, name: str) -> tuple[list[str], list[str]]:
    """What was ended, and what could not be."""
    known = {child.process: child.what for child in record.children}
    for process in proc.marked(f"{LEASE_VARIABLE}={name}"):
        known.setdefault(process, "a process that it had just started")
    ended, failed = [], []
    for process, what in known.items():
        try:
            if proc.end(process):
                ended.append(f"{what} (pid {process.pid})")
        except OSError as error:
            failed.append(f"{what} ({error})")
    return ended, failed
