"""One SSH connection to a host whose key is known: made, or refused with all that was tried."""

import logging
import os
import socket
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paramiko

from ..errors import UsageError, WorldError
from .inventory import Entry
from .known import fingerprint, key_of, prefer, recorded

CLIENT_FAILURES = (paramiko.SSHException, OSError, EOFError)
"""What the library raises when a connection is not there, or no longer."""

DIAL_FAILURES = (*CLIENT_FAILURES, ValueError)
"""And of what it is told, or is told by the other side, that has not the right form."""


def dial(entry: Entry, timeout_s: float, silence_s: float) -> paramiko.SSHClient:
    """Connect. Unacknowledged for `silence_s`, the connection will count as dead.

    Raises WorldError: not reachable, a key that is not the pinned one, or no way to log in.
    """
    quiet()
    known = known_keys(entry)
    client = paramiko.SSHClient()  # It knows no keys: whatever is shown, we are asked.
    client.set_missing_host_key_policy(_Ask(entry, known))

    def transport(connection: Any, **how: Any) -> paramiko.Transport:
        made = paramiko.Transport(connection, **how)
        prefer(made, known.good)
        return made

    try:
        client.connect(
            entry.address,
            entry.port,
            entry.user,
            password=_text(entry, entry.password_env),
            passphrase=_text(entry, entry.passphrase_env),
            # The library takes several; its types know of one.
            key_filename=[key for key in entry.keys if Path(key).is_file()],  # type: ignore[arg-type]
            look_for_keys=not entry.keys,
            allow_agent=entry.agent,
            sock=dial_socket(entry, timeout_s, silence_s),
            timeout=timeout_s,
            banner_timeout=timeout_s,
            auth_timeout=timeout_s,
            channel_timeout=timeout_s,
            transport_factory=transport,
        )
    except WorldError:
        client.close()
        raise
    except DIAL_FAILURES as error:
        client.close()
        raise WorldError(_why(entry, error), node=entry.name) from error
    connected = client.get_transport()
    assert connected is not None
    connected.set_keepalive(max(1, int(silence_s / 2)))  # Silence is noticed when it is broken.
    return client


def dial_socket(entry: Entry, timeout_s: float, silence_s: float) -> socket.socket:
    """The bytes below SSH: a TCP connection, or the user's own proxy command. Raises WorldError."""
    if entry.proxy is not None:
        return _proxied(entry, entry.proxy)
    try:
        connection = socket.create_connection((entry.address, entry.port), timeout_s)
    except (OSError, UnicodeError) as error:  # The latter of a name that can be none.
        where = f"{entry.address} port {entry.port}"
        reason = getattr(error, "strerror", None) or str(error)
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
            # As ssh runs it: a shell that is replaced by it.
            words = (os.environ.get("SHELL") or "/bin/sh", "-c", f"exec {command}")
            # Of a session of its own: Ctrl-C is for us, who need it to undo everything.
            process = subprocess.Popen(words, stdin=end, stdout=end, start_new_session=True)
        except (OSError, ValueError) as error:
            ours.close()
            raise WorldError(f"cannot run its proxy {command}: {error}", node=entry.name) from error
    # Whoever asks for its end would wait for a connection of the library's; a thread may.
    threading.Thread(target=process.wait, name=f"proxy {entry.name}", daemon=True).start()
    return ours


@dataclass(frozen=True, slots=True)
class Known:
    """The keys of a host of which somebody said something."""

    good: list[paramiko.PKey]
    revoked: list[paramiko.PKey]


def known_keys(entry: Entry) -> Known:
    """The pinned keys of the host, and those that never are it. Raises UsageError."""
    said = [(True, key_of(text)) for text in entry.host_keys]
    if not said:
        name = server_name(entry)
        said = [each for file in entry.known_hosts for each in recorded(Path(file), name)]
    revoked = [key for is_good, key in said if not is_good]
    return Known([key for is_good, key in said if is_good and key not in revoked], revoked)


def server_name(entry: Entry) -> str:
    """How known_hosts files call the host."""
    return entry.address if entry.port == 22 else f"[{entry.address}]:{entry.port}"


def quiet() -> None:
    """What goes wrong is said once, by our errors, and not on stderr by the library."""
    log = logging.getLogger("paramiko")
    if not log.handlers:
        log.addHandler(logging.NullHandler())


class _Ask(paramiko.MissingHostKeyPolicy):
    """A pinned key is let through; nobody is trusted for being the first to answer."""

    def __init__(self, entry: Entry, known: Known) -> None:
        self._entry = entry
        self._known = known

    def missing_host_key(
        self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey
    ) -> None:
        known = self._known
        if key in known.good:
            return
        pinned = ", ".join(map(fingerprint, known.good))
        if key in known.revoked:
            said = f"its key {fingerprint(key)} is revoked"
        elif pinned:
            said = f"its key is {fingerprint(key)}, but pinned is {pinned}; "
            said += "if the host was made anew, remove the old key"
        else:
            said = f"its {key.get_name()} key {fingerprint(key)} is not known; "
            said += "if that is the host, pin it: delphic doctor HOSTS --trust, or host_key:"
        raise WorldError(said, node=self._entry.name)


def secret(entry: Entry, variable: str | None) -> str | None:
    """What the environment holds. Raises UsageError, which names the variable only."""
    if variable is None:
        return None
    value = os.environ.get(variable)
    if value is None:
        raise UsageError(f"{entry.name}: the environment has no variable {variable!r}")
    return value


def _text(entry: Entry, variable: str | None) -> str | None:
    """A secret that has to be text, as SSH's passwords have."""
    value = secret(entry, variable)
    if value is not None and any("\udc80" <= character <= "\udcff" for character in value):
        raise UsageError(f"{entry.name}: the variable {variable!r} is not UTF-8")
    return value


def _why(entry: Entry, error: Exception) -> str:
    where = f"{entry.user} at {entry.address} port {entry.port}"
    match error:
        case paramiko.PasswordRequiredException():
            return f"{where}: the key has a passphrase; name its variable with passphrase_env"
        case paramiko.AuthenticationException():
            return f"{where}: cannot log in with {_ways(entry)}: {error}"
        case paramiko.SSHException() if str(error).startswith("No authentication methods"):
            return f"{where}: cannot log in with {_ways(entry)}: there is nothing to try"
        case paramiko.SSHException() if str(error).startswith("Invalid key"):
            phrase = entry.passphrase_env or entry.password_env
            or_not = f", or ${phrase} is not its passphrase" if phrase else ""
            return f"{where}: cannot log in with {_ways(entry)}: a key is damaged{or_not}"
        case _:
            through = f" through its proxy {entry.proxy}" if entry.proxy is not None else ""
            return f"{where}: no SSH connection{through}: {error or type(error).__name__}"


def _ways(entry: Entry) -> str:
    ways = [
        f"the key {key}" + ("" if Path(key).is_file() else " (no such file)") for key in entry.keys
    ]
    ways += ["the agent"] if entry.agent else []
    ways += ["the usual keys of ~/.ssh"] if not entry.keys else []
    ways += [f"the password of ${entry.password_env}"] if entry.password_env else []
    return ", ".join(ways)
