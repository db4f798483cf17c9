"""What the index is asked for: which runs, in which order, how many."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .index import Index

ORDERS: Mapping[str, str] = {
    "started": "started",
    "scenario": "scenario",
    "seed": "seed",
    "target": "target",
    "verdict": "severity",
    "duration": "duration_s",
    "rate": "ok_per_s",
}
"""By what runs can be sorted, and the column of it."""

UNEXPECTED = "unexpected"
"""A kind beside verdicts and states: judged, and not as its scenario expects."""

_SHOWN = (
    "name, kind, is_judged, scenario, title, seed, target, expected, as_expected, sentence, "
    "started, duration_s, version, git, is_dirty, ok_per_s, operations, phase, wrote, has_report, "
    "bugs"
)
_WORDS_MAX = 20


@dataclass(frozen=True, slots=True)
class Filter:
    """Which runs. What is empty asks for nothing."""

    scenario: str = ""
    kind: str = ""
    target: str = ""
    text: str = ""

    def where(self) -> tuple[str, list[Any]]:
        """As the condition of a SELECT, and its values."""
        terms, values = ["1"], list[Any]()
        for column, value in (("scenario", self.scenario), ("target", self.target)):
            if value:
                terms.append(f"{column} = ?")
                values.append(value)
        if self.kind == UNEXPECTED:
            terms.append("as_expected = 0")
        elif self.kind:
            terms.append("kind = ?")
            values.append(self.kind)
        for word in self.text.lower().split()[:_WORDS_MAX]:
            terms.append("instr(text, ?)")
            values.append(word)
        return " AND ".join(terms), values


@dataclass(frozen=True, slots=True)
class Order:
    """Sorted by one of ORDERS; runs that are alike in it by age, the newest first."""

    by: str = "started"
    is_falling: bool = True

    def clause(self) -> str:
        column, direction = ORDERS[self.by], "DESC" if self.is_falling else "ASC"
        return f"{column} IS NULL, {column} {direction}, started DESC, name DESC"


@dataclass(frozen=True, slots=True)
class Choice:
    """What a filter can be set to, and how many runs that would be among all."""

    value: str
    count: int


def count(index: Index, wanted: Filter) -> int:
    where, values = wanted.where()
    (found,) = index.rows(f"SELECT count(*) FROM run WHERE {where}", values)  # noqa: S608
    return int(found[0])


def listed(
    index: Index, wanted: Filter, order: Order, first: int, most: int
) -> Sequence[sqlite3.Row]:
    """So many runs from the first on; every column but what only searches and suites look at."""
    where, values = wanted.where()
    return index.rows(
        f"SELECT {_SHOWN} FROM run WHERE {where} ORDER BY {order.clause()} LIMIT ? OFFSET ?",  # noqa: S608
        [*values, most, first],
    )


def choices(index: Index, column: str) -> list[Choice]:
    """Every value of a column that a filter can ask for, by name."""
    assert column in ("scenario", "kind", "target")
    found = index.rows(f"SELECT {column}, count(*) FROM run GROUP BY 1 ORDER BY 1")  # noqa: S608
    return [Choice(value, number) for value, number in found if value]
