"""What one member's disk promises: HS-9, HS-10, HS-11, HS-12, HS-18 as predicates on its state.

The promises about rows are made for a member *at rest*: it has redone and rolled back what it had
to, and its writer is done with all of its log.
"""

from collections import Counter
from itertools import product
from typing import Any

from ..actor import Kind, Property, Scope, Step
from ..storage_rules import Options, Redo, Write
from ..storage_types import (
    Cached,
    Crash,
    Data,
    Mark,
    Member,
    Own,
    Records,
    Row,
    fold,
    outcomes,
    whole,
)
from ..storage_types import Kind as RecordKind


def at_rest(s: Member) -> bool:
    """The member has nothing to redo, to roll back, to write or to mark."""
    return not s.redo and not s.undo and s.due is None and s.cursor == s.log.now.end


def is_repaired(s: Member) -> bool:
    """At rest, with the log of the current leader."""
    return at_rest(s) and whole(s.log.now, s.leader) == s.leader


def catches_up(members: tuple[Member, ...]) -> bool:
    """HS-25, HS-24: all that the leader has is committed, in the data files, and published."""
    (s,) = members
    all_rows = frozenset(row for file in s.files for row in file.now.rows)
    return is_repaired(s) and s.commit == len(s.leader) and s.published >= all_rows


def are_led(rows: frozenset[Row] | tuple[Row, ...], s: Member) -> bool:
    """Whether all these rows are of records that the leader's log has."""
    led = {record.mark for record in s.leader}
    return all((row.lsn, row.term) in led for row in rows)


def names_one_of(records: Records, mark: Mark) -> bool:
    """Whether the record that a file's LSN names is one of these."""
    return 0 < mark.lsn <= len(records) and records[mark.lsn - 1].mark == mark


