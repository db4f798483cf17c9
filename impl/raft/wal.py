"""The write-ahead log of one group member: what Raft must not forget, on disk before it is said.

Everything is appended, a truncation too, to segments that are named by their first record. Four
rules make a crash harmless and damage visible:

Rule 1: a new segment begins only when all before it is durable. Torn records, therefore, can only
stand at the end of the last segment. Rule 2: they are cut off: nobody was told of them. Whatever
was durable once, and whatever has a whole record behind it, is not torn but corrupt; it is never
passed over, since the records behind it would mean something else without it. Rule 3: what
recovery found is written once more and synced before it is believed, unless a record says that it
is durable: a killed process leaves bytes in the page cache that a power cut would still take, and
after a failed sync the kernel shows bytes that it will never try to write again. Rule 4: after an
error nothing is written or synced any more, for the same reason.
"""

import errno
import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from ..bugs import FOLDER_NOT_SYNCED, TRUNCATE_OFF_BY_ONE
from .disk import Disk, File
from .messages import Entry, HardState
from .segment import (
    ENTRY,
    HEADER,
    STATE,
    TRUNCATE,
    BodyError,
    Damage,
    Record,
    check_header_body,
    entry_head,
    header_body,
    pack,
    read_entry_body,
    read_state_body,
    read_truncate_body,
    records_after,
    state_body,
    truncate_body,
    unpack,
    was_not_written,
)

SEGMENT_BYTES = 64 << 20
"""A segment that has grown to this is followed by another."""

_NAME = re.compile(r"(\d{16})\.wal")


class WalCorruption(Exception):
    """A log that cannot be trusted: file, byte offset and reason. The member must not start."""

    def __init__(self, file: str, offset: int, reason: str) -> None:
        super().__init__(file, offset, reason)
        self.file = file
        self.offset = offset
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.file}: corrupt at byte {self.offset}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a disk remembers. `cut`: what was torn off the end and why, or None."""

    wal: "Wal"
    hard_state: HardState
    entries: list[Entry]
    cut: str | None


class Wal:
    """Appends records and syncs them. `save` and `sync` must not overlap.

    # Invariant: sequences up to _synced are durable, up to _sequence written.
    # Invariant: _hard_state and _last_index are what a recovery would find if all were durable.
    """

    def __init__(
        self,
        disk: Disk,
        folder: str,
        group: int,
        replay: "_Replay",
        *,
        segment_bytes: int,
        bugs: frozenset[str],
    ) -> None:
        """A log that goes on where `replay` ended; use `recover`."""
        self._disk = disk
        self._folder = folder
        self._group = group
        self._segment_bytes = segment_bytes
        self._bugs = bugs
        self._sequence = replay.sequence
        self._synced = replay.sequence
        self._hard_state = replay.hard_state
        self._last_index = len(replay.entries)
        self._file: File | None = None
        self._size = 0
        self._is_listed = True
        self._error: OSError | None = None

    @classmethod
    def recover(
        cls,
        disk: Disk,
        folder: str,
        group: int,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        bugs: frozenset[str] = frozenset(),
    ) -> Recovered:
        """Read the log in `folder`, which is made if it is missing, and make it durable.

        Raises WalCorruption for damage that is no torn end, OSError where the disk fails.
        """
        disk.make_folder(folder)
        names = [name for name in disk.names(folder) if _NAME.fullmatch(name)]
        replay = _Replay(group)
        cut = None
        for name in names:
            path = f"{folder}/{name}"
            first = int(name.removesuffix(".wal"))
            if first != replay.sequence + 1:
                missing = f"record {replay.sequence + 1} should be its first"
                raise WalCorruption(path, 0, f"a segment is missing before it: {missing}")
            damage = replay.read(disk, path)
            if damage is not None:
                if name != names[-1]:
                    raise WalCorruption(path, damage.offset, damage.reason)
                cut = replay.cut(disk, path, damage)
        wal = cls(disk, folder, group, replay, segment_bytes=segment_bytes, bugs=bugs)
        if names:
            wal._reopen(f"{folder}/{names[-1]}", replay.unsure_from)
        return Recovered(wal, replay.hard_state, replay.entries, cut)

    def save(
        self,
        hard_state: HardState | None,
        truncate_from: int | None,
        first_index: int,
        entries: Sequence[Entry],
    ) -> None:
        """Write all of it in one piece; durable only after `sync`. Raises OSError.

        Recovery finds a beginning of what was saved, in this order. `first_index` means nothing
        without entries.
        """
        self._check_usable()
        is_shifted = TRUNCATE_OFF_BY_ONE in self._bugs
        if is_shifted and truncate_from is not None:
            truncate_from = truncate_from + 1 if truncate_from < self._last_index else None
        try:
            file = self._segment()
            parts = [] if self._size else self._pack(HEADER, header_body(self._group))
            if hard_state is not None:
                assert _may_follow(self._hard_state, hard_state)
                self._hard_state = hard_state
                parts += self._pack(STATE, state_body(hard_state))
            if truncate_from is not None:
                assert 1 <= truncate_from <= self._last_index
                self._last_index = truncate_from - 1
                parts += self._pack(TRUNCATE, truncate_body(truncate_from))
            assert not entries or first_index == self._last_index + 1 or is_shifted
            for index, entry in enumerate(entries, start=self._last_index + 1):
                assert entry.term <= self._hard_state.term
                parts += self._pack(ENTRY, entry_head(index, entry), entry.payload)
            self._last_index += len(entries)
            data = b"".join(parts)
            file.append(data)
            self._size += len(data)
        except OSError as error:
            self._error = error
            raise

    def sync(self) -> None:
        """Make everything saved so far durable; may run on another thread. Raises OSError."""
        self._check_usable()
        if self._file is None:
            return
        through = self._sequence
        try:
            self._file.sync()
            if not self._is_listed and FOLDER_NOT_SYNCED not in self._bugs:
                self._disk.sync_folder(self._folder)
                self._is_listed = True
        except OSError as error:
            self._error = error
            raise
        self._synced = through

    def close(self) -> None:
        """Give the file back; what was not synced may be lost."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _check_usable(self) -> None:
        if self._error is not None:
            raise OSError(errno.EIO, f"the log failed before: {self._error}")

    def _pack(self, kind: bytes, head: bytes, tail: bytes = b"") -> list[bytes]:
        self._sequence += 1
        return pack(kind, self._sequence, self._synced, head, tail)

    def _segment(self) -> File:
        """The file to write to; another one if that is full and durable (rule 1)."""
        is_full = self._size >= self._segment_bytes and self._synced == self._sequence
        if self._file is not None and not is_full:
            return self._file
        self.close()
        self._file = self._disk.open(f"{self._folder}/{self._sequence + 1:016}.wal")
        self._size = self._file.size()
        assert self._size == 0
        self._is_listed = False
        return self._file

    def _reopen(self, path: str, unsure_from: int) -> None:
        """Go on with the last segment, cut or not, once it is durable (rule 3)."""
        self._file = self._disk.open(path)
        self._size = self._file.size()
        if unsure_from < self._size:
            self._file.rewrite(unsure_from, self._file.read(unsure_from, self._size - unsure_from))
        self._file.sync()
        self._disk.sync_folder(self._folder)


