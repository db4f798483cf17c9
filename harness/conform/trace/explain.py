"""Why a step is rejected, for people: both next states, and what of the model it would break."""

from typing import Any

from ....model.actor import Property, Receive, Scope, Step
from ....model.properties.raft import ALWAYS, commit_never_falls
from ....model.raft_types import Compact, Disk, Event, Member, Message, Own
from ...traces import Record
from ..raft.names import Names
from ..raft.refine import Compacted, Did, Diverged, Proposed, Saved, Timer, applied
from .finding import Place, Rejected, log_text, state_of
from .wire import told


def step_rejected(record: Record, did: Did, diverged: Diverged, names: Names) -> Rejected:
    """The step that the model does not explain, with both next states."""
    before = diverged.before
    after = before
    for _, step in diverged.steps:
        assert isinstance(step.state, Member)
        after = step.state
    model = state_of(after, names)
    model["sends at once"] = _texts(_sent_at_once(diverged), names)
    model["sends once durable"] = _texts(
        [m for write in after.queue[len(before.queue) :] for m in sorted(write.replies, key=repr)],
        names,
    )
    found = _found(record, _implementation(before, did), names)
    field = diverged.field
    says, said = _text(diverged.expected, names), _text(diverged.found, names)
    if field not in model:
        # What is no part of a state is what differs, too: side by side with the rest.
        model[field], found[field] = says, said
    reason = f"{_cause(record)}: {field}: the model says {says}, {record.node} says {said}"
    return Rejected(
        Place.of(record),
        "step",
        reason,
        field=field,
        before=state_of(before, names),
        model=model,
        found=found,
        record=record,
        properties=broken_properties(before, did),
    )


def _sent_at_once(diverged: Diverged) -> list[Message]:
    """What the model sends; stretches of the log only as the implementation chose them."""
    return [m for _, step in diverged.steps for m in step.sends]


def _found(record: Record, after: Member, names: Names) -> dict[str, Any]:
    post = record.post
    return {
        "term": post.term,
        "vote": post.vote,
        "role": post.role,
        "commit": post.commit,
        "log": log_text(after.log),
        "sends at once": [f"to {m.dst}: {told(m)}" for m in record.out],
        "sends once durable": [f"to {m.dst}: {told(m)}" for m in record.held],
    }


def _implementation(before: Member, did: Did) -> Member:
    """The state that the implementation says to be in; of what it does not say, the model's."""
    log = before.log
    if did.saved is not None:
        log = applied(before.disk._replace(log=before.log), did.saved).log
    post = did.post
    return before._replace(
        term=post.term, vote=post.vote, role=post.role, commit=post.commit, log=log
    )


def broken_properties(before: Member, did: Did) -> tuple[str, ...]:
    """Which of the model's properties the step would break, by name and promise."""
    after = _implementation(before, did)
    if not 0 <= after.commit <= len(after.log):
        # The others ask about the last committed entry.
        return tuple(_named(prop) for prop in ALWAYS if prop.holds is commit_never_falls)
    event = _event(did)
    found: dict[str, None] = {}
    for prop in ALWAYS:
        assert prop.holds is not None or prop.scope is Scope.OBSERVER
        if prop.holds is None:
            continue
        named = _named(prop)
        if prop.scope is Scope.STEP and not prop.holds(before, event, Step(after)):
            found[named] = None
        if prop.scope is Scope.MESSAGE:
            written = after._replace(disk=_written(before, did.saved))
            early = (prop.holds(m, before, after) for m in did.out if _binds(m, after))
            late = (prop.holds(m, before, written) for m in did.held if _binds(m, after))
            if not all((*early, *late)):
                found[named] = None
    return tuple(found)


def _named(prop: Property) -> str:
    return f"{prop.name} ({', '.join(prop.promises)})" if prop.promises else prop.name


def _binds(m: Message, after: Member) -> bool:
    return m.term == after.term


def _written(before: Member, saved: Saved | None) -> Disk:
    disk = before.queue[-1].disk if before.queue else before.disk
    return disk if saved is None else applied(disk, saved)


def _event(did: Did) -> Event:
    match did.cause:
        case Receive():
            return did.cause
        case Proposed():
            return Own.REQUEST if did.saved is not None else Own.READ
        case Compacted(at):
            return Compact(at)
        case Timer("quorum"):
            return Own.QUORUM
        case Timer("election"):
            return Own.TIMEOUT
        case Timer():
            return Own.LAPSE
        case _:
            return Own.READ


def _cause(record: Record) -> str:
    """What the core was given, in a few words."""
    event = record.event
    kind = type(event).__name__.lower()
    timer = getattr(event, "timer", None)
    message = getattr(event, "message", None)
    if timer is not None:
        return f"after the timer {timer}"
    if message is not None:
        return f"after {told(message)} from {event.uid[0]}"  # type: ignore[union-attr]
    return f"after {kind}"


def _texts(messages: list[Message], names: Names) -> list[str]:
    return [_text(m, names) for m in messages]


def _text(value: Any, names: Names) -> str:
    """A value of the model: messages with their addresses in words, disks in short."""
    if isinstance(value, Disk):
        vote = names.alias(value.vote) or "none" if value.vote >= -1 else "a stranger"
        return f"(term {value.term}, vote {vote}, log {log_text(value.log)})"
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return ", ".join(_text(item, names) for item in value) or "nothing"
    if hasattr(value, "src") and hasattr(value, "dst"):
        fields = [
            f"{name} {getattr(value, name)}"
            for name in value.__dataclass_fields__
            if name not in ("src", "dst")
        ]
        return f"to {names.alias(value.dst)}: {type(value).__name__}({', '.join(fields)})"
    return str(getattr(value, "value", value))
