"""What is to be undone, on disk before it is done; undone last in, first out, as often as need be.

A run's folder holds `agent.json` (who serves it, and where that means something), `undo/` with one
file an entry, `lock`, held by whoever undoes: the agent, its guardian or `heal`; and `tools`, held
by every program that does something to the host for the agent, and outlives it if it is killed.
"""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import astuple
from pathlib import Path

from .proc import Identity, Place, Whose, alive, here, whose

HEALED = "That is all."
"""The last line of the command `heal`: without it, it did not come to its end."""

What = dict[str, object]

Kinds = Mapping[str, Callable[[What], None]]
"""How each kind of entry is undone. Must do no harm if there is nothing to undo (any more)."""

_PASSES, _PAUSE_S = 4, 0.2
"""An entry that cannot be undone yet (a busy mount) is tried again."""

_TOOLS_S, _LOOK_S = 10.0, 0.01
"""How long programs that were started before are waited for; how often they are looked for."""


class UndoLog:
    """The entries of one run."""

    def __init__(self, run: Path) -> None:
        self._folder = run / "undo"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._number = max((int(path.stem) for path in self._entries()), default=0)

    def add(self, kind: str, **what: object) -> Path:
        """Write an entry, then do what it undoes. Returns its file, for `done`."""
        self._number += 1
        path = self._folder / f"{self._number:06}.json"
        write(path, {"kind": kind, **what})
        return path

    def done(self, entry: Path) -> None:
        """What it stands for is undone already."""
        entry.unlink(missing_ok=True)

    def undo(self, kinds: Kinds, *, rebooted: bool = False) -> list[str]:
        """Undo everything; a sentence about each entry that could not be, and is kept.

        `rebooted`: the machine has booted since they were written.
        """
        failed: list[str] = []
        for attempt in range(_PASSES):
            if attempt:
                time.sleep(_PAUSE_S)
            found = self._entries()
            failed = [said for path in found if (said := _undo(path, kinds, rebooted=rebooted))]
            if not failed:
                break
        return failed

    def _entries(self) -> list[Path]:
        return sorted(self._folder.glob("*.json"), reverse=True)


def _undo(path: Path, kinds: Kinds, *, rebooted: bool) -> str | None:
    try:
        what = _read(path, rebooted=rebooted)
        if what is not None:
            kinds[str(what.pop("kind"))](what)
    except Exception as error:  # The last line of defence: the other entries are to be undone.
        return f"{path.name} is not undone: {error!r}"
    path.unlink(missing_ok=True)
    return None


def _read(path: Path, *, rebooted: bool) -> What | None:
    """An entry; None for one that never reached the disk: nothing of a run outlives a boot."""
    try:
        return dict(json.loads(path.read_text()))
    except ValueError:
        if rebooted:
            return None
        raise


def write(path: Path, said: Mapping[str, object]) -> None:
    """Make a file that says so: whole or not at all, even if the machine stops meanwhile.

    Its name may be lost then, for nothing that is undone outlives a boot.
    """
    whole = path.with_suffix(".new")
    with whole.open("w") as file:
        json.dump(said, file)
        file.flush()
        os.fsync(file.fileno())
    whole.replace(path)


class Owner:
    """Who serves a run: written into its folder before anything is done there."""

    def __init__(self, run: Path) -> None:
        self._path = run / "agent.json"

    def write(self, name: str, agent: Identity) -> None:
        write(self._path, {"run": name, "agent": astuple(agent), "place": here()})

    def read(self) -> tuple[str, Identity, Place]:
        """The run's name, its agent, and where both are. Raises OSError or ValueError."""
        text = self._path.read_text()
        try:
            said = json.loads(text)
            return said["run"], Identity(*said["agent"]), Place(*said["place"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{self._path} does not say who serves the run") from error


def hold_tools(run: Path) -> int:
    """A handle that tools of this run inherit: nothing is undone while anybody has it open."""
    handle = os.open(run / "tools", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fcntl.flock(handle, fcntl.LOCK_SH)
    return handle


def _tools_have_ended(run: Path) -> bool:
    """Wait for them: what a tool does after it has been undone would stay."""
    handle = os.open(run / "tools", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    give_up = time.monotonic() + _TOOLS_S
    try:
        while time.monotonic() < give_up:
            with suppress(BlockingIOError):
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            time.sleep(_LOOK_S)
        return False
    finally:
        os.close(handle)


@contextmanager
def locked(run: Path) -> Iterator[None]:
    """Wait until nobody else undoes this run."""
    handle = os.open(run / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def finish(run: Path, kinds: Kinds) -> list[str]:
    """Undo a run and remove its folder; what could not be undone stays, and is said."""
    try:
        with locked(run):
            if not (run / "agent.json").exists():
                return []  # Whoever held the lock has finished it.
            ended = _tools_have_ended(run)
            failed = UndoLog(run).undo(kinds, rebooted=_has_rebooted(run))
            if not ended:
                failed.append(f"a program that the agent started has not ended in {_TOOLS_S:g} s")
            if not failed:
                shutil.rmtree(run)
                _remove_if_empty(run.parent)
            return failed
    except FileNotFoundError:
        return []


def _has_rebooted(run: Path) -> bool:
    with suppress(OSError, ValueError):
        _, _, place = Owner(run).read()
        return place.machine == here().machine and place.boot != here().boot
    return False


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


def in_use(agent: Identity, place: Place) -> str | None:
    """Why the run that such an agent serves, or served, is not ours to undo; None if it is."""
    own = here()
    if place.boot != own.boot:
        return None if place.machine == own.machine else "is another machine's"
    # One boot is one machine, whatever it is called meanwhile.
    if (place.pids, place.network) == (own.pids, own.network):
        return f"is being served (pid {agent.pid})" if alive(agent) else None
    is_gone = whose(place.boot, place.pids) is Whose.GONE
    return None if is_gone else "is of other namespaces of this kernel"


def heal(state: Path, kinds: Kinds) -> tuple[list[str], list[str]]:
    """Undo what dead agents left below `state`: what was done, and what could not be."""
    said, failed = [], []
    for run in sorted(path for path in (state / "runs").glob("*") if path.is_dir()):
        try:
            name, agent, place = Owner(run).read()
            why = in_use(agent, place)
            kept = [] if why else finish(run, kinds)
        except FileNotFoundError:
            continue  # It has just been finished, or not begun.
        except (OSError, ValueError) as error:
            # The other runs are to be healed, whatever has become of this one.
            failed.append(f"Run {run.name} cannot be undone: {error}")
            continue
        if why:
            said.append(f"Run {name} {why}: left alone.")
            continue
        failed += [f"Run {name}: {sentence}" for sentence in kept]
        if not kept:
            said.append(f"Run {name}: its agent (pid {agent.pid}) is gone; everything is undone.")
    return said, failed
