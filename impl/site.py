"""Where a node listens, and its name: `host:port:alias`, as in cluster.nodes and in NotLeader."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Site:
    """One node's address and alias."""

    host: str
    port: int
    alias: str

    def __str__(self) -> str:
        return f"{self.host}:{self.port}:{self.alias}"


def parse_site(text: str) -> Site:
    """Read `host:port:alias`; the host may hold colons. Raises ValueError."""
    parts = text.rsplit(":", 2)
    if len(parts) != 3:
        raise ValueError(f"want host:port:alias, got '{text}'")
    host, port = parse_address(f"{parts[0]}:{parts[1]}")
    # No dot: in cluster.cfg a dot ends the alias.
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,63}", parts[2]):
        raise ValueError(
            f"an alias is a letter, then up to 63 letters, digits, _ or -; got '{parts[2]}'"
        )
    return Site(host, port, parts[2])


def parse_address(text: str) -> tuple[str, int]:
    """Read `host:port`; the host may hold colons. Raises ValueError."""
    host, colon, port = text.rpartition(":")
    if not colon or not host:
        raise ValueError(f"want host:port, got '{text}'")
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 1 <= int(port) <= 65535:
        raise ValueError(f"want a port from 1 to 65535, got '{port}'")
    try:
        host.encode("idna")
    except UnicodeError:
        raise ValueError(f"no host can be called '{host}'") from None
    return host, int(port)
