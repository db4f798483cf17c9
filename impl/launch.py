"""Runs one data node on any runtime, from opening to its end."""

import logging
from collections.abc import Callable, Mapping

from .config import NodeConfig
from .data_node import DataNode
from .raft.transport import Address
from .runtime import Runtime

log = logging.getLogger("delphic.node")


async def run_node(
    config: NodeConfig,
    runtime: Runtime,
    *,
    dial: Mapping[str, Address] | None = None,
    reuse_port: bool = False,
    started: Callable[[DataNode], None] | None = None,
) -> None:
    """Run a data node until it is stopped; raises ConfigError, OSError or NodeFailedError.

    `started` gets it before it opens anything.
    """
    node = DataNode(config, runtime, dial=dial, reuse_port=reuse_port)
    if started is not None:
        started(node)
    try:
        await node.open()
    except BaseException:
        await node.close()
        raise
    log.info("%s listens at %s:%d", config.alias, config.site.host, config.site.port)
    await node.run()
    log.info("%s stopped", config.alias)
