"""Addresses lead where they say, on every server alike, and hostile ones lead nowhere."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from delphic.harness.explorer.api import Api
from delphic.harness.explorer.atlas import STEPS_MAX, Atlas, NoSuchState, Place, identity_of
from delphic.harness.explorer.view import here
from delphic.harness.explorer.words import caption
from delphic.model.actor import Bag, Fifo, Kind, Receive
from delphic.model.explore.explorer import explore
from delphic.model.explore.naive import explore_naively
from delphic.model.explore.world import Global
from delphic.model.models import MODELS
from delphic.model.raft_group import raft_group
from delphic.model.raft_types import Options

Assemble = Callable[..., Api]

TINY = Options(members=2, terms=2, entries=1)

HOSTILE = [
    "0..1",
    "-1",
    "0.1~zzzzzzzz",
    "٣.١",
    "start.0",
    "0\n",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "%2e%2e",
    "9" * 5_000,
    "0." * 50_000,
    "\x00",
    "0 or 1=1",
]


def atlas(options: Options = TINY, **more: Any) -> Atlas:
    model = raft_group(options, **more)
    return Atlas(model, identity_of(model, None))


def wandered(found: Atlas, steps: int, seed: int) -> Place:
    """A place that many moves lead to."""
    chance, place = Random(seed), found.start
    for _ in range(steps):
        moves = [n for n, made in enumerate(found.moves(place)) if made.after != place.state]
        if not moves:
            break
        place = found.step(place, chance.choice(moves), place.depth + 1)
    return place


def everywhere(found: Atlas) -> dict[Global, Place]:
    """All states that clicking can reach."""
    known = {found.start.state: found.start}
    waiting = [found.start]
    while waiting:
        place = waiting.pop(0)
        for index in range(len(found.moves(place))):
            after = found.step(place, index, 0)
            if after.state not in known:
                known[after.state] = after
                waiting.append(after)
    return known


@pytest.mark.parametrize("network", [None, Bag(2), Fifo(1)])
def test_clicking_reaches_the_states_that_exploring_does(network: Any) -> None:
    found = atlas(Options(members=2, terms=2, entries=0), network=network, crashes=1)
    assert len(everywhere(found)) == explore_naively(found.model).states


@pytest.mark.parametrize("name", MODELS)
def test_a_fresh_server_opens_every_address(name: str) -> None:
    entry = MODELS[name]
    model = entry.build(entry.bounds, None)
    first, second = Atlas(model, "x"), Atlas(entry.build(entry.bounds, None), "x")
    for seed in range(3):
        place = wandered(first, 25, seed)
        opened = second.open(first.link(place))
        assert opened.state == place.state
        assert opened.address == place.address


def test_addresses_do_not_depend_on_the_order_of_hashes(assemble: Assemble) -> None:
    program = (
        "from delphic.harness.explorer.atlas import Atlas\n"
        "from delphic.model.models import MODELS\n"
        "for name, entry in MODELS.items():\n"
        "    atlas = Atlas(entry.build(entry.bounds, None), name)\n"
        "    place = atlas.start\n"
        "    for step in range(30):\n"
        "        moves = [n for n, m in enumerate(atlas.moves(place)) if m.after != place.state]\n"
        "        if not moves: break\n"
        "        place = atlas.step(place, moves[step * 7 % len(moves)], 0)\n"
        "    print(atlas.link(place))\n"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": seed, "PATH": "/usr/bin"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1
    assert said.pop().count("~") == len(MODELS)


@pytest.mark.parametrize("address", HOSTILE)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(NoSuchState):
        atlas().open(address)


def test_an_address_beyond_the_moves_says_which_step_is_none() -> None:
    with pytest.raises(NoSuchState, match=r"step 2 of this address is move 77 of \d+"):
        atlas().open("0.77")


def test_an_address_of_other_bounds_or_another_mutant_is_refused(assemble: Assemble) -> None:
    ours = atlas()
    link = ours.link(wandered(ours, 4, 1))
    with pytest.raises(NoSuchState, match="another model"):
        atlas(Options(members=2, terms=3, entries=1)).open(link)
    with pytest.raises(NoSuchState, match="another model"):
        atlas(crashes=1).open(link)
    with pytest.raises(NoSuchState, match="another model"):
        Atlas(ours.model, identity_of(ours.model, "vote-twice")).open(link)


def test_a_path_as_long_as_an_address_may_be_is_opened() -> None:
    found = atlas()
    # A message of a soup can arrive again and again.
    place = wandered(found, 6, 2)
    loops = [n for n, made in enumerate(found.moves(place)) if made.after == place.state]
    assert loops
    many = STEPS_MAX - place.depth
    address = ".".join([place.address, *[str(loops[0])] * many])
    assert found.open(address).depth == STEPS_MAX
    with pytest.raises(NoSuchState, match="more than 1,000 steps"):
        found.open(f"{address}.{loops[0]}")


def test_what_is_forgotten_is_worked_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("delphic.harness.explorer.atlas.PLACES_MAX", 3)
    found = atlas()
    link = found.link(wandered(found, 8, 3))
    found.open("start")
    assert found.places == 1
    assert found.link(found.open(link)) == link


def test_the_path_of_a_violation_is_an_address_and_its_end_shows_it() -> None:
    for name in ("vote-twice", "vote-forgotten", "vote-lost-in-crash"):
        model = MODELS["raft"].mutants[name].model()
        found = Atlas(model, name)
        violation = explore(model).violation
        assert violation is not None
        place = found.along(violation.path)
        assert place.depth == len(violation.path)
        assert violation.property in [broken for broken, _ in place.verdicts.broken]
        said = {one.name: one.status for one in here(found, place).properties}
        assert said[violation.property] == "broken"
        before = here(found, place.parent) if place.parent else None
        assert before is not None
        assert violation.property in before.choices[place.index].breaks


@pytest.mark.parametrize("name", ["raft", "raft-built"])
def test_every_event_of_raft_has_words_of_its_own(name: str) -> None:
    entry = MODELS[name]
    more = {"terms": 3, "reads": 1, "checkpoints": 1, "quorum": True, "prevote": True, "sync": True}
    crashes = "crashes"
    bounds = {**entry.bounds, "members": 2, **more, crashes: 1}
    found = Atlas(entry.build(bounds, None), name)
    plain = []
    for seed in range(12):
        place = wandered(found, 40, seed)
        for one in place.path()[1:]:
            assert one.made is not None
            move = one.made.move
            said = caption(found.model, move)
            if said.startswith("receives ") or "(" in said.split(" with this on disk")[0]:
                plain.append(said)
            assert isinstance(move.event, Receive) or said != found.model.name_of(move.event)
    assert plain == []


def test_a_state_tells_what_changed_and_what_would() -> None:
    found = atlas()
    start = here(found, found.open("start"))
    assert [one.status for one in start.properties if one.kind == Kind.ALWAYS] == ["holds"] * 21
    choice = start.choices[0]
    assert choice.caption == "hears from no leader for too long, and stands for election"
    changes = {(one.of, one.field): (one.was, one.now) for one in choice.changes}
    assert changes["member 0", "vote"] == ("nobody", "0")
    assert changes["member 0", "disk.term"] == ("1", "2")
    assert choice.sends == ("Vote(term=2, last_term=0, last_index=0) to member 1",)
    after = here(found, found.open(choice.address))
    fields = {field.name: (field.was, field.text) for field in after.actors[0].fields}
    assert fields["role"] == ("follower", "candidate")
    assert fields["log"] == (None, "empty")
    assert after.actors[0].moved
    assert not after.actors[1].moved
    assert [(one.source, one.target, one.is_new) for one in after.network] == [
        ("member 0", "member 1", True)
    ]
    assert [(one.number, one.who) for one in after.path] == [(1, "member 0")]


def test_a_record_with_words_of_its_own_is_one_field() -> None:
    entry = MODELS["storage"]
    found = Atlas(entry.build(entry.bounds, None), "x")
    names = [field.name for field in here(found, found.open("0")).actors[0].fields]
    assert "log" in names
    assert [name for name in names if "." in name] == []
    assert len(names) == len(set(names))


def test_what_is_reached_once_stays_reached_on_the_path() -> None:
    found = atlas()
    reached = next(
        place
        for place in everywhere(found).values()
        if "a leader is elected" in place.verdicts.reached
    )
    said = {one.name: one.sentence for one in here(found, reached).properties}
    assert said["a leader is elected"] == "Reached here."
    behind = [found.step(reached, n, 0) for n in range(len(found.moves(reached)))]
    further = next(one for one in behind if not one.verdicts.reached)
    said = {one.name: one.sentence for one in here(found, further).properties}
    assert said["a leader is elected"] == f"Reached on the way, at step {reached.depth}."


def test_what_is_eventually_asked_for_is_told_where_it_is_the_case() -> None:
    found = atlas()
    statuses = {
        one.status
        for place in list(everywhere(found).values())[:400]
        for one in here(found, place).properties
        if one.kind == Kind.EVENTUALLY
    }
    assert statuses == {"progress", "not yet"}


def test_losses_and_queues_are_told() -> None:
    found = atlas(network=Fifo(1))
    place = found.step(found.start, 0, 1)
    page = here(found, place)
    loss = next(one for one in page.choices if one.actor is None)
    assert loss.caption == "breaks the connection from member 0 to member 1"
    gone = here(found, found.open(loss.address))
    assert gone.network == ()
    assert [one.text for one in gone.gone] == ["Vote(term=2, last_term=0, last_index=0)"]


def test_outside_the_bounds_nothing_follows() -> None:
    model = replace(raft_group(TINY), within=lambda state: state.term < 2)
    found = Atlas(model, "x")
    page = here(found, found.open("0"))
    assert page.choices == ()
    assert page.ends.startswith("This state is outside the bounds")
    assert len(everywhere(found)) == (explored := explore_naively(model)).states + explored.cut


def test_a_step_that_an_observer_refuses_has_nothing_behind_it() -> None:
    model = MODELS["raft"].mutants["stale-vote-counted"].model()
    violation = explore(model).violation
    assert violation is not None
    assert violation.property == "election-safety"
    found = Atlas(model, "x")
    page = here(found, found.along(violation.path))
    assert page.choices == ()
    assert page.ends.startswith("An observer refused this step")
    said = next(one.sentence for one in page.properties if one.name == "election-safety")
    assert said == f"Broken here: {violation.reason}."


def test_an_address_of_as_many_steps_as_may_be_is_followed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = atlas()
    still = found.start
    monkeypatch.setattr(found, "step", lambda here, index, _: Place(still.state, here, index))
    address = ".".join(["0"] * (STEPS_MAX - 1))
    assert found.open(address).address == address
