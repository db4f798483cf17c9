"""Traces of replication's cores for tests."""

from typing import Any

import msgspec
from delphic.harness.traces import CoreRecord


class Written:
    """A node's records, numbered."""

    def __init__(self, node: str) -> None:
        self.node = node
        self.inc = 1
        self.records: list[CoreRecord] = []
        self._seq = 0

    def add(self, group: str, event: Any, post: Any, index: int = 0, out: Any = None) -> None:
        plain = msgspec.json.decode(msgspec.json.encode([event, post, out]))
        at = len(self.records)
        self.records.append(CoreRecord(self.node, self.inc, self._seq, at, group, *plain, index))
        self._seq += 1

    def again(self) -> None:
        self.inc, self._seq = self.inc + 1, 0
