"""The filter of key columns makes the model's steps; mistakes in it are seen with no cluster."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from bindings import first_unlike
from delphic.harness.conform.binding import Bounds, Conformance
from delphic.harness.conform.keyed.bind import SMALL, KeyedBinding
from delphic.impl.stream import dedup, tables
from delphic.impl.stream.dedup import Dedup, Screened, Window
from delphic.impl.stream.tables import Insertion

KEYED = KeyedBinding()


def conform(bugs: frozenset[str] = frozenset()) -> Conformance:
    return first_unlike(KEYED, bugs)


@pytest.mark.slow
@pytest.mark.parametrize("bounds", SMALL, ids=lambda bounds: bounds.title)
def test_the_filter_makes_the_models_steps(bounds: Bounds) -> None:
    """HS-16, HS-4: what holds in the model's states holds of the tables."""
    found = KEYED.conform(bounds)
    assert found.conforms, found.divergences[0]
    assert found.replayed == found.states > 100
    assert found.cores > found.pairs.total() > 200
    assert set(found.pairs) == {"send", "apply", "checkpoint", "restart", "elect"}


@pytest.mark.slow
@pytest.mark.parametrize("bug", sorted(KEYED.bugs))
def test_a_seeded_bug_of_the_filter_diverges(bug: str) -> None:
    found = conform(frozenset({bug}))
    assert not found.conforms
    (first,) = found.divergences
    assert (first.event, first.field) == ("send", "rows to log")


def _remembers_older_terms(self: Dedup) -> None:
    pass


_add = Window.add


def _never_forgets(self: Window, keys: Sequence[Any]) -> None:
    self._limit = 0
    _add(self, keys)


def _knows_what_is_in_memory(table: Any, limit: int) -> Any:
    return table.read(table.memory_offset, None, 1 << 20)


def _judges_rows_by_what_came_before_the_batch(self: Window, keys: Sequence[Any]) -> Any:
    places = [place for place, key in enumerate(keys) if key not in self._known]
    return None if len(places) == len(keys) else places


def _keeps_the_last_of_equal_rows(self: Window, keys: Sequence[Any]) -> Any:
    last = {key: place for place, key in enumerate(keys) if key not in self._known}
    return None if len(last) == len(keys) else sorted(last.values())


def _is_never_sure_to_be_logged(self: Screened) -> None:
    pass


def _tells_an_offset_for_nothing(self: Insertion, outcome: Any) -> Any:
    return [outcome, self.screened.rows if self.screened else 0]


def _key_is_the_row(batch: Any, columns: Sequence[str]) -> list[Any]:
    return [tuple(row.values()) for row in batch.to_pylist()]


MISTAKES: list[tuple[Any, str, Callable[..., Any]]] = [
    (Dedup, "reset", _remembers_older_terms),
    (Window, "add", _never_forgets),
    (tables, "recent", _knows_what_is_in_memory),
    (Window, "fresh", _judges_rows_by_what_came_before_the_batch),
    (Window, "fresh", _keeps_the_last_of_equal_rows),
    (Screened, "logged", _is_never_sure_to_be_logged),
    (Insertion, "told", _tells_an_offset_for_nothing),
    (dedup, "keys_of", _key_is_the_row),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("owner", "name", "wrong"), MISTAKES, ids=[wrong.__name__ for _, _, wrong in MISTAKES]
)
def test_a_mistake_that_nobody_seeded_diverges_too(
    owner: Any, name: str, wrong: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, wrong)
    assert not conform().conforms
