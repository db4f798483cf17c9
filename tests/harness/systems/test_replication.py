"""How a master and its slaves are configured and started, and what is asked of their nodes."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from delphic.harness.language.cluster_part import ClusterPart, unknown_names
from delphic.harness.op import OpType
from delphic.harness.system import Place, Setup, Site
from delphic.harness.systems import SYSTEMS
from delphic.harness.systems.replicated import (
    OPERATIONS,
    SCHEMA,
    ReplicatedConnection,
    batch,
    meant,
)
from delphic.harness.workloads.replicate_roles import EXECUTOR
from delphic.impl.client.errors import NO_SUCH_TABLE, TABLE_EXISTS, RequestError
from delphic.impl.config import NodeConfig, load
from pydantic import ValidationError

REPLICATION = SYSTEMS["replication"]
OPTION = "clusterReplicationSyncPersistence"
THREE: dict[str, Any] = {
    "system": "replication",
    "master": {"controllers": 3, "nodes": 2, "config": {"clusterReplicationSyncPersistence": True}},
    "slaves": [{"nodes": 1}, {"controller_config": {"clusterReplicationFailureLimit": 4}}],
    "node_config": {"s2d1": {"dataFileSize": 8_000_000}},
    "bugs": {"s1c1": ["failures-add-up"]},
}


def setup_of(**cluster: Any) -> Setup:
    return ClusterPart(**(THREE | cluster)).setup()


def sites_of(setup: Setup) -> dict[str, Site]:
    return {alias: Site(alias, "127.0.0.1", 4000 + at) for at, alias in enumerate(setup.members)}


def config_of(setup: Setup, alias: str) -> NodeConfig:
    text = REPLICATION.files(setup, alias, sites_of(setup), Path("/home"))

    def read(name: str) -> bytes | None:
        return text[name].encode() if name in text else None

    return load("/home", alias, read, allow_seeded_bugs=True)


def test_members_are_called_after_their_side() -> None:
    assert setup_of().members == (
        *("mc1", "mc2", "mc3", "md1", "md2"),
        *("s1c1", "s1d1", "s2c1", "s2d1", "s2d2"),
    )
    assert ClusterPart(system="replication").aliases == (
        "mc1",
        "md1",
        "md2",
        "s1c1",
        "s1d1",
        "s1d2",
    )


def test_every_node_knows_its_own_cluster_and_no_other() -> None:
    setup = setup_of()
    master, slave = config_of(setup, "mc2"), config_of(setup, "s2d2")
    assert [site.alias for site in master.controllers] == ["mc1", "mc2", "mc3"]
    assert [site.alias for site in master.data_nodes] == ["md1", "md2"]
    assert master.is_controller
    assert [site.alias for site in slave.sites.values()] == ["s2c1", "s2d1", "s2d2"]
    assert not slave.is_controller


def test_a_master_has_room_for_its_slaves_and_slaves_know_a_controller_of_it() -> None:
    setup = setup_of()
    sites = sites_of(setup)
    assert config_of(setup, "mc1").replication.slave_count_max == 2
    assert config_of(setup, "mc1").replication.master_site is None
    for alias in ("s1c1", "s2c1"):
        found = config_of(setup, alias).replication
        assert found.master_site == ("127.0.0.1", sites["mc1"].port)
        assert found.slave_count_max is None
    assert config_of(setup, "md1").replication.mode == "master"
    assert config_of(setup, "md1").replication.sync_persistence
    slave = config_of(setup, "s1d1").replication
    assert (slave.mode, slave.execution_user) == ("slave", EXECUTOR)


def test_options_reach_the_side_or_the_member_that_they_are_for() -> None:
    setup = setup_of()
    assert config_of(setup, "s1c1").replication.failure_limit == 30
    assert config_of(setup, "s2c1").replication.failure_limit == 4
    assert config_of(setup, "s2d1").data_file_bytes == 8_000_000
    assert config_of(setup, "s2d2").data_file_bytes != 8_000_000
    assert config_of(setup, "s1c1").seeded_bugs == {"failures-add-up"}
    assert config_of(setup, "s2c1").seeded_bugs == frozenset()


def test_checkers_learn_what_is_synced_and_how_soon_a_slave_can_stop() -> None:
    facts = REPLICATION.facts(setup_of())
    assert facts["stops_after_s"] == pytest.approx(0.3)
    assert (facts["synced"], facts["failure_limits"]) == (True, {"s1": 30, "s2": 4})
    facts = REPLICATION.facts(ClusterPart(system="replication").setup())
    assert facts["stops_after_s"] == pytest.approx(2.9)
    assert (facts["synced"], facts["failure_limits"]) == (False, {"s1": 30})


@pytest.mark.parametrize(
    ("config", "of_md1", "is_synced"),
    [
        ({OPTION: True}, {OPTION: False}, False),
        ({OPTION: "false"}, {}, False),
        ({OPTION: "true"}, {}, True),
        ({}, {OPTION: True}, False),
        ({OPTION: False}, {OPTION: True}, False),
    ],
)
def test_task_data_is_synced_where_every_data_node_of_the_master_says_so(
    config: dict[str, Any], of_md1: dict[str, Any], is_synced: bool
) -> None:
    setup = setup_of(master={"config": config}, node_config={"md1": of_md1}, bugs={})
    assert REPLICATION.facts(setup)["synced"] is is_synced


def test_other_clusters_are_dialled_by_their_address() -> None:
    setup = setup_of()
    sites = sites_of(setup)
    dials = {alias: Site(alias, "127.0.0.1", 5000) for alias in ("s1d1", "mc1")}
    command = REPLICATION.command(
        setup, "s1c1", Place(Path("/h"), "python3", is_reserved=True), sites, dials
    )
    assert command[-6:] == [
        "--dial",
        "s1d1=127.0.0.1:5000",
        "--dial",
        f"127.0.0.1:{sites['mc1'].port}=127.0.0.1:5000",
        "--reuse-port",
        "--allow-seeded-bugs",
    ]


@pytest.mark.parametrize(
    ("cluster", "place", "sentence"),
    [
        (
            {"master": {"config": {"volumes": "x"}}},
            ("master", "config", "volumes"),
            "master.config.volumes: not for scenarios: they lie in the run directory",
        ),
        (
            {"slaves": [{}, {"controller_config": {"clusterReplicationPullIntervall": 3}}]},
            ("slaves", 1, "controller_config", "clusterReplicationPullIntervall"),
            "slaves.1.controller_config.clusterReplicationPullIntervall: unknown option",
        ),
        (
            {"slaves": [{"config": {"s1d1.volumes": "/x"}}]},
            ("slaves", 0, "config", "s1d1.volumes"),
            "slaves.0.config: 's1d1.volumes' is no option",
        ),
        (
            {"node_config": {"md1": {"maxFrameSize": "big"}}},
            ("node_config", "md1", "maxFrameSize"),
            "node_config.md1.maxFrameSize: want a whole number",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(
    cluster: dict[str, Any], place: tuple[str | int, ...], sentence: str
) -> None:
    setup = ClusterPart(system="replication", **cluster).setup()
    found = list(REPLICATION.problems(setup))
    assert [path for path, _ in found] == [place]
    assert found[0][1].startswith(sentence)
    assert list(REPLICATION.problems(setup_of())) == []


@pytest.mark.parametrize(
    ("cluster", "complaint"),
    [
        ({"system": "replication", "members": 3}, "has no `members`"),
        ({"slaves": [{}]}, "the system `hastream` has no `slaves`"),
        ({"system": "replication", "slaves": []}, "at least 1"),
    ],
)
def test_a_cluster_says_only_what_its_system_has(cluster: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        ClusterPart(**cluster)


def test_unknown_members_are_named() -> None:
    cluster = ClusterPart(system="replication", bugs={"n1": []}, node_config={"s1d9": {}})
    told = [sentence for _, sentence in unknown_names(cluster)]
    assert told[0].startswith("cluster.node_config.s1d9: no such member")
    assert told[1].startswith("cluster.bugs.n1: no such member")


class Caller:
    """A connection that answers what it is told to, and remembers what it was asked."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, tuple[Any, ...]]] = []

    async def call(self, function: str, args: tuple[Any, ...], *, timeout_s: float) -> Any:
        self.asked.append((function, args))
        answer = self.answers.get(args[1] if function == "rpc" else function)
        if isinstance(answer, RequestError):
            raise answer
        return answer


