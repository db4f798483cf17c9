"""The catalog as a pure machine: transactions, metadata operations, users, replication."""

from typing import Any

import msgspec
import pytest
from catalogs import DB, HASH, SCHEME, begin, ddl, do, made, meta, refusal
from delphic.impl.client.errors import RequestError
from delphic.impl.cluster import transactions
from delphic.impl.cluster.catalog import Catalog
from delphic.impl.cluster.commands import (
    Abort,
    Commit,
    Complete,
    Ddl,
    FirstUser,
    RemoveUser,
    Replicate,
    Right,
    SetFlag,
    SetRight,
    SetUser,
    Statement,
    Swept,
    decode_statement,
)
from delphic.impl.cluster.operations import Operation, Scheme, mark_of
from delphic.impl.hashing import Hash
from delphic.impl.replication.events import Queued, Started, Stopped
from delphic.impl.replication.seats import MasterSeat, SlaveSeat, encode_entry
from delphic.impl.replication.tasks import Task

OTHERWISE = Ddl(
    None,
    "n1",
    "127.0.0.1",
    1,
    Statement(
        Operation.CREATE_PARTITIONED_TABLE,
        DB,
        "u",
        Scheme("VALUE", "date32[day]", ("2023-01-08",)),
        b"schema",
        "k",
    ),
    None,
    7,
)
"""It was checked against a database that has been replaced since."""


def master() -> MasterSeat:
    return MasterSeat(b"")


def test_chunks_are_made_once_and_go_to_the_node_with_the_fewest() -> None:
    catalog = made()
    first = do(catalog, begin("a", "b", "c"))
    assert first["chunks"] == {"a": [1, "n1"], "b": [2, "n2"], "c": [3, "n1"]}
    again = do(catalog, begin("b", "d"))
    assert again["chunks"] == {"b": [2, "n2"], "d": [4, "n2"]}
    assert again["tid"] == first["tid"] + 1
    assert (again["schema"], again["column"], again["replicates"]) == (b"schema", "k", False)
    assert again["scheme"] == msgspec.to_builtins(SCHEME)


def test_a_change_of_what_is_there_makes_no_chunks() -> None:
    catalog = made()
    do(catalog, begin("a"))
    told = do(catalog, begin("a", "z", operation=Operation.SQL_DELETE))
    assert list(told["chunks"]) == ["a"]
    do(catalog, begin("b"))
    told = do(catalog, begin(operation=Operation.SQL_UPDATE, every=True))
    assert list(told["chunks"]) == ["a", "b"]


def test_a_write_for_the_table_as_it_was_makes_no_partitions() -> None:
    catalog = made()
    other = mark_of(Scheme("RANGE", "int64", (0, 10)), "k")
    assert refusal(catalog, begin("5", layout=other)) == "Overloaded"
    assert refusal(catalog, begin("5", layout=mark_of(SCHEME, "other"))) == "Overloaded"
    assert catalog.snapshot(None, DB, "t")["chunks"] == {}


def test_a_transaction_is_decided_once_and_told_again_to_whoever_asks_again() -> None:
    catalog = made()
    tid, other = (do(catalog, begin(key))["tid"] for key in "ab")
    outcome = catalog.transactions.outcome
    assert outcome(tid) == ["open"]
    cid = do(catalog, Commit(tid, None))
    assert do(catalog, Commit(tid, None)) == cid
    assert refusal(catalog, Abort(tid)) == "BadRequest"
    assert outcome(tid) == ["committed", cid]
    assert do(catalog, Complete(tid, 1)) == 0
    assert do(catalog, Complete(tid, 1)) == 0
    assert do(catalog, Commit(tid, None)) == cid
    assert outcome(tid) == ["committed", cid]
    assert refusal(catalog, Abort(tid)) == "BadRequest"
    do(catalog, Abort(other))
    do(catalog, Abort(other))
    assert refusal(catalog, Commit(other, None)) == "Aborted"
    assert refusal(catalog, Complete(other, 1)) == "Aborted"
    assert outcome(other) == ["aborted"]
    assert outcome(99) == ["aborted"]


