"""Every check that the zoo knows, by name. To add one: its file, then its name here."""

from collections.abc import Mapping, Sequence

from ..errors import UsageError
from ..selector import closest
from .explore import EXPLORE
from .nouns import Check
from .worlds import HISTORY

CHECKS: Mapping[str, Check] = {check.name: check for check in (EXPLORE, HISTORY)}


def chosen(names: Sequence[str]) -> list[Check]:
    """The checks of these names, all where none is given. Raises UsageError."""
    for name in names:
        if name not in CHECKS:
            raise UsageError(f"there is no check {name!r}{closest(name, list(CHECKS))}")
    return [check for check in CHECKS.values() if not names or check.name in names]
