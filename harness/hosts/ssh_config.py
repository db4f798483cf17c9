"""What ~/.ssh/config says of a host, and how it is reached from there."""

import re
import shlex
from pathlib import Path

import paramiko

from ..errors import UsageError

_JUMP_WITH_PORT = re.compile(r"([^@]*@)?(\[[^\]]+\]|[^:\[\]]+):[0-9]+")


def text_of(file: Path) -> str:
    """The configuration, empty where there is none. Raises UsageError."""
    if not file.is_file():
        return ""
    try:
        # Names of files may hold any bytes, and so may comments.
        return file.read_bytes().decode(errors="surrogateescape")
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error}") from error


def looked_up(
    text: str, file: Path, alias: str, port: int | None, user: str | None
) -> paramiko.SSHConfigDict:
    """What it says of a host; port and user are those of the inventory, which come first.

    Raises UsageError for a configuration that is none, or that has a port that is none.
    """
    said = f"Port {port}\n" if port is not None else ""
    said += f"User {shlex.quote(user)}\n" if user is not None else ""
    try:
        found = paramiko.SSHConfig.from_text(said + text).lookup(alias)
    except (paramiko.SSHException, ImportError, ValueError, UnicodeError) as error:
        raise UsageError(f"cannot use {file}: {error}") from error
    written = found.get("port", "22")
    if not written.isdecimal() or not 1 <= int(written) <= 65535:
        raise UsageError(f"{file}: the port of {alias} is {written!r}")
    return found


def proxy(ssh: paramiko.SSHConfigDict) -> str | None:
    """The command through which the host is reached; of command and jump the first counts."""
    first = next((key for key in ssh if key in ("proxycommand", "proxyjump")), None)
    if first is None or (ssh[first] or "none").lower() == "none":
        return None
    if first == "proxycommand":
        return str(ssh[first])
    *before, last = (jump.strip() for jump in ssh[first].split(","))
    through = ("-J", ",".join(before)) if before else ()
    host = f"[{ssh['hostname']}]" if ":" in ssh["hostname"] else ssh["hostname"]
    # As a word of its own a destination has a port only in the form of an address.
    to = f"ssh://{last}" if _JUMP_WITH_PORT.fullmatch(last) else last
    return shlex.join(["ssh", *through, "-W", f"{host}:{ssh.get('port', 22)}", "--", to])
