"""Every check that the zoo knows, by name. To add one: its file, then its name here."""

from collections.abc import Mapping, Sequence

from ..errors import UsageError
from ..language.selector import closest
from .cores import CONFORM
from .drills import DRILL
from .explore import EXPLORE
from .lattice import EXIT_CODES
from .nouns import Check
from .planted import PLANTED
from .soundness import AA, CONTROLS, SOUND_RUNS
from .worlds import HISTORY, LOCKSTEP, TRACE

_SYSTEM: tuple[Check, ...] = (EXPLORE, CONFORM, LOCKSTEP, TRACE, HISTORY)
"""Those that look for mistakes of the implementation and of the models."""

_HARNESS: tuple[Check, ...] = (AA, SOUND_RUNS, DRILL, PLANTED, CONTROLS, EXIT_CODES)
"""Those that look for mistakes of the harness."""

CHECKS: Mapping[str, Check] = {check.name: check for check in (*_SYSTEM, *_HARNESS)}


def chosen(names: Sequence[str]) -> list[Check]:
    """The checks of these names, all where none is given. Raises UsageError."""
    for name in names:
        if name not in CHECKS:
            raise UsageError(f"there is no check {name!r}{closest(name, list(CHECKS))}")
    return [check for check in CHECKS.values() if not names or check.name in names]
