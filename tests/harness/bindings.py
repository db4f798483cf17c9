"""What comparisons of an implementation with its model share: what was explored is remembered."""

from collections.abc import Iterator
from functools import cache
from types import ModuleType

import pytest
from delphic.harness.conform.binding import Binding, Conformance


def remembering(*binds: ModuleType) -> Iterator[None]:
    """Explore each bound once: that takes longer than most comparisons."""
    with pytest.MonkeyPatch.context() as patch:
        for bind in binds:
            patch.setattr(bind, "reached", cache(bind.reached))
        yield


def first_unlike(binding: Binding, bugs: frozenset[str] = frozenset()) -> Conformance:
    """The first of the small bounds in which something differs, or the last."""
    for bounds in binding.small:
        found = binding.conform(bounds, bugs=bugs, first=True)
        if not found.conforms:
            break
    return found
