"""One line of a history: something a process began, or how it ended."""

from enum import StrEnum
from typing import Any

import msgspec

ProcessId = int | str
"""Clients are numbered; `nemesis`, `observer` and `harness` go by name."""

NEMESIS = "nemesis"
OBSERVER = "observer"
HARNESS = "harness"


INDEX_MAX = (1 << 62) - 1
"""The highest index of an op: judges count in 64 bits, and some positions come after all."""


class OpType(StrEnum):
    """How certain a line is: began, happened, did not happen, nobody knows."""

    INVOKE = "invoke"
    OK = "ok"
    FAIL = "fail"
    INFO = "info"


class Op(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One event of a run. Its value is plain data without cycles, so the collector skips it.

    `index` is dense and given by the single history writer: it alone decides order. `time_ns`
    counts from the start of the run on the harness's monotonic clock; it is for people and plots.
    """

    index: int
    time_ns: int
    process: ProcessId
    type: OpType
    f: str
    key: Any = None
    value: Any = None
    node: str | None = None
    error: str | None = None

    @property
    def is_client(self) -> bool:
        return isinstance(self.process, int)
