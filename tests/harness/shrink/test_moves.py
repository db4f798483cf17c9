"""Single moves: what each makes of a scenario, and what counts as smaller."""

from typing import Any

import pytest
from delphic.harness.shrink.moves import (
    MOVES,
    TIMES,
    asked_by_role,
    defaults,
    fewer_clients,
    fewer_members,
    lower_rate,
    plainer_operations,
    size,
    surer,
    undone_by_for,
)

DATA: dict[str, Any] = {
    "name": "mine",
    "cluster": {"members": 5, "config": {"raftElectionTick": 30}, "bugs": {"n4": ["stale-read"]}},
    "workload": {
        "name": "log",
        "ops": [
            {"client": 0, "at": "1s", "node": "n5", "append": 2},
            {"client": 3, "at": "2s", "read": [7, 20]},
            {"client": 1, "at": "1.5s", "append": 1},
        ],
    },
    "duration": "3s",
    "faults": [{"at": "1s", "pause": ["n4", "n5"]}, {"at": "2s", "resume": "n4"}],
}


def test_whoever_named_members_that_are_gone_names_others() -> None:
    found = [document for document in fewer_members(DATA) if document["cluster"]["members"] == 3]
    assert [document["faults"][0]["pause"] for document in found] == [
        ["n1", "n2"],
        ["n2", "n3"],
        ["n3", "n1"],
        ["n1"],
        ["n2"],
        ["n3"],
    ]
    assert [document["workload"]["ops"][0]["node"] for document in found] == [
        "n2",
        "n3",
        "n1",
        "n1",
        "n2",
        "n3",
    ]
    assert all(document["cluster"]["bugs"] == {} for document in found)


def test_one_client_can_do_it_all_in_order_of_time() -> None:
    first, *others = fewer_clients(DATA)
    assert [(op["client"], op["at"]) for op in first["workload"]["ops"]] == [
        (0, "1s"),
        (0, "1.5s"),
        (0, "2s"),
    ]
    clients = [{op["client"] for op in document["workload"]["ops"]} for document in others]
    assert clients == [{0, 1}, {0, 1}, {0, 1}, {0, 1, 2}]


def test_where_chance_does_it_there_are_fewer_clients_and_operations() -> None:
    data = DATA | {"workload": {"name": "log", "rate": 30, "clients": 5}}
    assert [d["workload"]["clients"] for d in fewer_clients(data)] == [1, 2, 3, 4, 5, 6, 8]
    smaller = [d["workload"]["rate"] for d in lower_rate(data) if size(d) < size(data)]
    assert smaller == [1.0, 2.0, 5.0, 10.0, 20.0]
    assert list(lower_rate(DATA)) == []
    assert [d["workload"]["batch"] for d in plainer_operations(data)] == [{"min": 1, "max": 1}]


def test_operations_become_plain_all_at_once_and_one_by_one() -> None:
    first, *others = plainer_operations(DATA)
    assert [op.get("append", op.get("read")) for op in first["workload"]["ops"]] == [
        1,
        [0, None],
        1,
    ]
    assert others[0]["workload"]["ops"][0]["append"] == 1
    assert others[0]["workload"]["ops"][1] == DATA["workload"]["ops"][1]
    assert "leader" in [document["workload"]["ops"][0].get("node") for document in others]


def test_an_operation_asks_whom_a_step_hit_instead_of_one_member_for_ever() -> None:
    step = {"at": "1s", "partition": "leader", "as": "old"}
    data = {**DATA, "faults": [DATA["faults"][0], step]}
    found = [(d["workload"]["ops"][0]["node"], d["faults"]) for d in asked_by_role(data)]
    assert found == [
        ("hit-1", [{**DATA["faults"][0], "as": "hit-1"}, step]),
        ("old", data["faults"]),
    ]
    assert all(size(smaller) < size(data) for smaller in asked_by_role(data))
    assert list(asked_by_role({**data, "workload": {"name": "log"}})) == []


def test_every_key_can_go_but_those_that_a_scenario_needs() -> None:
    found = list(defaults(DATA))
    assert DATA | {"cluster": {"members": 5, "bugs": DATA["cluster"]["bugs"]}} in found
    assert DATA | {"faults": [{"at": "1s", "pause": ["n5"]}, DATA["faults"][1]]} in found
    assert all({"name", "workload", "duration"} <= set(document) for document in found)
    assert all("ops" in document["workload"] for document in found)


def test_a_step_that_undoes_another_becomes_its_for() -> None:
    data = DATA | {"faults": [{"at": "1s", "pause": "n4"}, {"at": "2s", "resume": "n4"}]}
    assert [document["faults"] for document in undone_by_for(data)] == [
        [{"at": "1s", "pause": "n4", "for": "1s"}]
    ]


def test_what_was_likely_becomes_sure() -> None:
    data = DATA | {"faults": [{"at": "1s", "messages": {"lose": 0.1, "reorder": 0.2}}]}
    found = [document["faults"][0]["messages"] for document in surer(data)]
    assert found[:3] == [
        {"lose": 1.0, "reorder": 1.0},
        {"lose": 1.0, "reorder": 0.2},
        {"lose": 0.1, "reorder": 1.0},
    ]
    assert found[3] == {"lose": 0.5, "reorder": 0.5}
    sizes = [size(data | {"faults": [{"at": "1s", "messages": one}]}) for one in found]
    assert all(smaller < size(data) for smaller in sizes)


@pytest.mark.parametrize(
    "smaller",
    [
        {"faults": DATA["faults"][:1]},
        {"workload": {"name": "log", "ops": DATA["workload"]["ops"][:2]}},
        {"cluster": DATA["cluster"] | {"members": 4}},
        {"duration": "2s"},
        {"cluster": {"members": 5, "bugs": {"n4": ["stale-read"]}}},
    ],
)
def test_less_of_anything_is_smaller(smaller: dict[str, Any]) -> None:
    assert size(DATA | smaller) < size(DATA)


def test_what_is_said_for_people_weighs_nothing() -> None:
    assert size(DATA | {"title": "A title", "seed": 7, "promises": ["HS-1"]}) == size(DATA)


def test_no_move_changes_what_it_is_given() -> None:
    before = repr(DATA)
    assert sum(len(list(move(DATA))) for move in (*MOVES, *TIMES)) > 50
    assert repr(DATA) == before
