"""One member's disk: the Raft log, the data files with their LSNs, power failures, redo.

The group is the environment: it appends records, overrules those that are not committed, commits.
What Raft promises of it is built in: records with equal LSN and term are equal with all before
them, and a committed record is never overruled. The member writes the log and, behind it, the data
files; each sync is a step of its own, and power may fail between any two steps (semantics §4.5).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from .actor import Step
from .storage_rules import (
    Options,
    Publish,
    Truncate,
    may_mark,
    may_write,
    restarted,
    roll_back,
    skips,
    write_record,
)
from .storage_types import (
    Append,
    Cached,
    Crash,
    Data,
    Event,
    Kept,
    Kind,
    Log,
    Mark,
    Member,
    Overrule,
    Own,
    Record,
    Records,
    Return,
    Sync,
    after,
    common,
    fold,
    outcomes,
    whole,
)

NOTHING = Mark(0, 0)


@dataclass(frozen=True)
class Storage:
    """The actor: a member and its group."""

    options: Options

    def initial(self, node: int) -> Member:
        tables = self.options.tables
        schema = None if self.options.ddl else NOTHING
        return Member(
            leader=(), rival=(), term=1, agreed=0,
            log=Cached((Log(0, (Kept(schema, 0, NOTHING),) * tables, ()),)),
            files=(Cached((Data((), NOTHING),)),) * tables,
            commit=0, cursor=0, redo=0, undo=False, due=None, tables=(schema,) * tables,
            published=frozenset(),
        )  # fmt: skip

    def durable(self, state: Member) -> Member:
        """All that survives for certain, with the group, which does not fail with this member."""
        log, files = state.log.images[0], tuple(file.images[0] for file in state.files)
        return _found(state, log, files)

    def recover(self, node: int, durable: Member) -> Member:
        return restarted(self.options, durable)

    def events(self, state: Member) -> Iterator[Event]:
        yield from Own
        yield from (Sync(table) for table in range(self.options.tables))
        yield from (Append(*what) for what in self._proposals(state.leader))
        for lsn in range(state.agreed + 1, len(state.leader) + 1):
            for what in self._proposals(state.leader[: lsn - 1]):
                yield Overrule(lsn, *what)
        yield Return()
        files = [tuple(outcomes(file, apart=self.options.apart)) for file in state.files]
        for log, *data in product(dict.fromkeys(state.log.images), *files):
            yield Crash(log, tuple(data))

    def step(self, state: Member, event: Event) -> Step | None:
        match event:
            case Append() | Overrule() | Return() | Own.REPAIR | Own.COMMIT:
                return None if self._redoing(state) else self._group(state, event)
            case Sync(table):
                file = state.files[table]
                return None if file.settled else Step(with_file(state, table, file.synced()))
            case Crash(log, files):
                return Step(self.recover(0, _found(state, log, files)), cost="crashes")
            case Own.SYNC_LOG:
                synced = state._replace(log=state.log.synced())
                return None if state.log.settled else Step(synced)
            case Own.WRITE | Own.REDO | Own.SKIP:
                return self._write(state, event)
            case Own.MARK:
                return self._mark(state)
            case Own.ROLL_BACK:
                return Step(roll_back(self.options, state)) if state.undo else None
            case Own.CHECKPOINT:
                return self._checkpoint(state)
            case Own.PUBLISH:
                return self._publish(state)

    # The group decides.

    def _proposals(self, records: Records) -> Iterator[tuple[Kind, int]]:
        """What may be logged after these records."""
        options = self.options
        changes = sum(record.kind is not Kind.ROWS for record in records)
        for table in range(options.tables):
            exists = not options.ddl
            for record in records:
                if record.table == table and record.kind is not Kind.ROWS:
                    exists = record.kind is Kind.CREATE
            if exists:
                yield Kind.ROWS, table
            if changes < options.ddl:
                yield (Kind.DROP if exists else Kind.CREATE), table

    def _group(self, s: Member, event: Event) -> Step | None:
        match event:
            case Append(kind, table):
                level = whole(s.log.now, s.leader) == s.leader
                if not level or len(s.leader) >= self.options.records:
                    return None
                return Step(self._merge(self._logged(s, s.leader, kind, table)))
            case Overrule(lsn, kind, table):
                led = s._replace(term=s.term + 1, rival=self._kept_rival(s))
                led = self._logged(led, s.leader[: lsn - 1], kind, table)
                return Step(self._merge(led), cost="overrules")
            case Return():
                if not s.rival:
                    return None
                led = s._replace(leader=s.rival, rival=s.leader, term=s.term + 1)
                return Step(self._merge(led), cost="overrules")
            case Own.COMMIT:
                return self._commit(s)
        return None if whole(s.log.now, s.leader) == s.leader else Step(self._merge(s))

    def _kept_rival(self, s: Member) -> Records:
        """An overruled leader is remembered where it could still come back."""
        return s.leader if self.options.overrules > 1 else ()

    def _logged(self, s: Member, before: Records, kind: Kind, table: int) -> Member:
        start = len(fold(before, table, self.options.batch))
        return s._replace(leader=(*before, Record(len(before) + 1, s.term, kind, table, start)))

    def _merge(self, s: Member) -> Member:
        """The log becomes the leader's (Raft §5.3): what conflicts goes, what lacks comes."""
        log, agree = s.log.now, common(s.log.now, s.leader)
        kept = log._replace(records=log.records[: agree - log.base])
        file = s.log.written(kept)
        for lsn in range(agree + 1, len(s.leader) + 1):
            file = file.written(kept._replace(records=s.leader[log.base : lsn]))
        redo = min(s.redo, agree)
        s = s._replace(log=file, redo=redo if s.cursor < redo else 0)
        if s.due is not None and s.due.lsn > agree:
            s = s._replace(due=None)
        newest = max(s.cursor, *(data.now.mark.lsn for data in s.files))
        if newest <= agree:
            return s
        return s._replace(cursor=min(s.cursor, agree), undo=self.options.rollback)

    def _commit(self, s: Member) -> Step | None:
        if s.commit >= s.log.now.end or whole(s.log.now, s.leader) != s.leader:
            return None
        agreed = max(s.agreed, s.commit + 1)
        rival = s.rival if s.rival[:agreed] == s.leader[:agreed] else ()
        return Step(s._replace(commit=s.commit + 1, agreed=agreed, rival=rival))

    # The member writes.

    def _redoing(self, s: Member) -> bool:
        """A restarted member first redoes what it can."""
        return s.cursor < s.redo and may_write(self.options, s, s.log.now.record(s.cursor + 1))

    def _write(self, s: Member, event: Event) -> Step | None:
        """The writer takes the next record: one of WRITE, REDO, SKIP."""
        log = s.log.now
        if s.undo or s.due or s.cursor >= log.end:
            return None
        record = log.record(s.cursor + 1)
        if not may_write(self.options, s, record):
            return None
        file = s.files[record.table]
        skipped = skips(self.options, log, file.now.mark, record)
        if event is not (Own.SKIP if skipped else Own.REDO if s.redo else Own.WRITE):
            return None
        s = s._replace(cursor=record.lsn, redo=s.redo if record.lsn < s.redo else 0)
        if record.kind is not Kind.ROWS:
            schema = record.mark if record.kind is Kind.CREATE else None
            tables = (*s.tables[: record.table], schema, *s.tables[record.table + 1 :])
            s = s._replace(tables=tables)
        elif not skipped and not self.options.atomic:
            s = s._replace(due=record)
        if skipped:
            return Step(s)
        return Step(with_file(s, record.table, write_record(self.options, file, record)))

    def _mark(self, s: Member) -> Step | None:
        if s.due is None or not may_mark(self.options, s.files[s.due.table]):
            return None
        file = s.files[s.due.table]
        file = file.written(Data(file.now.rows, s.due.mark))
        return Step(with_file(s, s.due.table, file)._replace(due=None))

    def _checkpoint(self, s: Member) -> Step | None:
        log = s.log.now
        base = min(s.commit, s.cursor)
        if base <= log.base or s.undo:
            return None
        synced = s.due is None and all(file.settled for file in s.files)
        if self.options.truncate is Truncate.SYNCED and not synced:
            return None
        short = Log(base, after(log, base, self.options.batch), log.records[base - log.base :])
        return Step(s._replace(log=s.log.written(short)), cost="checkpoints")

    def _publish(self, s: Member) -> Step | None:
        """Subscribers receive every visible row that they lack; none while some are overruled."""
        if s.undo:
            return None
        visible = after(s.log.now, min(s.commit, s.cursor), self.options.batch)
        rows = set(s.published)
        for file, table in zip(s.files, visible, strict=True):
            seen = file.now.rows
            rows.update(seen if self.options.publish is Publish.WRITTEN else seen[: table.rows])
        if rows == s.published:
            return None
        return Step(s._replace(published=frozenset(rows)))


def with_file(s: Member, table: int, file: Cached[Data]) -> Member:
    """The member with another file for that table."""
    return s._replace(files=(*s.files[:table], file, *s.files[table + 1 :]))


def _found(s: Member, log: Log, files: tuple[Data, ...]) -> Member:
    """The disk with just this on it."""
    return s._replace(log=Cached((log,)), files=tuple(Cached((data,)) for data in files))
