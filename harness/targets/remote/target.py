"""Hosts of an inventory as a target, once it is known what can be done there."""

from collections.abc import Mapping
from dataclasses import dataclass

from ...hosts.inventory import Inventory
from ...rundir import RunDir
from ...running.leases import Lease
from ...system import Setup, System
from ..target import Capability
from .cluster import RemoteCluster


@dataclass(frozen=True, slots=True)
class RemoteTarget:
    """A `RealTarget`. `name` is what `--on` says; `reasons`, why it lacks a capability."""

    name: str
    inventory: Inventory
    capabilities: frozenset[Capability]
    reasons: Mapping[Capability, str]
    inventory_digest: str | None

    def cluster(self, setup: Setup, system: System, run: RunDir, lease: Lease) -> RemoteCluster:
        return RemoteCluster(setup, system, run, lease, self.inventory)
