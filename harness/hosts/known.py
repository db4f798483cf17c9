"""Public keys as text, and known_hosts files: read line by line, so that none spoils the others."""

import base64
import hashlib
import hmac
import re
import struct
from collections.abc import Iterator
from pathlib import Path

import paramiko
from paramiko.pkey import UnknownKeyType

from ..errors import UsageError

_NO_KEY = (
    *(paramiko.SSHException, UnknownKeyType),
    *(ValueError, IndexError, OverflowError, EOFError, struct.error),
)
"""What the library raises of bytes that are no key."""

_RSA = ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa")
"""What a host may sign with whose key is of the kind `ssh-rsa`."""


def key_of(text: str) -> paramiko.PKey:
    """`ssh-ed25519 AAAA…` as a key. Raises UsageError."""
    try:
        kind, data = text.split()[:2]
        return paramiko.PKey.from_type_string(kind, base64.b64decode(data, validate=True))
    except _NO_KEY as error:
        said = f"not a public key: {text!r}; write it like `ssh-ed25519 AAAA…`"
        raise UsageError(said) from error


def fingerprint(key: paramiko.PKey) -> str:
    """As `ssh-keygen -l` prints it."""
    return str(key.fingerprint)


def recorded(file: Path, name: str) -> Iterator[tuple[bool, paramiko.PKey]]:
    """The keys of a host in a known_hosts file, if that is there, and whether each is good.

    The others are revoked. Lines that we do not understand say nothing. Raises UsageError.
    """
    if not file.is_file():
        return
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error}") from error
    for line in content.decode(errors="replace").splitlines():
        marker, *fields = line.split() if line.startswith("@") else ["", *line.split()]
        if len(fields) < 3 or marker not in ("", "@revoked") or not _is_of(fields[0], name):
            continue
        try:
            yield not marker, key_of(" ".join(fields[1:]))
        except UsageError:
            continue  # Of a kind that this library has not, or damaged.


def prefer(transport: paramiko.Transport, pinned: list[paramiko.PKey]) -> None:
    """A host has several keys; it is to show one of the kinds that are pinned, if it can."""
    kinds = {
        kind
        for key in pinned
        for kind in (_RSA if key.get_name() == "ssh-rsa" else (key.get_name(),))
    }
    options = transport.get_security_options()
    options.key_types = sorted(options.key_types, key=lambda kind: kind not in kinds)


def _is_of(patterns: str, name: str) -> bool:
    """Whether the first field of a line means the host, as sshd(8) has it."""
    each = patterns.split(",")
    if any(pattern[:1] == "!" and _fits(pattern[1:], name) for pattern in each):
        return False
    return any(_fits(pattern, name) for pattern in each)


def _fits(pattern: str, name: str) -> bool:
    if pattern.startswith("|1|"):
        return _is_hash(pattern, name)
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, name) is not None


def _is_hash(pattern: str, name: str) -> bool:
    try:
        _, _, salt, digest = pattern.split("|")
        expected = base64.b64decode(digest)
        made = hmac.digest(base64.b64decode(salt), name.encode(), hashlib.sha1)
    except ValueError:
        return False
    return hmac.compare_digest(made, expected)
