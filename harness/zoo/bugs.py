"""Every mistake in the zoo, family by family. To add a family: one entry here."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from ...impl.bugs import ALL_BUGS
from ...model.models import MODELS
from ..errors import UsageError
from ..language.selector import closest
from .mutants import MUTANTS
from .nouns import NOTHING, Bug, Family


def _of_the_implementation() -> Iterator[Bug]:
    for bug in ALL_BUGS.values():
        yield Bug(Family.IMPLEMENTATION, bug.name, bug.mistake, bug.source, bug.promises)


def _of_the_models() -> Iterator[Bug]:
    for entry in MODELS.values():
        for mutant in entry.mutants.values():
            yield Bug(Family.MODEL, mutant.name, mutant.mistake, mutant.source, place=entry.name)


def _of_the_harness() -> Iterator[Bug]:
    for mutant in MUTANTS.values():
        yield Bug(Family.HARNESS, mutant.name, mutant.mistake, mutant.source)


FAMILIES: Mapping[Family, Callable[[], Iterator[Bug]]] = {
    Family.NOTHING: lambda: iter((NOTHING,)),
    Family.IMPLEMENTATION: _of_the_implementation,
    Family.MODEL: _of_the_models,
    Family.HARNESS: _of_the_harness,
}


def every() -> list[Bug]:
    """All of them, the empty one first."""
    return [bug for bugs in FAMILIES.values() for bug in bugs()]


def chosen(names: Sequence[str]) -> list[Bug]:
    """Those of these names, in every family that has one; all where no name is given.

    Raises UsageError.
    """
    bugs = every()
    known = {bug.name for bug in bugs}
    for name in names:
        if name not in known:
            raise UsageError(f"there is no seeded mistake {name!r}{closest(name, sorted(known))}")
    return [bug for bug in bugs if not names or bug.name in names]
