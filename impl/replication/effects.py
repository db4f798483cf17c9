"""What a slave's leader asks of its driver."""

from enum import StrEnum

import msgspec

from .events import SlaveEntry


class Wait(StrEnum):
    """How long an alarm waits, by its reason; the configuration knows the time."""

    PULL = "pull"
    RETRY = "retry"
    PERSIST = "persist"


class Propose(msgspec.Struct, frozen=True):
    """Put it into the log. Either it is applied, or this controller stands down."""

    entry: SlaveEntry


class Pull(msgspec.Struct, frozen=True):
    """Ask the master for at most `room` tasks; answer with PullAnswered, always."""

    offset: int
    finished: int
    room: int


class Dispatch(msgspec.Struct, frozen=True):
    """Let a data node execute the task; tell AttemptEnded, once."""

    task: int
    node: str


class Arm(msgspec.Struct, frozen=True):
    """Tell PullDue (Wait.PULL) or RetryDue of this task after a while."""

    wait: Wait
    task: int = 0


Effect = Propose | Pull | Dispatch | Arm
