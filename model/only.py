"""A model that is asked for some of its promises only."""

from dataclasses import dataclass, replace
from typing import Any

from .actor import Broken, Model, Observer, Scope


@dataclass(frozen=True)
class Narrowed:
    """An observer that reports these promises only. A note that breaks another changes nothing."""

    observer: Observer
    names: frozenset[str]

    @property
    def name(self) -> str:
        return self.observer.name

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
