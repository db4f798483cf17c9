"""The write-ahead log of one group member: what Raft must not forget, on disk before it is said.

Everything is appended, a truncation too, to segments that are named by their first record. Five
rules make a crash harmless and damage visible:

Rule 1: a new segment begins only when all before it is durable. Torn records, therefore, can only
stand at the end of the last segment. Rule 2: they are cut off: nobody was told of them. Whatever
was durable once, and whatever has a whole record behind it, is not torn but corrupt; it is never
passed over, since the records behind it would mean something else without it. Rule 3: what
recovery found is written once more and synced before it is believed, unless a record says that it
is durable: a killed process leaves bytes in the page cache that a power cut would still take, and
after a failed sync the kernel shows bytes that it will never try to write again. Rule 4: after an
error nothing is written or synced any more, for the same reason. Rule 5: a segment is removed when
no entry of it is needed and the next one, whose head repeats all else that it said, is durable; the
oldest first, each for good before the next.
"""

import errno
import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from ..bugs import DAMAGE_IS_TORN, FOLDER_NOT_SYNCED, TRUNCATE_OFF_BY_ONE
from .disk import Disk, File
from .messages import Entry, HardState
from .replay import Replay, WalCorruption, may_follow
from .segment import (
    BASE,
    ENTRY,
    HEADER,
    STATE,
    TRUNCATE,
    Place,
    base_body,
    entry_head,
    header_body,
    pack,
    state_body,
    truncate_body,
)
from .terms import Runs, Terms, end_of

SEGMENT_BYTES = 64 << 20
"""A segment that has grown to this is followed by another."""