def done(f: str, key: Any, value: Any, **answers: Any) -> tuple[Any, Caller]:
    caller = Caller(answers | {"getControllerAlias": "mc2"})
    connection = ReplicatedConnection("md1", caller)  # type: ignore[arg-type]
    return asyncio.run(connection.perform(f, key, value, 1.0)), caller


def test_status_tables_come_from_the_controllers_in_the_columns_of_the_history() -> None:
    row = {
        "taskId": 1,
        "tid": 5,
        "groupId": 2,
        "operationType": "APPEND",
        "dbName": "dfs://a",
        "tableName": "t",
        "isTruncated": True,
    }
    answer, caller = done("queue", "m", None, getMasterReplicationStatus=[row])
    assert answer.value == [[1, 5, 2, "APPEND", "dfs://a", "t", True]]
    assert caller.asked[-1] == ("rpc", ("mc2", "getMasterReplicationStatus", ()))
    more = {"masterTid": 5, "state": "FINISH", "executionNode": "s1d1", "details": "skipped"}
    times = {"createTime": 7, "finishTime": None}
    answer, _ = done("tasks", "s1", None, getSlaveReplicationStatus=[row | more | times])
    assert answer.value[0][6:] == ["FINISH", "s1d1", "skipped", 7, None]
    info = {"allControllersInRaft": "a:1,b:2", "lastFinishedTaskId": 4}
    answer, _ = done("slaves", "m", None, getRecentSlaveReplicationInfo=[info])
    assert answer.value == [{"slave": "a:1,b:2", "finished": 4}]
    metrics = {"status": "STOPPED", "finishedTasks": 3, "unfinishedTasks": 1}
    answer, caller = done("metrics", "s1", None, getClusterReplicationMetrics=metrics)
    assert answer.value == {"status": "STOPPED", "finished": 3, "unfinished": 1}
    assert caller.asked[-1][1] == ("mc2", "getClusterReplicationMetrics", (-1,))


