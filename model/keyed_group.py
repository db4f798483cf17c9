"""A table with a key column as a model: bounds, promises, and what must happen at least once."""

from typing import Any

from .actor import Fifo, GoodPhase, Model
from .keyed import Keyed
from .keyed_rules import Options
from .keyed_types import NOBODY, Checkpoint, Elect, Group, Own, Restart, TimeOut
from .properties.keyed import ANSWERED, Promises


def event_name(event: Any) -> str:
    """Coverage tells kinds of events apart, not members and keys."""
    return event.name.lower() if isinstance(event, Own) else type(event).__name__.lower()


def is_calm(locals_: tuple[Any, ...], net: tuple[Any, ...], node: int, event: Any) -> bool:
    """Members and leaders stay, and producers wait as long as it takes."""
    (group,) = locals_
    assert isinstance(group, Group)
    if isinstance(event, Elect):
        return group.leader == NOBODY
    return not isinstance(event, Restart | TimeOut | Checkpoint)


def keyed(options: Options) -> Model:
    """The group and its producers, in one: there is no network."""
    expected = ["send", "commit", "apply"]
    for name, event in (
        ("timeouts", "timeout"),
        ("checkpoints", "checkpoint"),
        ("restarts", "restart"),
        ("changes", "elect"),
    ):
        if getattr(options, name):
            expected.append(event)
    group = Keyed(options)
    calm = GoodPhase("calm", (group,), (0,), is_calm, (ANSWERED.name,))
    return Model(
        name="keyed",
        actors=(group,),
        network=Fifo(1),
        budgets=tuple(
            (name, getattr(options, name))
            for name in ("timeouts", "changes", "restarts", "checkpoints")
        ),
        properties=(*Promises(options).properties(), ANSWERED),
        good=(calm,),
        event_names=event_name,
        expected_events=tuple(expected),
        parameters=tuple((name, getattr(options, name)) for name in options.__dataclass_fields__),
    )
