"""What hosts can do, asked before a run is planned: a scenario that needs more is refused then."""

import uuid
from collections.abc import Mapping
from typing import Any

from ...hosts import marker
from ...hosts.agent import Agent
from ...hosts.connection import Host
from ...hosts.inventory import Entry, Inventory
from ...together import together
from ..target import Capability

ALWAYS = frozenset({Capability.KILL, Capability.PAUSE, Capability.FILES})
"""What any agent can."""

NEEDS: Mapping[Capability, str] = {
    Capability.CUT: "links",
    Capability.RATE: "links",
    Capability.DELAY: "delay",
    Capability.RESET: "reset",
}
"""What an agent calls that which the others take."""


async def survey(inventory: Inventory) -> tuple[frozenset[Capability], dict[Capability, str]]:
    """What every host can do; and for what is missing, on which and why. Raises WorldError."""
    said: dict[str, Mapping[str, Any]] = {}

    async def ask(entry: Entry) -> None:
        said[entry.name] = await _ask(entry, inventory.lease_s)

    await together(*(ask(entry) for entry in inventory.hosts))
    reasons: dict[Capability, str] = {}
    for capability, need in NEEDS.items():
        without = {e.name: why for e in inventory.hosts if (why := _lacks(said[e.name], need))}
        if without:
            reasons[capability] = "; ".join(f"{name}: {why}" for name, why in without.items())
    return ALWAYS | (NEEDS.keys() - reasons.keys()), reasons


def _lacks(said: Mapping[str, Any], verb: str) -> str | None:
    return None if verb in said["verbs"] else f"its agent has no verb {verb}"


async def _ask(entry: Entry, lease_s: float) -> Mapping[str, Any]:
    host = await Host.open(entry)
    try:
        await marker.demand(host)
        agent = await Agent.start(host, f"survey-{uuid.uuid4().hex}", lease_s)
        try:
            return agent.hello
        finally:
            await agent.bye()
    finally:
        host.close()
