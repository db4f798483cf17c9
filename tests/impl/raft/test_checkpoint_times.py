"""When checkpoints are made: by time and by size, one at a time, and not when it does not suit."""

from collections.abc import Callable
from typing import Any, cast

from delphic.impl.raft.checkpoints import Checkpoints, Policy
from delphic.impl.raft.machine import Machine
from delphic.impl.raft.terms import Position
from delphic.impl.runtime import Clock, Worker
from hand_clock import HandClock


class World:
    """A machine whose checkpoints take as long as the test likes."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.checkpointed = Position(0, 0)
        self.applied: int | None = 0
        self.ends: list[Callable[[OSError | None], None]] = []
        self.told: list[OSError | None] = []
        self.checkpoints = Checkpoints(
            cast(Machine, self),
            cast(Clock, self.clock),
            cast(Worker, None),
            Policy(interval_s=5, log_bytes_max=100),
            applied=lambda: self.applied,
            done=self.told.append,
        )
        self.checkpoints.start()

    def checkpoint(self, worker: Any, done: Callable[[OSError | None], None]) -> bool:
        self.ends.append(done)
        return True

    def end(self, index: int) -> None:
        self.checkpointed = Position(index, 1)
        self.ends.pop()(None)


def test_every_interval_if_anything_was_applied() -> None:
    world = World()
    world.applied = 3
    world.checkpoints.go_on()
    assert world.ends == []
    world.clock.advance(5)
    assert world.told == [None], "the group is woken"
    world.checkpoints.go_on()
    assert len(world.ends) == 1
    world.end(3)
    assert (world.checkpoints.index, world.checkpoints.count) == (3, 1)
    world.clock.advance(5)
    world.checkpoints.go_on()
    assert world.ends == [], "nothing is new"


def test_as_soon_as_the_log_has_grown_enough() -> None:
    world = World()
    world.applied = 9
    world.checkpoints.grown(60)
    world.checkpoints.go_on()
    assert world.ends == []
    world.checkpoints.grown(40)
    world.checkpoints.go_on()
    assert len(world.ends) == 1


def test_one_at_a_time() -> None:
    world = World()
    world.applied = 9
    world.checkpoints.grown(100)
    world.checkpoints.go_on()
    world.checkpoints.grown(100)
    world.applied = 20
    world.checkpoints.go_on()
    assert len(world.ends) == 1
    assert world.checkpoints.is_due
    world.end(9)
    world.checkpoints.go_on()
    assert len(world.ends) == 1
    assert not world.checkpoints.is_due


def test_one_that_does_not_suit_is_made_later() -> None:
    world = World()
    world.applied = None
    world.checkpoints.grown(100)
    world.checkpoints.go_on()
    assert world.ends == []
    world.applied = 4
    world.checkpoints.go_on()
    assert len(world.ends) == 1


def test_a_failure_is_told() -> None:
    world = World()
    world.applied = 4
    world.checkpoints.grown(100)
    world.checkpoints.go_on()
    error = OSError(5, "no")
    world.ends.pop()(error)
    assert world.told == [error]
    assert world.checkpoints.count == 0


def test_none_after_the_end() -> None:
    world = World()
    world.checkpoints.close()
    world.clock.advance(60)
    assert world.told == []
