"""Runs one node as a process: python -m delphic.impl.node --home DIR --alias n1."""

import argparse
import asyncio
import ipaddress
import logging
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import uvloop

from .config import ConfigError, NodeConfig, load
from .host import Node
from .launch import run_node
from .memory import collect_rarely, keep_freed_memory, open_many_files
from .raft.transport import Address
from .role import NodeFailedError
from .runtime_asyncio import real_runtime
from .runtime_disk import InUseError, RealDisk, claimed
from .site import parse_address

EXIT_CONFIG = 2
EXIT_WORLD = 4
EXIT_BUG = 5

log = logging.getLogger("delphic.node")


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """The command line, checked; leaves with exit code 2 if it is wrong."""
    parser = argparse.ArgumentParser(prog="python -m delphic.impl.node", description=__doc__)
    parser.add_argument("--home", required=True, help="the folder that holds config/")
    parser.add_argument("--alias", required=True, help="this node's name in cluster.nodes")
    parser.add_argument(
        "--dial",
        action="append",
        default=[],
        type=_dial,
        metavar="ALIAS=HOST:PORT",
        help="reach a peer, or HOST:PORT in another cluster, there instead of at its own address",
    )
    parser.add_argument(
        "--from",
        dest="source",
        type=_address,
        metavar="ADDRESS",
        help="dial peers and other clusters from this address",
    )
    parser.add_argument("--reuse-port", action="store_true", help="listen with SO_REUSEPORT")
    parser.add_argument(
        "--allow-seeded-bugs", action="store_true", help="accept the option seededBugs"
    )
    return parser.parse_args(argv)


def _dial(text: str) -> tuple[str, Address]:
    alias, equals, place = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"want ALIAS=HOST:PORT, got '{text}'")
    try:
        if ":" in alias:
            parse_address(alias)
        return alias, parse_address(place)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


async def serve(config: NodeConfig, disk: RealDisk, options: argparse.Namespace) -> None:
    """Run until a signal; raises OSError or NodeFailedError."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_die)
    dial = dict(options.dial)
    started = partial(_obey_signals, loop)
    await run_node(
        config,
        real_runtime(disk, options.source),
        dial=dial,
        reuse_port=options.reuse_port,
        started=started,
    )


def _obey_signals(loop: asyncio.AbstractEventLoop, node: Node) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, node.stop)


def _die(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A callback raised: a bug of ours, after which no state can be trusted.

    An OSError that ends here is a socket's (no descriptor left to accept with, say); whoever uses
    the disk handles its errors.
    """
    if isinstance(context.get("exception"), OSError):
        log.error("%s: %s", context.get("message"), context["exception"])
        return
    log.critical(
        "bug, please report: %s", context.get("message"), exc_info=context.get("exception")
    )
    logging.shutdown()
    os._exit(EXIT_BUG)


def main(argv: Sequence[str]) -> int:
    """Start the node; gives the exit code when it has ended."""
    options = arguments(argv)
    alias = options.alias.replace("%", "%%")
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        format=f"%(asctime)s.%(msecs)03d {alias} %(levelname)s %(message)s",
        datefmt="%H:%M:%S",
    )
    keep_freed_memory()
    collect_rarely()
    open_many_files()
    disk = RealDisk()
    home = os.path.abspath(options.home)

    def read(path: str) -> bytes | None:
        return disk.read(os.path.join(home, path))

    try:
        config = load(home, options.alias, read, allow_seeded_bugs=options.allow_seeded_bugs)
        with ExitStack() as claims:
            for folder in config.folders.values():
                claims.enter_context(claimed(disk, folder))
            uvloop.run(serve(config, disk, options))
    except ConfigError as error:
        log.error("%s", error)
        return EXIT_CONFIG
    except (OSError, InUseError, NodeFailedError) as error:
        log.error("%s", error)
        return EXIT_WORLD
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
