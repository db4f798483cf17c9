"""A data node that holds a prepared transaction of which it hears nothing: it asks."""

from typing import Any

import pytest
from catalogs import begin, do, made
from delphic.impl.client.errors import RequestError
from delphic.impl.cluster import transactions
from delphic.impl.cluster.commands import Abort
from delphic.impl.cluster.participant import DOUBT_S, Participant
from node_of_chunks import Node, append


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
