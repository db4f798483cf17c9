"""Log records and messages with damage: refused with a reason, and nothing else is raised."""

import contextlib
import random

import pytest
from delphic.impl.raft.door import complaint
from delphic.impl.raft.messages import (
    AppendRequest,
    AppendResponse,
    Entry,
    HardState,
    Kind,
    Message,
    VoteRequest,
)
from delphic.impl.raft.segment import (
    BodyError,
    Damage,
    Record,
    base_body,
    entry_head,
    header_body,
    pack,
    read_base_body,
    read_entry_body,
    read_header_body,
    read_state_body,
    read_truncate_body,
    records_after,
    state_body,
    truncate_body,
    unpack,
)
from delphic.impl.raft.wal import Wal, WalCorruption
from garbage import damaged
from memory_disk import MemoryDisk

HARD_STATE = HardState(3, "n2")


def segment() -> bytes:
    parts = [
        *pack(b"H", 1, 0, header_body(2)),
        *pack(b"S", 2, 0, state_body(HARD_STATE)),
        *pack(b"E", 3, 2, entry_head(1, Entry(3, Kind.NOOP, b""))),
        *pack(b"E", 4, 2, entry_head(2, Entry(3, Kind.APPEND, b"")), b"payload" * 20),
        *pack(b"T", 5, 4, truncate_body(2)),
        *pack(b"E", 6, 4, entry_head(2, Entry(3, Kind.CREATE_TABLE, b"")), b"other"),
    ]
    return b"".join(parts)


def test_a_damaged_segment_is_read_as_far_as_it_makes_sense() -> None:
    chance = random.Random(6)
    good = segment()
    for _ in range(2000):
        data = damaged(good, chance)
        at = 0
        while at < len(data):
            found = unpack(data, at)
            if isinstance(found, Damage):
                assert found.reason
                for place, record in records_after(data, at, 1):
                    assert at < place < record.end <= len(data)
                break
            assert isinstance(found, Record)
            assert at < found.end <= len(data)
            at = found.end


def test_a_record_whose_checksum_is_right_may_still_say_nonsense() -> None:
    chance = random.Random(6)
    bodies = [
        header_body(2),
        state_body(HARD_STATE),
        truncate_body(2),
        base_body(4, ((3, 2), (4, 5))),
    ]
    bodies += [
        entry_head(2, Entry(3, Kind.APPEND, b"")) + b"payload",
        base_body(4, ((3, 2), (4, 5))),
    ]
    for _ in range(2000):
        body = memoryview(damaged(chance.choice(bodies), chance))
        for read in (
            lambda body: read_header_body(body, 2),
            read_base_body,
            read_state_body,
            read_entry_body,
            read_truncate_body,
        ):
            with contextlib.suppress(BodyError):
                assert read(body) != b""


def test_a_log_with_damage_and_right_checksums_is_refused_or_recovered() -> None:
    """Each record is damaged before its checksum is made, so that only its content can tell."""
    chance = random.Random(6)
    outcomes = set()
    for _ in range(600):
        disk = MemoryDisk()
        disk.make_folder("log")
        file = disk.open("log/0000000000000001.wal")
        data, at, good = b"", 0, segment()
        bad = chance.randrange(6)
        for number in range(6):
            record = unpack(good, at)
            assert isinstance(record, Record)
            body = bytes(record.body)
            body = damaged(body, chance) if number == bad else body
            data += b"".join(pack(record.kind, record.sequence, record.synced, body))
            at = record.end
        file.append(data)
        try:
            found = Wal.recover(disk, "log", 2)
        except WalCorruption:
            outcomes.add("refused")
        else:
            outcomes.add("recovered")
            assert [entry.term for entry in found.entries] == sorted(e.term for e in found.entries)
    assert outcomes == {"refused", "recovered"}


def entries(*terms: int) -> tuple[Entry, ...]:
    return tuple(Entry(term, Kind.NOOP, b"") for term in terms)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (AppendRequest("a", "b", 4, 0, 1, (), 0, 0), "index 0 has term 0, not 1"),
        (AppendRequest("a", "b", 4, 1, 3, entries(2), 0, 0), "of term 2 after one of term 3"),
        (AppendRequest("a", "b", 4, 1, 1, entries(3, 2), 0, 0), "of term 2 after one of term 3"),
        (AppendRequest("a", "b", 4, 1, 1, entries(5), 0, 0), "of term 5 from a leader of term 4"),
        (AppendRequest("a", "b", 4, 1, 5, (), 0, 0), "of term 5 from a leader of term 4"),
        (VoteRequest("a", "b", 4, 0, 2, False), "index 0 has term 0, not 2"),
        (VoteRequest("a", "b", 4, 7, 5, False), "a candidate of term 4 with an entry of term 5"),
        (AppendRequest("a", "b", 4, 0, 0, entries(1, 1, 4), 9, 0), None),
        (VoteRequest("a", "b", 4, 7, 4, False), None),
        (AppendResponse("a", "b", 4, True, 7, 0, 0), None),
    ],
)
def test_what_no_member_would_say_is_told_from_what_one_might(
    message: Message, reason: str | None
) -> None:
    found = complaint(message)
    assert (found is None) == (reason is None)
    assert reason is None or reason in (found or "")
