"""The process that carries every link of a run.

Started as `python -m delphic.harness.targets.proxy FD`: the descriptor of a control socket, over
which it is handed listening sockets and told what the links should be like. When the control socket
ends, so does it: a harness that dies leaves no proxy behind.
"""

import asyncio
import socket
import sys
from typing import cast

import msgspec
import uvloop

from .gate import Address, Gate
from .links import OPEN, Pair
from .orders import LOOPBACK, Desired, Done, Opening

_LINE_BYTES_MAX = 16 << 20
"""An order names every link."""


class _Echo(asyncio.Protocol):
    """The far end of probes: it gives back what it gets."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._transport.write(data)


async def carry(control: socket.socket) -> None:
    """Serve until the control socket ends."""
    reader, writer = await asyncio.open_connection(sock=control, limit=_LINE_BYTES_MAX)
    gates: dict[Pair, Gate] = {}
    async with asyncio.TaskGroup() as group:
        opening = msgspec.json.decode(await reader.readline(), type=Opening)
        loop = asyncio.get_running_loop()
        echo = await loop.create_server(_Echo, LOOPBACK, 0)
        echo_address: Address = echo.sockets[0].getsockname()
        servers = [echo]
        for link in opening.links:
            gate = gates[link.pair] = Gate(group.create_task)
            for fd, destination in (
                (link.fd, (LOOPBACK, link.port)),
                (link.probe_fd, echo_address),
            ):
                listening = socket.socket(fileno=fd)
                servers.append(await loop.create_server(gate.acceptor(destination), sock=listening))
        writer.write(msgspec.json.encode(Done(0)) + b"\n")
        while line := await reader.readline():
            desired = msgspec.json.decode(line, type=Desired)
            states = dict(desired.links)
            for pair, gate in gates.items():
                gate.set(states.get(pair, OPEN))
            writer.write(msgspec.json.encode(Done(desired.id)) + b"\n")
        for server in servers:
            server.close()
        for gate in gates.values():
            gate.close()
    writer.close()


def main() -> None:
    """Run with the control socket's file descriptor as the only argument."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(carry(socket.socket(fileno=int(sys.argv[1]))))


if __name__ == "__main__":
    main()
