"""The place that `--on` names: a target by its name, a laboratory, or the hosts of a file."""

import asyncio
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..language.selector import closest
from ..running import signals
from .registry import TARGETS
from .target import Target

if TYPE_CHECKING:
    from ..hosts.inventory import Inventory

LAB = "lab"

LAB_HOSTS_MIN, LAB_HOSTS_MAX = 3, 5
"""How many hosts a laboratory has for a group of so many, where nobody says how many."""

_LAB = re.compile(r"lab(?::(\d+))?")
_FILES = (".yaml", ".yml")


def is_laboratory(text: str) -> bool:
    """Whether that is what `--on` names."""
    return _LAB.fullmatch(text) is not None


@contextmanager
def find(text: str, members: Sequence[str]) -> Iterator[Target]:
    """The target, for a group of these members; a laboratory is there as long as it is used.

    Raises UsageError where there is none of that name, WorldError where it cannot be reached.
    """
    lab = _LAB.fullmatch(text)
    if text in TARGETS:
        yield TARGETS[text]
    elif lab is not None:
        with _laboratory(None if lab[1] is None else int(lab[1]), members) as inventory:
            yield _surveyed(text, inventory, members, digest=None)
    elif Path(text).suffix in _FILES:
        from ..hosts.inventory import load

        inventory = load(text)
        yield _surveyed(text, inventory, members, digest=inventory.digest)
    else:
        known = closest(text, [*TARGETS, LAB])
        raise UsageError(f"there is no target {text!r}{known}, and it is no file *.yaml of hosts")


@contextmanager
def _laboratory(count: int | None, members: Sequence[str]) -> "Iterator[Inventory]":
    from ..lab import lab, rootless

    rootless.enter()
    fits = max(LAB_HOSTS_MIN, min(LAB_HOSTS_MAX, len(members)))
    hosts = fits if count is None else count
    with signals.as_interrupts():  # Whatever ends us, the laboratory goes.
        made = lab.up(hosts, addresses=-(-len(members) // max(1, hosts)))
        try:
            yield made.inventory
        finally:
            with signals.held():
                lab.down(made)


def _surveyed(
    text: str, inventory: "Inventory", members: Sequence[str], *, digest: str | None
) -> Target:
    """Only who was asked knows what can be done there. The library for SSH is slow to import."""
    from .remote.placement import placed
    from .remote.survey import survey
    from .remote.target import RemoteTarget

    placed(members, inventory.hosts)
    able, reasons = asyncio.run(survey(inventory))
    return RemoteTarget(text, inventory, able, reasons, digest)
