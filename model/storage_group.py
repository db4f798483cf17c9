"""One member's disk as a model: bounds, promises, and what must happen at least once."""

from typing import Any

from .actor import Fifo, Model
from .properties.storage import Promises
from .storage import Storage
from .storage_rules import Marking, Options, Write
from .storage_types import Own


def event_name(event: Any) -> str:
    """Coverage tells kinds of events apart, not records and tables."""
    return event.name.lower() if isinstance(event, Own) else type(event).__name__.lower()


def storage(options: Options) -> Model:
    """The member alone: its group is its environment, so that there is no network."""
    expected = ["append", "commit", "sync_log", "write", "sync", "publish"]
    if options.marking is not Marking.ATOMIC:
        expected.append("mark")
    if options.overrules:
        expected.append("overrule")
        if options.rollback and options.write is not Write.COMMITTED:
            expected.append("roll_back")
    if options.overrules > 1:
        expected.append("return")
    if options.crashes:
        expected += ["crash", "redo", "skip", "repair"]
    if options.checkpoints:
        expected.append("checkpoint")
    return Model(
        name="storage",
        actors=(Storage(options),),
        network=Fifo(1),
        budgets=(
            ("overrules", options.overrules),
            ("crashes", options.crashes),
            ("checkpoints", options.checkpoints),
        ),
        properties=Promises(options).properties(),
        event_names=event_name,
        expected_events=tuple(expected),
        parameters=tuple((name, getattr(options, name)) for name in options.__dataclass_fields__),
    )
