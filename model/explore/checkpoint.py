"""An exploration kept on disk at the end of a level, and taken up again from there.

A checkpoint is a folder `level-N`: the arrays one after the other in one file, everything else in
another. The file `LATEST` names the folder. A folder is complete and on the disk before it is
named, and named by replacing that file: whenever the machine stops, one whole checkpoint is there.
What is not arrays is pickled: take up only what you wrote yourself.
"""

import json
import os
import pickle
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from functools import partial
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np

from ..actor import Model, Receive, Step
from .frontier import Block, Shard
from .good_phase import Starts
from .result import Result
from .tables import Tables

SCHEMA = 4
SOURCE = Path(__file__).parents[1]
LATEST = "LATEST"
OWN = frozenset({"model", "seed", "permutations", "arrays", "findings"})
"""Attributes of tables that are not pickled: they are given, arrays, or hold functions."""
KEPT = ("depth", "root", "losses", "hits", "pairs")
"""Attributes of an exploration that are plain data."""


DAMAGE = (
    ArithmeticError, AttributeError, EOFError, ImportError, LookupError, OSError, TypeError,
    ValueError, pickle.UnpicklingError,
)  # fmt: skip
"""What reading a broken file may raise."""

Array = np.ndarray[Any, Any]


class WrongCheckpoint(Exception):
    """There is no checkpoint, or it is one of another exploration; the message says which."""


class Exploration(Protocol):
    """What of an exploration is kept."""

    model: Model
    workers: int
    bitstate: int
    tables: Tables
    result: Result
    shards: list[Shard]
    blocks: list[Block]
    starts: Starts
    started: float
    depth: int
    root: int
    losses: int
    hits: dict[str, tuple[int, int]]
    pairs: set[tuple[int, int]]


class Checkpoints:
    """Where to keep an exploration, at most every `every_s` seconds, and where to take one up."""

    def __init__(
        self, folder: Path | None = None, *, every_s: float = 60.0, resume: Path | None = None
    ) -> None:
        self.folder = folder
        self.every_s = every_s
        self.source = resume
        self.kept_at = time.perf_counter()
        self._identity: dict[str, Any] = {}

    def take_up(self, exploration: Exploration) -> bool:
        """Continue where a checkpoint left off, if asked to. Raises WrongCheckpoint."""
        # Asked once: files may change while what was loaded of them goes on.
        self._identity = identity(exploration)
        if self.source is None:
            return False
        load(exploration, self.source, self._identity)
        return True

    def offer(self, exploration: Exploration, *, last: bool) -> None:
        """Keep the exploration if it is time, or if this is the last chance."""
        due = time.perf_counter() - self.kept_at >= self.every_s
        if self.folder is not None and (due or last):
            save(exploration, self.folder, self._identity)
            self.kept_at = time.perf_counter()


def identity(exploration: Exploration) -> dict[str, Any]:
    """What must be the same for counts to be the same; plain data."""
    model, tables = exploration.model, exploration.tables
    return {
        "schema": SCHEMA,
        "version": version("delphic"),
        "source": _source(model),
        "model": model.name,
        **{f"bound {name}": value for name, value in model.parameters},
        **{f"budget of {name}": amount for name, amount in model.budgets},
        "network": repr(model.network),
        "properties": sorted(p.name for p in model.properties),
        "permutations": len(tables.permutations),
        "seed": tables.seed,
        "workers": exploration.workers,
        "bytes of bit-state": exploration.bitstate,
    }


def _source(model: Model) -> str:
    """A digest of what is asked: these packages' source, and the model's functions and their files.

    Properties, observers, bounds and names of states are functions: what was explored with other
    ones was never asked these questions, and steps alone do not tell.
    """
    asked = (prop.holds for prop in model.properties)
    parts: list[Any] = [
        *model.actors,
        *model.observers,
        *model.good,
        *asked,
        model.within,
        model.rename,
    ]
    files, digest = set(SOURCE.rglob("*.py")), sha256()
    for part in parts:
        while isinstance(part, partial):
            part = part.func
        owner: Any = part if hasattr(part, "__qualname__") else type(part)
        digest.update(f"{owner.__module__}.{owner.__qualname__}\n".encode())
        file = getattr(sys.modules.get(owner.__module__), "__file__", None)
        if file is not None and Path(file).suffix == ".py":
            files.add(Path(file))
    for path in sorted(files, key=lambda path: (path.name, str(path))):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def workers_of(folder: Path) -> int:
    """How many shards a checkpoint has. Raises WrongCheckpoint."""
    return int(_header(_latest(folder))["workers"])


