"""A data node's part: it asks about what is in doubt, and answers readers page by page."""

from typing import Any

import pyarrow as pa
import pytest
from catalogs import begin, do, made
from delphic.impl.client.errors import RequestError
from delphic.impl.cluster import transactions
from delphic.impl.cluster.commands import Abort
from delphic.impl.cluster.operations import Condition, Filter
from delphic.impl.cluster.participant import DOUBT_S, Page, Participant, Wanted
from node_of_chunks import LATEST, SCHEMA, Node, append


@pytest.mark.parametrize(
    ("told", "is_over", "ids"),
    [
        (["committed", 5], True, [1]),
        (["aborted"], True, []),
        (["open"], False, []),
        (RequestError("Timeout", True, "no leader"), False, []),
    ],
)
def test_who_is_in_doubt_does_what_was_decided_or_asks_again(
    told: Any, is_over: bool, ids: list[int]
) -> None:
    node = in_doubt(told)
    assert (node.store.open_count == 0, node.ids(3)) == (is_over, ids)


def test_an_abort_long_ago_is_one_also_where_the_controllers_have_forgotten_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transactions, "DECIDED_MAX", 1)
    catalog = made()
    tids = [do(catalog, begin(key))["tid"] for key in "ab"]
    for tid in tids:
        do(catalog, Abort(tid))
    node = in_doubt(catalog.transactions.outcome(tids[0]))
    assert node.store.open_count == 0, "whoever else needs the chunk would wait for ever"


@pytest.mark.parametrize("conditions", [(), (Condition("id", ">=", 100),)])
def test_no_page_is_longer_than_it_may_be(conditions: Filter) -> None:
    node = Node()
    node.write(1, 1, append(3, *range(1000)))
    pages = pages_of(node, conditions, 2000)
    assert all(sum(map(len, page.batches)) <= 2000 for page in pages)
    first = 100 if conditions else 0
    assert [one for page in pages for one in ids(page)] == list(range(first, 1000))


def test_a_row_that_is_longer_than_a_page_is_one_for_itself() -> None:
    node = Node()
    node.write(1, 1, append(3, *range(3)))
    assert [ids(page) for page in pages_of(node, (), 1)] == [[0], [1], [2]]


def pages_of(node: Node, conditions: Filter, page_bytes: int) -> list[Page]:
    """All pages of chunk 3, as whoever reads on is given them."""
    participant = Participant(node.store, node.clock, lambda tid, answer: None, page_bytes)
    pages: list[Page] = []
    start: int | None = 0
    while start is not None:
        wanted = Wanted(3, LATEST, (), conditions, ("id", "n"), start)
        pages.append(participant.read(wanted))
        start = pages[-1].next
    return pages


def ids(page: Page) -> list[int]:
    batches = [pa.ipc.read_record_batch(pa.py_buffer(body), SCHEMA) for body in page.batches]
    assert page.count == sum(batch.num_rows for batch in batches)
    return [value for batch in batches for value in batch["id"].to_pylist()]


def in_doubt(told: Any) -> Node:
    """A node that has prepared, asked, and been told this."""
    node = Node()
    node.prepare(7, append(3, 1))
    node.settle()
    asked: list[int] = []

    def ask(tid: int, answer: Any) -> None:
        asked.append(tid)
        answer(told)

    participant = Participant(node.store, node.clock, ask, 1 << 20)
    participant.start()
    node.clock.advance(DOUBT_S + 0.1)
    participant.close()
    node.settle()
    assert set(asked) == {7}
    return node
