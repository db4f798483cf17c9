"""All that a checker may look at, and what it may spend."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from .clocks import Clocks
from .history import History
from .traces import Trace


class Limits(msgspec.Struct, frozen=True):
    """How long recovery may take after the final heal, in seconds."""

    leader_s: float = 10.0
    first_ack_s: float = 10.0
    replicas_s: float = 15.0


class Budget(msgspec.Struct, frozen=True):
    """What the bounded searches of one check may spend; a limit that was hit is named.

    `clock` is the only time that a checker knows, and it knows it for this purpose alone.
    """

    seconds: float = 1.5
    configurations: int = 2_000_000
    memory_mib: int = 512
    clock: Callable[[], float] = time.monotonic


class Evidence(msgspec.Struct, frozen=True):
    """One run's findings: who took part, what was allowed, what was observed.

    `traces` maps every member to what it traced (docs/traces.md); empty if none was asked to.
    `planned_faults` and `minimum` are the plan's `faults` and `minimum` as in plan.json. `clocks`
    say when it was what traces tell. `facts` are what the configuration says about what is right,
    as the system puts it.
    """

    history: History
    members: tuple[str, ...]
    limits: Limits = Limits()
    traces: Mapping[str, Trace] = {}
    planned_faults: tuple[dict[str, Any], ...] = ()
    minimum: dict[str, int] = {}
    budget: Budget = Budget()
    clocks: Clocks = Clocks()
    facts: Mapping[str, Any] = {}
