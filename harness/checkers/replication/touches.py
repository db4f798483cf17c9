"""What every transaction does to every row, and which rows a look tells something about."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from .fates import Bounds, Fate
from .row import Deed, Sight, Touch
from .story import Look, Story, Txn

TABLE = -1
"""A pseudo-row: whether the table is there."""

Row = tuple[str, int]
"""A table by its path, and the id of a row of it."""

THERE = 0


class Field(msgspec.Struct, frozen=True):
    """Every row that anybody appended: its partition, and who touched it."""

    partition: dict[Row, int]
    touched: dict[Row, list[tuple[Txn, Deed, int]]]
    writer: dict[tuple[str, int], Txn]
    """Who wrote a value of a table: every write has a value of its own."""


def field(found: Story) -> Field:
    """All rows, from the transactions' own words. Raises KeyError, TypeError or ValueError."""
    partition: dict[Row, int] = {}
    touched: dict[Row, list[tuple[Txn, Deed, int]]] = {}
    writer: dict[tuple[str, int], Txn] = {}
    by_table: dict[str, list[Row]] = {}
    for txn in found.txns:
        path = f"{txn.database}/{txn.table}"
        for identity, part, value in _rows_of(txn):
            row = (path, identity)
            if row not in partition:
                partition[row] = part
                touched[row] = []
                by_table.setdefault(path, []).append(row)
            touched[row].append((txn, Deed.PUT, value))
            writer[path, value] = txn
        if txn.f == "make-table":
            touched.setdefault((path, TABLE), []).append((txn, Deed.PUT, THERE))
            by_table.setdefault(path, [])
        elif txn.f == "update":
            writer[path, int(txn.call.invoke.value["v"])] = txn
    for txn in found.txns:
        for row, deed, value in _wide(txn, partition, by_table):
            if row in touched and _may_follow(txn, touched[row][0][0]):
                touched[row].append((txn, deed, value))
    return Field(partition, touched, writer)


def touches(
    deeds: Iterable[tuple[Txn, Deed, int]],
    bounds: Mapping[int, Bounds],
    ranks: Mapping[int, int],
) -> list[Touch]:
    """The touches of one row on one side; what must not reach it is left out."""
    found = []
    kept = list(deeds)
    for txn, deed, value in kept:
        bound = bounds[txn.number]
        if bound.fate is Fate.MUST_NOT:
            continue
        must, rank = bound.fate is Fate.MUST, ranks.get(txn.number)
        if _may_have_missed(txn, kept):
            must, rank = False, None
        low, high = bound.low, bound.high
        found.append(Touch(txn.number, deed, value, txn.begin, txn.end, must, low, high, rank))
    return found


def _may_have_missed(txn: Txn, deeds: Iterable[tuple[Txn, Deed, int]]) -> bool:
    """Whether the row's partition may not have been there yet when a filter was executed.

    A filter is about the partitions that there are when its transaction begins, on slaves as well;
    with one that came meanwhile it has no order.
    """
    return txn.f in ("update", "delete") and any(
        deed is Deed.PUT and put.begin < txn.end and txn.begin < put.end for put, deed, _ in deeds
    )


def sight(look: Look, row: Row, partition: int | None) -> Sight | None:
    """What a look tells about a row; None if nothing."""
    table, identity = row
    if table != look.table:
        return None
    if identity == TABLE:
        return Sight(look.begin, look.end, None if look.rows is None else THERE)
    if look.rows is None:
        return Sight(look.begin, look.end, None)
    if look.partition is not None and look.partition != partition:
        return None
    seen = look.rows.get(identity)
    return Sight(look.begin, look.end, None if seen is None else seen[1])


def chains(looks: Iterable[Look]) -> list[list[Look]]:
    """The looks in as few rows as possible in which one begins after the one before has ended."""
    found: list[list[Look]] = []
    for look in sorted(looks, key=lambda look: look.begin):
        chain = next((one for one in found if one[-1].end < look.begin), None)
        if chain is None:
            found.append([look])
        else:
            chain.append(look)
    return found


def _rows_of(txn: Txn) -> Iterator[tuple[int, int, int]]:
    if txn.f in ("append", "upsert"):
        yield from ((int(i), int(p), int(v)) for i, p, v in txn.call.invoke.value["rows"])


def _wide(
    txn: Txn, partition: Mapping[Row, int], by_table: Mapping[str, list[Row]]
) -> Iterator[tuple[Row, Deed, int]]:
    """Rows that a transaction touches without having brought them."""
    path, asked = f"{txn.database}/{txn.table}", txn.call.invoke.value
    match txn.f:
        case "update":
            deed, value = Deed.SET, int(asked["v"])
            yield from ((row, deed, value) for row in _meant(path, asked, partition, by_table))
        case "delete":
            yield from ((row, Deed.CLEAR, 0) for row in _meant(path, asked, partition, by_table))
        case "drop-partition":
            for row in by_table.get(path, []):
                if partition[row] in asked["keys"]:
                    yield row, Deed.CLEAR, 0
        case "truncate":
            yield from ((row, Deed.CLEAR, 0) for row in by_table.get(path, []))
        case "drop-table":
            yield (path, TABLE), Deed.CLEAR, 0
            yield from ((row, Deed.CLEAR, 0) for row in by_table.get(path, []))
        case "drop-db":
            for table, rows in by_table.items():
                if table.startswith(f"{txn.database}/"):
                    yield (table, TABLE), Deed.CLEAR, 0
                    yield from ((row, Deed.CLEAR, 0) for row in rows)


def _meant(
    path: str,
    asked: Any,
    partition: Mapping[Row, int],
    by_table: Mapping[str, list[Row]],
) -> Iterator[Row]:
    if "ids" in asked:
        yield from ((path, int(identity)) for identity in asked["ids"])
    else:
        yield from (row for row in by_table.get(path, []) if partition[row] == asked["p"])


def _may_follow(txn: Txn, put: Txn) -> bool:
    """Whether it can have met the row at all: what was over before the row came changes nothing."""
    return not txn.end < put.begin
