"""A group and its subscribers as a model: bounds, promises, and what they may count on."""

from dataclasses import replace
from typing import Any

from .actor import Fifo, GoodPhase, Model, Network, Receive, Soup
from .properties import subscription as promises
from .subscription import Subscriber
from .subscription_publisher import Publisher
from .subscription_rules import Options
from .subscription_types import (
    NOBODY,
    Commit,
    Elect,
    Group,
    Own,
    Publish,
    Restart,
    Role,
    State,
    StepDown,
    Subscribe,
    has_drop,
)


def event_name(event: Any) -> str:
    """Coverage tells kinds of events apart, not members and rows."""
    if isinstance(event, Receive):
        return f"receive {type(event.message).__name__.lower()}"
    return event.name.lower() if isinstance(event, Own) else type(event).__name__.lower()


def is_dead(group: Group, s: State, net: tuple[Any, ...]) -> bool:
    """Whether what a subscriber waits for on its connection is neither on its way nor will be."""
    for m in net:
        if m.connection != s.connection or s.me not in (m.src, m.dst):
            continue
        if isinstance(m, Subscribe):
            if group.seats[m.member].role is not Role.DOWN:
                return False
        elif m.number == s.took:
            return False
    ends = (each for seat in group.seats for each in seat.subscriptions)
    return not any(
        (each.subscriber, each.connection, each.sent) == (s.me, s.connection, s.took)
        for each in ends
    )


def is_dropping(group: Group, known: int) -> bool:
    """Whether a leader that knows so much to be committed has a drop of the table before it."""
    return has_drop(group.log) and known < len(group.log)


def is_calm(locals_: tuple[Any, ...], net: tuple[Any, ...], node: int, event: Any) -> bool:
    """Faults have ended: who leads goes on, who was deposed finds out, and nobody logs more.

    Members that are down stay down; where all are, one comes back, or nobody could serve (HS-23),
    and here one is enough. A connection brings what it brings in its order, and is found
    broken where it is, and only there; of closed ones nobody hears. A subscriber's pauses between
    two tries outlast an election and a drop.
    """
    group: Group = locals_[0]
    match event:
        case Receive(Subscribe() as message):
            up = group.seats[message.member].role is not Role.DOWN
            return up and message.connection > group.heard[message.src - 1]
        case Receive(message):
            s = locals_[message.dst]
            return (message.connection, message.number) == (s.connection, s.took)
        case Own.LOSE:
            return is_dead(group, locals_[node], net)
        case Own.TRY:
            leads = group.leader != NOBODY
            return leads and not is_dropping(group, group.seats[group.leader].known)
        case Own() | Publish() | Commit():
            return True
        case Restart():
            return all(seat.role is Role.DOWN for seat in group.seats)
        case StepDown(member):
            return member != group.leader
        case Elect():
            return group.leader == NOBODY
    return False


def subscription(options: Options, network: Network | None = None) -> Model:
    """Node 0 is the group, the others are its subscribers."""
    subscribers = range(1, options.subscribers + 1)
    wider = replace(
        options,
        terms=options.terms + 1,
        connections=options.connections + 2 * options.members + 2,
    )
    calm = GoodPhase(
        "calm",
        (Publisher(wider), *(Subscriber(wider),) * options.subscribers),
        (0, *subscribers),
        is_calm,
        (promises.RECEIVES.name, promises.PROCESSES.name),
    )
    return Model(
        name="subscription",
        actors=(Publisher(options), *(Subscriber(options),) * options.subscribers),
        network=network or Soup(),
        observers=tuple(promises.Ledger(options, each) for each in subscribers),
        budgets=tuple(
            (name, getattr(options, name))
            for name in ("crashes", "kills", "purges", "failures", "unsubscribes", "drops")
        ),
        properties=promises.properties(options),
        event_names=event_name,
        expected_events=tuple(_expected(options)),
        good=() if isinstance(network, Fifo) else (calm,),
        names=("group", *(f"subscriber {each}" for each in subscribers)),
        parameters=tuple((name, getattr(options, name)) for name in options.__dataclass_fields__),
    )


def _expected(options: Options) -> list[str]:
    """What must happen at least once within these bounds."""
    found = ["write", "commit", "stepdown", "try"]
    wanted = [
        ("elect", options.terms > 1),
        ("kill", options.kills > 0),
        ("restart", options.kills > 0),
        ("purge", options.purges > 0),
        ("drop", options.drops > 0),
    ]
    if options.subscribes:
        found += ["receive subscribe", "receive subscribed", "receive notleader", "lose"]
        wanted += [
            ("crash", options.crashes > 0),
            ("keep", options.unsubscribes > 0),
            ("remove", options.unsubscribes > 0),
        ]
    if options.receives:
        found += ["publish", "receive frame"]
        wanted += [
            ("handle", options.rows >= options.batch),
            ("throttle", options.batch > 1 and options.throttle),
            ("record", options.records),
            ("fail", options.failures > 0),
        ]
    return found + [name for name, asked in wanted if asked]
