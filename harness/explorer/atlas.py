"""States by address: the moves that lead there, made by the plain meaning of the model.

Nothing is explored ahead: a state is worked out when somebody goes there, so that the size of the
space does not matter.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b

from ...model.actor import Broken, Fifo, Kind, Model, Network, Soup
from ...model.explore.canonical import encode
from ...model.explore.naive import verdicts_on_state, verdicts_on_step
from ...model.explore.result import Path
from ...model.explore.world import Global, Successor, World
from ..errors import UsageError
from .words import caption

START = "start"

STEPS_MAX = 1_000
"""Of an address: longer ones are no longer links."""

PLACES_MAX = 20_000
"""Places that are remembered; beyond that all are forgotten, and worked out when asked for."""

_ADDRESS = re.compile(rf"(?:{START}|(\d{{1,5}}(?:\.\d{{1,5}})*))(?:~([0-9a-f]{{8}}))?", re.ASCII)


class NoSuchState(UsageError):
    """An address that leads nowhere in this model, and why."""


@dataclass(frozen=True)
class Verdicts:
    """What a step into a state did to properties: broke (and why, if that is known), reached."""

    broken: tuple[tuple[str, str], ...] = ()
    reached: tuple[str, ...] = ()


@dataclass(eq=False)
class Place:
    """A state that was come to by one path. `made`: the move that led here; None at the start."""

    state: Global
    parent: "Place | None" = None
    index: int = 0
    made: Successor | None = None
    verdicts: Verdicts = Verdicts()
    depth: int = 0
    was_opened: bool = False
    following: dict[int, "Place"] = field(default_factory=dict)

    @cached_property
    def address(self) -> str:
        """Without its check: behind it indices may follow."""
        return ".".join(str(place.index) for place in self.path()[1:]) or START

    def path(self) -> list["Place"]:
        """From the start to here, both included."""
        found = []
        at: Place | None = self
        while at is not None:
            found.append(at)
            at = at.parent
        return found[::-1]


def following(address: str, index: int) -> str:
    """The address of the state to which move `index` leads from there."""
    return str(index) if address == START else f"{address}.{index}"


class Atlas:
    """The places of one model that were asked for."""

    def __init__(self, model: Model, identity: str) -> None:
        """`identity`: what tells this model from the same with other bounds or another mutant."""
        self.model = model
        self.world = World(model)
        self._identity = identity
        self.start = self._begin()

    def _begin(self) -> Place:
        self.places = 1
        self.seen: set[Global] = set()
        initial = self.world.initial()
        return Place(initial, verdicts=self._judged(initial, None))

    # Going somewhere.

    def open(self, address: str) -> Place:
        """The state at an address. Raises NoSuchState."""
        indices, check = parsed(address)
        if self.places > PLACES_MAX:
            self.start = self._begin()
        here = self.start
        for number, index in enumerate(indices, start=1):
            here = self.step(here, index, number)
        if check and check != self.check(here):
            raise NoSuchState(
                "This address is of another model than this one: of other bounds or properties, of "
                "another mutant or of another version."
            )
        here.was_opened = True
        self.seen.add(here.state)
        return here

    def step(self, here: Place, index: int, number: int) -> Place:
        """The place behind one of the moves of a place. Raises NoSuchState."""
        found = here.following.get(index)
        if found is None:
            moves = self.moves(here)
            if index >= len(moves):
                raise NoSuchState(
                    f"There is no such state: step {number} of this address is move {index} of "
                    f"{len(moves)} (counted from 0)."
                )
            made = moves[index]
            found = self.behind(here, index, made)
            here.following[index] = found
            self.places += 1
        return found

    def behind(self, here: Place, index: int, made: Successor) -> Place:
        """Where a move leads, without going there."""
        verdicts = self._judged(made.after, made, here.state)
        return Place(made.after, here, index, made, verdicts, here.depth + 1)

    def moves(self, here: Place) -> list[Successor]:
        """What may happen there, in an order that is the same for every server."""
        return [] if self.ends(here) else list(self.world.successors(here.state))

    def ends(self, here: Place) -> str:
        """Why nothing is tried from there; empty where moves are."""
        made, within = here.made, self.model.within
        if made is not None and made.broken is not None:
            return "An observer refused this step: nothing follows it."
        mover = None if made is None else made.move.actor
        if within is None or mover is None or within(here.state.locals[mover]):
            return ""
        return "This state is outside the bounds: it is checked, and nothing follows it."

    def along(self, path: Path) -> Place:
        """The place at the end of a path that an exploration found."""
        here = self.start
        for number, move in enumerate(path.moves, start=1):
            moves = self.moves(here)
            index = next(i for i, one in enumerate(moves) if one.move == move)
            here = self.step(here, index, number)
        return here

    def link(self, here: Place) -> str:
        """The address with its check: what a server of another model refuses."""
        return f"{here.address}~{self.check(here)}"

    def check(self, here: Place) -> str:
        """Of the model and of the state, not of the path."""
        key = blake2b(self._identity.encode(), digest_size=32).digest()
        return blake2b(encode(tuple(here.state)), digest_size=4, key=key).hexdigest()

    def opened(self) -> Iterator[Place]:
        """The places that somebody has looked at, in the order of their addresses."""
        waiting = [self.start]
        while waiting:
            here = waiting.pop()
            if here.was_opened:
                yield here
            waiting += [here.following[index] for index in sorted(here.following, reverse=True)]

    # What properties say.

    def _judged(
        self, after: Global, made: Successor | None, before: Global | None = None
    ) -> Verdicts:
        broken: dict[str, str] = {}
        reached: dict[str, None] = {}
        if made is not None and isinstance(made.broken, Broken):
            broken[made.broken.property] = made.broken.reason
        for prop in self.model.properties:
            said = verdicts_on_state(prop, after.locals)
            if made is not None and made.step is not None and before is not None:
                actor = made.move.actor
                assert actor is not None
                said += verdicts_on_step(prop, before.locals[actor], made.move.event, made.step)
            if prop.kind is Kind.ALWAYS and not all(said):
                broken.setdefault(prop.name, "")
            if prop.kind is Kind.SOMETIMES and any(said):
                reached[prop.name] = None
        return Verdicts(tuple(broken.items()), tuple(reached))

    def caption(self, here: Place) -> tuple[str, str]:
        """Who made the move that led there, and what it was."""
        assert here.made is not None
        move = here.made.move
        actor = "network" if move.actor is None else self.model.actor_name(move.actor)
        return actor, caption(self.model, move)


def parsed(address: str) -> tuple[tuple[int, ...], str]:
    """The indices of an address, and its check or nothing. Raises NoSuchState."""
    if address.count(".") >= STEPS_MAX:
        raise NoSuchState(f"This address has more than {STEPS_MAX:,} steps: too many to follow.")
    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise NoSuchState(
            f"This is no address: one is '{START}', or numbers with dots between them."
        )
    return tuple(int(index) for index in (match[1] or "").split(".") if index), match[2] or ""


def identity_of(model: Model, mutant: str | None) -> str:
    """The model, its bounds, its network and its mutant, in a line."""
    values = [*model.parameters, *model.budgets]
    bounds = " ".join(f"{name}={getattr(value, 'value', value)}" for name, value in values)
    return f"{model.name} {bounds} {network_text(model.network)} {mutant or ''}".rstrip()


def network_text(network: Network) -> str:
    """As `--network` has it."""
    if isinstance(network, Soup):
        return "soup"
    return f"{'fifo' if isinstance(network, Fifo) else 'bag'}:{network.size}"
