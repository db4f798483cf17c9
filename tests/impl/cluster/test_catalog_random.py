"""The catalog under whatever hypothesis thinks of: commands in any order, again, and restarts.

Every command goes to two catalogs: one that lives all the time, and one that is dumped and loaded
now and then. They must stay the same, and keep what docs/cluster.md promises.
"""

from collections import Counter
from typing import Any

import pytest
from catalogs import DB, HASH, begin, ddl, meta
from delphic.impl.client.errors import RequestError
from delphic.impl.cluster.catalog import Catalog
from delphic.impl.cluster.catalog_state import Transaction
from delphic.impl.cluster.commands import (
    Abort,
    Command,
    Commit,
    Complete,
    RemoveUser,
    Replicate,
    Right,
    SetFlag,
    SetRight,
    SetUser,
    Swept,
    decode,
    encode,
)
from delphic.impl.cluster.introduced import Introduced
from delphic.impl.cluster.operations import Operation
from delphic.impl.cluster.placement import Placement
from delphic.impl.cluster.seat import Seat
from delphic.impl.cluster.transactions import Transactions
from delphic.impl.replication.events import Started, Stopped
from delphic.impl.replication.master import Master
from delphic.impl.replication.seats import MasterSeat, encode_entry
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

pytestmark = pytest.mark.slow

KEYS = st.lists(st.sampled_from("abc"), unique=True, min_size=1, max_size=2)
TABLES = st.sampled_from(("t", "t", "u"))
BACK = st.integers(-1, 5)
"""How many transactions ago; -1: one that there never was."""

USERS = st.sampled_from((None, None, None, "bob"))
METADATA = [operation for operation in Operation if not operation.is_write]


def seat_of(state: bytes) -> Seat:
    return MasterSeat(state)


