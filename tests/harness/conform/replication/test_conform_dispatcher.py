"""What a slave's leader waits for: a mistake there leaves a task, or all of them, for ever."""

from collections.abc import Callable
from typing import Any

import pytest
from delphic.harness.conform.binding import Bounds
from delphic.harness.conform.replication.bind import ReplicationBinding
from delphic.impl.replication.dispatcher import Dispatcher
from delphic.impl.replication.effects import Arm, Pull, Wait
from delphic.impl.replication.events import (
    Applied,
    Finished,
    PullAnswered,
    Queued,
    SlaveEntry,
    Started,
)
from delphic.impl.replication.slave import Slave, SlaveEffects

REPLICATION = ReplicationBinding()

BOUNDS = Bounds.of(
    "two tasks, stopped and started",
    chunks=2, attempts=2, limit=2, stops=1, starts=1, failovers=1, depth=16,
)  # fmt: skip


def diverged() -> set[tuple[str, str]]:
    return set(REPLICATION.conform(BOUNDS).diverged)


def test_a_dispatcher_waits_for_what_has_not_ended() -> None:
    found = REPLICATION.conform(BOUNDS)
    assert found.conforms, found.divergences[0]
    assert found.pairs.keys() >= {"done any time", "receive pulled", "lose", "start", "fail_over"}


def _rests_upon(kind: type[SlaveEntry]) -> Callable[..., None]:
    """Whatever is queued rests after such an entry, for ever."""

    def heard(self: Dispatcher, news: Any) -> None:
        _heard(self, news)
        if isinstance(news, Applied) and isinstance(news.entry, kind):
            self._resting |= dict.fromkeys(self._slave.records)

    return heard


def _says_that_nothing_is_left(self: Dispatcher, news: Any) -> None:
    if isinstance(news, PullAnswered):
        news = PullAnswered(news.tasks, more=False, at_ns=news.at_ns)
    _heard(self, news)


def _rests_without_an_alarm(self: Dispatcher, task_id: int, wait: Wait) -> None:
    _rest(self, task_id, wait)
    self._effects = [each for each in self._effects if each != Arm(wait, task_id)]


def _never_arms(self: Dispatcher) -> None:
    """The next pull is forgotten."""


def _arms_twice(self: Dispatcher) -> None:
    _arm(self)
    self._effects.append(Arm(Wait.PULL))


def _begins_to_pull_later(self: Dispatcher) -> None:
    _pull(self)
    self._effects = [each for each in self._effects if not isinstance(each, Pull)]


def _forgets_what_is_done(self: Dispatcher, ended: Any) -> None:
    if ended.ending != "done":
        _ended(self, ended)


_heard, _rest, _arm = Dispatcher._heard, Dispatcher._rest, Dispatcher._arm
_pull, _ended = Dispatcher._pull, Dispatcher._ended


@pytest.mark.parametrize(
    ("name", "mistake", "divergence"),
    [
        ("_heard", _rests_upon(Queued), ("receive pulled", "resting")),
        ("_heard", _rests_upon(Started), ("start", "resting")),
        ("_heard", _rests_upon(Finished), ("finish", "resting")),
        ("_heard", _says_that_nothing_is_left, ("receive pulled", "pulls again at once")),
        ("_rest", _rests_without_an_alarm, ("lose", "alarms of tasks")),
        ("_arm", _never_arms, ("receive pulled", "the next pull")),
        ("_arm", _arms_twice, ("receive pulled", "pull under way, alarm set")),
        ("_pull", _begins_to_pull_later, ("fail_over", "pull under way, alarm set")),
        ("_ended", _forgets_what_is_done, ("done any time", "alarms of tasks")),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_rests_or_is_never_asked_for_again_is_seen(
    name: str,
    mistake: Callable[..., None],
    divergence: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A task is tried again, and a slave that is not paused goes on pulling."""
    monkeypatch.setattr(Dispatcher, name, mistake)
    assert divergence in diverged()


def _finish(self: Slave, entry: Finished) -> SlaveEffects:
    return SlaveEffects(refusal="no")


def _fail(self: Slave, entry: Finished) -> SlaveEffects:
    raise AssertionError("a mistake")


@pytest.mark.parametrize("mistake", [_finish, _fail], ids=lambda mistake: mistake.__name__)
def test_a_core_that_refuses_what_it_must_take_has_diverged(
    mistake: Callable[..., SlaveEffects], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Slave, "_finish", mistake)
    assert ("finish", "assertion") in diverged()
