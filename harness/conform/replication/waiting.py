"""What a slave's leader waits for after a step: tasks that rest, and the next pull."""

from collections.abc import Sequence

from ....impl.replication.dispatcher import DispatcherState
from ....impl.replication.effects import Arm, Effect, Wait
from ....impl.replication.effects import Pull as Pulling
from ....model.replication_rules import done_up_to
from ....model.replication_types import Slave, Status
from .words import Found


def alarms(
    guess: DispatcherState,
    dump: DispatcherState,
    effects: Sequence[Effect],
    rests: tuple[Arm, ...],
) -> Found:
    """What rests is woken: an alarm for each task that begins to rest, and none for another."""
    armed = tuple(each for each in effects if isinstance(each, Arm) and each.wait is not Wait.PULL)
    resting = {*guess.resting, *(each.task for each in rests)}
    found: Found = [] if armed == rests else [("alarms of tasks", rests, armed)]
    return found if set(dump.resting) == resting else [*found, ("resting", resting, dump.resting)]


def pulls(
    guess: DispatcherState, dump: DispatcherState, effects: Sequence[Effect], after: Slave
) -> Found:
    """The next pull of a slave that is not paused is under way, or its alarm is set, once."""
    asked = [(each.offset, each.finished) for each in effects if isinstance(each, Pulling)]
    at_most = [(after.offset, done_up_to(after))]
    found: Found = [] if asked in ([], at_most) else [("pulls", at_most, asked)]
    alarms = guess.armed + sum(each == Arm(Wait.PULL) for each in effects)
    known = (bool(asked), alarms == 1)
    if (dump.pulling, dump.armed) != known or alarms > 1:
        found.append(("pull under way, alarm set", known, (dump.pulling, dump.armed)))
    elif after.status is Status.ENABLED and not any(known):
        found.append(("the next pull", "under way, or its alarm is set", "neither"))
    return found
