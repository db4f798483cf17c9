"""What ~/.ssh/config says of a host, and how it is reached from there."""

import glob
import os
import re
import shlex
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import paramiko

from ..errors import UsageError

_JUMP_WITH_PORT = re.compile(r"([^@]*@)?(\[[^\]]+\]|[^:\[\]]+):[0-9]+")

_LINE = re.compile(r"\s*(host|match|include)(?:\s*=\s*|\s+)(.*)", re.IGNORECASE)

_FOR_A_SHELL = re.compile(r"""['"`$;&<>|(){}]|\s-|^-""")
"""What no user has for whom ssh asks a shell, in which a `%r` may stand in any quotes."""

_DEEP_MAX = 16
"""Files that are included by one another, as in ssh."""


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

    Inclusions are followed; relative names are of files beside `file`. Raises UsageError for a
    configuration that is none, or has a port that is none, or cannot be followed, and for a user
    that a proxy's shell would take for more than a name.
    """
    said = f"Port {port}\n" if port is not None else ""
    said += f"User {shlex.quote(user)}\n" if user is not None else ""
    try:
        whole = "\n".join(_with_included(text, file, alias, 0))
        found = paramiko.SSHConfig.from_text(said + whole).lookup(alias)
    except (paramiko.SSHException, ImportError, ValueError, UnicodeError) as error:
        raise UsageError(f"cannot use {file}: {error}") from error
    written = found.get("port", "22")
    if user is not None and "proxycommand" in found and _FOR_A_SHELL.search(user):
        raise UsageError(f"{alias}: a ProxyCommand is a shell's, which no user {user!r} is for")
    if not written.isdecimal() or not 1 <= int(written) <= 65535:
        raise UsageError(f"{file}: the port of {alias} is {written!r}")
    return found


def _with_included(text: str, file: Path, alias: str, depth: int) -> Iterator[str]:
    """The lines that mean something to a host, those of files included that count for it.

    Raises UsageError.
    """
    if depth > _DEEP_MAX:
        raise UsageError(f"{file} includes itself, or too many files one in another")
    counts: bool | None = True  # None: only the library knows.
    for line in text.splitlines():
        found = _LINE.fullmatch(line)
        word = found[1].lower() if found is not None else ""
        if found is None or word != "include":
            if found is not None:
                words = _words(line, found[2], file)
                # Of conditions one is known: `Match all`.
                is_for_all = True if [each.lower() for each in words] == ["all"] else None
                counts = _is_meant(words, alias) if word == "host" else is_for_all
            yield line
        elif counts is not False:
            for inner in _named(_words(line, found[2], file), file):
                if counts is None:
                    raise UsageError(
                        f"{file}: `{line.strip()}` under a `Match` cannot be followed; put it first"
                    )
                yield from _with_included(text_of(inner), file, alias, depth + 1)
                # The block in which the inclusion stands goes on, and it is one of this host.
                yield "Host *"


def _named(patterns: list[str], file: Path) -> list[Path]:
    """The files that are there; hidden ones only if they are named."""
    within = glob.escape(str(file.parent))
    patterns = [os.path.join(within, os.path.expanduser(pattern)) for pattern in patterns]
    return [Path(name) for pattern in patterns for name in sorted(glob.glob(pattern))]


def _is_meant(patterns: list[str], alias: str) -> bool:
    """Whether a `Host` is about this one."""
    if any(p.startswith("!") and fnmatchcase(alias, p[1:]) for p in patterns):
        return False
    return any(fnmatchcase(alias, pattern) for pattern in patterns)


def _words(line: str, text: str, file: Path) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UsageError(f"{file}: `{line.strip()}` cannot be read: {error}") from error


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