class Promises:
    """The predicates for one set of options."""

    def __init__(self, options: Options, first: tuple[Mark | None, ...]) -> None:
        """`first`: the schemas before the first record."""
        self.options = options
        self.first = first

    def logged_rows_once(self, members: tuple[Member, ...]) -> bool:
        """HS-9: "after recovery each logged row appears in the data files exactly once"."""
        (s,) = members
        if not at_rest(s):
            return True
        records = whole(s.log.now, s.leader)
        for table, file in enumerate(s.files):
            found = Counter(file.now.rows)
            if any(found[row] != 1 for row in fold(records, table, self.options.batch)):
                return False
        return True

    def truncated_is_durable(self, s: Member, event: Any, step: Step) -> bool:
        """HS-10: a checkpoint never removes a record whose effect is not durable in data files.

        A row is also accounted for by a later drop of its table that the file knows of.
        """
        if event is not Own.CHECKPOINT:
            return True
        records, base = whole(s.log.now, s.leader), _after(step).log.now.base
        for table, file in enumerate(s.files):
            for data in self._outcomes(file):
                upto = max(base, data.mark.lsn) if names_one_of(records, data.mark) else base
                if not set(fold(records[:upto], table, self.options.batch)) <= set(data.rows):
                    return False
        return True

    def overruled_rows_gone(self, members: tuple[Member, ...]) -> bool:
        """HS-11: rows of overruled records do not remain in the data files after the repair."""
        (s,) = members
        return not is_repaired(s) or all(are_led(file.now.rows, s) for file in s.files)

    def published_rows_stay(self, members: tuple[Member, ...]) -> bool:
        """HS-12: subscribers receive only rows that remain in the table."""
        (s,) = members
        return are_led(s.published, s)

    def tables_as_committed(self, members: tuple[Member, ...]) -> bool:
        """HS-18: the tables and their schemas are those of the committed creates and drops."""
        (s,) = members
        settled = is_repaired(s) and s.commit == len(s.leader)
        return not settled or s.tables == self._schemas(s)

    def marks_are_true(self, members: tuple[Member, ...]) -> bool:
        """H2: whatever a power failure leaves, a file has the log's rows up to its LSN.

        A file whose LSN names a record that the log does not have vouches for nothing. Where a
        redo starts at the file's LSN itself, that record's rows may be missing.
        """
        (s,) = members
        for table, file in enumerate(s.files):
            for log, data in product(s.log.images, self._outcomes(file)):
                if not self._is_true(whole(log, s.leader), table, data):
                    return False
        return True

    def _is_true(self, records: Records, table: int, data: Data) -> bool:
        if not names_one_of(records, data.mark):
            return True
        lsn = data.mark.lsn
        ends = (lsn,) if self.options.redo is Redo.UPTO else (lsn - 1, lsn)
        owed = [fold(records[:end], table, self.options.batch) for end in ends]
        return any(data.rows[: len(rows)] == rows for rows in owed)

    def _outcomes(self, file: Cached[Data]) -> tuple[Data, ...]:
        return tuple(outcomes(file, apart=self.options.apart))

    def _schemas(self, s: Member) -> tuple[Mark | None, ...]:
        tables = list(self.first)
        for record in s.leader:
            if record.kind is not RecordKind.ROWS:
                created = record.kind is RecordKind.CREATE
                tables[record.table] = record.mark if created else None
        return tuple(tables)

    def properties(self) -> tuple[Property, ...]:
        """The promises, and what must be reachable within these bounds."""
        always, state = Kind.ALWAYS, Scope.TUPLE
        found = [
            Property("logged-rows-once", always, state, self.logged_rows_once, ("HS-9",), "S4 §4"),
            Property(
                "truncated-is-durable", always, Scope.STEP, self.truncated_is_durable, ("HS-10",),
                "D6",
            ),
            Property(
                "overruled-rows-gone", always, state, self.overruled_rows_gone, ("HS-11",), "W5"
            ),
            Property(
                "published-rows-stay", always, state, self.published_rows_stay, ("HS-12",), "V2, H3"
            ),
            Property(
                "tables-as-committed", always, state, self.tables_as_committed, ("HS-18",), "D7"
            ),
            Property("marks-are-true", always, state, self.marks_are_true, ("HS-9",), "H2, D3"),
        ]  # fmt: skip
        return (*found, *self._sometimes())

    def _sometimes(self) -> list[Property]:
        options = self.options
        rows = options.has_rows
        wanted = [("a row is published", rows, lambda s, e, t: e is Own.PUBLISH)]
        early = options.write is not Write.COMMITTED
        if options.crashes:
            wanted += [
                ("a record is redone", True, lambda s, e, t: e is Own.REDO),
                ("the log is torn", options.records > 1 or options.overrules > 0, torn_log),
                ("power fails between rows and LSN", rows and not options.atomic, between),
                (
                    "a batch is torn",
                    rows and options.batch > 1 and not options.atomic,
                    self.torn_batch,
                ),
            ]
        wanted.append(
            (
                "overruled rows are rolled back",
                rows and options.overrules > 0 and options.rollback and early,
                lambda s, e, t: e is Own.ROLL_BACK and _after(t).files != s.files,
            )
        )
        wanted.append(
            ("the log is truncated", options.checkpoints > 0, lambda s, e, t: e is Own.CHECKPOINT)
        )
        return [
            Property(name, Kind.SOMETIMES, Scope.STEP, holds)
            for name, asked, holds in wanted
            if asked
        ]

    def torn_batch(self, s: Member, event: Any, step: Step) -> bool:
        """Power fails and leaves some rows of a batch, not all."""
        if not isinstance(event, Crash):
            return False
        return any(len(data.rows) % self.options.batch for data in event.files)


def _after(step: Step) -> Member:
    assert isinstance(step.state, Member)
    return step.state


def torn_log(s: Member, event: Any, step: Step) -> bool:
    """Power fails, and of what was written to the log a part is left."""
    return isinstance(event, Crash) and event.log in s.log.images[1:-1]


def between(s: Member, event: Any, step: Step) -> bool:
    """Power fails after a record's rows were written, and before its file's LSN was."""
    if not isinstance(event, Crash) or s.due is None:
        return False
    data = event.files[s.due.table]
    return data.mark != s.due.mark and any((r.lsn, r.term) == s.due.mark for r in data.rows)


CATCHES_UP = Property(
    "the member catches up", Kind.EVENTUALLY, Scope.TUPLE, catches_up, ("HS-24", "HS-25"), "S4 §4"
)
