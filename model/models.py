"""Every model by name. To add one: write its files, then one entry here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, Protocol

from .actor import Model, Network
from .keyed_group import keyed
from .keyed_mutants import KEYED_MUTANTS
from .keyed_rules import Options as KeyedOptions
from .mutants import RAFT_MUTANTS
from .raft_built import built_group
from .raft_group import raft_group
from .raft_types import Options
from .replication_group import replication
from .replication_mutants import REPLICATION_MUTANTS
from .replication_rules import Options as ReplicationOptions
from .storage_built import built_options, built_storage
from .storage_group import storage
from .storage_mutants import STORAGE_MUTANTS
from .storage_rules import Options as StorageOptions
from .subscription_group import subscription
from .subscription_mutants import SUBSCRIPTION_MUTANTS
from .subscription_rules import Options as SubscriptionOptions

Bound = int | bool | StrEnum


class Mutant(Protocol):
    """A known mistake: where it comes from, the property that it breaks, a model that makes it."""

    @property
    def name(self) -> str: ...
    @property
    def mistake(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def breaks(self) -> str: ...
    def model(
        self, bounds: Mapping[str, Any] | None = None, network: Network | None = None
    ) -> Model: ...


@dataclass(frozen=True)
class Entry:
    """How a model is built from its bounds, and what can be wrong with it on purpose.

    `least`: bounds that make no sense below this; `most`: those that reach further than others do.
    """

    name: str
    title: str
    bounds: Mapping[str, Bound]
    least: Mapping[str, int]
    has_network: bool
    build: Callable[[Mapping[str, Any], Network | None], Model]
    mutants: Mapping[str, Mutant]
    most: Mapping[str, int] = field(default_factory=dict)


def _raft(bounds: Mapping[str, Any], network: Network | None) -> Model:
    chosen = dict(bounds)
    crashes = chosen.pop("crashes")
    return raft_group(Options(**chosen), crashes=crashes, network=network)


def _built(bounds: Mapping[str, Any], network: Network | None) -> Model:
    chosen = dict(bounds)
    around = {name: chosen.pop(name) for name in ("unsynced", "crashes", "losses", "doubts")}
    return built_group(Options(**chosen), network=network, **around)


def _storage(bounds: Mapping[str, Any], network: Network | None) -> Model:
    return storage(StorageOptions(**bounds))


def _storage_built(bounds: Mapping[str, Any], network: Network | None) -> Model:
    return built_storage(built_options(**bounds))


def _subscription(bounds: Mapping[str, Any], network: Network | None) -> Model:
    return subscription(SubscriptionOptions(**bounds), network)


def _replication(bounds: Mapping[str, Any], network: Network | None) -> Model:
    return replication(ReplicationOptions(**bounds), network)


def _keyed(bounds: Mapping[str, Any], network: Network | None) -> Model:
    return keyed(KeyedOptions(**bounds))


def _defaults(
    options: Options | StorageOptions | SubscriptionOptions | ReplicationOptions | KeyedOptions,
) -> dict[str, Bound]:
    return {each.name: getattr(options, each.name) for each in fields(options)}


MODELS: dict[str, Entry] = {
    "raft": Entry(
        "raft",
        "One Raft group: elections, replication, reads, snapshots, crashes",
        _defaults(Options()) | {"crashes": 0},
        {"members": 1, "terms": 2, "batch": 1},
        True,
        _raft,
        RAFT_MUTANTS,
    ),
    "raft-built": Entry(
        "raft-built",
        "The Raft group as it is built: group commit, pipelining; what conform compares with",
        {"members": 2, "terms": 2, "entries": 1, "batch": 2, "reads": 0}
        | {"unsynced": 1, "crashes": 0, "losses": 0, "doubts": 0},
        {"members": 1, "terms": 2, "batch": 1, "unsynced": 1},
        True,
        _built,
        {},
    ),
    "storage": Entry(
        "storage",
        "One member's disk: log, data files with their LSNs, power failures, redo",
        _defaults(StorageOptions()),
        {"records": 1, "batch": 1, "tables": 1},
        False,
        _storage,
        STORAGE_MUTANTS,
    ),
    "storage-built": Entry(
        "storage-built",
        "One member's disk as it is built: what conform compares recovery with",
        {"records": 2, "batch": 1, "tables": 1, "ddl": 0, "overrules": 1, "crashes": 1},
        {"records": 1, "batch": 1, "tables": 1},
        False,
        _storage_built,
        {},
    ),
    "subscription": Entry(
        "subscription",
        "Subscribers of a group's table: fail-over, stored offsets, crashes, retention",
        _defaults(SubscriptionOptions()),
        {"members": 2, "rows": 1, "terms": 1, "subscribers": 1, "connections": 1}
        | {"frame": 1, "batch": 1},
        True,
        _subscription,
        SUBSCRIPTION_MUTANTS,
    ),
    "replication": Entry(
        "replication",
        "A master cluster and its slaves: task queue, groups, failures, operators, crashes",
        _defaults(ReplicationOptions(stops=1, starts=1, skips=1)),
        {"writes": 1, "databases": 1, "chunks": 1, "slaves": 1, "nodes": 1, "controllers": 1}
        | {"limit": 1, "attempts": 1, "batch": 1},
        True,
        _replication,
        REPLICATION_MUTANTS,
        {"limit": 30, "attempts": 60},
    ),
    "keyed": Entry(
        "keyed",
        "A table with a key column: retries, changes of the leader, restarts, checkpoints",
        _defaults(KeyedOptions()),
        {"members": 2, "producers": 1, "batches": 1, "batch": 1, "keys": 1},
        False,
        _keyed,
        KEYED_MUTANTS,
    ),
}