class _Replay:
    """Builds from records, segment after segment, what they say."""

    def __init__(self, group: int) -> None:
        self._group = group
        self.sequence = 0
        self.hard_state = HardState()
        self.entries: list[Entry] = []
        self._damaged = b""
        self._unsure: deque[tuple[int, int]] = deque()
        """Sequence and offset of the records of this segment that none says to be durable."""
        self._end = 0

    @property
    def unsure_from(self) -> int:
        """Where in the last segment begins what may not be durable."""
        return self._unsure[0][1] if self._unsure else self._end

    def read(self, disk: Disk, path: str) -> Damage | None:
        """Take in one segment as far as it is whole."""
        data = disk.read(path)
        if not data:
            return Damage(0, "the segment is empty")
        offset = self._end = 0
        self._unsure.clear()
        while offset < len(data):
            found = unpack(data, offset)
            if isinstance(found, Damage):
                self._damaged = data
                return found
            try:
                self._apply(found, is_first=offset == 0)
            except BodyError as error:
                # Nothing tore this record: it says what was written, and that makes no sense.
                raise WalCorruption(path, offset, str(error)) from None
            self._unsure.append((found.sequence, offset))
            while self._unsure and self._unsure[0][0] <= found.synced:
                self._unsure.popleft()
            offset = self._end = found.end
        return None

    def cut(self, disk: Disk, path: str, damage: Damage) -> str | None:
        """Cut a torn end off the last segment and say so; raises WalCorruption (rule 2)."""
        data, torn = self._damaged, self.sequence + 1
        for number, (at, record) in enumerate(records_after(data, damage.offset, torn)):
            if record.synced >= torn:
                raise WalCorruption(path, damage.offset, f"{damage.reason}; it was durable once")
            if number == 0 and not was_not_written(data, damage.offset, at):
                reason = f"{damage.reason}; a whole record follows at byte {at}"
                raise WalCorruption(path, damage.offset, reason)
        file = disk.open(path)
        try:
            file.truncate(damage.offset)
        finally:
            file.close()
        if not data:
            return None
        size = len(data) - damage.offset
        return f"{path}: {size} bytes from byte {damage.offset} on ({damage.reason})"

    def _apply(self, record: Record, *, is_first: bool) -> None:
        """Take in one record; raises BodyError where `save` would never have written it."""
        if record.sequence != self.sequence + 1:
            raise BodyError(f"record {record.sequence} where {self.sequence + 1} belongs")
        if (record.kind == HEADER) != is_first:
            raise BodyError("a segment has one header, and at its beginning")
        if record.kind == HEADER:
            check_header_body(record.body, self._group)
        elif record.kind == STATE:
            hard_state = read_state_body(record.body)
            if not _may_follow(self.hard_state, hard_state):
                raise BodyError(f"{hard_state} cannot follow {self.hard_state}")
            self.hard_state = hard_state
        elif record.kind == ENTRY:
            self._apply_entry(*read_entry_body(record.body))
        else:
            index = read_truncate_body(record.body)
            if not 1 <= index <= len(self.entries):
                raise BodyError(f"{len(self.entries)} entries cannot be cut off from {index} on")
            del self.entries[index - 1 :]
        self.sequence = record.sequence

    def _apply_entry(self, index: int, entry: Entry) -> None:
        if index != len(self.entries) + 1:
            raise BodyError(f"entry {index} where {len(self.entries) + 1} belongs")
        term_min = self.entries[-1].term if self.entries else 0
        if not term_min <= entry.term <= self.hard_state.term:
            raise BodyError(
                f"entry {index} has term {entry.term}, not between that of the entry before it "
                f"({term_min}) and the member's ({self.hard_state.term})"
            )
        self.entries.append(entry)


def _may_follow(before: HardState, after: HardState) -> bool:
    """Terms rise; within a term a vote is given once (promise HS-1)."""
    if after.term == before.term:
        return before.vote in (None, after.vote)
    return after.term > before.term
