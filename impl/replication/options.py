"""What the configuration says about replication between clusters; see docs/cluster.md."""

import posixpath
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from ..options import OptionValue

Option = Callable[[str], OptionValue | None]
"""Gives what is said about an option, or its default."""


@dataclass(frozen=True, slots=True)
class ReplicationOptions:
    """Of one node; what the other file says for all nodes is here, too. Times in seconds.

    A cluster is a master if `slave_count_max` is given, and a slave if `master_site` is.
    """

    slave_count_max: int | None
    master_site: tuple[str, int] | None
    """Any controller of the master."""
    pull_interval_s: float
    failure_limit: int
    retry_delay_s: float
    persist_delay_s: float
    mode: str | None
    """Of data nodes: master, slave or None."""
    work_dir: str
    sync_persistence: bool
    execution_user: str
    execution_password: str = field(repr=False)


def read_replication(controllers: Option, data_nodes: Option, home: str) -> ReplicationOptions:
    """Options from the two files; relative paths lie below `home`."""

    def seconds(name: str) -> float:
        return cast(int, controllers(name)) / 1000

    return ReplicationOptions(
        slave_count_max=cast(int | None, controllers("clusterReplicationSlaveNum")),
        master_site=cast(tuple[str, int] | None, controllers("clusterReplicationMasterCtl")),
        pull_interval_s=seconds("clusterReplicationPullInterval"),
        failure_limit=cast(int, controllers("clusterReplicationFailureLimit")),
        retry_delay_s=seconds("clusterReplicationRetryDelay"),
        persist_delay_s=seconds("clusterReplicationPersistDelay"),
        mode=cast(str | None, data_nodes("clusterReplicationMode")),
        work_dir=posixpath.join(home, str(data_nodes("clusterReplicationWorkDir"))),
        sync_persistence=bool(data_nodes("clusterReplicationSyncPersistence")),
        execution_user=str(data_nodes("clusterReplicationExecutionUsername")),
        execution_password=str(data_nodes("clusterReplicationExecutionPassword")),
    )
