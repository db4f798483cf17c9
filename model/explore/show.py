"""A path for people and programs: a table of what changed, a sequence diagram, JSON."""

import dataclasses
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any

from ..actor import Bag, Model, Receive, Soup
from .result import Path
from .world import Drop, Global, Move, Reset


@dataclasses.dataclass(frozen=True)
class Row:
    """One step: its number, who moved, what happened, what changed, what was sent."""

    number: int
    actor: str
    event: str
    changes: tuple[str, ...]
    sent: tuple[str, ...]


def rows(model: Model, path: Path, first: int = 1) -> list[Row]:
    """The steps of a path; a last step that led nowhere (it was refused) changes nothing."""
    found = []
    for number, (before, move) in enumerate(
        zip(path.states, path.moves, strict=False), start=first
    ):
        at = number - first + 1
        after = path.states[at] if at < len(path.states) else None
        actor = "network" if move.actor is None else model.actor_name(move.actor)
        changed = () if after is None else tuple(changes(model, before, after))
        sent = () if after is None else tuple(text(m) for m in new_messages(model, before, after))
        found.append(Row(number, actor, event_text(model, move), changed, sent))
    return found


def event_text(model: Model, move: Move) -> str:
    """What happened, in words."""
    match move.event:
        case Receive(message):
            source = model.names[message.src] if model.names else message.src
            return f"receives {text(message)} from {source}"
        case Drop(message):
            return f"loses {text(message)}"
        case Reset(src, dst):
            return f"connection {src} to {dst} breaks"
        case Enum() as event:
            return str(event.value)
    return text(move.event)


def text(value: Any) -> str:
    """A value as short as it can be said; its own words, if it has a `__str__`."""
    if isinstance(value, Enum):
        return str(value.value)
    if "__str__" in vars(type(value)):
        return str(value)
    if isinstance(value, frozenset):
        return "{" + ", ".join(sorted(text(v) for v in value)) + "}"
    fields = named_fields(value)
    if fields:
        inner = ", ".join(f"{name}={text(v)}" for name, v in fields if name not in ("src", "dst"))
        return f"{type(value).__name__}({inner})"
    if isinstance(value, tuple):
        return "[" + ", ".join(text(v) for v in value) + "]"
    return str(value)


def named_fields(value: Any) -> list[tuple[str, Any]]:
    """The fields of a NamedTuple or dataclass, else nothing."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [(f.name, getattr(value, f.name)) for f in dataclasses.fields(value)]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return list(zip(value._fields, value, strict=True))
    return []


def changes(model: Model, before: Global, after: Global) -> Iterator[str]:
    """Fields that differ, as `field old → new`; actors other than the mover never change."""
    for old, new in zip(before.locals, after.locals, strict=True):
        yield from _difference(old, new)
    for (name, _), was, now in zip(model.budgets, before.budget, after.budget, strict=True):
        if was != now:
            yield f"{name} budget {was} → {now}"


def _difference(old: Any, new: Any) -> Iterator[str]:
    if old == new:
        return
    fields = named_fields(old)
    if not fields or type(old) is not type(new):
        yield f"{text(old)} → {text(new)}"
        return
    for (name, was), (_, now) in zip(fields, named_fields(new), strict=True):
        if was != now:
            yield f"{name} {text(was)} → {text(now)}"


def new_messages(model: Model, before: Global, after: Global) -> list[Any]:
    """Messages that the network holds after a step and did not hold before."""
    if isinstance(model.network, Soup):
        return sorted(after.net - before.net, key=repr)
    if isinstance(model.network, Bag):
        held: Iterable[Any] = before.net
        fresh = after.net
    else:
        held = [m for _, queue in before.net for m in queue]
        fresh = tuple(m for _, queue in after.net for m in queue)
    left = list(held)
    sent = []
    for message in fresh:
        if message in left:
            left.remove(message)
        else:
            sent.append(message)
    return sent


def as_text(model: Model, path: Path, first: int = 1) -> str:
    """The table: one block a step, changed fields only."""
    lines = []
    for row in rows(model, path, first):
        lines.append(f"{row.number:3}  {row.actor} {row.event}")
        lines.extend(f"       {change}" for change in row.changes)
        lines.extend(f"       sends {message}" for message in row.sent)
    return "\n".join(lines)


def as_mermaid(model: Model, path: Path) -> str:
    """A sequence diagram that Mermaid draws."""
    return "\n".join((*mermaid_head(model), *mermaid_steps(model, path)))


def mermaid_head(model: Model) -> list[str]:
    """The kind of the diagram, and who takes part."""
    names = [f"    participant m{i} as {model.actor_name(i)}" for i in range(len(model.actors))]
    return ["sequenceDiagram", *names]


def mermaid_steps(model: Model, path: Path, first: int = 1) -> list[str]:
    """An arrow or a note for each step."""
    lines = []
    for row, move in zip(rows(model, path, first), path.moves, strict=True):
        note = "<br>".join(row.changes).replace(";", ",").replace("#", "")
        match move.event:
            case Receive(message):
                said = f"{row.number}. {text(message)}"
                lines.append(f"    m{message.src}->>m{message.dst}: {said}")
            case Drop(message):
                lines.append(f"    m{message.src}--xm{message.dst}: {row.number}. {text(message)}")
            case Reset(src, dst):
                lines.append(f"    m{src}--xm{dst}: {row.number}. connection breaks")
            case _:
                note = "<br>".join(filter(None, (f"{row.number}. {row.event}", note)))
        if note and move.actor is not None:
            lines.append(f"    Note over m{move.actor}: {note}")
    return lines


def as_json(model: Model, path: Path) -> dict[str, Any]:
    """The path as plain data: the initial state, then each step with the state it leads to."""
    return {
        "initial": [plain(s) for s in path.states[0].locals],
        "steps": [
            {
                **dataclasses.asdict(row),
                "after": None
                if row.number >= len(path.states)
                else [plain(s) for s in path.states[row.number].locals],
            }
            for row in rows(model, path)
        ],
    }


def plain(value: Any) -> Any:
    """A model value as JSON can hold it; records keep their field names."""
    if isinstance(value, Enum):
        return value.value
    fields = named_fields(value)
    if fields:
        return {name: plain(v) for name, v in fields}
    if isinstance(value, frozenset):
        return sorted((plain(v) for v in value), key=repr)
    if isinstance(value, tuple):
        return [plain(v) for v in value]
    return value
