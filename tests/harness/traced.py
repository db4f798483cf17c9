"""Traces for tests, from the few fields that a test is about."""

from collections.abc import Mapping
from typing import Any

import msgspec
from delphic.harness.traces import Record, Trace

POST = {"term": 0, "vote": None, "role": "follower", "leader": None, "commit": 0, "last": [0, 0]}
HEAD = {"node": "n1", "inc": 1, "seq": 0, "t_ns": 0, "group": 2, "event": {"kind": "boot"}}


def record(fields: Mapping[str, Any]) -> Record:
    """A record; what is not given is that of a member that has just begun."""
    post = POST | fields.get("post", {})
    return msgspec.convert(HEAD | dict(fields) | {"post": post}, Record)


def trace(*records: Mapping[str, Any]) -> Trace:
    """A trace of such records."""
    return Trace.of(record(fields) for fields in records)