_NAME = re.compile(r"(\d{16})\.wal")


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a disk remembers: `entries` stand behind the last one of `base`.

    `cut`: what was torn off the end and why, or None.
    """

    wal: "Wal"
    hard_state: HardState
    entries: list[Entry]
    cut: str | None
    base: Runs = ()


@dataclass(slots=True)
class _Segment:
    """A file of the log, and the greatest index of any entry in it."""

    path: str
    highest: int = 0


class Wal:
    """Appends records and syncs them. `save` and `sync` must not overlap.

    # Invariant: sequences up to _synced are durable, up to _sequence written.
    # Invariant: _hard_state, _base, _terms and _last_index are what a recovery would find if all
    # were durable. _segments are all there are, the last one is written to.
    """

    def __init__(
        self,
        disk: Disk,
        folder: str,
        group: int,
        replay: Replay,
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
        self._base = replay.base_index
        self._terms = replay.terms
        self._last_index = replay.last_index
        self._segments: deque[_Segment] = deque()
        self._is_rolling = False
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
        replay = Replay(group, _first(names[0]) - 1 if names else 0)
        segments: list[_Segment] = []
        cut = None
        for name in names:
            path = f"{folder}/{name}"
            first = _first(name)
            if first != replay.sequence + 1:
                missing = f"record {replay.sequence + 1} should be its first"
                raise WalCorruption(path, 0, f"a segment is missing before it: {missing}")
            damage = replay.read(disk, path)
            if damage is not None:
                if name != names[-1]:
                    raise WalCorruption(path, damage.offset, damage.reason)
                cut = replay.cut(disk, path, damage, anyway=DAMAGE_IS_TORN in bugs)
            segments.append(_Segment(path, replay.highest))
        kept = replay.kept(segments[0].path if segments else folder)
        wal = cls(disk, folder, group, replay, segment_bytes=segment_bytes, bugs=bugs)
        wal._segments.extend(segments)
        if names:
            wal._reopen(f"{folder}/{names[-1]}", replay.unsure_from)
            wal._remove_old()
        base = wal._terms.until(wal._base) if wal._base else ()
        return Recovered(wal, replay.hard_state, kept, cut, base)

    def save(
        self,
        hard_state: HardState | None,
        truncate_from: int | None,
        first_index: int,
        entries: Sequence[Entry],
        base: Runs | None = None,
        *,
        installs: bool = False,
    ) -> None:
        """Write all of it in one piece; durable only after `sync`. Raises OSError.

        Recovery finds a beginning of what was saved, in this order. `first_index` means nothing
        without entries. From `base` on the log is not needed any more, and its segments will be
        removed; if it `installs`, no entry of the old log stays.
        """
        self._check_usable()
        is_shifted = TRUNCATE_OFF_BY_ONE in self._bugs
        if is_shifted and truncate_from is not None:
            truncate_from = truncate_from + 1 if truncate_from < self._last_index else None
        try:
            file = self._segment()
            parts = [] if self._size else self._pack(HEADER, self._head())
            if hard_state is not None:
                assert may_follow(self._hard_state, hard_state)
                self._hard_state = hard_state
                parts += self._pack(STATE, state_body(hard_state))
            if truncate_from is not None:
                assert self._base < truncate_from <= self._last_index
                self._last_index = truncate_from - 1
                self._terms.cut(truncate_from)
                parts += self._pack(TRUNCATE, truncate_body(truncate_from))
            if base is not None:
                parts += self._begin_behind(base, installs=installs)
            assert not entries or first_index == self._last_index + 1 or is_shifted
            for index, entry in enumerate(entries, start=self._last_index + 1):
                assert entry.term <= self._hard_state.term
                if entry.term != (self._terms.values[-1] if self._terms.values else 0):
                    self._terms.begin(index, entry.term)
                parts += self._pack(ENTRY, entry_head(index, entry), entry.payload)
            self._last_index += len(entries)
            if entries:
                segment = self._segments[-1]
                segment.highest = max(segment.highest, self._last_index)
            file.append(*parts)
            self._size += sum(map(len, parts))
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
            self._synced = through
            self._remove_old()
        except OSError as error:
            self._error = error
            raise

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
        is_full = self._size >= self._segment_bytes or self._is_rolling
        if self._file is not None and not (is_full and self._synced == self._sequence):
            return self._file
        self.close()
        path = f"{self._folder}/{self._sequence + 1:016}.wal"
        self._file = self._disk.open(path)
        self._segments.append(_Segment(path))
        self._is_rolling = False
        self._size = self._file.size()
        assert self._size == 0
        self._is_listed = False
        return self._file

    def _head(self) -> bytes:
        return header_body(self._group, Place(self._hard_state, self._base, self._runs()))

    def _runs(self) -> Runs:
        return self._terms.until(self._last_index) if self._last_index else ()

    def _begin_behind(self, base: Runs, *, installs: bool) -> list[bytes]:
        """The record that says so; a new segment follows soon, so that old ones can go."""
        self._base = end_of(base)[0]
        if installs:
            self._terms = Terms(base)
            self._last_index = self._base
        assert self._base <= self._last_index
        self._is_rolling = True
        return self._pack(BASE, base_body(self._base, self._runs()))

    def _remove_old(self) -> None:
        """Remove segments of which nothing is needed; all that was written is durable (rule 5)."""
        # One that is still empty repeats nothing.
        spare = 1 if self._size else 2
        while len(self._segments) > spare and self._segments[0].highest <= self._base:
            self._disk.remove(self._segments[0].path)
            self._disk.sync_folder(self._folder)
            self._segments.popleft()

    def _reopen(self, path: str, unsure_from: int) -> None:
        """Go on with the last segment, cut or not, once it is durable (rule 3)."""
        self._file = self._disk.open(path)
        self._size = self._file.size()
        if unsure_from < self._size:
            self._file.rewrite(unsure_from, self._file.read(unsure_from, self._size - unsure_from))
        self._file.sync()
        self._disk.sync_folder(self._folder)


def _first(name: str) -> int:
    """The sequence of a segment's first record."""
    return int(name.removesuffix(".wal"))
