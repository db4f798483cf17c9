"""The fast explorer against the slow one: every count, every verdict, every path length."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import pytest
from delphic.model.actor import (
    Bag,
    Broken,
    Fifo,
    Kind,
    Model,
    Network,
    Property,
    Receive,
    Scope,
    Soup,
    Step,
)
from delphic.model.explore.canonical import hash64
from delphic.model.explore.explorer import Limits, explore
from delphic.model.explore.laws import Impure, TooManyMoves
from delphic.model.explore.naive import explore_naively
from delphic.model.explore.result import Result
from delphic.model.explore.walk import Plan, walk
from delphic.model.raft_group import raft_group
from delphic.model.raft_types import Options
from hypothesis import HealthCheck, assume, given, settings

sys.path.insert(0, str(Path(__file__).parent))
from systems import Letter, Local, Poke, TableActor, system, systems


def face(result: Result) -> dict[str, Any]:
    """Everything that two explorers must agree on."""
    broken = result.violation
    return {
        "states": result.states,
        "transitions": result.transitions,
        "depth": result.depth,
        "cut": result.cut,
        "complete": result.complete,
        "coverage": result.coverage,
        "reached": result.reached,
        "unreached": result.unreached,
        "never fired": result.never_fired,
        "broken": broken and (broken.property, broken.reason, len(broken.path)),
    }


@pytest.mark.slow
@settings(
    max_examples=220,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(systems())
def test_it_agrees_with_the_slow_explorer_on_random_systems(model: Model) -> None:
    slow = explore_naively(model, max_states=1500)
    assume(not slow.stopped_by)
    assert face(explore(model)) == face(slow)
    assert face(explore(model, workers=2)) == face(slow)


@pytest.mark.slow
@settings(
    max_examples=60,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(systems())
def test_it_finds_the_same_orbits(model: Model) -> None:
    slow = explore_naively(model, symmetry=True, max_states=300)
    assume(not slow.stopped_by)
    fast = explore(model, symmetry=True, workers=2)
    # Which member of an orbit is kept differs, and with it nothing but the observer's wording.
    assert face(fast) == face(slow)


RAFTS = [
    (Options(terms=2, entries=0), 0),
    (Options(members=2, terms=2, entries=1), 1),
    (Options(members=2, terms=3, entries=0), 0),
    (Options(members=2, terms=2, entries=1, prevote=True), 0),
    (Options(members=2, terms=2, entries=1, quorum=True), 0),
    (Options(members=2, terms=2, entries=1, reads=1), 0),
    (Options(members=2, terms=2, entries=0, sync=True), 1),
    (Options(members=2, terms=2, entries=1, checkpoints=1), 0),
]


@pytest.mark.slow
@pytest.mark.parametrize(("options", "crashes"), RAFTS)
def test_it_agrees_on_raft(options: Options, crashes: int) -> None:
    model = raft_group(options, crashes=crashes)
    slow = explore_naively(model)
    assert slow.violation is None
    assert face(explore(model)) == face(slow)


@pytest.mark.slow
def test_symmetry_leaves_one_state_an_orbit() -> None:
    model = raft_group(Options(members=2, terms=2, entries=1))
    orbits = explore(model, symmetry=True)
    assert face(orbits)["states"] == face(explore_naively(model, symmetry=True))["states"]
    assert orbits.complete
    assert orbits.violation is None


@pytest.mark.slow
def test_counts_do_not_depend_on_the_seed_of_the_fingerprints() -> None:
    model = raft_group(Options(terms=2, entries=0))
    assert face(explore(model, seed=1)) == face(explore(model, seed=2))


def test_of_two_orbits_the_least_hashes_collide_more_often_than_any() -> None:
    model = raft_group(Options(terms=2, entries=0))
    found = explore(model, symmetry=True)
    pairs = found.states * (found.transitions - found.states)
    assert found.collision_probability() == pytest.approx(pairs * 6 * 6 / 11 / 2**64)
    plain = explore(model)
    pairs = plain.states * (plain.transitions - plain.states)
    assert plain.collision_probability() == pytest.approx(pairs / 2**64)


def test_a_long_seed_leaves_the_place_of_a_value_in_its_hash() -> None:
    seed = 10**70
    assert hash64(seed, "local", 0, 5) != hash64(seed, "local", 1, 5)
    assert hash64(seed, "local", 0, 5) != hash64(seed, "observer", 0, 5)


def test_a_limit_stops_the_search_and_says_so() -> None:
    result = explore(raft_group(Options(terms=2, entries=1)), limits=Limits(states=100))
    assert result.stopped_by == "the limit of 100 states"
    assert not result.complete
    assert result.violation is None


class Impostor(TableActor):
    """Remembers calls: no pure function."""

    calls: ClassVar = [0]

    def step(self, state: Local, event: Any) -> Step | None:
        self.calls[0] += 1
        return Step(Local(state.me, self.calls[0] % 7, state.peer))


def test_an_impure_handler_is_caught() -> None:
    model = Model("impure", (Impostor(1, 2, 2, 2),) * 2, Soup())
    with pytest.raises(Impure, match="answered differently"):
        explore(model)


class Favourite(TableActor):
    """Treats actor 0 differently: not symmetric."""

    def step(self, state: Local, event: Any) -> Step | None:
        return Step(Local(state.me, int(state.me == 0), state.peer))


class Writer(TableActor):
    """Whoever it is, it writes to actor 0; its states are symmetric."""

    def step(self, state: Local, event: Any) -> Step | None:
        return Step(state._replace(value=1), (Letter(state.me, 0, 0),))


class Chooser(TableActor):
    """May poke actor 0 alone."""

    def events(self, state: Local) -> Sequence[Any]:
        return (Poke(0),)

    def step(self, state: Local, event: Any) -> Step | None:
        return Step(state._replace(value=1))


class Teller(TableActor):
    """Tells observers about actor 0, whoever it is."""

    def step(self, state: Local, event: Any) -> Step | None:
        return Step(state._replace(value=1), notes=((1, 0),))


@pytest.mark.parametrize("network", [Soup(), Bag(2), Fifo(2)])
@pytest.mark.parametrize("unfair", [Favourite, Writer, Chooser, Teller])
def test_a_handler_that_is_not_symmetric_is_caught(
    unfair: type[TableActor], network: Network
) -> None:
    model = system(1, network)
    actors = (unfair(1, 2, 2, 2),) * 2
    model = Model("unfair", actors, network, model.observers, symmetric=(0, 1), rename=model.rename)
    with pytest.raises(Impure, match="renaming"):
        explore(model, symmetry=True)


class Sender(TableActor):
    """Sends two letters, one after the other; the receiver notes the order of arrival."""

    def events(self, state: Local) -> tuple[str, ...]:
        return ("send",)

    def step(self, state: Local, event: Any) -> Step | None:
        if event == "send" and state.me == 0 and state.value < 2:
            return Step(state._replace(value=state.value + 1), (Letter(0, 1, state.value),))
        if isinstance(event, Receive) and state.me == 1:
            return Step(state._replace(value=state.value * 2 + event.message.kind + 1))
        return None


def test_queues_keep_order() -> None:
    swapped = 2 * 2 + 1
    model = Model(
        "order",
        (Sender(1, 2, 2, 2),) * 2,
        Fifo(2),
        properties=(
            Property("in order", Kind.ALWAYS, Scope.TUPLE, lambda ls: ls[1].value != swapped),
        ),
    )
    assert explore(model).violation is None
    soup = Model("order", model.actors, Soup(), properties=model.properties,
                 within=lambda s: s.value < 12)  # fmt: skip
    broken = explore(soup).violation
    assert broken is not None
    assert len(broken.path) == 4


class Armed(TableActor):
    """Actors 0 and 1 choose a code each and send one letter; the last of all codes arms a ghost.

    Actor 2 takes the letter of 0 and then that of 1: one event of few, in thousands of states.
    """

    def events(self, state: Local) -> range:
        return range(80) if state.me < 2 and not state.value else range(0)

    def step(self, state: Local, event: Any) -> Step | None:
        if isinstance(event, Receive):
            if event.message.src != state.value:
                return None
            notes = ("got",) if event.message.src else ()
            return Step(state._replace(value=state.value + 1), notes=notes)
        notes = ("armed",) if event == 79 else ()
        return Step(state._replace(value=event + 1), (Letter(state.me, 2, 0),), notes)


class Arms:
    """Counts; what actor 2 gets with both armed is refused."""

    name = "arms"

    def initial(self) -> int:
        return 0

    def observe(self, state: int, note: str) -> int | Broken:
        if note == "armed":
            return state + 1
        return Broken("never", "both are armed") if state == 2 else state


@pytest.mark.parametrize("network", [Soup(), Bag(2), Fifo(1)], ids=lambda n: type(n).__name__)
def test_what_is_reached_thousands_of_times_hides_nothing_that_breaks(network: Network) -> None:
    model = Model(
        "crowd",
        (Armed(1, 3, 2, 1),) * 3,
        network,
        observers=(Arms(),),
        properties=(
            Property("never", Kind.ALWAYS, Scope.OBSERVER),
            Property(
                "got", Kind.SOMETIMES, Scope.STEP, lambda s, e, t: s.me == 2 and t.state.value == 2
            ),
        ),
        event_names=lambda event: "choose" if isinstance(event, int) else "receive",
    )
    assert face(explore(model)) == face(explore_naively(model))
    assert explore(model).violation is not None


class Busy(TableActor):
    """`kinds` moves of its own; or, where `values` is 1, as many letters to the other actor."""

    def events(self, state: Local) -> range:
        return range(0 if state.me else self.kinds)

    def step(self, state: Local, event: Any) -> Step | None:
        if isinstance(event, Receive):
            return Step(state._replace(value=event.message.kind))
        if self.values == 1:
            letters = tuple(Letter(0, 1, kind) for kind in range(self.kinds))
            return Step(state._replace(value=1), letters) if event == 0 else None
        return Step(state._replace(value=event))


@pytest.mark.parametrize("network", [Soup(), Bag(4), Fifo(1)], ids=lambda n: type(n).__name__)
def test_more_moves_than_a_row_has_room_for_are_refused(network: Network) -> None:
    with pytest.raises(TooManyMoves, match=r"member 0 has more than 2,0\d\d moves in the state"):
        explore(Model("busy", (Busy(1, 2, 2, 20_000),) * 2, network))


def test_more_deliveries_than_a_row_has_room_for_are_refused() -> None:
    model = Model("busy", (Busy(1, 2, 1, 2_049),) * 2, Soup())
    with pytest.raises(TooManyMoves, match="member 1 has more than 2,048 moves in the state"):
        explore(model)


def test_a_network_that_holds_more_than_a_row_has_room_for_is_refused() -> None:
    with pytest.raises(TooManyMoves):
        explore(Model("busy", (Busy(1, 2, 2, 2),) * 2, Bag(2_100)))


class Zero(NamedTuple):
    """Equal to the state of a `Nought`, and not of its class."""

    value: int


class Nought(NamedTuple):
    value: int


class Holder(NamedTuple):
    """A state that has the other one somewhere inside."""

    inner: Any


@dataclass(frozen=True)
class Boxed:
    inner: Any


HOLDERS: dict[str, Callable[[Any], Any]] = {
    "tuple in a tuple": lambda inner: ((inner,), 1),
    "named tuple": lambda inner: Holder((1, inner)),
    "dataclass": lambda inner: Boxed(inner),
    "frozen set": lambda inner: Holder(frozenset({(inner, 1), (2, 3)})),
}


class Twin:
    """Goes from one state to another, equal, one; `how` says what is of two classes."""

    name = "twin"

    def __init__(self, how: str) -> None:
        self.how = how

    def initial(self, node: int = 0) -> Any:
        return Zero(0)

    def events(self, state: Any) -> tuple[str, ...]:
        return ("go", "stay")

    def step(self, state: Any, event: Any) -> Step:
        other: Any = Nought(0) if event == "go" else Zero(0)
        if self.how in HOLDERS:
            other = HOLDERS[self.how](other)
            return Step(other if isinstance(state, Zero) else Zero(0))
        if self.how == "state":
            return Step(other)
        note = other if self.how == "note" else event
        return Step(Zero(1 - state.value), notes=(note,))

    def observe(self, state: Any, note: Any) -> Any:
        return Nought(0) if self.how == "ghost" and note == "go" else Zero(0)


@pytest.mark.parametrize("how", ["state", "note", "ghost", *HOLDERS])
def test_equal_values_of_two_classes_are_not_taken_for_one(how: str) -> None:
    model = Model("twins", (Twin(how),), Soup(), observers=(Twin(how),))  # type: ignore[arg-type]
    with pytest.raises(Impure, match="which is of another class"):
        explore(model)
    with pytest.raises(Impure, match="which is of another class"):
        walk(model, Plan(walks=5, depth=20))
