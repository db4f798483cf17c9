"""The write-ahead log of one group member: what Raft must not forget, on disk before anybody knows.

Segments are files named by number. Everything is appended; a truncation is a record of its own. The
end of the last segment may be torn by a crash and is then cut off: nobody was told of it. Damage
anywhere else is never passed over: records behind it would change their meaning.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .disk import Disk, File
from .messages import Entry, HardState
from .segment import (
    HEADER_BYTES,
    Damage,
    EntryRecord,
    Record,
    StateRecord,
    TruncateRecord,
    check_header,
    header,
    pack,
    records,
    whole_record_after,
)

SEGMENT_BYTES = 64 << 20
"""A segment that has grown beyond this is followed by another."""

_NAME = re.compile(r"raft-(\d{8})\.wal")


class WalCorruption(Exception):
    """A log that cannot be trusted: file, byte offset and reason. The member must not start."""

    def __init__(self, file: str, offset: int, reason: str) -> None:
        super().__init__(f"{file}: corrupt at byte {offset}: {reason}")
        self.file = file
        self.offset = offset
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a disk remembers. `cut`: what was torn off the end and how much, or None."""

    wal: "Wal"
    hard_state: HardState
    entries: list[Entry]
    cut: str | None


class Wal:
    """Appends records and syncs them.

    # Invariant: after an OSError nothing more is written: what the disk holds is then unknown.
    """

    def __init__(self, disk: Disk, folder: str, group: int, number: int, file: File) -> None:
        self._disk = disk
        self._folder = folder
        self._group = group
        self._number = number
        self._file = file
        self._size = file.size()
        self._full: list[File] = []
        self._failed = False
        self._last_index = 0

    @classmethod
    def recover(cls, disk: Disk, folder: str, group: int) -> Recovered:
        """Read the log in `folder`, making an empty one if there is none.

        Raises WalCorruption for damage that is no torn end, OSError where the disk fails.
        """
        disk.make_folder(folder)
        numbers = sorted(int(m[1]) for name in disk.names(folder) if (m := _NAME.fullmatch(name)))
        replay = _Replay()
        cut = None
        for position, number in enumerate(numbers):
            path = _path(folder, number)
            if position and number != numbers[position - 1] + 1:
                raise WalCorruption(path, 0, f"segment {number - 1} is missing")
            cut = replay.read(disk, path, group, number, last=position == len(numbers) - 1)
        if numbers and not replay.headless:
            number = numbers[-1]
            file = disk.open(_path(folder, number))
        else:
            number = numbers[-1] if numbers else 1
            file = _new_segment(disk, folder, group, number)
        wal = cls(disk, folder, group, number, file)
        wal._last_index = len(replay.entries)
        return Recovered(wal, replay.hard_state, replay.entries, cut)

    def save(
        self,
        hard_state: HardState | None,
        truncate_from: int | None,
        first_index: int,
        entries: Sequence[Entry],
    ) -> None:
        """Write all of it in one piece. Durable only after `sync`. Raises OSError."""
        assert not self._failed, "the log is not written after a failure"
        parts: list[bytes] = []
        if hard_state is not None:
            parts.append(pack(StateRecord(hard_state)))
        if truncate_from is not None:
            assert 1 <= truncate_from <= self._last_index
            parts.append(pack(TruncateRecord(truncate_from)))
            self._last_index = truncate_from - 1
        assert not entries or first_index == self._last_index + 1
        parts.extend(
            pack(EntryRecord(index, entry)) for index, entry in enumerate(entries, first_index)
        )
        self._last_index += len(entries)
        data = b"".join(parts)
        try:
            if self._size > SEGMENT_BYTES:
                self._next_segment()
            self._file.append(data)
        except OSError:
            self._failed = True
            raise
        self._size += len(data)

    def sync(self) -> None:
        """Make everything saved so far durable; may run on another thread than `save`.

        Raises OSError, after which the log takes nothing more: a second sync might succeed without
        having written what the first one lost.
        """
        try:
            while self._full:
                self._full[0].sync()
                self._full.pop(0).close()
            self._file.sync()
        except OSError:
            self._failed = True
            raise

    def close(self) -> None:
        self._file.close()

    def _next_segment(self) -> None:
        self._full.append(self._file)
        self._number += 1
        self._file = _new_segment(self._disk, self._folder, self._group, self._number)
        self._size = HEADER_BYTES


class _Replay:
    """Builds the state from records, segment after segment."""

    def __init__(self) -> None:
        self.hard_state = HardState()
        self.entries: list[Entry] = []
        self.headless = False

    def read(self, disk: Disk, path: str, group: int, number: int, *, last: bool) -> str | None:
        """Apply one segment; gives what was cut off its end."""
        data = disk.read(path) or b""
        wrong = check_header(data, group, number)
        if wrong is not None:
            if last and len(data) <= HEADER_BYTES and _is_torn_header(data, group, number):
                # The crash came while the segment was made: nothing can be in it.
                self.headless = True
                return f"{path}: an unfinished segment of {len(data)} bytes"
            raise WalCorruption(path, 0, wrong)
        for found in records(data):
            if isinstance(found, Damage):
                return self._torn(disk, path, data, found, last=last)
            offset, record = found
            self._apply(path, offset, record)
        return None

    def _torn(self, disk: Disk, path: str, data: bytes, damage: Damage, *, last: bool) -> str:
        whole = whole_record_after(data, damage.offset) if last else damage.offset
        if whole is not None:
            raise WalCorruption(path, damage.offset, damage.reason)
        file = disk.open(path)
        try:
            file.truncate(damage.offset)
            file.sync()
        finally:
            file.close()
        return (
            f"{path}: {len(data) - damage.offset} bytes from {damage.offset} on ({damage.reason})"
        )

    def _apply(self, path: str, offset: int, record: Record) -> None:
        match record:
            case StateRecord(hard_state):
                if hard_state.term < self.hard_state.term:
                    raise WalCorruption(path, offset, "the term falls")
                self.hard_state = hard_state
            case TruncateRecord(index):
                if not 1 <= index <= len(self.entries):
                    raise WalCorruption(path, offset, f"cannot truncate from {index}")
                del self.entries[index - 1 :]
            case EntryRecord(index, entry):
                if index != len(self.entries) + 1:
                    expected = len(self.entries) + 1
                    raise WalCorruption(path, offset, f"entry {index} where {expected} belongs")
                self.entries.append(entry)


def _is_torn_header(data: bytes, group: int, number: int) -> bool:
    unfinished = header(group, number).startswith(data) and len(data) < HEADER_BYTES
    # Some file systems keep the length of what a power cut took, filled with zeros.
    return unfinished or not any(data)


def _path(folder: str, number: int) -> str:
    return f"{folder}/raft-{number:08}.wal"


def _new_segment(disk: Disk, folder: str, group: int, number: int) -> File:
    """A segment whose name and header survive a power cut."""
    file = disk.open(_path(folder, number))
    if file.size():
        file.truncate(0)
    file.append(header(group, number))
    file.sync()
    disk.sync_folder(folder)
    return file
