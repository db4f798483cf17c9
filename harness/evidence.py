"""All that a checker may look at."""

from typing import Any

import msgspec

from .history import History


class Limits(msgspec.Struct, frozen=True):
    """How long recovery may take after the final heal, in seconds."""

    leader_s: float = 10.0
    first_ack_s: float = 10.0
    replicas_s: float = 15.0


class Evidence(msgspec.Struct, frozen=True):
    """One run's findings: who took part, what was allowed, what was observed.

    `traces` maps a member to its trace records (docs/traces.md), in the order it wrote them.
    """

    history: History
    members: tuple[str, ...]
    limits: Limits = Limits()
    traces: dict[str, list[dict[str, Any]]] = {}
