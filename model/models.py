"""Every model by name. To add one: write its files, then one entry here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from .actor import Model, Network
from .mutants import RAFT_MUTANTS, Mutant
from .raft_group import raft_group
from .raft_types import Options


@dataclass(frozen=True)
class Entry:
    """How a model is built from its bounds, and what can be wrong with it on purpose."""

    name: str
    title: str
    bounds: Mapping[str, int | bool]
    build: Callable[[Mapping[str, Any], Network | None], Model]
    mutants: Mapping[str, Mutant]


def _raft(bounds: Mapping[str, Any], network: Network | None) -> Model:
    chosen = dict(bounds)
    crashes = chosen.pop("crashes")
    return raft_group(Options(**chosen), crashes=crashes, network=network)


def _raft_bounds() -> dict[str, int | bool]:
    defaults = Options()
    return {f.name: getattr(defaults, f.name) for f in fields(Options)} | {"crashes": 0}


MODELS: dict[str, Entry] = {
    "raft": Entry(
        "raft",
        "One Raft group: elections, replication, reads, snapshots, crashes",
        _raft_bounds(),
        _raft,
        RAFT_MUTANTS,
    ),
}


def only(model: Model, names: tuple[str, ...]) -> Model:
    """The model with these properties alone (by default all)."""
    if not names:
        return model
    kept = tuple(p for p in model.properties if p.name in names)
    return replace(model, properties=kept)