class RandomCatalog(RuleBasedStateMachine):
    """One history of commands."""

    def __init__(self) -> None:
        super().__init__()
        self.steady = Catalog(seat=seat_of(b""))
        self.restarted = Catalog(seat=seat_of(b""))
        self.decisions: dict[int, int] = {}
        """By tid: the cid, or 0 for an abort."""
        self.begun: list[int] = []
        self.tasks: list[int] = []
        self.dropped: set[int] = set()

    @initialize(flagged=st.booleans())
    def make(self, flagged: bool) -> None:
        """So that there is something to write to, most of the time."""
        self.metadata(Operation.CREATE_DOMAIN, "", [], None)
        if flagged:
            self.flag(True)
        for table in "tu":
            self.metadata(Operation.CREATE_PARTITIONED_TABLE, table, [], None)

    def tid(self, back: int) -> int:
        if back < 0 or not self.begun:
            return 1_000_000
        return self.begun[max(0, len(self.begun) - 1 - back)]

    def apply(self, command: Command) -> Any:
        living = set(self.steady.placement.living)
        told = self.steady.apply(decode(encode(command)))
        other = self.restarted.apply(command)
        if isinstance(told, RequestError):
            assert isinstance(other, RequestError)
            assert (told.name, told.definite, told.message) == (
                other.name,
                other.definite,
                other.message,
            )
        else:
            assert told == other
        self.dropped |= living - self.steady.placement.living
        return told

    @rule(
        operation=st.sampled_from(METADATA),
        table=TABLES,
        keys=KEYS,
        user=USERS,
        rare=st.integers(0, 2),
    )
    def change(
        self, operation: Operation, table: str, keys: list[str], user: str | None, rare: int
    ) -> None:
        if rare == 0:
            self.metadata(operation, table, keys, user)
        self.metadata(Operation.CREATE_DOMAIN, "", [], None)
        self.metadata(Operation.CREATE_PARTITIONED_TABLE, table, [], None)

    def metadata(self, operation: Operation, table: str, keys: list[str], user: str | None) -> None:
        told = self.apply(ddl(operation, table=table, keys=tuple(keys), user=user))
        if isinstance(told, dict) and told["task"]:
            self.tasks.append(told["task"])

    @rule(table=TABLES, keys=KEYS)
    def append(self, table: str, keys: list[str]) -> None:
        self.begin(table, keys, False, None)

    @rule(table=TABLES, keys=KEYS, every=st.booleans(), user=USERS)
    def begin(self, table: str, keys: list[str], every: bool, user: str | None) -> None:
        told = self.apply(begin(*keys, table=table, every=every, user=user))
        if isinstance(told, dict):
            assert told["tid"] not in self.begun
            self.begun.append(told["tid"])
            assert {key: place[0] for key, place in told["chunks"].items()}.keys() <= set("abc")

    @rule(back=BACK, has_meta=st.booleans(), table=TABLES)
    def commit(self, back: int, has_meta: bool, table: str) -> None:
        tid = self.tid(back)
        open_ = self.steady.transactions.open.get(tid)
        told = self.apply(
            Commit(tid, meta(tid, f"{DB}/{table}/a", table=table) if has_meta else None)
        )
        if isinstance(told, int):
            assert self.decisions.setdefault(tid, told) == told, "a second decision"
            if open_ is not None and not open_.cid:
                assert told == max([0, *self.decisions.values()])
                assert not self.dropped & {chunk.id for chunk in open_.chunks}
        elif isinstance(told, RequestError) and told.name == "Aborted":
            assert self.decisions.setdefault(tid, 0) == 0, "a committed one was aborted"

    @rule(back=BACK)
    def complete(self, back: int) -> None:
        tid = self.tid(back)
        told = self.apply(Complete(tid, 5))
        if isinstance(told, int):
            assert self.decisions[tid]
            if told:
                self.tasks.append(told)

    @rule(back=BACK, has_meta=st.booleans())
    def finish(self, back: int, has_meta: bool) -> None:
        self.commit(back, has_meta, "t")
        self.complete(back)

    @rule(back=BACK, rare=st.integers(0, 3))
    def abort(self, back: int, rare: int) -> None:
        tid = self.tid(back if rare == 0 else -1)
        if self.apply(Abort(tid)) is None:
            assert self.decisions.get(tid, 0) == 0
            if tid < self.steady.transactions.next_tid:
                self.decisions[tid] = 0

    @rule(back=BACK)
    def outcome(self, back: int) -> None:
        tid = self.tid(back)
        told = self.steady.transactions.outcome(tid)
        assert told == self.restarted.transactions.outcome(tid)
        if tid in self.decisions:
            cid = self.decisions[tid]
            assert told == (["committed", cid] if cid else ["aborted"])

    def flag(self, on: bool) -> None:
        before = self.master.next
        self.apply(SetFlag(None, "h", 1, DB, on, 3))
        self.tasks.extend(range(before, self.master.next))

    @rule(which=st.integers(0, 6), by=USERS, on=st.booleans(), right=st.sampled_from(Right))
    def administer(self, which: int, by: str | None, on: bool, right: Right) -> None:
        """One rule of many commands, so that most steps are transactions."""
        match which:
            case 0:
                self.flag(on)
            case 1:
                self.apply(SetUser(by, "bob", HASH, False))
            case 2:
                self.apply(SetUser(by, "bob", HASH, None))
            case 3:
                self.apply(SetRight(by, "bob", right, DB, on))
            case 4:
                self.apply(RemoveUser(by, "bob"))
            case 5:
                self.apply(Replicate(encode_entry(Started() if on else Stopped())))
            case _:
                dropped = self.steady.placement.dropped.get("n1", [99])
                self.apply(Swept("n1", tuple(dropped[: 1 + on])))

    @rule()
    def restart(self) -> None:
        self.restarted = Catalog.load(self.restarted.dump(), seat_of)

    @property
    def master(self) -> Master:
        seat = self.steady.seat
        assert isinstance(seat, MasterSeat)
        return seat.master

    @invariant()
    def both_are_the_same(self) -> None:
        assert self.steady.dump() == self.restarted.dump()

    @invariant()
    def chunks_are_in_one_place(self) -> None:
        catalog = self.steady
        placed = [
            chunk.id
            for database in catalog.metadata.databases.values()
            for table in database.tables.values()
            for chunk in table.chunks.values()
        ]
        assert Counter(placed) == Counter(catalog.placement.living)
        waiting = {chunk for chunks in catalog.placement.dropped.values() for chunk in chunks}
        assert waiting <= self.dropped
        assert not self.dropped & catalog.placement.living

    @invariant()
    def what_is_committed_and_not_complete_shares_no_chunk_and_loses_none(self) -> None:
        held = Counter(
            chunk.id
            for txn in self.steady.transactions.open.values()
            if txn.cid
            for chunk in txn.chunks
        )
        assert all(count == 1 for count in held.values())
        assert held.keys() <= self.steady.placement.living

    @invariant()
    def tasks_are_numbered_without_gaps_in_the_order_of_completion(self) -> None:
        assert self.tasks == list(range(1, len(self.tasks) + 1))
        groups = [task.group for task in self.master.queued()]
        assert groups == sorted(groups)

    @invariant()
    def slaves_can_repeat_what_they_are_told(self) -> None:
        there: set[str] = set()
        for task in self.master.queued():
            said = task.meta
            database, table = said.database, f"{said.database}/{said.table}"
            match said.operation:
                case Operation.CREATE_DOMAIN:
                    assert database not in there
                    there.add(database)
                case Operation.CREATE_PARTITIONED_TABLE:
                    assert database in there
                    assert table not in there
                    there.add(table)
                case Operation.DROP_DB:
                    assert database in there
                    there = {name for name in there if not name.startswith(database)}
                case _:
                    assert table in there
                    if said.operation is Operation.DROP_TABLE:
                        there.remove(table)


def explore(examples: int) -> None:
    run_state_machine_as_test(
        RandomCatalog,
        settings=settings(
            max_examples=examples,
            stateful_step_count=50,
            deadline=None,
            derandomize=True,
            database=None,
            phases=(Phase.generate,),
        ),
    )


def test_a_catalog_keeps_its_promises_whatever_it_is_told() -> None:
    explore(100)


def held_by_nobody(self: Transactions, chunks: Any) -> int:
    return 0


def forgets(self: Transactions, txn: Transaction) -> None:
    del self.open[txn.tid]


def numbers_again(self: Transactions) -> int:
    return len(self.open) + 1


@pytest.mark.parametrize(
    ("part", "name", "mistake"),
    [
        (Transactions, "holder", held_by_nobody),
        (Transactions, "_end", forgets),
        (Transactions, "take_tid", numbers_again),
        (Placement, "drop", lambda self, chunks: None),
        (Transactions, "save", lambda self, state: None),
        (Introduced, "refuses_on", lambda self, database, tables, **_: ""),
    ],
)
def test_a_catalog_with_a_mistake_is_found_out(
    part: type[Any], name: str, mistake: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part, name, mistake)
    with pytest.raises((AssertionError, KeyError)):
        explore(60)
