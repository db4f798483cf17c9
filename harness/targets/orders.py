"""What the harness and the process that carries its links say to each other."""

import msgspec

from .links import LinkState, Pair

LOOPBACK = "127.0.0.1"


class Carry(msgspec.Struct, frozen=True):
    """One link to carry: inherited listening sockets for members and for probes."""

    pair: Pair
    fd: int
    probe_fd: int
    port: int


class Opening(msgspec.Struct, frozen=True):
    """The first message: all links of the run."""

    links: tuple[Carry, ...]


class Desired(msgspec.Struct, frozen=True):
    """Every later message: the whole desired state; a link that is not listed is open."""

    id: int
    links: tuple[tuple[Pair, LinkState], ...]


class Done(msgspec.Struct, frozen=True):
    """The answer to a Desired, once it is so. An Opening is answered with id 0."""

    id: int
