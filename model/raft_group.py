"""A whole Raft group as a model: members, network, budgets, promises, and the mutants of each."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from .actor import Fifo, Model, Network, Observer, Property, Receive, Soup
from .properties import raft as promises
from .raft import RaftMember
from .raft_good import good_phases
from .raft_rules import Rules
from .raft_types import (
    NOBODY,
    Append,
    AppendReply,
    Ask,
    Compact,
    Crash,
    Disk,
    Fsync,
    Heartbeat,
    Member,
    Offer,
    Options,
    Own,
    Read,
    Replicate,
    Send,
    TakeBack,
    Write,
)


def rename(value: Any, permutation: Sequence[int]) -> Any:
    """Exchange members' names in a state, message, event or ghost state."""
    p = permutation
    match value:
        case Member():
            order = sorted(range(len(p)), key=lambda j: p[j])
            return value._replace(
                me=p[value.me],
                vote=_node(value.vote, p),
                votes=tuple(sorted(p[j] for j in value.votes)),
                next=tuple(value.next[j] for j in order),
                match=tuple(value.match[j] for j in order),
                heard=frozenset(p[j] for j in value.heard),
                read=rename(value.read, p),
                disk=rename(value.disk, p),
                pending=frozenset(rename(m, p) for m in value.pending),
                queue=tuple(rename(w, p) for w in value.queue),
            )
        case Write(disk, replies):
            return Write(rename(disk, p), frozenset(rename(m, p) for m in replies))
        case Disk():
            return value._replace(vote=_node(value.vote, p))
        case Read():
            return value._replace(acks=frozenset(p[j] for j in value.acks))
        case Replicate(peer):
            return Replicate(p[peer])
        case Heartbeat(peer):
            return Heartbeat(p[peer])
        case Send(peer, prev, count):
            return Send(p[peer], prev, count)
        case Offer(peer):
            return Offer(p[peer])
        case TakeBack(peer):
            return TakeBack(p[peer])
        case Crash(found):
            return Crash(rename(found, p))
        case (tuple(winners), log, since):
            return (tuple((term, p[node]) for term, node in winners), log, since)
        case (int(committed), begun) if isinstance(begun, tuple):
            return (committed, tuple(sorted((p[n], t, c) for n, t, c in begun)))
        case _ if hasattr(value, "src"):
            return replace(value, src=p[value.src], dst=p[value.dst])
    return value


def _node(node: int, permutation: Sequence[int]) -> int:
    return node if node == NOBODY else permutation[node]


def event_name(event: Any) -> str:
    """Coverage speaks of events as Figure 2 does, and tells branches apart that matter."""
    match event:
        case Receive(AppendReply(success=success)):
            return "receive append ok" if success else "receive append refused"
        case Receive(Append(entries=entries)):
            return "receive append" if entries else "receive heartbeat"
        case Receive(message):
            granted = getattr(message, "granted", None)
            suffix = "" if granted is None else (" granted" if granted else " refused")
            return f"receive {type(message).__name__.lower()}{suffix}"
        case Replicate() | Heartbeat() | Send() | Offer() | Compact() | Fsync() | Crash() | Ask():
            return type(event).__name__.lower()
        case TakeBack():
            return "take back"
    return str(event.value)


def raft_group(
    options: Options,
    *,
    network: Network | None = None,
    crashes: int = 0,
    rules: Rules | None = None,
) -> Model:
    """A group of `options.members` members."""
    rules = rules or Rules()
    member = RaftMember(options, rules)
    observers: tuple[Observer, ...] = (promises.Elections(),)
    properties: tuple[Property, ...] = (*promises.ALWAYS, promises.ELECTED, promises.COMMITTED)
    expected = [Own.TIMEOUT.value, *(_between_members(options) if options.members > 1 else ())]
    if options.entries:
        expected.append(Own.REQUEST.value)
    if options.terms > 2 and options.members > 2:
        # Of two, only one whose log lacks nothing is elected.
        properties += (promises.OVERWRITTEN,)
    if options.reads:
        observers += (promises.Reads(),)
        properties += (promises.READ_SAFETY, promises.CONFIRMED, promises.READS_END)
        expected.append(Own.READ.value)
    if options.quorum:
        expected.append(Own.QUORUM.value)
        if options.members > 1:  # Who is alone always hears a majority, and nobody else.
            properties += (promises.STEPPED_DOWN,)
            expected.append(Own.LAPSE.value)
    if options.checkpoints:
        expected.append(Own.CHECKPOINT.value)
        if options.members > 2:  # Two members have what is committed.
            properties += (promises.INSTALLED,)
            expected.append("receive snapshot")
    if options.sync:
        expected.append(Own.FSYNC.value)
    if crashes:
        expected.append("crash")
    return Model(
        name="raft",
        actors=(member,) * options.members,
        network=network or Soup(),
        observers=observers,
        budgets=(("crash", crashes), ("checkpoint", options.checkpoints)),
        properties=(*properties, promises.CONVERGED),
        symmetric=tuple(range(options.members)),
        rename=rename,
        event_names=event_name,
        expected_events=tuple(expected),
        good=() if isinstance(network, Fifo) else good_phases(options, rules),
        parameters=tuple(vars_of(options).items()),
    )


def _between_members(options: Options) -> list[str]:
    """What happens only where there are others."""
    expected = ["replicate", "receive vote", "receive votereply granted"]
    expected += ["receive append", "receive heartbeat", "receive append ok"]
    if options.heartbeats:
        expected.append("heartbeat")
    if options.terms > 2:
        expected += ["receive append refused", "receive votereply refused"]
    if options.prevote:
        expected += ["receive prevote", "receive prevotereply granted"]
    return expected


def vars_of(options: Options) -> dict[str, Any]:
    """The options by name."""
    return {name: getattr(options, name) for name in options.__dataclass_fields__}
