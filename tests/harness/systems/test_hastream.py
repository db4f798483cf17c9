"""How our own data nodes are configured, started, and understood."""

from pathlib import Path

import pytest
from delphic.harness.checkers.log.view import logs
from delphic.harness.history import validated
from delphic.harness.op import Op, OpType
from delphic.harness.system import Place, Setup, Site
from delphic.harness.systems import SYSTEMS
from delphic.harness.systems.rows import SCHEMA, answer_to, batch, body
from delphic.impl.client.errors import RequestError, not_leader, offset_purged
from delphic.impl.config import load
from delphic.impl.site import Site as NodeSite

HASTREAM = SYSTEMS["hastream"]
MEMBERS = ("n1", "n2", "n3")
SITES = {alias: Site(alias, "127.0.0.1", 4000 + at) for at, alias in enumerate(MEMBERS)}


def test_the_files_are_those_that_a_data_node_reads() -> None:
    setup = Setup(
        MEMBERS,
        config={"raftElectionTick": 50},
        node_config={"n2": {"raftElectionTick": 70}},
        bugs={"n3": ("stale-read", "vote-twice")},
    )
    files = HASTREAM.files(setup, "n1", SITES, Path("/runs/x"))
    read = {
        alias: load(
            "/home",
            alias,
            lambda name: files[name].encode() if name in files else None,
            allow_seeded_bugs=True,
        )
        for alias in MEMBERS
    }
    assert [read[alias].election_tick_s for alias in MEMBERS] == [0.5, 0.7, 0.5]
    assert read["n3"].seeded_bugs == {"stale-read", "vote-twice"}
    assert read["n1"].seeded_bugs == frozenset()
    assert read["n1"].trace_file == "/home/trace.jsonl"
    assert [site.port for site in read["n1"].groups[0].sites] == [4000, 4001, 4002]


def test_elections_are_quick_unless_the_scenario_says_otherwise() -> None:
    text = HASTREAM.files(Setup(MEMBERS, trace=False), "n1", SITES, Path())["config/cluster.cfg"]
    assert "raftElectionTick=30\n" in text
    assert "traceFile" not in text


def test_the_command_dials_the_links_and_allows_bugs_only_where_there_are_any() -> None:
    dials = {alias: SITES[alias] for alias in ("n2", "n3")}
    home = Path("/runs/x/nodes/n1")
    place = Place(home, "/usr/bin/python3", is_reserved=True)
    command = HASTREAM.command(Setup(MEMBERS), "n1", place, SITES, dials)
    assert command == [
        "/usr/bin/python3",
        "-m",
        "delphic.impl.node",
        "--home",
        "/runs/x/nodes/n1",
        "--alias",
        "n1",
        "--dial",
        "n2=127.0.0.1:4001",
        "--dial",
        "n3=127.0.0.1:4002",
        "--reuse-port",
    ]
    buggy = Setup(MEMBERS, bugs={"n2": ("stale-read",)})
    there = Place(home, "python3", source="10.0.0.7")
    command = HASTREAM.command(buggy, "n1", there, SITES, {})
    assert command[7:] == ["--from", "10.0.0.7", "--allow-seeded-bugs"]


@pytest.mark.parametrize(
    "name",
    [
        "n1.persistenceDir",
        "n1.seededBugs",
        " streamingHADir",
        "# no",
        "raftElectionTick=40\nfoo",
        "",
    ],
)
def test_a_key_that_is_more_than_an_options_name_is_refused(name: str) -> None:
    for part in ({"config": {name: 1}}, {"node_config": {"n1": {name: 1}}}):
        ((path, sentence),) = HASTREAM.problems(Setup(MEMBERS, **part))  # type: ignore[arg-type]
        assert path[-1] == name
        assert f": {name!r} is no option" in sentence


@pytest.mark.parametrize(
    ("error", "kind", "leader"),
    [
        (not_leader(NodeSite("127.0.0.1", 4001, "n2")), OpType.FAIL, "n2"),
        (RequestError("BadRequest", True, "no"), OpType.FAIL, None),
        (RequestError("Timeout", False, "late"), OpType.INFO, None),
        (RequestError("Timeout", True, "never sent"), OpType.FAIL, None),
        (RequestError("Disconnected", False, "gone"), OpType.INFO, None),
        (RequestError("Indeterminate", False, "stepped down"), OpType.INFO, None),
        (RequestError("SomethingNew", False, "?"), OpType.INFO, None),
        (RequestError("TableExists", True, "there"), OpType.OK, None),
    ],
)
def test_only_definite_errors_are_failures(
    error: RequestError, kind: OpType, leader: str | None
) -> None:
    answer = answer_to(error)
    assert (answer.type, answer.leader) == (kind, leader)
    assert answer.error is None or answer.error.startswith(error.name)


def test_a_refusal_of_what_retention_removed_says_where_rows_begin_to_harness_and_checkers() -> (
    None
):
    answer = answer_to(offset_purged("readings", 120, 7))
    assert (answer.type, answer.lasting, answer.kept_from) == (OpType.FAIL, True, 120)
    ops = [
        Op(0, 0, 0, OpType.INVOKE, "read", "readings", [7, None]),
        Op(1, 1, 0, OpType.FAIL, "read", "readings", [7, None], "n1", answer.error),
    ]
    (view,) = logs(validated(ops)).views
    assert [refusal.kept for refusal in view.purged] == [120]
    assert answer_to(RequestError("OffsetPurged", True, "row 7 is gone")).kept_from is None


@pytest.mark.parametrize("count", [1, 8, 10_000])
def test_rows_carry_their_ids_and_fill_every_column(count: int) -> None:
    rows = batch(list(range(7, 7 + 3 * count, 3)))
    rows.validate(full=True)
    assert rows.schema == SCHEMA
    assert rows.column("id").to_pylist() == list(range(7, 7 + 3 * count, 3))
    assert all(column.null_count == 0 for column in rows.columns)


@pytest.mark.parametrize("count", [1, 2, 7, 8, 10_000])
def test_rows_have_the_same_bytes_without_a_batch(count: int) -> None:
    ids = list(range(7, 7 + 3 * count, 3))
    assert body(ids) == batch(ids).serialize().to_pybytes()
