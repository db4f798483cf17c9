"""Which key a host shows, held against the pinned ones, and recorded once a person agreed."""

from dataclasses import dataclass
from pathlib import Path

import paramiko

from ..errors import WorldError
from .dial import DIAL_FAILURES, dial_socket, known_keys, quiet, server_name
from .inventory import Entry
from .known import fingerprint, prefer

_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Shown:
    """A host's key, and the fingerprints of those that it should have been."""

    entry: Entry
    key: paramiko.PKey
    pinned: tuple[str, ...]
    is_revoked: bool = False

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -l` prints it."""
        return fingerprint(self.key)

    @property
    def is_known(self) -> bool:
        """Whether this very key is pinned."""
        return self.fingerprint in self.pinned

    @property
    def is_other(self) -> bool:
        """Whether another key is pinned, or this one revoked: then no click may pin it."""
        return self.is_revoked or (bool(self.pinned) and not self.is_known)


def shown(entry: Entry) -> Shown:
    """Ask the host for its key, without logging in. Raises WorldError."""
    quiet()
    known = known_keys(entry)
    connection = dial_socket(entry, _TIMEOUT_S, _TIMEOUT_S)
    try:
        transport = paramiko.Transport(connection)
        try:
            prefer(transport, known.good)
            transport.start_client(timeout=_TIMEOUT_S)
            key = transport.get_remote_server_key()
        finally:
            transport.close()
    except DIAL_FAILURES as error:
        where = f"{entry.address} port {entry.port}"
        raise WorldError(f"{where}: no SSH connection: {error}", node=entry.name) from error
    finally:
        connection.close()
    pinned = tuple(map(fingerprint, known.good))
    return Shown(entry, key, pinned, is_revoked=key in known.revoked)


def record(found: Shown) -> Path:
    """Pin the key in the first of the host's known_hosts files, which is returned."""
    entry = found.entry
    assert not found.is_other
    file = Path(entry.known_hosts[0])
    line = f"{server_name(entry)} {found.key.get_name()} {found.key.get_base64()}\n"
    whole = file.with_name(file.name + ".new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        before = file.read_bytes() if file.exists() else b""
        if before and not before.endswith(b"\n"):
            before += b"\n"
        whole.write_bytes(before + line.encode())
        whole.replace(file)
    except OSError as error:
        raise WorldError(f"cannot write {file}: {error.strerror}", node=entry.name) from error
    return file
