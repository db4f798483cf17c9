"""EVENTUALLY: fair components against a brute-force reading, toys with one flaw each, Raft."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import networkx as nx
import numpy as np
import pytest
from delphic.model.actor import (
    Bag,
    Fifo,
    GoodPhase,
    Kind,
    Model,
    Network,
    Property,
    Receive,
    Scope,
    Soup,
    Step,
)
from delphic.model.explore.explorer import explore
from delphic.model.explore.good_phase import Graph, Start
from delphic.model.explore.limits import Limits
from delphic.model.explore.liveness import (
    AVOIDED,
    HOPELESS,
    Edges,
    fair_components,
    fair_cycle,
    find_trap,
)
from delphic.model.explore.result import Stuck
from delphic.model.explore.show_stuck import stuck_as_json, stuck_as_mermaid
from delphic.model.mutants import RAFT_MUTANTS
from delphic.model.only import only
from delphic.model.raft_good import good_phases
from delphic.model.raft_group import raft_group
from delphic.model.raft_rules import Rules
from delphic.model.raft_types import Options
from delphic.model.summary import BROKEN, HOLDS, UNDECIDED, code, sentence
from hypothesis import given, settings
from hypothesis import strategies as st

# Graphs.


class Drawn(NamedTuple):
    nodes: int
    edges: list[tuple[int, int, int]]
    progress: list[bool]


@st.composite
def graphs(draw: st.DrawFn) -> Drawn:
    """Labels are deterministic: at most one edge a (node, label)."""
    n = draw(st.integers(1, 7))
    pairs = st.tuples(st.integers(0, n - 1), st.integers(0, 3))
    edges = draw(st.dictionaries(pairs, st.integers(0, n - 1), max_size=16))
    progress = draw(st.lists(st.booleans(), min_size=n, max_size=n))
    return Drawn(n, [(s, d, e) for (s, e), d in edges.items()], progress)


def as_edges(drawn: Drawn) -> Edges:
    return Edges.sorted(drawn.nodes, *([edge[k] for edge in drawn.edges] for k in range(3)))


def fair_by_hand(drawn: Drawn) -> set[frozenset[int]]:
    """The definition, read off: components without progress in which nobody is wronged."""
    idle = [at for at in range(drawn.nodes) if not drawn.progress[at]]
    graph = nx.DiGraph()
    graph.add_nodes_from(idle)
    graph.add_edges_from((s, d) for s, d, _ in drawn.edges if s in idle and d in idle)
    fair = set()
    for members in map(frozenset, nx.strongly_connected_components(graph)):
        labels = {e for s, _, e in drawn.edges if s in members}
        disabled = {e for e in labels for at in members if (at, e) not in leaving(drawn)}
        taken = {e for s, d, e in drawn.edges if s in members and d in members}
        if labels <= disabled | taken:
            fair.add(members)
    return fair


def leaving(drawn: Drawn) -> set[tuple[int, int]]:
    return {(s, e) for s, _, e in drawn.edges}


@pytest.mark.slow
@settings(max_examples=250, derandomize=True, deadline=None)
@given(graphs())
def test_fair_components_are_those_of_the_definition(drawn: Drawn) -> None:
    found, component = fair_components(as_edges(drawn), np.array(drawn.progress))
    ours = {
        frozenset(np.flatnonzero(component == component[at]).tolist())
        for at in np.flatnonzero(found).tolist()
    }
    assert ours == fair_by_hand(drawn)


@pytest.mark.slow
@settings(max_examples=250, derandomize=True, deadline=None)
@given(graphs())
def test_a_trap_is_hopeless_exactly_where_progress_is_out_of_reach(drawn: Drawn) -> None:
    trap = find_trap(as_edges(drawn), np.array(drawn.progress))
    graph = nx.DiGraph()
    graph.add_nodes_from(range(drawn.nodes))
    graph.add_edges_from((s, d) for s, d, _ in drawn.edges)
    goals = [at for at in range(drawn.nodes) if drawn.progress[at]]
    reaching = set(goals).union(*(nx.ancestors(graph, goal) for goal in goals))
    if len(reaching) < drawn.nodes:
        assert trap is not None
        assert trap.hopeless
        assert trap.node == min(set(range(drawn.nodes)) - reaching)
    elif trap is not None:
        assert not trap.hopeless
        assert trap.node == min(min(members) for members in fair_by_hand(drawn))
    else:
        assert not fair_by_hand(drawn)


@pytest.mark.slow
@settings(max_examples=250, derandomize=True, deadline=None)
@given(graphs())
def test_a_fair_cycle_wrongs_nobody(drawn: Drawn) -> None:
    edges = as_edges(drawn)
    for members in fair_by_hand(drawn):
        inside = np.array([at in members for at in range(drawn.nodes)])
        entry = min(members)
        cycle = fair_cycle(edges, entry, inside)
        visited = [entry]
        for label, to in cycle:
            assert (visited[-1], to, label) in drawn.edges
            visited.append(to)
        assert visited[-1] == entry
        assert set(visited) <= members
        taken = {label for label, _ in cycle}
        for label in {e for s, _, e in drawn.edges if s in visited}:
            assert label in taken or any((at, label) not in leaving(drawn) for at in visited)


# Toys: two actors, of which 0 walks through the states of a table and may send its state's name.


@dataclass(frozen=True)
class Walker:
    """`table[state]` is what events lead to; a name after `!` is sent to actor 1 on the way."""

    table: dict[str, dict[str, str]]

    def initial(self, node: int) -> str:
        return "start" if node == 0 else "waiting"

    def events(self, state: str) -> Sequence[str]:
        return tuple(self.table.get(state, {}))

    def step(self, state: str, event: Any) -> Step | None:
        if isinstance(event, Receive):
            return Step(event.message.text) if state.startswith("waiting") else None
        target, _, text = self.table[state][event].partition("!")
        cost = "fault" if event.startswith("fault") else None
        return Step(target, (Word(0, 1, text),) if text else (), cost=cost)

    def durable(self, state: str) -> str:
        return state

    def recover(self, node: int, durable: str) -> str:
        return durable


class Word(NamedTuple):
    src: int
    dst: int
    text: str


def toy(
    table: dict[str, dict[str, str]],
    progress: Callable[[tuple[str, ...]], bool],
    network: Network | None = None,
    allowed: Callable[[Any], bool] = lambda event: True,
) -> Model:
    actors = (Walker(table), Walker({}))
    return Model(
        "toy",
        actors,
        network or Soup(),
        budgets=(("fault", 1),),
        properties=(Property("arrives", Kind.EVENTUALLY, Scope.TUPLE, progress),),
        good=(
            GoodPhase(
                "all is well", actors, (0, 1), lambda _, net, node, e: allowed(e), ("arrives",)
            ),
        ),
    )


def goes_home(locals_: tuple[str, ...]) -> bool:
    return locals_[0] == "home"


def stuck_of(model: Model) -> Stuck | None:
    (decided,) = explore(model).eventually
    assert not decided.skipped
    assert decided.states > 0
    return decided.stuck


def test_a_way_home_that_is_always_open_is_taken() -> None:
    assert stuck_of(toy({"start": {"wait": "start", "go": "home"}}, goes_home)) is None


def test_a_way_home_that_opens_again_and_again_may_be_missed() -> None:
    table = {"start": {"turn": "away"}, "away": {"turn": "start", "go": "home"}}
    stuck = stuck_of(toy(table, goes_home))
    assert stuck is not None
    assert stuck.reason == AVOIDED
    assert (len(stuck.prefix), len(stuck.stem), len(stuck.cycle)) == (0, 0, 2)


def test_a_fault_may_close_every_way_and_then_the_path_says_where() -> None:
    table = {
        "start": {"fault": "lost", "go": "home"},
        "lost": {"turn": "loop"},
        "loop": {"turn": "loop"},
    }
    stuck = stuck_of(toy(table, goes_home))
    assert stuck is not None
    assert stuck.reason == HOPELESS
    assert [move.event for move in stuck.prefix.moves] == ["fault"]
    assert [move.event for move in stuck.stem.moves] == ["turn"]
    assert [move.event for move in stuck.cycle.moves] == ["turn"]


def test_faults_do_not_happen_in_a_good_phase() -> None:
    assert stuck_of(toy({"start": {"fault": "start", "go": "home"}}, goes_home)) is None
    only_way = stuck_of(toy({"start": {"fault": "home"}}, goes_home))
    assert only_way is not None
    assert not only_way.cycle.moves


def test_what_the_phase_does_not_allow_is_not_owed() -> None:
    table = {"start": {"turn": "start", "go": "home"}}
    stuck = stuck_of(toy(table, goes_home, allowed=lambda event: event != "go"))
    assert stuck is not None


def hears(locals_: tuple[str, ...]) -> bool:
    return locals_[1] == "yes"


def test_a_soup_may_have_lost_everything_before_and_loses_nothing_after() -> None:
    once = {"start": {"say": "said!yes"}}
    lost = stuck_of(toy(once, hears))
    assert lost is not None
    assert [move.event for move in lost.prefix.moves] == ["say"]
    assert not lost.cycle.moves
    again = {"start": {"say": "said!yes"}, "said": {"say": "said!yes"}}
    model = toy(again, hears)
    calm = replace(
        model.good[0], allows=lambda _, net, node, event: not net or isinstance(event, Receive)
    )
    assert stuck_of(replace(model, good=(calm,))) is None


def test_what_a_bag_holds_still_arrives() -> None:
    stuck = stuck_of(toy({"start": {"say": "said!yes"}}, hears, Bag(1)))
    assert stuck is not None, "it may be dropped before"
    assert [type(move.event).__name__ for move in stuck.prefix.moves] == ["str", "Drop"]


@pytest.mark.parametrize(
    ("network", "heard"), [(Fifo(2), {"waiting", "no"}), (Bag(2), {"waiting", "no", "yes"})]
)
def test_queues_keep_their_order_in_a_good_phase(network: Network, heard: set[str]) -> None:
    model = toy({}, hears, network)
    graph = Graph(model, model.good[0])
    in_flight = (Word(0, 1, "no"), Word(0, 1, "yes"))
    assert graph.grow([Start(0, ("start", "waiting"), in_flight, 0)], limit=100)
    assert {graph.state(at).locals[1] for at in range(len(graph.nodes))} == heard


def test_what_queues_hold_still_arrives() -> None:
    stuck = stuck_of(toy({"start": {"say": "said!yes"}}, hears, Fifo(1)))
    assert stuck is not None, "the connection may break before"
    assert [type(move.event).__name__ for move in stuck.prefix.moves] == ["str", "Reset"]


def test_too_large_a_good_phase_is_not_checked_and_that_is_said() -> None:
    model = raft_group(Options(members=2, terms=2, entries=0))
    result = explore(model, limits=Limits(good_states=10))
    assert [e.skipped for e in result.eventually] == ["more than 10 states to begin in"]
    result = explore(model, limits=Limits(good_states=20))
    assert result.eventually[0].skipped == "the good phase has more than 20 states"
    assert result.holds
    assert code(result) == HOLDS
    assert code(result, ["the group converges"]) == UNDECIDED
    asked = only(model, ("the group converges",))
    said = sentence(asked, result, ["the group converges"])
    assert said.startswith("UNDECIDED: the group converges was not checked")


def test_an_exploration_cut_short_decides_nothing() -> None:
    result = explore(raft_group(Options(terms=2, entries=1)), limits=Limits(states=100))
    assert [e.skipped for e in result.eventually] == ["the exploration was cut short"]


# Raft.

GROUPS = [
    (Options(terms=2, entries=0), 0, Soup()),
    (Options(members=2, terms=3, entries=1), 1, Soup()),
    (Options(members=2, terms=2, entries=1), 1, Bag(2)),
    (Options(members=2, terms=2, entries=1, prevote=True, quorum=True), 1, Soup()),
    (Options(members=2, terms=2, entries=1, reads=1), 1, Soup()),
    (Options(members=2, terms=2, entries=1, sync=True), 1, Soup()),
    (Options(members=3, terms=2, entries=0, checkpoints=1), 0, Soup()),
]


@pytest.mark.slow
@pytest.mark.parametrize(("options", "crashes", "network"), GROUPS)
def test_a_group_converges_once_faults_end(
    options: Options, crashes: int, network: Network
) -> None:
    result = explore(raft_group(options, crashes=crashes, network=network), symmetry=True)
    assert result.violation is None
    assert all(e.stuck is None and not e.skipped for e in result.eventually)
    assert len(result.eventually) == (1 + options.members * (options.members > 2)) * (
        1 + bool(options.reads)
    )


def test_a_phase_with_a_member_down_leaves_a_majority_up() -> None:
    ups = [phase.up for phase in good_phases(Options(members=3), Rules())]
    assert ups == [(0, 1, 2), (1, 2), (0, 2), (0, 1)]
    assert len(good_phases(Options(members=2), Rules())) == 1


STALLS = {
    "no-noop": (5, 9, 3),
    "commit-scan-stops": (4, 12, 3),
    "next-stays": (4, 3, 3),
    "snapshot-never-sent": (7, 2, 3),
    "read-never-asked": (7, 2, 3),
}
"""Steps before faults end, to where the group is stuck, and around for ever."""


@pytest.mark.slow
@pytest.mark.parametrize("name", STALLS)
def test_a_mutant_that_stalls_is_shown_to_stall(name: str) -> None:
    mutant = RAFT_MUTANTS[name]
    model = mutant.model()
    result = explore(model, symmetry=True)
    assert result.stuck is not None
    assert result.stuck.property == mutant.breaks
    stuck = result.stuck.stuck
    assert stuck is not None
    assert (len(stuck.prefix), len(stuck.stem), len(stuck.cycle)) == STALLS[name]
    assert_replays(model, stuck)
    assert code(result) == BROKEN
    assert "and now for ever" in sentence(model, result)
    assert stuck_as_mermaid(model, stuck).rstrip().endswith("end")
    assert len(stuck_as_json(model, stuck)["cycle"]["steps"]) == len(stuck.cycle)


def assert_replays(model: Model, stuck: Stuck) -> None:
    """Each move of the good phase is one that its actors make."""
    assert stuck.prefix.states[-1].locals == stuck.stem.states[0].locals
    assert stuck.stem.states[-1] == stuck.cycle.states[0] == stuck.cycle.states[-1]
    actors = model.good[0].actors
    for part in (stuck.stem, stuck.cycle):
        for before, move, after in zip(part.states, part.moves, part.states[1:], strict=False):
            assert move.actor is not None
            step = actors[move.actor].step(before.locals[move.actor], move.event)
            assert step is not None
            assert after.locals[move.actor] == step.state
            assert set(step.sends) <= set(after.net)
