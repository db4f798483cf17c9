"""Moves about a master and its slaves: who is gone is named by nobody, and less counts as less."""

from typing import Any

from delphic.harness.language.document import Document
from delphic.harness.scenario import read
from delphic.harness.shrink.clusters import smaller_tables
from delphic.harness.shrink.moves import MOVES, fewer_members, members, size

DATA: dict[str, Any] = {
    "name": "mine",
    "cluster": {
        "system": "replication",
        "master": {"controllers": 3, "nodes": 1},
        "slaves": [{"nodes": 1}, {"controllers": 3}],
        "bugs": {"s2d2": ["halves"], "all": ["dedup-by-highest"]},
    },
    "workload": {"name": "replicate", "databases": 3},
    "duration": "5s",
    "faults": [
        {"at": "1s", "kill": "s2-leader"},
        {"at": "2s", "partition": ["s2d1", "s2d2", "mc3"]},
        {"at": "3s", "delay": {"links": {"from": "one-of-s2-data", "to": "slaves"}, "by": "1s"}},
    ],
}


def test_members_of_all_clusters_count_and_those_that_nobody_counted_are_two_data_nodes() -> None:
    assert members(DATA) == (3 + 1) + (1 + 1) + (3 + 2)
    assert members({"cluster": {"system": "replication"}}) == 6


def test_with_one_slave_left_its_words_mean_that_one() -> None:
    first, second = list(fewer_members(DATA))[:2]
    assert [found["cluster"]["slaves"] for found in (first, second)] == [
        [{"nodes": 1}],
        [{"controllers": 3}],
    ]
    kill, partition, delay = second["faults"]
    assert kill["kill"] == "s1-leader"
    assert partition["partition"] == ["s1d1", "s1d2", "mc3"]
    assert delay["delay"]["links"] == {"from": "one-of-s1-data", "to": "slaves"}
    assert first["cluster"]["bugs"] == {"all": ["dedup-by-highest"]}
    assert second["cluster"]["bugs"] == {"s1d2": ["halves"], "all": ["dedup-by-highest"]}


def test_who_is_gone_from_a_cluster_is_its_first_one() -> None:
    found = list(fewer_members(DATA))[2:]
    counts = [members(document) for document in found]
    assert counts == [9, 9, 10]
    master, controllers, nodes = found
    assert master["cluster"]["master"] == {"controllers": 1, "nodes": 1}
    assert master["faults"][1]["partition"] == ["s2d1", "s2d2", "mc1"]
    assert controllers["cluster"]["slaves"][1] == {"controllers": 1}
    assert nodes["cluster"]["slaves"][1] == {"controllers": 3, "nodes": 1}
    assert nodes["faults"][1]["partition"] == ["s2d1", "mc3"]
    assert "s2d2" not in nodes["cluster"]["bugs"]


def test_fewer_tables_are_less_although_it_takes_a_word_to_say_so() -> None:
    less = [document["workload"] for document in smaller_tables(DATA)]
    assert {"name": "replicate", "databases": 1} in less
    assert {"name": "replicate", "databases": 3, "partitions": 1} in less
    assert all(size(document) < size(DATA) for document in smaller_tables(DATA))
    assert list(smaller_tables({"workload": {"name": "log"}})) == []


def test_every_move_makes_something_smaller_that_can_be_read() -> None:
    sound = {**DATA, "cluster": {**DATA["cluster"], "bugs": {"all": ["dedup-by-highest"]}}}
    read(Document(sound, {}, ""))
    found = [document for move in (fewer_members, smaller_tables) for document in move(sound)]
    assert set(found[0]) == set(sound)
    for document in found:
        read(Document(document, {}, ""))
        assert size(document) < size(sound)
    assert smaller_tables in MOVES
