"""Tables with a key column on several replicas: leaders come and go, ends of logs are overruled."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pytest
from delphic.harness.conform.wal.disk import ImageDisk
from delphic.impl.client.errors import RequestError
from delphic.impl.raft.messages import Entry, Kind
from delphic.impl.stream.commands import CreateTable, TableOptions, decode_append, encode
from delphic.impl.stream.schema import fingerprint, to_bytes
from delphic.impl.stream.tables import Tables
from hypothesis import given
from hypothesis import strategies as st

SCHEMA = pa.schema([("key", pa.int64()), ("row", pa.int64())])
MEMBERS = 3


@dataclass
class Replica:
    """One member's tables, and how much of the log they have applied."""

    disk: ImageDisk = field(default_factory=ImageDisk)
    applied: int = 0

    def __post_init__(self) -> None:
        self.tables = Tables(self.disk, "/data")

    def apply(self, log: Sequence[Entry], end: int) -> list[object]:
        """Apply what is missing up to `end`; gives the outcomes."""
        outcomes = [
            self.tables.apply(index, log[index - 1]) for index in range(self.applied + 1, end + 1)
        ]
        self.applied = max(self.applied, end)
        self.tables.flush()
        return outcomes

    def restart(self, log: Sequence[Entry]) -> None:
        """Come back, and redo as much as before."""
        self.tables.close()
        self.tables = Tables(self.disk, "/data")
        self.applied, end = 0, self.applied
        self.apply(log, end)

    def keys(self) -> list[int]:
        """The key of each row."""
        return self._column("key")

    def rows(self) -> list[int]:
        """The number of each row."""
        return self._column("row")

    def _column(self, name: str) -> list[int]:
        found = self.tables.read("t", 0, None, 1 << 20)
        batches = [pa.ipc.read_record_batch(body, SCHEMA) for body in found["batches"]]
        return [value for batch in batches for value in batch.column(name).to_pylist()]


class Group:
    """A log and its replicas, without Raft: one leads, has applied all that others logged."""

    def __init__(self, limit: int) -> None:
        create = CreateTable("t", to_bytes(SCHEMA), TableOptions(limit, ("key",)))
        self.limit = limit
        self.log = [Entry(1, Kind.CREATE_TABLE, encode(create))]
        self.replicas = [Replica() for _ in range(MEMBERS)]
        for replica in self.replicas:
            replica.apply(self.log, 1)
        self.leader = self.replicas[0]
        self.written = 0

    @property
    def committed(self) -> int:
        return max(replica.applied for replica in self.replicas)

    def logged_keys(self) -> list[int]:
        """The keys of all rows in the log, in order."""
        keys: list[int] = []
        for entry in self.log[1:]:
            body = decode_append(entry.payload).body
            keys += pa.ipc.read_record_batch(pa.py_buffer(body), SCHEMA).column(0).to_pylist()
        return keys

    def insert(self, keys: Sequence[int]) -> int:
        """A producer's batch; gives how many of its rows were new."""
        batch = batch_of(keys, self.written)
        self.written += len(keys)
        body = batch.serialize().to_pybytes()
        insertion = self.leader.tables.insertion("t", fingerprint(SCHEMA), body)
        self.log.append(Entry(1, Kind.APPEND, insertion.payload))
        insertion.logged()
        assert insertion.screened is not None
        return insertion.screened.rows

    def lead(self, number: int, kept: int) -> None:
        """Another leader, or the same again; `kept` of the entries that nobody has applied stay."""
        del self.log[self.committed + kept :]
        self.leader.tables.role_changed()
        self.leader = self.replicas[number]
        self.leader.tables.role_changed()
        self.leader.apply(self.log, len(self.log))


def batch_of(keys: Sequence[int], first: int = 0) -> pa.RecordBatch:
    return pa.record_batch([keys, range(first, first + len(keys))], schema=SCHEMA)


KEYS = st.lists(st.integers(0, 9), min_size=1, max_size=6)
WHO = st.integers(0, MEMBERS - 1)
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("insert"), KEYS),
        st.tuples(st.just("insert"), KEYS),
        st.tuples(st.just("apply"), WHO, st.integers(1, 4)),
        st.tuples(st.just("lead"), WHO, st.integers(0, 4)),
        st.tuples(st.just("restart"), WHO),
    ),
    max_size=25,
)


@given(limit=st.integers(0, 6), actions=ACTIONS)
def test_no_key_is_twice_in_a_window_whoever_leads(
    limit: int, actions: list[tuple[object, ...]]
) -> None:
    """HS-16, HS-9, HS-20: on all replicas; leaders change, logs are cut, members restart."""
    group = Group(limit)
    for action in actions:
        match action:
            case ("insert", list(keys)):
                before = group.logged_keys()
                window = before[-limit:] if limit else before
                new = list(dict.fromkeys(key for key in keys if key not in window))
                assert group.insert(keys) == len(new)
                assert group.logged_keys() == before + new
            case ("apply", int(who), int(entries)):
                replica = group.replicas[who]
                replica.apply(group.log, min(len(group.log), replica.applied + entries))
            case ("lead", int(who), int(kept)):
                group.lead(who, kept)
            case ("restart", int(who)):
                replica = group.replicas[who]
                replica.restart(group.log)
                if replica is group.leader:
                    group.lead(who, MEMBERS)
    for replica in group.replicas:
        replica.apply(group.log, len(group.log))
    (first, *others) = group.replicas
    keys = first.keys()
    reach = limit or len(keys)
    for end in range(len(keys) + 1):
        last = keys[max(0, end - reach) : end]
        assert len(set(last)) == len(last)
    for other in others:
        assert other.rows() == first.rows()
        assert other.tables.summary() == first.tables.summary()


def outcome(group: Group, keys: Sequence[int]) -> object:
    """What a producer is told once its batch is applied."""
    body = batch_of(keys).serialize().to_pybytes()
    insertion = group.leader.tables.insertion("t", fingerprint(SCHEMA), body)
    insertion.logged()
    group.log.append(Entry(1, Kind.APPEND, insertion.payload))
    return insertion.told(group.leader.apply(group.log, len(group.log))[-1])


def test_a_producer_learns_how_many_of_its_rows_were_new() -> None:
    group = Group(100)
    assert outcome(group, [1, 2]) == [0, 2]
    assert outcome(group, [2, 3, 4]) == [2, 2]
    assert outcome(group, [4, 1, 4]) == [-1, 0]
    assert outcome(group, [5]) == [4, 1]
    assert group.leader.rows() == [0, 1, 1, 2, 0]


def test_a_refusal_is_told_as_it_is() -> None:
    group = Group(0)
    body = batch_of([1]).serialize().to_pybytes()
    insertion = group.leader.tables.insertion("t", fingerprint(SCHEMA), body)
    group.log.append(Entry(1, Kind.DROP_TABLE, group.leader.tables.removal("t")))
    group.log.append(Entry(1, Kind.APPEND, insertion.payload))
    told = insertion.told(group.leader.apply(group.log, len(group.log))[-1])
    assert isinstance(told, RequestError)
    assert told.name == "NoSuchTable"


def test_key_columns_are_checked_before_anything_is_logged() -> None:
    with pytest.raises(RequestError, match="there is no column nil to be a key") as caught:
        Replica().tables.creation("t", to_bytes(SCHEMA), TableOptions(0, ("nil",)))
    assert (caught.value.name, caught.value.definite) == ("BadRequest", True)
