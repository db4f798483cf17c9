"""One function that the shell can call: its parameters, and how it is asked."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...impl.client.functions import Caller
from ..errors import UsageError
from .grammar import Value
from .kinds import KINDS
from .sites import Sites

Args = Mapping[str, Any]
Perform = Callable[[Caller, Args, float], Awaitable[Any]]
"""Asks, with converted arguments by name and a time limit."""

Follow = Callable[[Sites, Args], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    kind: str
    default: Any = None
    needed: bool = True


@dataclass(frozen=True, slots=True)
class Function:
    """One function; without `perform` the node gets name and arguments as they are."""

    name: str
    parameters: tuple[Parameter, ...]
    says: str
    perform: Perform | None = None
    follow: Follow | None = None
    """For what is no one call, and needs all sites."""

    @property
    def signature(self) -> str:
        words = [f"{p.name} {p.kind}" for p in self.parameters]
        shown = [w if p.needed else f"[{w}]" for w, p in zip(words, self.parameters, strict=True)]
        return f"{self.name}({', '.join(shown)})"

    def bind(self, args: Sequence[Value], named: Mapping[str, Value]) -> dict[str, Any]:
        """The arguments by name, converted. Raises UsageError with the signature."""
        names = [parameter.name for parameter in self.parameters]
        problem = None
        if len(args) > len(names):
            problem = f"takes at most {len(names)} arguments, not {len(args)}"
        given = dict(zip(names, args, strict=False))
        for name, value in named.items():
            if name not in names:
                problem = f"has no parameter {name}"
            elif name in given:
                problem = f"{name} is given twice"
            given[name] = value
        bound: dict[str, Any] = {}
        for parameter in self.parameters if problem is None else ():
            if parameter.name not in given:
                bound[parameter.name] = parameter.default
                problem = f"{parameter.name} is missing" if parameter.needed else problem
                continue
            try:
                bound[parameter.name] = KINDS[parameter.kind](given[parameter.name])
            except ValueError as error:
                problem = f"{parameter.name}: {error}"
            if problem is not None:
                break
        if problem is not None:
            raise UsageError(f"{self.name}: {problem}; want {self.signature}")
        return bound

    async def ask(self, caller: Caller, args: Args, timeout_s: float) -> Any:
        """Call it. Raises RequestError."""
        if self.perform is not None:
            return await self.perform(caller, args, timeout_s)
        return await caller.call(self.name, tuple(args.values()), timeout_s=timeout_s)


def optional(name: str, kind: str, default: Any = None) -> Parameter:
    """A parameter that may be left out."""
    return Parameter(name, kind, default, needed=False)
