"""What a checker found wrong, with the calls that show it, and the verdict that comes of it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

import msgspec

from ..history import Call
from ..verdict import Validity, Verdict
from .log.prose import identity

SHOWN_MAX = 10


class Wrong(msgspec.Struct, frozen=True):
    """What is wrong, and the calls that show it."""

    kind: str
    sentence: str
    calls: tuple[Call, ...]

    @property
    def witness(self) -> tuple[int, ...]:
        return tuple(sorted({identity(call) for call in self.calls}))


class Shown(Protocol):
    """Anything wrong of some kind that ops of a history show: their indices, in order of time."""

    @property
    def kind(self) -> str: ...

    @property
    def sentence(self) -> str: ...

    @property
    def witness(self) -> tuple[int, ...]: ...


S = TypeVar("S", bound=Shown)


def first_of(wrong: Sequence[S]) -> S:
    """The one that was certain earliest: no op after its witness is needed to see it."""
    return min(wrong, key=lambda one: (one.witness[-1], one.witness))


def failure(
    name: str,
    wrong: Sequence[Shown],
    promises: Mapping[str, Sequence[str]],
    checked: Sequence[str],
    details: Mapping[str, Any],
) -> Verdict:
    """The verdict: what was seen first, and all promises that broke, in the order of `checked`.

    `promises`: which ones each kind breaks.
    """
    first = first_of(wrong)
    broken = {promise for one in wrong for promise in promises[one.kind]}
    found = {
        **details,
        "kinds": dict(Counter(one.kind for one in wrong)),
        "sentences": [one.sentence for one in wrong[:SHOWN_MAX]],
    }
    told = tuple(promise for promise in checked if promise in broken)
    return Verdict(name, Validity.FAIL, first.sentence, told, first.witness, found)
