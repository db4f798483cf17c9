"""Values to bytes, one way only, and from there to 64-bit hashes that never change.

A fingerprint must not depend on the order of discovery, on the process or on Python's hash seed:
then counts, orbits and shards are the same on every run.
"""

import dataclasses
from enum import Enum
from hashlib import blake2b
from typing import Any

MASK = (1 << 64) - 1
MOST_KEY = 64
"""Bytes of a key that the hash takes."""


def encode(value: Any) -> bytes:
    """Injective bytes for a model value. Raises TypeError for what no model may be made of."""
    out: list[bytes] = []
    _encode(value, out)
    return b"".join(out)


def _encode(value: Any, out: list[bytes]) -> None:
    if value is None:
        out.append(b"N")
    elif isinstance(value, Enum):
        out.append(_sized(b"E", f"{type(value).__name__}.{value.name}".encode()))
    elif isinstance(value, bool):
        out.append(b"T" if value else b"F")
    elif isinstance(value, int):
        out.append(_sized(b"I", b"%d" % value))
    elif isinstance(value, str):
        out.append(_sized(b"S", value.encode()))
    elif isinstance(value, bytes):
        out.append(_sized(b"B", value))
    elif isinstance(value, tuple):
        _encode_items(type(value).__name__, value, out)
    elif isinstance(value, frozenset):
        items = sorted(encode(item) for item in value)
        out.append(b"{%d:" % len(items))
        out.extend(items)
    elif dataclasses.is_dataclass(value):
        fields = [getattr(value, f.name) for f in dataclasses.fields(value)]
        _encode_items(type(value).__name__, tuple(fields), out)
    else:
        raise TypeError(f"a model's values cannot hold {type(value).__name__}: {value!r}")


def _encode_items(kind: str, items: tuple[Any, ...], out: list[bytes]) -> None:
    out.append(_sized(b"(", kind.encode()))
    out.append(b"%d:" % len(items))
    for item in items:
        _encode(item, out)


def _sized(tag: bytes, body: bytes) -> bytes:
    return b"%s%d:%s" % (tag, len(body), body)


def hash64(seed: int, kind: str, position: int, value: Any) -> int:
    """A 64-bit hash of a component: its kind, its place and its content. Always odd.

    Odd values lose one bit but keep any multiplicity of a message in a bag visible (model-notes
    §5.4).
    """
    key = b"%d/%s/%d" % (seed, kind.encode(), position)
    if len(key) > MOST_KEY:
        key = blake2b(key).digest()
    digest = blake2b(encode(value), digest_size=8, key=key).digest()
    return int.from_bytes(digest, "little") | 1
