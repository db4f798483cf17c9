"""What is to be undone, on disk before it is done; undone last in, first out, as often as need be.

A run's folder holds `agent.json` (who serves it, and where that means something), `undo/` with one
file an entry, `lock`, held by whoever undoes: the agent, its guardian or `heal`; and `tools`, held
by every program that does something to the host for the agent, and outlives it if it is killed.
"""

import fcntl
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import astuple
from pathlib import Path

from .proc import Identity, Place, alive, here

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
        whole = path.with_suffix(".new")
        whole.write_text(json.dumps({"kind": kind, **what}))
        whole.replace(path)
        return path

    def done(self, entry: Path) -> None:
        """What it stands for is undone already."""
        entry.unlink(missing_ok=True)

    def undo(self, kinds: Kinds) -> list[str]:
        """Undo everything; a sentence about each entry that could not be, and is kept."""
        failed: list[str] = []
        for attempt in range(_PASSES):
            if attempt:
                time.sleep(_PAUSE_S)
            failed = [said for path in self._entries() if (said := _undo(path, kinds))]
            if not failed:
                break
        return failed

    def _entries(self) -> list[Path]:
        return sorted(self._folder.glob("*.json"), reverse=True)


def _undo(path: Path, kinds: Kinds) -> str | None:
    try:
        what = json.loads(path.read_text())
        kinds[what.pop("kind")](what)
    except (OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
        return f"{path.name} is not undone: {error!r}"
    path.unlink(missing_ok=True)
    return None


class Owner:
    """Who serves a run: written into its folder before anything is done there."""

    def __init__(self, run: Path) -> None:
        self._path = run / "agent.json"

    def write(self, name: str, agent: Identity) -> None:
        whole = self._path.with_suffix(".new")
        whole.write_text(json.dumps({"run": name, "agent": astuple(agent), "place": here()}))
        whole.replace(self._path)

    def read(self) -> tuple[str, Identity, Place]:
        """The run's name, its agent, and where both are."""
        said = json.loads(self._path.read_text())
        return said["run"], Identity(*said["agent"]), Place(*said["place"])


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
            failed = UndoLog(run).undo(kinds)
            if not ended:
                failed.append(f"a program that the agent started has not ended in {_TOOLS_S:g} s")
            if not failed:
                shutil.rmtree(run)
                _remove_if_empty(run.parent)
            return failed
    except FileNotFoundError:
        return []


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


def in_use(agent: Identity, place: Place) -> str | None:
    """Why the run that such an agent serves, or served, is not ours to undo; None if it is."""
    own = here()
    if place == own:
        return f"is being served (pid {agent.pid})" if alive(agent) else None
    if place.machine != own.machine:
        return "is another machine's"
    return "is of other namespaces of this kernel" if place.boot == own.boot else None


def heal(state: Path, kinds: Kinds) -> tuple[list[str], list[str]]:
    """Undo what dead agents left below `state`: what was done, and what could not be."""
    said, failed = [], []
    for run in sorted((state / "runs").glob("*")):
        try:
            name, agent, place = Owner(run).read()
        except FileNotFoundError:
            continue  # It has just been finished, or not begun.
        why = in_use(agent, place)
        if why:
            said.append(f"Run {name} {why}: left alone.")
            continue
        kept = finish(run, kinds)
        failed += [f"Run {name}: {sentence}" for sentence in kept]
        if not kept:
            said.append(f"Run {name}: its agent (pid {agent.pid}) is gone; everything is undone.")
    return said, failed
