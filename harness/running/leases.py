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
from ..agent.proc import Identity
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
        self._record = Record(str(run.resolve()), proc.boot_id(), proc.me(), who=who)
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


def heal() -> list[str]:
    """End what dead harnesses left running; a sentence about each of their runs."""
    folder = state_directory()
    said = []
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        try:
            record = msgspec.json.decode(path.read_bytes(), type=Record)
        except FileNotFoundError:
            continue  # Its owner has just finished.
        except (OSError, *UNDECODABLE) as error:
            raise WorldError(
                f"cannot read {path}: {error}; remove it if it is not yours"
            ) from error
        same_boot = record.boot == proc.boot_id()
        if same_boot and proc.alive(record.harness):
            continue
        ended = _end_all(record, path.stem) if same_boot else []
        path.unlink(missing_ok=True)
        what = f"ended {', '.join(ended)}" if ended else "nothing of it was running any more"
        sentence = f"The {record.who} of {record.run} (pid {record.harness.pid}) is gone: {what}."
        if record.who == HARNESS:
            again = shlex.join(["delphic", "check", str(record.run)])
            sentence += f" What it recorded can still be checked: {again}"
        said.append(sentence)
    return said


def _end_all(record: Record, name: str) -> list[str]:
    known = {child.process: child.what for child in record.children}
    for process in proc.marked(f"{LEASE_VARIABLE}={name}"):
        known.setdefault(process, "a process that it had just started")
    return [f"{what} (pid {p.pid})" for p, what in known.items() if _end(p)]


def _end(process: Identity) -> bool:
    try:
        return proc.end(process)
    except OSError as error:
        raise WorldError(str(error)) from error
