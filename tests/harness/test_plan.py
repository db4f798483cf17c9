"""Scenario → Plan: all chance from the seed."""

import random
from itertools import pairwise
from typing import Any

import pytest
from delphic.harness.errors import UsageError
from delphic.harness.language import shipped
from delphic.harness.nemeses import NEMESES
from delphic.harness.nemeses.nemesis import Nemesis, Planned
from delphic.harness.plan import Plan, decode, encode, plan
from delphic.harness.scenario import load
from delphic.harness.schedule import Choice, draw

RANDOM = """\
name: mine
workload: {name: log, rate: max, batch: {min: 2, max: 3}}
duration: 30s
faults:
  - {at: 1s, partition: leader, for: 2s, as: old}
  - {after: new-leader, within: 5s, delay: {links: {from: old, to: others}, by: 300ms}}
  - {random: {from: [partition, kill, pause, {kill: leader}], every: 2s, for: 1s, until: 28s}}
"""


def planned(text: str = RANDOM, seed: int = 7) -> Plan:
    return plan(load(text, "my.yaml"), seed=seed, target="local", command="delphic run my.yaml")


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert encode(planned()) == encode(planned())
    assert encode(planned(seed=8)) != encode(planned())


def test_a_plan_survives_its_file() -> None:
    assert decode(encode(planned()), "plan.json") == planned()


@pytest.mark.parametrize("name", shipped.names())
def test_every_shipped_scenario_can_be_planned(name: str) -> None:
    made = plan(shipped.scenario(name), seed=1, target="local", command="")
    assert decode(encode(made), "plan.json") == made
    assert made.scenario == name


def test_drawn_faults_are_in_the_plan_one_in_every_stretch_and_never_overlap() -> None:
    drawn = planned().faults[2:]
    times = [fault.at_s or 0.0 for fault in drawn]
    assert [int(time_s // 2) for time_s in times] == list(range(1, 14))
    assert all(later - earlier >= 1.0 for earlier, later in pairwise(times))
    assert times[-1] + 1.0 <= 28.0
    assert {fault.kind for fault in drawn} == {"partition", "kill", "pause"}


def test_what_a_kind_aims_at_is_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    of = Nemesis.planned

    def planned(self: Nemesis, raw: Any) -> Planned:
        asked.append(raw)
        return of(self, raw)

    monkeypatch.setattr(Nemesis, "planned", planned)
    choices: list[Choice] = [("kill", None), ("pause", None)]
    drawn = draw(
        choices,
        every_s=1.0,
        for_s=0.5,
        until_s=101.0,
        members=("n1", "n2", "n3"),
        chance=random.Random(1),
    )
    assert len(drawn) == 100
    assert len(asked) == sum(len(NEMESES[kind].drawn) for kind, _ in choices)


def test_different_seeds_draw_different_faults() -> None:
    assert len({planned(seed=seed).faults[2:] for seed in range(20)}) == 20


def test_written_steps_keep_their_order_and_words() -> None:
    first, second = planned().faults[:2]
    assert (first.kind, first.target, first.at_s, first.for_s, first.name) == (
        "partition",
        "leader",
        1.0,
        2.0,
        "old",
    )
    assert (second.after, second.within_s, second.by_s) == ("new-leader", 5.0, 0.3)
    assert second.target == {"from": "old", "to": "others"}
    assert all(sorted(fault.order) == ["n1", "n2", "n3"] for fault in planned().faults)


def test_the_workload_is_planned_flat_with_units_in_its_names() -> None:
    assert planned().workload == {
        "name": "log",
        "clients": 8,
        "rate": 0.0,
        "op_timeout_s": 1.0,
        "routing": "mixed",
        "batch": [2, 3],
        "read_share": 0.4,
    }
    assert planned().load.clients == 8


def test_bugs_for_all_members_are_given_to_each() -> None:
    text = RANDOM + "cluster: {bugs: {all: [stale-read], n2: [vote-twice, stale-read]}}\n"
    assert planned(text).bugs == {
        "n1": ("stale-read",),
        "n2": ("stale-read", "vote-twice"),
        "n3": ("stale-read",),
    }


def test_what_is_no_plan_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match=r"runs/x/plan\.json: not a plan of this version"):
        decode(b'{"schema": 1}', "runs/x/plan.json")
