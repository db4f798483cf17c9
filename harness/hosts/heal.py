"""Undoes on many hosts what runs left there whose harness is gone."""

import asyncio

from ..errors import WorldError
from . import agent
from .connection import Host
from .inventory import Entry, Inventory

Healed = tuple[str, list[str], bool]
"""A host's name, a sentence about each thing that was undone or not, and whether all is undone."""


async def heal_all(inventory: Inventory) -> list[Healed]:
    """Heal all hosts side by side; one that cannot be reached hinders no other."""
    return list(await asyncio.gather(*(_heal(entry) for entry in inventory.hosts)))


async def _heal(entry: Entry) -> Healed:
    try:
        host = await Host.open(entry)
        try:
            said, whole = await agent.heal(host)
        finally:
            host.close()
    except WorldError as error:
        return entry.name, [f"{error.message} {error.detail}".strip()], False
    return entry.name, said, whole
