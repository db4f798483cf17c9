"""Machines are wrong: disks that are full, slow or fail, clocks that lie, bits that turn."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
    model_validator,
)

from ..fault import Fault
from ..language.selector import Raw, Selector, View, parse, resolve
from ..language.units import seconds
from ..targets.faults import ClockState, DiskState
from ..targets.target import Capability, ProcessState
from .nemesis import Aim, Nemesis, Planned
from .process import Members

SLOW = 20.0
"""How many times as long a sync takes on a slow disk, where nothing else is said."""

DRIFT_MIN, DRIFT_MAX = 0.1, 10.0


class Disk(BaseModel):
    """What is wrong with the disks of these members."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    node: Members
    state: Literal["full", "slow", "failing-sync", "failing-write", "read-only"] = Field(alias="is")
    factor: Annotated[float, Field(gt=1, le=10_000)] | None = Field(
        default=None, description=f"How many times as slow; {SLOW:g} where nothing is said."
    )

    @model_validator(mode="after")
    def _only_slow_has_a_factor(self) -> "Disk":
        if self.factor is not None and self.state != "slow":
            raise ValueError(f"a disk that is {self.state} has no `factor`")
        return self


def _plan_disk(value: Disk) -> Planned:
    state = DiskState(
        full=value.state == "full",
        slow=(value.factor or SLOW) if value.state == "slow" else 1.0,
        fail_sync=value.state == "failing-sync",
        fail_write=value.state == "failing-write",
        read_only=value.state == "read-only",
    )
    return {"target": value.node, "disk": state}


def _signed(raw: object) -> float:
    """Seconds, ahead or, with a minus sign, behind. Raises ValueError."""
    if isinstance(raw, str) and raw.startswith("-"):
        return -seconds(raw[1:])
    try:
        return seconds(raw)
    except ValueError:
        raise ValueError(f"must be a duration like 250ms, 2s or -1m, not {raw!r}") from None


Jump = Annotated[
    float,
    BeforeValidator(_signed),
    WithJsonSchema({"type": "string", "examples": ["5s", "-250ms"]}),
]


class Clock(BaseModel):
    """What is wrong with the clocks of these members: where they stand, or how fast they run."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    node: Members
    by: Jump = 0.0
    drift: Annotated[float, Field(ge=DRIFT_MIN, le=DRIFT_MAX)] = 1.0

    @model_validator(mode="after")
    def _says_something(self) -> "Clock":
        if self.by == 0 and self.drift == 1:
            raise ValueError("says how far the clock is set (`by`), or how fast it runs (`drift`)")
        return self


def _plan_clock(value: Clock) -> Planned:
    return {"target": value.node, "clock": ClockState(value.by, value.drift)}


def _selectors(target: Raw) -> list[Selector]:
    return [parse(target)]


def _aim_disk(fault: Fault, view: View, _: Mapping[str, ProcessState]) -> Aim:
    assert fault.disk is not None
    nodes = resolve(parse(fault.target), view)
    return Aim(nodes, disks=dict.fromkeys(nodes, fault.disk))


def _aim_clock(fault: Fault, view: View, _: Mapping[str, ProcessState]) -> Aim:
    assert fault.clock is not None
    nodes = resolve(parse(fault.target), view)
    return Aim(nodes, clocks=dict.fromkeys(nodes, fault.clock))


class Flip(BaseModel):
    """Of whom a bit turns, and in which of their folders."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    node: Members
    of: Literal["log", "data", "task-data"] = Field(
        description="The Raft log, the data files, or what a master keeps for its slaves."
    )


Flipped = Annotated[
    Annotated[Members, Tag("members")] | Annotated[Flip, Tag("flip")],
    Discriminator(lambda raw: "flip" if isinstance(raw, dict | Flip) else "members"),
]
"""Members of whom any bit turns, or a `Flip`."""


class Lock(BaseModel):
    """Who may not write, and in which of their folders."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    node: Members
    of: Literal["volumes", "task-data"] = Field(
        description="The chunks of data nodes, or what a master keeps for its slaves."
    )


Locked = Annotated[
    Annotated[Members, Tag("members")] | Annotated[Lock, Tag("lock")],
    Discriminator(lambda raw: "lock" if isinstance(raw, dict | Lock) else "members"),
]
"""Members that may write nothing, or a `Lock`."""


def _plan_locked(value: Raw | Lock) -> Planned:
    if isinstance(value, Lock):
        return {"target": value.node, "of": value.of}
    return {"target": value}


def _plan_flip(value: Raw | Flip) -> Planned:
    if isinstance(value, Flip):
        return {"target": value.node, "of": value.of}
    return {"target": value}


def _aim_loss(fault: Fault, view: View, _: Mapping[str, ProcessState]) -> Aim:
    return Aim(resolve(parse(fault.target), view), forgets=True)


def _aim_read_only(fault: Fault, view: View, _: Mapping[str, ProcessState]) -> Aim:
    nodes = resolve(parse(fault.target), view)
    return Aim(nodes, read_only=dict.fromkeys(nodes, fault.of))


def _aim_flip(fault: Fault, view: View, _: Mapping[str, ProcessState]) -> Aim:
    return Aim(resolve(parse(fault.target), view), flips=True, of=fault.of)


DISK = Nemesis(
    kind="disk",
    f="disk",
    about="Disks are full, slow, read-only, or fail; members that end by it are started again "
    "after `for`.",
    value=Disk,
    plan=_plan_disk,
    selectors=_selectors,
    aim=_aim_disk,
    requires=Capability.DISK,
    undo="mend",
    drawn=(
        {"node": "one", "is": "slow"},
        {"node": "leader", "is": "slow"},
        {"node": "one", "is": "full"},
        {"node": "one", "is": "failing-sync"},
        {"node": "one", "is": "failing-write"},
    ),
)

CLOCK = Nemesis(
    kind="clock",
    f="clock",
    about="Clocks are set to another time, or run too fast or too slow.",
    value=Clock,
    plan=_plan_clock,
    selectors=_selectors,
    aim=_aim_clock,
    requires=Capability.CLOCK,
    undo="set-clock",
    drawn=(
        {"node": "one", "by": "5s"},
        {"node": "leader", "by": "-5s"},
        {"node": "one", "drift": 1.5},
        {"node": "leader", "drift": 0.5},
    ),
)

BIT_FLIP = Nemesis(
    kind="bit-flip",
    f="bit-flip",
    about="Turns one bit of what each of these members stores.",
    value=Flipped,
    plan=_plan_flip,
    selectors=_selectors,
    aim=_aim_flip,
    requires=Capability.DISK,
    momentary=True,
    drawn=("one",),
)

READ_ONLY = Nemesis(
    kind="read-only",
    f="read-only",
    about="Takes from these members the permission to write their files; what they have open they "
    "may go on writing. Members that end by it are started again after `for`.",
    value=Locked,
    plan=_plan_locked,
    selectors=_selectors,
    aim=_aim_read_only,
    requires=Capability.PERMISSIONS,
    undo="mend",
)

LOSE_TASK_DATA = Nemesis(
    kind="lose-task-data",
    f="lose-task-data",
    about="Removes what these data nodes of a master keep for its slaves.",
    value=Members,
    plan=lambda value: {"target": value},
    selectors=_selectors,
    aim=_aim_loss,
    requires=Capability.FILES,
    momentary=True,
    of="task-data",
)
