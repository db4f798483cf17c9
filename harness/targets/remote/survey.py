"""What hosts can do, asked before a run is planned: a scenario that needs more is refused then."""

import uuid
from collections.abc import Mapping, Sequence

from ...hosts import marker
from ...hosts.agent import Agent
from ...hosts.connection import Host
from ...hosts.inventory import Entry, Inventory
from ...running.together import together
from ..target import Capability
from . import shim
from .fleet import PROBE_S

ALWAYS = frozenset({Capability.KILL, Capability.PAUSE, Capability.FILES})
"""What any agent can."""

NEEDS: Mapping[Capability, tuple[str, ...]] = {
    Capability.CUT: ("cut",),
    Capability.RATE: ("rate",),
    Capability.DELAY: ("shape",),
    Capability.PACKETS: ("loss", "shape"),
    Capability.RESET: ("reset",),
    Capability.CPU: ("cpu-pressure",),
    Capability.MEMORY: ("memory-pressure",),
    Capability.PERMISSIONS: ("permissions",),
    Capability.POWER_CUT: ("disk",),
    Capability.DISK: ("disk", "shim"),
    Capability.CLOCK: ("shim",),
}
"""What agents call that which the others take."""

NEVER: Mapping[Capability, str] = {
    Capability.NAME_LOSS: "ext4 syncs the name of a new file with the file, folder or not",
    Capability.MESSAGE_ORDER: "hosts send packets, in which nobody looks for messages",
}
"""What no host can, and why."""

Lacks = Mapping[str, str | None]
"""Why a host cannot do something; None where it can."""


async def survey(inventory: Inventory) -> tuple[frozenset[Capability], dict[Capability, str]]:
    """What every host can do; and for what is missing, on which and why. Raises WorldError."""
    said: dict[str, Lacks] = {}

    async def ask(entry: Entry) -> None:
        said[entry.name] = await _ask(entry, inventory.lease_s)

    await together(*(ask(entry) for entry in inventory.hosts))
    over_ipv6 = any(":" in a for entry in inventory.hosts for a in entry.every_address)
    found, reasons = able([(e.name, said[e.name]) for e in inventory.hosts], over_ipv6=over_ipv6)
    return found, {**NEVER, **reasons}


def able(
    said: Sequence[tuple[str, Lacks]], *, over_ipv6: bool = False
) -> tuple[frozenset[Capability], dict[Capability, str]]:
    """What all of these hosts can do, and why not the rest."""
    reasons: dict[Capability, str] = {}
    for capability, needs in NEEDS.items():
        if over_ipv6 and "cut" in needs:
            needs = (*needs, "cut-ipv6")
        found = [(name, why) for name, lacks in said for need in needs if (why := lacks[need])]
        without = [f"{name}: {why}" for name, why in dict.fromkeys(found)]
        if without:
            reasons[capability] = "; ".join(without)
    return ALWAYS | (NEEDS.keys() - reasons.keys()), reasons


async def _ask(entry: Entry, lease_s: float) -> Lacks:
    host = await Host.open(entry)
    try:
        await marker.demand(host)
        agent = await Agent.start(host, f"survey-{uuid.uuid4().hex}", lease_s)
        try:
            found: Lacks = await agent.call("capabilities", timeout_s=PROBE_S)
            return {**found, "shim": await shim.hindrance(host, agent)}
        finally:
            await agent.bye()
    finally:
        host.close()
