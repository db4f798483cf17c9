"""One SSH connection to a host whose key is known: made, or refused with all that was tried."""

import logging
import os
import shlex
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import paramiko

from ..errors import UsageError, WorldError
from .inventory import Entry

CLIENT_FAILURES = (paramiko.SSHException, OSError, EOFError)
"""What the library raises when a connection is not there, or no longer."""


def dial(entry: Entry, timeout_s: float, silence_s: float) -> paramiko.SSHClient:
    """Connect. Unacknowledged for `silence_s`, the connection will count as dead.

    Raises WorldError: not reachable, a key that is not the pinned one, or no way to log in.
    """
    quiet()
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(_Refuse(entry))
    _pin(client.get_host_keys(), entry)
    try:
        client.connect(
            entry.address,
            entry.port,
            entry.user,
            password=secret(entry, entry.password_env),
            passphrase=secret(entry, entry.passphrase_env),
            # The library takes several; its types know of one.
            key_filename=[key for key in entry.keys if Path(key).is_file()],  # type: ignore[arg-type]
            look_for_keys=not entry.keys,
            allow_agent=entry.agent,
            sock=dial_socket(entry, timeout_s, silence_s),
            timeout=timeout_s,
            banner_timeout=timeout_s,
            auth_timeout=timeout_s,
            channel_timeout=timeout_s,
        )
    except WorldError:
        client.close()
        raise
    except CLIENT_FAILURES as error:
        client.close()
        raise WorldError(_why(entry, error), node=entry.name) from error
    transport = client.get_transport()
    assert transport is not None
    transport.set_keepalive(max(1, int(silence_s / 2)))  # Silence is noticed when it is broken.
    return client


def dial_socket(entry: Entry, timeout_s: float, silence_s: float) -> socket.socket:
    """The bytes below SSH: a TCP connection, or the user's own proxy command. Raises WorldError."""
    if entry.proxy is not None:
        return _proxied(entry, entry.proxy)
    try:
        connection = socket.create_connection((entry.address, entry.port), timeout_s)
    except OSError as error:
        where = f"{entry.address} port {entry.port}"
        reason = error.strerror or str(error)
        raise WorldError(f"cannot connect to {where}: {reason}", node=entry.name) from error
    # Small packets both ways: with Nagle's algorithm each command takes 40 ms more.
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # SSH's keep-alives never notice a dead peer; the kernel does, of bytes never acknowledged.
    user_timeout = int(silence_s * 1000)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, user_timeout)
    return connection


def _proxied(entry: Entry, command: str) -> socket.socket:
    """The user's ProxyCommand; it ends when the connection does."""
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            end = theirs.fileno()
            process = subprocess.Popen(shlex.split(command), stdin=end, stdout=end)
        except (OSError, ValueError) as error:
            ours.close()
            raise WorldError(f"cannot run its proxy {command}: {error}", node=entry.name) from error
    # Whoever asks for its end would wait for a connection of the library's; a thread may.
    threading.Thread(target=process.wait, name=f"proxy {entry.name}", daemon=True).start()
    return ours


def known_keys(entry: Entry) -> Iterator[tuple[str, paramiko.PKey]]:
    """The pinned keys of the host, each with the name under which it is known."""
    name = server_name(entry)
    for text in entry.host_keys:
        yield name, key_of(text)
    if not entry.host_keys:
        for file in entry.known_hosts:
            for key in (_known_hosts(file).lookup(name) or {}).values():
                yield name, key


def server_name(entry: Entry) -> str:
    """How known_hosts files call the host."""
    return entry.address if entry.port == 22 else f"[{entry.address}]:{entry.port}"


def key_of(text: str) -> paramiko.PKey:
    """`ssh-ed25519 AAAA…` as a key. Raises UsageError."""
    line = paramiko.hostkeys.HostKeyEntry.from_line(f"host {text}")
    if line is None or line.key is None:
        raise UsageError(f"not a public key: {text!r}; write it like `ssh-ed25519 AAAA…`")
    return line.key


def fingerprint(key: paramiko.PKey) -> str:
    """As `ssh-keygen -l` prints it."""
    return str(key.fingerprint)


def quiet() -> None:
    """What goes wrong is said once, by our errors, and not on stderr by the library."""
    log = logging.getLogger("paramiko")
    if not log.handlers:
        log.addHandler(logging.NullHandler())


def _pin(keys: paramiko.HostKeys, entry: Entry) -> None:
    for name, key in known_keys(entry):
        keys.add(name, key.get_name(), key)


def _known_hosts(file: str) -> paramiko.HostKeys:
    keys = paramiko.HostKeys()
    if Path(file).is_file():
        try:
            keys.load(file)
        except (OSError, paramiko.SSHException) as error:
            raise UsageError(f"cannot read {file}: {error}") from error
    return keys


class _Refuse(paramiko.MissingHostKeyPolicy):
    """Nobody is trusted for being the first to answer."""

    def __init__(self, entry: Entry) -> None:
        self._entry = entry

    def missing_host_key(
        self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey
    ) -> None:
        entry = self._entry
        pinned = [fingerprint(known) for _, known in known_keys(entry)]
        said = f"its {key.get_name()} key {fingerprint(key)} is not known"
        if pinned:
            said = f"its key is {fingerprint(key)}, but pinned is {', '.join(pinned)}"
        raise WorldError(
            f"{said}; if that is the host, pin it: delphic doctor HOSTS --trust, or host_key:",
            node=entry.name,
        )


def secret(entry: Entry, variable: str | None) -> str | None:
    """What the environment holds. Raises UsageError, which names the variable only."""
    if variable is None:
        return None
    value = os.environ.get(variable)
    if value is None:
        raise UsageError(f"{entry.name}: the environment has no variable {variable!r}")
    return value


def _why(entry: Entry, error: Exception) -> str:
    where = f"{entry.user} at {entry.address} port {entry.port}"
    match error:
        case paramiko.BadHostKeyException():
            return (
                f"{where}: its key is {fingerprint(error.key)}, but pinned is "
                f"{fingerprint(error.expected_key)}; if the host was made anew, remove the old key"
            )
        case paramiko.PasswordRequiredException():
            return f"{where}: the key has a passphrase; name its variable with passphrase_env"
        case paramiko.AuthenticationException():
            return f"{where}: cannot log in with {_ways(entry)}: {error}"
        case _:
            return f"{where}: no SSH connection: {error or type(error).__name__}"


def _ways(entry: Entry) -> str:
    ways = [
        f"the key {key}" + ("" if Path(key).is_file() else " (no such file)") for key in entry.keys
    ]
    ways += ["the agent"] if entry.agent else []
    ways += ["the usual keys of ~/.ssh"] if not entry.keys else []
    ways += [f"the password of ${entry.password_env}"] if entry.password_env else []
    return ", ".join(ways)
