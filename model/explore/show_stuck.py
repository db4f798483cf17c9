"""How a group gets stuck, for people and programs: a path, a way on, and a way round for ever."""

from dataclasses import replace
from typing import Any

from ..actor import Bag, Model
from .result import Stuck
from .show import as_json, as_text, mermaid_head, mermaid_steps


def calm(model: Model) -> Model:
    """How states of a good phase are to be read: no budgets, and a network as one bag."""
    return replace(model, network=Bag(0), observers=(), budgets=())


def stuck_as_text(model: Model, stuck: Stuck) -> str:
    """Numbered through; the last steps are those that repeat."""
    quiet = calm(model)
    then, again = len(stuck.prefix) + 1, len(stuck.prefix) + len(stuck.stem) + 1
    parts = [as_text(model, stuck.prefix), "     faults end", as_text(quiet, stuck.stem, then)]
    if stuck.cycle.moves:
        parts += ["     and now for ever", as_text(quiet, stuck.cycle, again)]
    else:
        parts.append("     and now nothing can happen any more")
    return "\n".join(part for part in parts if part)


def stuck_as_mermaid(model: Model, stuck: Stuck) -> str:
    """A sequence diagram with a loop at its end."""
    quiet = calm(model)
    then, again = len(stuck.prefix) + 1, len(stuck.prefix) + len(stuck.stem) + 1
    everybody = f"m0,m{len(model.actors) - 1}" if len(model.actors) > 1 else "m0"
    lines = [*mermaid_head(model), *mermaid_steps(model, stuck.prefix)]
    lines += [f"    Note over {everybody}: faults end", *mermaid_steps(quiet, stuck.stem, then)]
    if stuck.cycle.moves:
        lines += ["    loop for ever", *mermaid_steps(quiet, stuck.cycle, again), "    end"]
    return "\n".join(lines)


def stuck_as_json(model: Model, stuck: Stuck) -> dict[str, Any]:
    """The three parts as `as_json` gives a path."""
    quiet = calm(model)
    return {
        "prefix": as_json(model, stuck.prefix),
        "stem": as_json(quiet, stuck.stem),
        "cycle": as_json(quiet, stuck.cycle),
    }