def test_of_a_forgotten_decision_nobody_says_what_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions, "DECIDED_MAX", 2)
    catalog = made()
    done, undone = (do(catalog, begin(key))["tid"] for key in "ab")
    cid = do(catalog, Commit(done, None))
    do(catalog, Complete(done, 1))
    do(catalog, Abort(undone))
    assert do(catalog, Commit(done, None)) == cid
    for _ in range(2):
        do(catalog, Abort(do(catalog, begin("c"))["tid"]))
    for tid in (done, undone):
        for command in (Commit(tid, None), Complete(tid, 1), Abort(tid)):
            told = catalog.apply(command)
            assert isinstance(told, RequestError)
            assert (told.name, told.definite) == ("Forgotten", False)
        assert catalog.transactions.outcome(tid) == ["forgotten"]
    never = catalog.transactions.next_tid
    assert refusal(catalog, Commit(never, None)) == "Aborted"
    assert catalog.transactions.outcome(never) == ["aborted"]


def test_what_is_undecided_is_not_complete() -> None:
    catalog = made()
    tid = do(catalog, begin("a"))["tid"]
    assert refusal(catalog, Complete(tid, 1)) == "BadRequest"
    assert catalog.transactions.outcome(tid) == ["open"]


def test_readers_leave_out_what_is_not_complete_and_nothing_comes_after_it_on_its_chunks() -> None:
    catalog = made()
    first, second, apart = (do(catalog, begin(*keys))["tid"] for keys in ("ab", "bc", "d"))
    cid = do(catalog, Commit(first, None))
    assert refusal(catalog, Commit(second, None)) == "Busy"
    assert do(catalog, Commit(apart, None)) == cid + 1
    seen = catalog.snapshot(None, DB, "t")
    assert (seen["cid"], seen["excluded"]) == (cid + 1, [cid, cid + 1])
    do(catalog, Complete(first, 1))
    assert catalog.snapshot(None, DB, "t")["excluded"] == [cid + 1]
    assert do(catalog, Commit(second, None)) == cid + 2


def test_what_is_on_its_way_keeps_its_chunks_and_what_is_open_loses_them() -> None:
    catalog = made()
    tid, late = do(catalog, begin("a", "b"))["tid"], do(catalog, begin("b"))["tid"]
    do(catalog, Commit(tid, None))
    for operation in (Operation.TRUNCATE_TABLE, Operation.DROP_TABLE, Operation.DROP_DB):
        assert refusal(catalog, ddl(operation, table="t")) == "Busy"
    assert refusal(catalog, ddl(Operation.DROP_PARTITION, table="t", keys=("a",))) == "Busy"
    do(catalog, Complete(tid, 1))
    do(catalog, ddl(Operation.TRUNCATE_TABLE, table="t"))
    assert refusal(catalog, Commit(late, None)) == "Aborted"
    assert catalog.transactions.outcome(late) == ["aborted"]
    assert catalog.placement.dropped == {"n1": [1], "n2": [2]}
    do(catalog, Swept("n1", (1,)))
    assert catalog.placement.dropped == {"n2": [2]}
    assert catalog.snapshot(None, DB, "t")["chunks"] == {}
    assert do(catalog, begin("a"))["chunks"] == {"a": [3, "n1"]}


