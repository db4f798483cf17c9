"""Who makes decisions durable: one sync after the other, each reported once, none that failed."""

from collections.abc import Callable
from typing import Any

import pytest
from delphic.harness.conform.wal.log import WAYS, Way
from delphic.harness.conform.wal.logside import LogSide
from delphic.impl.raft.persister import Persister
from delphic.model.storage_types import Kind, Record

FIRST = Record(1, 1, Kind.ROWS, 0, 0)
SECOND = Record(2, 1, Kind.ROWS, 0, 2)
IMAGES = ((FIRST,), (FIRST, SECOND))


def wrong(way: Way = WAYS[0]) -> set[str]:
    """In which steps of a log something is wrong, and what of it."""
    side = LogSide(2, frozenset())
    steps = {
        "sync": side.sync(IMAGES, way),
        "vote": side.meanwhile(IMAGES, way),
        "failure": side.meanwhile(IMAGES, way, fails=True),
    }
    assert steps["sync"].wrong is not None or steps["sync"].images == IMAGES[-1:]
    return {f"{name}: {seen.wrong[0]}" for name, seen in steps.items() if seen.wrong is not None}


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_what_is_decided_while_a_sync_runs_is_written_behind_it(way: Way) -> None:
    """And nothing is, nor reported, once a sync has failed."""
    assert wrong(way) == set()
    assert LogSide(2, frozenset()).meanwhile(IMAGES, way).images == IMAGES


_init, _kick, _synced = Persister.__init__, Persister.kick, Persister._synced


def _reports_nothing(self: Persister, *given: Any, durable: Any, **more: Any) -> None:
    _init(self, *given, durable=lambda batch: None, **more)


def _reports_twice(self: Persister, *given: Any, durable: Any, **more: Any) -> None:
    _init(self, *given, durable=lambda batch: durable([*batch, *batch]), **more)


def _hides_failures(self: Persister, *given: Any, failed: Any, **more: Any) -> None:
    _init(self, *given, failed=lambda error: None, **more)


def _does_not_wait(self: Persister) -> None:
    under_way, self._syncing = self._syncing, None
    _kick(self)
    self._syncing = self._syncing or under_way


def _reports_what_failed(self: Persister, error: OSError | None) -> None:
    if error is not None:
        self._failed(error)
    _synced(self, None)


def _stops_after_one(self: Persister, error: OSError | None) -> None:
    self._queue.clear()
    _synced(self, error)


@pytest.mark.parametrize(
    ("name", "mistake", "seen"),
    [
        ("__init__", _reports_nothing, "sync: acknowledged"),
        ("__init__", _reports_twice, "sync: acknowledged"),
        ("__init__", _hides_failures, "failure: failures told"),
        ("kick", _does_not_wait, "vote: written"),
        ("_synced", _reports_what_failed, "failure: images"),
        ("_synced", _stops_after_one, "vote: images"),
    ],
)
def test_a_mistake_in_making_decisions_durable_is_seen(
    name: str, mistake: Callable[..., None], seen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Persister, name, mistake)
    assert seen in wrong()
