"""Which key a host shows, held against the pinned ones, and recorded once a person agreed."""

from dataclasses import dataclass
from pathlib import Path

import paramiko

from ..errors import WorldError
from .dial import CLIENT_FAILURES, dial_socket, fingerprint, known_keys, quiet, server_name
from .inventory import Entry

_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Shown:
    """A host's key, and the fingerprints of those that it should have been."""

    entry: Entry
    key: paramiko.PKey
    pinned: tuple[str, ...]

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
        """Whether another key is pinned: then no click may replace it."""
        return bool(self.pinned) and not self.is_known


def shown(entry: Entry) -> Shown:
    """Ask the host for its key, without logging in. Raises WorldError."""
    quiet()
    pinned = list(known_keys(entry))
    connection = dial_socket(entry, _TIMEOUT_S, _TIMEOUT_S)
    try:
        transport = paramiko.Transport(connection)
        try:
            if pinned:  # A host has several keys; it is to show one of those kinds.
                kinds = [key.get_name() for _, key in pinned]
                options = transport.get_security_options()
                rest = [kind for kind in options.key_types if kind not in kinds]
                first = [kind for kind in options.key_types if kind in kinds]
                options.key_types = [*first, *rest]
            transport.start_client(timeout=_TIMEOUT_S)
            key = transport.get_remote_server_key()
        finally:
            transport.close()
    except CLIENT_FAILURES as error:
        where = f"{entry.address} port {entry.port}"
        raise WorldError(f"{where}: no SSH connection: {error}", node=entry.name) from error
    finally:
        connection.close()
    return Shown(entry, key, tuple(fingerprint(known) for _, known in pinned))


def record(found: Shown) -> Path:
    """Pin the key in the first of the host's known_hosts files, which is returned."""
    entry = found.entry
    assert not found.is_other
    file = Path(entry.known_hosts[0])
    line = f"{server_name(entry)} {found.key.get_name()} {found.key.get_base64()}\n"
    whole = file.with_name(file.name + ".new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        before = file.read_text() if file.exists() else ""
        whole.write_text(before + ("\n" if before and before[-1] != "\n" else "") + line)
        whole.replace(file)
    except OSError as error:
        raise WorldError(f"cannot write {file}: {error.strerror}", node=entry.name) from error
    return file