def test_dropping_a_partition_drops_that_one() -> None:
    catalog = made()
    do(catalog, begin("a", "b"))
    dropped = ddl(Operation.DROP_PARTITION, table="t", keys=("a", "z"))
    assert refusal(catalog, dropped) == "BadRequest"
    do(catalog, ddl(Operation.DROP_PARTITION, table="t", keys=("a",)))
    assert list(catalog.snapshot(None, DB, "t")["chunks"]) == ["b"]
    assert catalog.placement.dropped == {"n1": [1]}


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (ddl(Operation.CREATE_DOMAIN), "DatabaseExists"),
        (ddl(Operation.CREATE_DOMAIN, "dfs://a/b"), "BadRequest"),
        (ddl(Operation.CREATE_DOMAIN, "plain"), "BadRequest"),
        (ddl(Operation.CREATE_PARTITIONED_TABLE, table="t"), "TableExists"),
        (ddl(Operation.CREATE_PARTITIONED_TABLE, table="a b"), "BadRequest"),
        (ddl(Operation.CREATE_PARTITIONED_TABLE, "dfs://x", "t"), "NoSuchDatabase"),
        (OTHERWISE, "BadRequest"),
        (ddl(Operation.DROP_TABLE, table="u"), "NoSuchTable"),
        (ddl(Operation.DROP_DB, "dfs://x"), "NoSuchDatabase"),
        (ddl(Operation.APPEND, table="t"), "BadRequest"),
        (begin("a", table="u"), "NoSuchTable"),
        (begin("a", operation=Operation.DROP_DB), "BadRequest"),
        (begin("a", applied=1), "BadRequest"),
        (SetFlag(None, "h", 1, "dfs://x", True, 1), "NoSuchDatabase"),
        (Replicate(b""), "BadRequest"),
        (RemoveUser(None, "nobody"), "BadRequest"),
        (SetRight(None, "nobody", Right.DB_READ, "*", True), "BadRequest"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(command: Any, name: str) -> None:
    catalog = made()
    before = catalog.dump()
    assert refusal(catalog, command) == name
    assert catalog.dump() == before


def test_users_have_rights_on_databases_and_administrators_have_all() -> None:
    catalog = made()
    do(catalog, FirstUser("admin", Hash(1, 1, 1, b"s", b"k")))
    do(catalog, SetUser("admin", "bob", HASH, False))
    assert refusal(catalog, begin("a", user="bob")) == "NotAuthorized"
    do(catalog, SetRight("admin", "bob", Right.DB_WRITE, DB, True))
    do(catalog, begin("a", user="bob"))
    assert refusal(catalog, ddl(Operation.DROP_DB, user="bob")) == "NotAuthorized"
    with pytest.raises(RequestError, match="bob has no DB_READ on dfs://db"):
        catalog.snapshot("bob", DB, "t")
    do(catalog, SetRight("admin", "bob", Right.DB_READ, "*", True))
    assert catalog.snapshot("bob", DB, "t")["column"] == "k"
    do(catalog, SetRight("admin", "bob", Right.DB_WRITE, DB, False))
    assert refusal(catalog, begin("a", user="bob")) == "NotAuthorized"
    assert catalog.listed_users("admin")[1] == {
        "user": "bob",
        "admin": False,
        "rights": {"DB_READ": ["*"]},
    }
    do(catalog, ddl(Operation.DROP_DB, user="admin"))
    assert refusal(catalog, begin("a", user="gone")) == "NotAuthorized"


def test_only_administrators_change_users_but_everybody_their_own_password() -> None:
    catalog = Catalog()
    do(catalog, FirstUser("admin", HASH))
    do(catalog, SetUser("admin", "bob", HASH, False))
    fresh = Hash(1, 1, 1, b"s", b"fresh")
    for command in (
        SetUser("bob", "eve", HASH, True),
        SetUser("bob", "admin", fresh, None),
        RemoveUser("bob", "admin"),
        SetRight("bob", "bob", Right.DB_READ, "*", True),
        SetFlag("bob", "h", 1, DB, True, 1),
    ):
        assert refusal(catalog, command) == "NotAuthorized"
    do(catalog, SetUser("bob", "bob", fresh, None))
    assert catalog.rights.users["bob"].hash == fresh
    assert refusal(catalog, RemoveUser("admin", "admin")) == "BadRequest"
    do(catalog, RemoveUser("admin", "bob"))


def test_the_first_administrator_is_made_once_and_a_locked_one_gets_a_password() -> None:
    catalog = Catalog()
    do(catalog, FirstUser("admin", HASH))
    key = Hash(1, 1, 1, b"s", b"first")
    do(catalog, FirstUser("admin", key))
    do(catalog, FirstUser("admin", Hash(1, 1, 1, b"s", b"second")))
    assert catalog.rights.users["admin"].hash == key


def test_on_a_master_what_completes_becomes_a_task_in_the_order_of_completion() -> None:
    seat = master()
    catalog = Catalog(seat=seat)
    do(catalog, ddl(Operation.CREATE_DOMAIN))
    do(catalog, SetFlag(None, "127.0.0.1", 1, DB, True, 7))
    do(catalog, ddl(Operation.CREATE_PARTITIONED_TABLE, table="t"))
    first, second = (do(catalog, begin(key)) for key in "ab")
    assert first["replicates"]
    for told in (second, first):
        tid = told["tid"]
        chunks = (f"{DB}/t/{next(iter(told['chunks']))}",)
        do(catalog, Commit(tid, meta(tid, *chunks)))
        assert do(catalog, Complete(tid, 9)) > 0
    tasks = list(seat.master.queued())
    assert [task.meta.operation for task in tasks] == [
        Operation.CREATE_DOMAIN,
        Operation.CREATE_PARTITIONED_TABLE,
        Operation.APPEND,
        Operation.APPEND,
    ]
    assert [task.meta.tid for task in tasks[2:]] == [second["tid"], first["tid"]]
    assert [task.group for task in tasks] == [1, 2, 3, 3]
    made_again = decode_statement(tasks[0].meta.statement)
    assert (made_again.database, made_again.scheme) == (DB, catalog.metadata.databases[DB].scheme)


def test_the_flag_is_for_databases_that_slaves_can_have_from_the_start() -> None:
    catalog = made(seat=master())
    assert refusal(catalog, SetFlag(None, "h", 1, DB, True, 1)) == "BadRequest"
    do(catalog, ddl(Operation.DROP_DB))
    do(catalog, ddl(Operation.CREATE_DOMAIN))
    for on in (True, False, True):
        do(catalog, SetFlag(None, "h", 1, DB, on, 1))
        assert catalog.listed() == [{"dbName": DB, "enabled": on, "tables": [], "chunks": 0}]
    assert catalog.seat.replicates(DB)
    do(catalog, ddl(Operation.CREATE_PARTITIONED_TABLE, table="t"))
    do(catalog, SetFlag(None, "h", 1, DB, False, 1))
    # Slaves have it already: it may go on, with a gap (U4).
    do(catalog, SetFlag(None, "h", 1, DB, True, 1))


def flag(on: bool) -> SetFlag:
    return SetFlag(None, "h", 1, DB, on, 1)


def test_a_database_is_not_switched_on_again_with_tables_that_slaves_do_not_know() -> None:
    seat = master()
    catalog = Catalog(seat=seat)
    do(catalog, ddl(Operation.CREATE_DOMAIN))
    do(catalog, flag(True))
    do(catalog, flag(False))
    do(catalog, ddl(Operation.CREATE_PARTITIONED_TABLE, table="t"))
    assert refusal(catalog, flag(True)) == "BadRequest"
    assert not seat.replicates(DB)
    do(catalog, ddl(Operation.DROP_TABLE, table="t"))
    do(catalog, flag(True))
    do(catalog, ddl(Operation.CREATE_PARTITIONED_TABLE, table="t"))
    do(catalog, flag(False))
    do(catalog, ddl(Operation.CREATE_PARTITIONED_TABLE, table="u"))
    assert refusal(catalog, flag(True)) == "BadRequest"
    assert [task.meta.operation for task in seat.master.queued()] == [
        Operation.CREATE_DOMAIN,
        Operation.CREATE_PARTITIONED_TABLE,
    ]


def test_while_a_master_is_stopped_nothing_is_made_that_later_tasks_would_need() -> None:
    seat = master()
    catalog = Catalog(seat=seat)
    do(catalog, ddl(Operation.CREATE_DOMAIN))
    do(catalog, Replicate(encode_entry(Stopped())))
    assert "startClusterReplication" in catalog.apply(flag(True)).message
    assert not seat.replicates(DB)
    do(catalog, Replicate(encode_entry(Started())))
    do(catalog, flag(True))
    do(catalog, Replicate(encode_entry(Stopped())))
    making = ddl(Operation.CREATE_PARTITIONED_TABLE, table="t")
    assert "startClusterReplication" in catalog.apply(making).message
    # Slaves have the database: it may go off and on again, with a gap (U4).
    for on in (False, True):
        do(catalog, flag(on))
    do(catalog, Replicate(encode_entry(Started())))
    do(catalog, making)
    tid = do(catalog, begin("a"))["tid"]
    do(catalog, Commit(tid, meta(tid, f"{DB}/t/a")))
    do(catalog, Complete(tid, 9))
    assert [(task.meta.operation, task.meta.table) for task in seat.master.queued()] == [
        (Operation.CREATE_DOMAIN, ""),
        (Operation.CREATE_PARTITIONED_TABLE, "t"),
        (Operation.APPEND, "t"),
    ]


def test_what_slaves_still_have_under_a_name_is_not_made_there_again() -> None:
    catalog = Catalog(seat=master())
    do(catalog, ddl(Operation.CREATE_DOMAIN))
    do(catalog, flag(True))
    for table in "tu":
        do(catalog, ddl(Operation.CREATE_PARTITIONED_TABLE, table=table))
    do(catalog, ddl(Operation.DROP_TABLE, table="u"))
    do(catalog, ddl(Operation.CREATE_PARTITIONED_TABLE, table="u"))
    do(catalog, flag(False))
    do(catalog, ddl(Operation.DROP_TABLE, table="t"))
    do(catalog, flag(True))
    again = ddl(Operation.CREATE_PARTITIONED_TABLE, table="t")
    assert "slaves still have" in catalog.apply(again).message
    catalog = Catalog.load(catalog.dump(), MasterSeat)
    assert refusal(catalog, again) == "BadRequest"
    do(catalog, flag(False))
    do(catalog, again)
    assert refusal(catalog, flag(True)) == "BadRequest"
    do(catalog, ddl(Operation.DROP_DB))
    do(catalog, ddl(Operation.CREATE_DOMAIN))
    assert "slaves still have" in catalog.apply(flag(True)).message


def test_what_slaves_were_told_to_drop_is_made_there_again() -> None:
    seat = master()
    catalog = Catalog(seat=seat)
    for _ in range(2):
        do(catalog, ddl(Operation.CREATE_DOMAIN))
        do(catalog, flag(True))
        do(catalog, ddl(Operation.CREATE_PARTITIONED_TABLE, table="t"))
        do(catalog, ddl(Operation.DROP_DB))
    assert [task.meta.operation for task in seat.master.queued()] == 2 * [
        Operation.CREATE_DOMAIN,
        Operation.CREATE_PARTITIONED_TABLE,
        Operation.DROP_DB,
    ]


def test_a_slave_takes_a_task_once_and_its_clients_write_nothing_meanwhile() -> None:
    seat = SlaveSeat(b"")
    catalog = made(seat=seat)
    task = Task(1, 1, meta(5, f"{DB}/t/a"))
    do(catalog, Replicate(encode_entry(Queued((task,), 1))))
    assert refusal(catalog, begin("a")) == "ReadOnly"
    assert refusal(catalog, ddl(Operation.DROP_DB)) == "ReadOnly"
    first, twin = (do(catalog, begin("a", applied=1))["tid"] for _ in range(2))
    do(catalog, Commit(first, None))
    do(catalog, Complete(first, 9))
    assert refusal(catalog, Commit(twin, None)) == "AlreadyApplied"
    assert refusal(catalog, begin("a", applied=1)) == "AlreadyApplied"
    assert seat.slave.finished == 1
    assert refusal(catalog, begin("a", applied=2)) == "Aborted"
    do(catalog, Replicate(encode_entry(Stopped())))
    do(catalog, begin("a"))


def test_what_a_client_began_to_write_does_not_commit_once_slaves_are_read_only() -> None:
    """PR-22."""
    seat = SlaveSeat(b"")
    catalog = made(seat=seat)
    tid = do(catalog, begin("a"))["tid"]
    # A task that was pulled since has made it a replicated database.
    task = Task(1, 1, meta(5, f"{DB}/t/a"))
    do(catalog, Replicate(encode_entry(Queued((task,), 1))))
    assert refusal(catalog, Commit(tid, meta(tid, f"{DB}/t/a"))) == "ReadOnly"
    assert catalog.transactions.outcome(tid) == ["aborted"]
    # As does a start.
    do(catalog, Replicate(encode_entry(Stopped())))
    tids = [do(catalog, begin(key))["tid"] for key in "ab"]
    cid = do(catalog, Commit(tids[0], None))
    do(catalog, Replicate(encode_entry(Started())))
    assert refusal(catalog, Commit(tids[1], None)) == "ReadOnly"
    # What is decided stays decided.
    assert do(catalog, Commit(tids[0], None)) == cid
    do(catalog, Complete(tids[0], 1))


def test_a_metadata_task_is_executed_and_recorded_in_one_entry_or_not_at_all() -> None:
    seat = SlaveSeat(b"")
    catalog = made(seat=seat)
    tasks = tuple(Task(number, number, meta(number)) for number in (1, 2))
    do(catalog, Replicate(encode_entry(Queued(tasks, 1))))
    assert refusal(catalog, ddl(Operation.DROP_TABLE, table="u", applied=1)) == "NoSuchTable"
    assert seat.slave.finished == 0
    missing = ddl(Operation.DROP_PARTITION, table="t", keys=("gone",), applied=1)
    do(catalog, missing)
    assert seat.slave.finished == 1
    assert refusal(catalog, missing) == "AlreadyApplied"


def test_a_loaded_catalog_goes_on_like_the_one_that_was_dumped() -> None:
    seat = master()
    catalog = made(seat=seat)
    tid = do(catalog, begin("a", "b"))["tid"]
    do(catalog, Commit(tid, meta(tid, f"{DB}/t/a")))
    do(catalog, SetUser(None, "bob", HASH, False))

    def seat_of(state: bytes) -> MasterSeat:
        assert state == seat.dump()
        return seat

    again = Catalog.load(catalog.dump(), seat_of)
    assert again.dump() == catalog.dump()
    other = do(again, begin("b"))["tid"]
    assert refusal(again, Commit(other, None)) == "Busy"
    assert do(again, begin("c"))["chunks"] == {"c": [3, "n1"]}
