"""One member's disk as a model: bounds, promises, and what must happen at least once."""

from typing import Any

from .actor import Fifo, GoodPhase, Model
from .properties.storage import CATCHES_UP, Promises
from .storage import Storage
from .storage_rules import Options, Redo, Write
from .storage_types import Append, Own


def event_name(event: Any) -> str:
    """Coverage tells kinds of events apart, not records and tables."""
    return event.name.lower() if isinstance(event, Own) else type(event).__name__.lower()


def is_calm(locals_: tuple[Any, ...], net: tuple[Any, ...], node: int, event: Any) -> bool:
    """Power stays, leaders stay (those steps are faults), and producers are done."""
    return not isinstance(event, Append)


def storage(options: Options) -> Model:
    """The member alone: its group is its environment, so that there is no network."""
    expected = ["append", "commit", "sync_log", "write"]
    if options.has_rows:
        expected += ["sync", "publish"]
    if options.has_rows and not options.atomic:
        expected.append("mark")
    if options.overrules:
        expected.append("overrule")
        if options.has_rows and options.rollback and options.write is not Write.COMMITTED:
            expected.append("roll_back")
    if options.overrules > 1:
        expected.append("return")
    if options.crashes:
        expected += ["crash", "redo", "repair"]
        if options.redo is Redo.UPTO or options.records > 1:
            expected.append("skip")
    if options.checkpoints:
        expected.append("checkpoint")
    member = Storage(options)
    promises = Promises(options, member.initial(0).tables)
    calm = GoodPhase("calm", (member,), (0,), is_calm, (CATCHES_UP.name,))
    return Model(
        name="storage",
        actors=(member,),
        network=Fifo(1),
        budgets=(
            ("overrules", options.overrules),
            ("crashes", options.crashes),
            ("checkpoints", options.checkpoints),
        ),
        properties=(*promises.properties(), CATCHES_UP),
        good=(calm,),
        event_names=event_name,
        expected_events=tuple(expected),
        parameters=tuple((name, getattr(options, name)) for name in options.__dataclass_fields__),
    )
