"""Reading a table that takes more than one answer."""

import asyncio
from typing import Any

import pytest
from delphic.impl.client import functions
from delphic.impl.client.errors import RequestError
from delphic.impl.stream.schema import to_bytes
from hand_clock import HandClock
from members import SCHEMA, ids, rows


class Node:
    """Gives a row per answer, of three; every call asks the next one of `tables`."""

    def __init__(self, *tables: int, each_s: float = 0.0) -> None:
        self._tables = list(tables)
        self._each_s = each_s
        self.clock = HandClock()
        self.limits: list[float] = []

    async def call(self, function: str, args: tuple[Any, ...] = (), *, timeout_s: float) -> Any:
        self.limits.append(timeout_s)
        self.clock.advance(self._each_s)
        table = self._tables.pop(0)
        body = rows(100 * table + args[1]).serialize().to_pybytes()
        return {"schema": to_bytes(SCHEMA), "batches": [body], "end": 3, "table": [2, table]}


def test_a_read_in_parts_is_of_one_table() -> None:
    whole = asyncio.run(functions.read(Node(1, 1, 1), "t", 0))
    assert ids(whole) == [100, 101, 102]


def test_a_read_in_parts_between_which_the_table_was_replaced_is_refused() -> None:
    """Half of one table and half of another were never there at one moment."""
    with pytest.raises(RequestError, match="another table") as caught:
        asyncio.run(functions.read(Node(1, 2, 2), "t", 0))
    assert (caught.value.name, caught.value.definite) == ("TableReplaced", True)


def test_all_parts_of_a_read_have_one_time_limit() -> None:
    node = Node(1, 1, 1, each_s=2.0)
    assert ids(asyncio.run(functions.read(node, "t", 0, timeout_s=5.0))) == [100, 101, 102]
    assert node.limits == [5.0, 3.0, 1.0]
    node = Node(1, 1, 1, each_s=2.0)
    with pytest.raises(RequestError, match="rows 0 to 1 came within 4 s, not those to 2") as caught:
        asyncio.run(functions.read(node, "t", 0, timeout_s=4.0))
    assert (caught.value.name, caught.value.definite) == ("Timeout", True)