def test_people_steer_through_the_controllers() -> None:
    _, caller = done("skip", "s1", [3, 4])
    assert caller.asked == [
        ("getControllerAlias", ()),
        ("rpc", ("mc2", "skipClusterReplicationTask", ([3, 4],))),
    ]
    _, caller = done("start", "s1", None)
    assert caller.asked[-1] == ("rpc", ("mc2", "startClusterReplication", ()))


def test_what_was_made_before_is_made_and_other_refusals_are_certain() -> None:
    there = RequestError(TABLE_EXISTS, True, "there is already a table")
    answer, _ = done("make-table", "dfs://a/t", None, createPartitionedTable=there)
    assert (answer.type, answer.value) == (OpType.OK, None)
    gone = RequestError(NO_SUCH_TABLE, True, "no table")
    rows = {"rows": [[1, 0, 1]]}
    answer, _ = done("append", "dfs://a/t", rows, tableInsert=gone)
    assert answer.type is OpType.FAIL
    answer, _ = done("read", "dfs://a/t", {"p": None}, sqlSelect=gone)
    assert (answer.type, answer.value) == (OpType.OK, None)
    lost = RequestError("Indeterminate", False, "who knows")
    answer, _ = done("append", "dfs://a/t", rows, tableInsert=lost)
    assert answer.type is OpType.INFO


def test_rows_and_filters_are_those_of_the_table() -> None:
    assert batch([[1, 2, 3], [4, 5, 6]]).schema == SCHEMA
    assert batch([[1, 2, 3], [4, 5, 6]]).to_pydict() == {
        "id": [1, 4],
        "part": [2, 5],
        "value": [3, 6],
    }
    assert [c.column for c in meant({"ids": [1]})] == ["id"]
    assert [(c.column, c.value) for c in meant({"p": 0})] == [("part", 0)]
    assert meant({"p": None}) == ()


def test_the_workload_asks_for_nothing_else() -> None:
    assert {"append", "read", "queue", "tasks", "metrics", "make-executor", "skip"} <= {*OPERATIONS}