def save(exploration: Exploration, folder: Path, made_with: dict[str, Any]) -> None:
    """Write a checkpoint, and then forget the one before. `made_with`: see `identity`."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"level-{exploration.depth}"
    for leftover in (folder / f"{name}.part", folder / name):
        if leftover.exists():
            shutil.rmtree(leftover)
    part = folder / f"{name}.part"
    part.mkdir()
    with _written(part / "arrays.npy") as file:
        for _, array in _arrays(exploration):
            np.save(file, array, allow_pickle=False)
    with _written(part / "plain.pickle") as file:
        pickle.dump(_plain(exploration), file, protocol=5)
    with _written(part / "header.json") as file:
        file.write(json.dumps(made_with, indent=2).encode())
    _sync(part)
    part.rename(folder / name)
    _sync(folder)
    with _written(folder / f"{LATEST}.part") as file:
        file.write(name.encode())
    os.replace(folder / f"{LATEST}.part", folder / LATEST)
    _sync(folder)
    for old in folder.glob("level-*"):
        if old.name != name:
            shutil.rmtree(old)


def load(exploration: Exploration, folder: Path, ours: dict[str, Any]) -> None:
    """Make a fresh exploration what the checkpoint was. `ours`: see `identity`.

    Raises WrongCheckpoint.
    """
    place = _latest(folder)
    theirs = _header(place)
    for what in ours | theirs:
        if json.dumps(ours.get(what)) != json.dumps(theirs.get(what)):
            raise WrongCheckpoint(
                f"{folder} holds another exploration: {what} is {theirs.get(what)!r} there "
                f"and {ours.get(what)!r} here"
            )
    with _undamaged(place):
        plain = pickle.loads((place / "plain.pickle").read_bytes())  # noqa: S301 (the user's own)
        with (place / "arrays.npy").open("rb") as file:
            # Copies: what numpy reads does not own its memory, and could not be resized in place.
            arrays = {name: np.load(file, allow_pickle=False).copy() for name in plain["arrays"]}
    _restore_tables(exploration.tables, plain["tables"], arrays)
    _require_same_rules(exploration.model, exploration.tables, folder)
    for w, shard in enumerate(exploration.shards):
        for field, kind in _shard_arrays(shard):
            setattr(shard, field, _record(kind, f"shard{w}.{field}", arrays))
        shard.counters = arrays[f"shard{w}.counters"]
        shard.count = plain["counts"][w]
        fired = arrays[f"block{w}.fired"]
        exploration.blocks[w] = exploration.blocks[w]._replace(fired=fired)
    for name in KEPT:
        setattr(exploration, name, plain[name])
    exploration.result.transitions = plain["transitions"]
    exploration.result.reached = plain["reached"]
    exploration.starts.go_on(plain["starts"], plain["limit of starts"])
    exploration.started -= plain["seconds"]


def _plain(exploration: Exploration) -> dict[str, Any]:
    tables = exploration.tables
    kept = {name: value for name, value in vars(tables).items() if name not in OWN}
    found = {
        at: [(prop.name, holds) for prop, holds in verdicts]
        for at, verdicts in tables.findings.items()
    }
    return {
        "arrays": [name for name, _ in _arrays(exploration)],
        "tables": {**kept, "findings": found},
        "counts": [shard.count for shard in exploration.shards],
        **{name: getattr(exploration, name) for name in KEPT},
        "transitions": exploration.result.transitions,
        "reached": exploration.result.reached,
        "starts": exploration.starts.found,
        "limit of starts": exploration.starts.limit,
        "seconds": time.perf_counter() - exploration.started,
    }


def _arrays(exploration: Exploration) -> Iterator[tuple[str, Array]]:
    arrays = exploration.tables.arrays
    for name in arrays._fields:
        yield f"tables.{name}", getattr(arrays, name)
    for w, shard in enumerate(exploration.shards):
        for field, _ in _shard_arrays(shard):
            group = getattr(shard, field)
            # Of this level there are `count` rows, and none yet of the next.
            kept = {"rows": shard.count, "following": 0}.get(field)
            for name in group._fields:
                yield f"shard{w}.{field}.{name}", getattr(group, name)[:kept]
        yield f"shard{w}.counters", shard.counters
        yield f"block{w}.fired", exploration.blocks[w].fired


def _shard_arrays(shard: Shard) -> list[tuple[str, Any]]:
    """The fields of a shard that are records of arrays, with their class."""
    values = ((f.name, getattr(shard, f.name)) for f in fields(shard))
    return [(name, type(value)) for name, value in values if hasattr(value, "_fields")]


def _record(kind: Any, label: str, arrays: dict[str, Array]) -> Any:
    return kind(*(arrays[f"{label}.{name}"] for name in kind._fields))


def _restore_tables(tables: Tables, plain: dict[str, Any], arrays: dict[str, Array]) -> None:
    named = {p.name: p for p in tables.model.properties}
    found = plain.pop("findings")
    vars(tables).update(plain)
    tables.findings = {
        at: [(named[name], holds) for name, holds in verdicts] for at, verdicts in found.items()
    }
    tables.arrays = _record(type(tables.arrays), "tables", arrays)


def _require_same_rules(model: Model, tables: Tables, folder: Path) -> None:
    """A mutant has the name and the bounds of the model: only its steps tell."""
    for lid, event, step in _decided(model, tables):
        node, state = tables.locals[lid]
        now = model.step(node, state, event)
        # Where a queue's head is ignored, the tables hold a step that changes nothing.
        if now != step and not (now is None and step == Step(state)):
            raise WrongCheckpoint(
                f"{folder} holds another exploration: there {model.name} makes other steps, "
                f"for example on {model.name_of(event)}"
            )


def _decided(model: Model, tables: Tables) -> Iterator[tuple[int, Any, Step | None]]:
    """Everything that the tables know: local state, event, and the step or None."""
    a = tables.arrays
    yield from tables.results[1:]
    for lid, (node, state) in enumerate(tables.locals):
        if a.own_start[lid] >= 0:
            first = int(a.own_start[lid])
            enabled = a.own_results[first : first + int(a.own_count[lid])].tolist()
            events = {tables.results[at][1] for at in enabled}
            yield from ((lid, e, None) for e in model.events(node, state) if e not in events)
    for mid, message in enumerate(tables.messages):
        ignoring = np.flatnonzero(a.delivery[: len(tables.locals), a.message_column[mid]] == 0)
        for lid in ignoring.tolist():
            if tables.locals[lid][0] == message.dst:
                yield lid, Receive(message), None


def _latest(folder: Path) -> Path:
    try:
        return folder / (folder / LATEST).read_text()
    except FileNotFoundError:
        raise WrongCheckpoint(f"{folder} holds no checkpoint") from None


@contextmanager
def _undamaged(place: Path) -> Iterator[None]:
    """A file that is not there, or holds something else, makes it a WrongCheckpoint."""
    try:
        yield
    except DAMAGE as wrong:
        raise WrongCheckpoint(f"{place} is damaged: {type(wrong).__name__}, {wrong}") from wrong


def _header(place: Path) -> dict[str, Any]:
    with _undamaged(place):
        header: dict[str, Any] = {**json.loads((place / "header.json").read_text())}
        int(header["workers"])
    return header


@contextmanager
def _written(path: Path) -> Iterator[BinaryIO]:
    """A new file whose bytes are on the disk when it is closed."""
    with path.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """Names in a folder are on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
