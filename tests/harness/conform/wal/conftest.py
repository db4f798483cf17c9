"""What the comparisons of the disk share: exploring takes longer than most of them."""

from typing import Any

import pytest
from delphic.harness.conform.binding import Bounds
from delphic.harness.conform.wal import bind
from delphic.model.explore.pairs import Pairs


@pytest.fixture(scope="package", autouse=True)
def explored_once() -> Any:
    """Each bound is explored once for all files here."""
    known: dict[Bounds, Pairs] = {}
    reach = bind.reached

    def remembered(bounds: Bounds, workers: int) -> Pairs:
        if bounds not in known:
            known[bounds] = reach(bounds, workers)
        return known[bounds]

    patch = pytest.MonkeyPatch()
    patch.setattr(bind, "reached", remembered)
    yield
    patch.undo()
