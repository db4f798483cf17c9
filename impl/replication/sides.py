"""Which side of a replication a cluster is on, by its configuration."""

from ..config import CONTROLLER_FILE, ConfigError, NodeConfig

MASTER, SLAVE = "master", "slave"


def side_of(config: NodeConfig) -> str | None:
    """Master, slave, or None where nothing is configured. Raises ConfigError."""
    options = config.replication
    is_master, is_slave = options.slave_count_max is not None, options.master_site is not None
    if is_master and is_slave:
        raise ConfigError(
            "clusterReplicationSlaveNum makes the cluster a master, clusterReplicationMasterCtl a "
            "slave: want one of them",
            file=CONTROLLER_FILE,
        )
    side = MASTER if is_master else SLAVE if is_slave else None
    if options.mode != side:
        has = "nothing" if options.mode is None else f"clusterReplicationMode={options.mode}"
        raise ConfigError(
            f"by this file the cluster is {'no side' if side is None else f'a {side}'} of a "
            f"replication, and cluster.cfg says {has}",
            file=CONTROLLER_FILE,
        )
    return side
