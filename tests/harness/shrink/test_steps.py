"""Steps of a scenario: drawn ones written out, some left out, undoing folded in."""

from typing import Any

import pytest
from delphic.harness.fault import Fault
from delphic.harness.language.document import Document
from delphic.harness.nemeses import NEMESES
from delphic.harness.plan import plan
from delphic.harness.scenario import read
from delphic.harness.schedule import DRAWABLE
from delphic.harness.shrink.steps import UNDOING, undone, without, written_out

Data = dict[str, Any]


def faults(data: Data, seed: int) -> tuple[Fault, ...]:
    made = read(Document(data, {}, ""))
    return plan(made, seed=seed, target="sim", command="").faults


@pytest.mark.parametrize("seed", range(5))
def test_written_out_chance_is_the_same_plan(seed: int) -> None:
    choices = [*DRAWABLE, {"partition": [["n1", "n2"], ["n3"]]}, {"kill": "n2"}]
    data = {
        "name": "mine",
        "workload": {"name": "log"},
        "duration": "200s",
        "faults": [
            {"random": {"from": choices, "every": "2s", "for": "1s", "until": "199s"}},
            {"at": "1s", "delay": {"links": "all", "by": "100ms"}, "as": "slow"},
            {"random": {"from": ["pause"], "every": "7s", "for": "2s", "until": "50s"}},
            {"then": "1s", "heal": "slow"},
        ],
    }
    explicit = written_out(data, seed)
    assert all("random" not in step for step in explicit["faults"])
    assert faults(explicit, seed) == faults(data, seed)


def test_where_nothing_is_drawn_nothing_changes() -> None:
    data = {"faults": [{"at": "1s", "kill": "n1"}]}
    assert written_out(data, 1) is data


CHAIN = [
    {"at": "2s", "delay": {"links": "all", "by": "200ms"}},
    {"at": "3s", "partition": "leader", "as": "old"},
    {"after": "new-leader", "within": "9s", "kill": "one", "as": "voter"},
    {"then": "1s", "partition": "leader", "as": "new"},
    {"then": "500ms", "heal": "old"},
    {"then": "2s", "restart": "voter"},
]


@pytest.mark.parametrize(
    ("left_out", "moments"),
    [
        (range(1), ["at 3s", "after 9s", "then 1s", "then 500ms", "then 2s"]),
        (range(3, 4), ["at 2s", "at 3s", "after 9s", "then 1.5s", "then 2s"]),
        (range(3, 5), ["at 2s", "at 3s", "after 9s", "then 3.5s"]),
        (range(2, 3), ["at 2s", "at 3s", "after 9s", "then 500ms"]),
        (range(1, 2), ["at 2s", "after 9s", "then 1s", "then 2.5s"]),
        (range(1, 3), ["at 2s", "after 9s"]),
        (range(5, 6), ["at 2s", "at 3s", "after 9s", "then 1s", "then 500ms"]),
    ],
)
def test_who_waited_for_a_step_that_is_left_out_keeps_its_moment(
    left_out: range, moments: list[str]
) -> None:
    kept = without(CHAIN, left_out)
    said = [
        f"{word} {step['within' if word == 'after' else word]}"
        for step in kept
        for word in ("at", "after", "then")
        if word in step
    ]
    assert said == moments


def test_steps_that_undo_are_known_from_the_registry() -> None:
    assert {"heal", "restart", "resume"} <= UNDOING
    assert not {kind for kind in UNDOING if NEMESES[kind].undo is not None}


def test_a_step_and_its_undoing_become_one() -> None:
    steps = [
        {"at": "1s", "kill": "n1"},
        {"at": "2s", "pause": "n2"},
        {"at": "3.5s", "restart": "n1"},
    ]
    assert list(undone(steps)) == [[{"at": "1s", "kill": "n1", "for": "2.5s"}, steps[1]]]
