"""A model that is asked for some of its promises only."""

from dataclasses import replace
from typing import Any

from .actor import Broken, Model, Observer, Scope


class Narrowed:
    """An observer that reports these promises only. A note that breaks another changes nothing."""

    def __init__(self, observer: Observer, names: frozenset[str]) -> None:
        self.name = observer.name
        self.observer = observer
        self.names = names

    def initial(self) -> Any:
        return self.observer.initial()

    def observe(self, state: Any, note: Any) -> Any:
        seen = self.observer.observe(state, note)
        if isinstance(seen, Broken) and seen.property not in self.names:
            return state
        return seen


def only(model: Model, names: tuple[str, ...]) -> Model:
    """The model with these properties alone (by default all), and no observer without need."""
    if not names:
        return model
    kept = tuple(p for p in model.properties if p.name in names)
    watched = frozenset(p.name for p in kept if p.scope is Scope.OBSERVER)
    observers = tuple(Narrowed(o, watched) for o in model.observers) if watched else ()
    return replace(model, properties=kept, observers=observers)
