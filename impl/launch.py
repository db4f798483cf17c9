"""Runs one node on any runtime, from opening to its end; its line in cluster.nodes says as what."""

import logging
from collections.abc import Callable, Mapping

from .config import NodeConfig
from .controller import Controller
from .data_node import DataNode
from .host import Node
from .raft.transport import Address
from .runtime import Runtime

log = logging.getLogger("delphic.node")


def assembled(
    config: NodeConfig,
    runtime: Runtime,
    *,
    dial: Mapping[str, Address] | None = None,
    reuse_port: bool = False,
) -> Node:
    """A node with its role, not opened yet; raises ConfigError."""
    node = Node(config, runtime, dial=dial, reuse_port=reuse_port)
    node.role = Controller(node) if config.is_controller else DataNode(node)
    return node


async def run_node(
    config: NodeConfig,
    runtime: Runtime,
    *,
    dial: Mapping[str, Address] | None = None,
    reuse_port: bool = False,
    started: Callable[[Node], None] | None = None,
) -> None:
    """Run a node until it is stopped; raises ConfigError, OSError or NodeFailedError.

    `started` gets it before it opens anything.
    """
    node = assembled(config, runtime, dial=dial, reuse_port=reuse_port)
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
