"""Reads a write-ahead log, segment by segment, and builds what its records say."""

from collections import deque

from .disk import Disk
from .messages import Entry, HardState
from .segment import (
    BASE,
    ENTRY,
    HEADER,
    STATE,
    BodyError,
    Damage,
    Place,
    Record,
    read_base_body,
    read_entry_body,
    read_header_body,
    read_state_body,
    read_truncate_body,
    records_after,
    unpack,
    was_not_written,
)
from .terms import Runs, Terms, end_of


class WalCorruption(Exception):
    """A log that cannot be trusted: file, byte offset and reason. The member must not start."""

    def __init__(self, file: str, offset: int, reason: str) -> None:
        super().__init__(file, offset, reason)
        self.file = file
        self.offset = offset
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.file}: corrupt at byte {self.offset}: {self.reason}"


class Replay:
    """Builds from records, segment after segment, what they say.

    Entries that the first segments held may be missing with these: what was known of them stands
    at the head of the first one that is there. In the end none of them must be needed.

    # Invariant: `entries` are those behind `start`, the last of them is `last_index`.
    """

    def __init__(self, group: int, before: int = 0) -> None:
        """`before`: the sequence of the last record before the first segment that is there."""
        self._group = group
        self.sequence = before
        self.hard_state = HardState()
        self.entries: list[Entry] = []
        self.start = 0
        self.base_index = 0
        self.terms = Terms()
        self.highest = 0
        """The greatest index of any entry of the segment that was read last."""
        self._is_first = True
        self._damaged = b""
        self._unsure: deque[tuple[int, int]] = deque()
        """Sequence and offset of the records of this segment that none says to be durable."""
        self._end = 0

    @property
    def unsure_from(self) -> int:
        """Where in the last segment begins what may not be durable."""
        return self._unsure[0][1] if self._unsure else self._end

    @property
    def last_index(self) -> int:
        """The last entry there is, or was."""
        return self.start + len(self.entries)

    @property
    def runs(self) -> Runs:
        """The terms of all entries there ever were."""
        return self.terms.until(self.last_index) if self.last_index else ()

    def kept(self, path: str) -> list[Entry]:
        """The entries behind the base. Raises WalCorruption where some of them are missing.

        `path`: the first segment that is there.
        """
        if self.start > self.base_index:
            missing = f"entries {self.base_index + 1} to {self.start}"
            raise WalCorruption(path, 0, f"a segment is missing before it, with {missing}")
        return self.entries[self.base_index - self.start :]

    def read(self, disk: Disk, path: str) -> Damage | None:
        """Take in one segment as far as it is whole."""
        data = disk.read(path)
        self.highest = 0
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

    def cut(self, disk: Disk, path: str, damage: Damage, *, anyway: bool) -> str | None:
        """Cut a torn end off the last segment and say so; raises WalCorruption (rule 2).

        `anyway`, whatever it is that is damaged: a seeded bug.
        """
        if not anyway:
            self._check_torn(path, damage)
        file = disk.open(path)
        try:
            file.truncate(damage.offset)
        finally:
            file.close()
        if not self._damaged:
            return None
        size = len(self._damaged) - damage.offset
        return f"{path}: {size} bytes from byte {damage.offset} on ({damage.reason})"

    def _check_torn(self, path: str, damage: Damage) -> None:
        data, torn = self._damaged, self.sequence + 1
        if self._is_first and self.sequence:
            reason = f"{damage.reason}; a segment is missing before it, and this is not whole"
            raise WalCorruption(path, damage.offset, reason)
        for number, (at, record) in enumerate(records_after(data, damage.offset, torn)):
            if record.synced >= torn:
                raise WalCorruption(path, damage.offset, f"{damage.reason}; it was durable once")
            if number == 0 and not was_not_written(data, damage.offset, at):
                reason = f"{damage.reason}; a whole record follows at byte {at}"
                raise WalCorruption(path, damage.offset, reason)

    def _apply(self, record: Record, *, is_first: bool) -> None:
        """Take in one record; raises BodyError where `save` would never have written it."""
        if record.sequence != self.sequence + 1:
            raise BodyError(f"record {record.sequence} where {self.sequence + 1} belongs")
        if (record.kind == HEADER) != is_first:
            raise BodyError("a segment has one header, and at its beginning")
        if record.kind == HEADER:
            self._apply_header(read_header_body(record.body, self._group))
        elif record.kind == STATE:
            hard_state = read_state_body(record.body)
            if not may_follow(self.hard_state, hard_state):
                raise BodyError(f"{hard_state} cannot follow {self.hard_state}")
            self.hard_state = hard_state
        elif record.kind == ENTRY:
            self._apply_entry(*read_entry_body(record.body))
        elif record.kind == BASE:
            self._apply_base(*read_base_body(record.body))
        else:
            self._apply_truncation(read_truncate_body(record.body))
        self.sequence = record.sequence

    def _apply_header(self, place: Place | None) -> None:
        is_first, self._is_first = self._is_first, False
        if place is None:
            if is_first and self.sequence:
                raise BodyError("a segment is missing before it, and nothing tells what it held")
        elif is_first:
            self.hard_state, self.base_index = place.hard_state, place.base
            self.terms = Terms(place.runs)
            self.start = end_of(place.runs)[0]
        elif place != Place(self.hard_state, self.base_index, self.runs):
            raise BodyError("a segment begins with another state than the one before it ended with")

    def _apply_base(self, base: int, runs: Runs) -> None:
        if base < self.base_index:
            raise BodyError(f"the log begins behind {base}, and began behind {self.base_index}")
        if runs != self.runs:
            last, term = end_of(runs)
            if base != last or term > self.hard_state.term:
                raise BodyError(f"a log that ends with entry {last} of term {term} begins nowhere")
            self.entries.clear()
            self.terms = Terms(runs)
            self.start = base
        elif base > self.last_index:
            raise BodyError(f"the log begins behind {base}, and ends with {self.last_index}")
        self.base_index = base

    def _apply_truncation(self, index: int) -> None:
        if not self.base_index < index <= self.last_index:
            raise BodyError(f"{self.last_index} entries cannot be cut off from {index} on")
        del self.entries[max(0, index - 1 - self.start) :]
        self.start = min(self.start, index - 1)
        self.terms.cut(index)

    def _apply_entry(self, index: int, entry: Entry) -> None:
        if index != self.last_index + 1:
            raise BodyError(f"entry {index} where {self.last_index + 1} belongs")
        term_min = self.terms.values[-1] if self.terms.values else 0
        if not term_min <= entry.term <= self.hard_state.term:
            raise BodyError(
                f"entry {index} has term {entry.term}, not between that of the entry before it "
                f"({term_min}) and the member's ({self.hard_state.term})"
            )
        if entry.term > term_min:
            self.terms.begin(index, entry.term)
        self.entries.append(entry)
        self.highest = max(self.highest, index)


def may_follow(before: HardState, after: HardState) -> bool:
    """Terms rise; within a term a vote is given once (promise HS-1)."""
    if after.term == before.term:
        return before.vote in (None, after.vote)
    return after.term > before.term
