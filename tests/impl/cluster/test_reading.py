"""Reads are of one moment, whatever is dropped and begun meanwhile."""

from collections.abc import Callable
from typing import Any

import msgspec
import pyarrow as pa
from catalogs import DB, NODES, begin, ddl, do
from delphic.impl.client.errors import RequestError
from delphic.impl.cluster.catalog import Catalog
from delphic.impl.cluster.commands import Commit, Complete
from delphic.impl.cluster.operations import Operation
from delphic.impl.cluster.participant import Page, Participant, Wanted
from delphic.impl.cluster.reading import PAUSE_S, Query, Reading
from hand_clock import HandClock
from node_of_chunks import SCHEMA, SCHEMA_BYTES, Node, append

Answer = Callable[[Any], None]


class Cluster:
    """A catalog that answers at once, and two nodes with a row each that answer when asked to."""

    def __init__(self) -> None:
        self.catalog = Catalog()
        do(self.catalog, ddl(Operation.CREATE_DOMAIN))
        made = ddl(Operation.CREATE_PARTITIONED_TABLE, table="t")
        statement = msgspec.structs.replace(made.statement, schema=SCHEMA_BYTES)
        do(self.catalog, msgspec.structs.replace(made, statement=statement))
        self.nodes = {alias: Node() for alias in NODES}
        self.participants = {
            alias: Participant(node.store, node.clock, lambda tid, answer: None, 1 << 20)
            for alias, node in self.nodes.items()
        }
        self.waiting: list[tuple[str, Wanted, Answer]] = []
        self.told: list[Any] = []
        self.clock = HandClock()
        self.reading = Reading(self.clock, self, self.ask_node, 1 << 20)
        begun = do(self.catalog, begin("1", "2"))
        cid = do(self.catalog, Commit(begun["tid"], None))
        for key, (chunk, alias) in begun["chunks"].items():
            self.nodes[alias].write(begun["tid"], cid, append(chunk, int(key)))
        do(self.catalog, Complete(begun["tid"], 0))

    def ask(self, function: str, args: tuple[Any, ...], answer: Answer) -> None:
        """As the controllers."""
        assert function == "snapshot"
        answer(self.catalog.snapshot(*args))

    def ask_node(
        self,
        alias: str,
        function: str,
        args: tuple[Any, ...],
        answer: Answer,
        lost: RequestError,
        patience_s: float | None = None,
    ) -> None:
        """As a data node: reads wait for `serve`."""
        self.waiting.append((alias, args[0], answer))

    def serve(self) -> None:
        """Answer what was asked first."""
        alias, wanted, answer = self.waiting.pop(0)
        page: Page = self.participants[alias].read(wanted)
        answer(msgspec.to_builtins(page, builtin_types=(bytes,)))

    def read(self) -> None:
        """Ask for all rows."""
        self.reading.read(Query(None, DB, "t", (), ()), self.told.append)

    def ids(self) -> list[int]:
        """What the read was told."""
        (told,) = self.told
        batches = [pa.ipc.read_record_batch(pa.py_buffer(one), SCHEMA) for one in told["batches"]]
        return [value for batch in batches for value in batch["id"].to_pylist()]


def test_a_dropped_chunk_that_a_late_write_makes_anew_is_no_empty_one() -> None:
    cluster = Cluster()
    late = do(cluster.catalog, begin("1"))
    ((chunk, alias),) = late["chunks"].values()
    cluster.read()
    assert cluster.waiting[0][0] == alias
    do(cluster.catalog, ddl(Operation.TRUNCATE_TABLE, table="t"))
    node = cluster.nodes[alias]
    node.store.drop([chunk], node.hear("dropped"))
    node.prepare(late["tid"], append(chunk, 3))
    node.settle()
    cluster.serve()
    cluster.serve()
    cluster.clock.advance(PAUSE_S)
    assert cluster.ids() == [], "it was both rows, and then none"


def test_a_chunk_in_which_nothing_is_committed_yet_is_an_empty_one() -> None:
    cluster = Cluster()
    begun = do(cluster.catalog, begin("3"))
    ((chunk, alias),) = begun["chunks"].values()
    cluster.nodes[alias].prepare(begun["tid"], append(chunk, 3))
    cluster.nodes[alias].settle()
    cluster.read()
    while cluster.waiting:
        cluster.serve()
    assert cluster.ids() == [1, 2]
