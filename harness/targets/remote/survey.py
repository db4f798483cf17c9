"""What hosts can do, asked before a run is planned: a scenario that needs more is refused then."""

import uuid
from collections.abc import Mapping

from ...hosts import marker
from ...hosts.agent import Agent
from ...hosts.connection import Host
from ...hosts.inventory import Entry, Inventory
from ...together import together
from ..target import Capability

ALWAYS = frozenset({Capability.KILL, Capability.PAUSE, Capability.FILES})
"""What any agent can."""

NEEDS: Mapping[Capability, str] = {
    Capability.CUT: "cut",
    Capability.RATE: "rate",
    Capability.DELAY: "shape",
    Capability.RESET: "reset",
}
"""What an agent calls that which the others take: it has tried it, or says why it cannot be."""

_TRIES_S = 60.0
"""An agent tries things out once after the host's boot."""


async def survey(inventory: Inventory) -> tuple[frozenset[Capability], dict[Capability, str]]:
    """What every host can do; and for what is missing, on which and why. Raises WorldError."""
    said: dict[str, Mapping[str, str | None]] = {}

    async def ask(entry: Entry) -> None:
        said[entry.name] = await _ask(entry, inventory.lease_s)

    await together(*(ask(entry) for entry in inventory.hosts))
    reasons: dict[Capability, str] = {}
    for capability, need in NEEDS.items():
        without = {e.name: why for e in inventory.hosts if (why := _lacks(said[e.name], need))}
        if without:
            reasons[capability] = "; ".join(f"{name}: {why}" for name, why in without.items())
    return ALWAYS | (NEEDS.keys() - reasons.keys()), reasons


def _lacks(said: Mapping[str, str | None], need: str) -> str | None:
    return said.get(need, f"its agent knows nothing of {need}")


async def _ask(entry: Entry, lease_s: float) -> Mapping[str, str | None]:
    host = await Host.open(entry)
    try:
        await marker.demand(host)
        agent = await Agent.start(host, f"survey-{uuid.uuid4().hex}", lease_s)
        try:
            found: dict[str, str | None] = await agent.call("capabilities", timeout_s=_TRIES_S)
            return found
        finally:
            await agent.bye()
    finally:
        host.close()
