"""Rows that are written ahead of their commit, rolled back, and found by restarts: mistakes."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from delphic.harness.conform.binding import Bounds
from delphic.harness.conform.wal.bind import SMALL, WalBinding
from delphic.impl.raft.messages import Entry, Kind
from delphic.impl.stream import tables
from delphic.impl.stream.ahead import WrittenAhead
from delphic.impl.stream.datafile import DataFiles
from delphic.impl.stream.store import Store
from delphic.impl.stream.tables import Tables
from delphic.impl.stream.writer import Writer

WAL = WalBinding()
ROWS, _, CREATED = SMALL

Holds = Callable[[int, int], bool]

_roll_back = WrittenAhead.roll_back
_write = DataFiles.write


def _keeps_what_it_finds(self: Store, holds: Holds) -> None:
    pass


def _rolls_back_by_index(self: WrittenAhead, holds: Holds, tables: Mapping[str, Any]) -> None:
    _roll_back(self, lambda lsn, _: any(holds(lsn, term) for term in range(1, 9)), tables)


def _rolls_back_memory_alone(self: DataFiles, lsn: int) -> None:
    while self._unsettled and self._unsettled[-1].record.lsn >= lsn:
        first = self._unsettled.pop().record
        self.rows, self.lsn = first.start, lsn - 1


def _rolls_back_one_too_few(self: DataFiles, lsn: int) -> None:
    first = None
    while self._unsettled and self._unsettled[-1].record.lsn > lsn:
        first = self._unsettled.pop()
    if first is not None:
        self._cut(first)


def _meets_by_index(self: DataFiles, lsn: int, *rest: Any) -> int:
    if self._recovered and self._recovered[0].record.lsn == lsn:
        self._unsettled.append(self._recovered.popleft())
        return self._unsettled[-1].record.crc
    return _write(self, lsn, *rest)


def _shows_what_is_ahead(self: Tables, index: int, entry: Entry) -> bool:
    is_rows = entry.kind is Kind.APPEND
    if is_rows:
        self.apply(index, entry)
    return is_rows


def _creates_ahead(entry: Entry) -> bool:
    return True


def _writes_ahead_of_the_log(self: Writer, applied: int) -> None:
    log = self._core.log
    for index in range(max(applied, self._tables.written_ahead) + 1, log.last_index + 1):
        if not self._tables.write_ahead(index, log.entry(index)):
            break
    self._tables.flush()


def _waits_for_the_commit(self: Writer, applied: int) -> None:
    pass


MISTAKES: list[tuple[Bounds, Any, str, Callable[..., Any]]] = [
    (ROWS, Store, "roll_back", _keeps_what_it_finds),
    (ROWS, WrittenAhead, "roll_back", _rolls_back_by_index),
    (ROWS, DataFiles, "roll_back", _rolls_back_memory_alone),
    (ROWS, DataFiles, "roll_back", _rolls_back_one_too_few),
    (CREATED, DataFiles, "write", _meets_by_index),
    (ROWS, Tables, "write_ahead", _shows_what_is_ahead),
    (CREATED, tables, "may_be_ahead", _creates_ahead),
    (ROWS, Writer, "write", _writes_ahead_of_the_log),
    (ROWS, Writer, "write", _waits_for_the_commit),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bounds", "owner", "name", "wrong"),
    MISTAKES,
    ids=[wrong.__name__ for *_, wrong in MISTAKES],
)
def test_a_mistake_about_rows_that_are_not_committed_diverges(
    bounds: Bounds,
    owner: Any,
    name: str,
    wrong: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """HS-9, HS-11, HS-12: each would leave a promise to chance."""
    monkeypatch.setattr(owner, name, wrong)
    assert not WAL.conform(bounds, first=True).conforms
