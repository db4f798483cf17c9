"""The write-ahead log: whatever a crash leaves, nothing that was synced is lost or changed."""

import random
from dataclasses import dataclass, replace

import pytest
from delphic.impl.bugs import DAMAGE_IS_TORN, FOLDER_NOT_SYNCED, TRUNCATE_OFF_BY_ONE
from delphic.impl.raft import segment
from delphic.impl.raft.messages import Entry, HardState, Kind
from delphic.impl.raft.replay import WalCorruption
from delphic.impl.raft.segment import ENTRY, HEADER, SECTOR_BYTES, STATE, TRUNCATE
from delphic.impl.raft.wal import SEGMENT_BYTES, Recovered, Wal
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_disk import Inode, Keep, MemoryDisk, nothing, prefix, sectors, some

FOLDER = "/ha/2"
FIRST = f"{FOLDER}/0000000000000001.wal"
SMALL = 180
"""Bytes of a segment where several are wanted."""


@dataclass(frozen=True)
class Save:
    """One call of `Wal.save`, and whether a sync follows."""

    hard_state: HardState | None = None
    truncate_from: int | None = None
    entries: tuple[Entry, ...] = ()
    sync: bool = True


State = tuple[HardState, tuple[Entry, ...]]


def after(state: State, save: Save) -> State:
    """What the log holds once a save is in it."""
    hard_state, entries = state
    if save.truncate_from is not None:
        entries = entries[: save.truncate_from - 1]
    return save.hard_state or hard_state, entries + save.entries


def entry(term: int, text: str = "x") -> Entry:
    return Entry(term, Kind.APPEND, text.encode())


def do(log: Wal, save: Save, state: State) -> State:
    """Carry a save out; gives what the log then holds."""
    length = (save.truncate_from or len(state[1]) + 1) - 1
    log.save(save.hard_state, save.truncate_from, length + 1, save.entries)
    if save.sync:
        log.sync()
    return after(state, save)


def recover(disk: MemoryDisk, segment_bytes: int = SEGMENT_BYTES) -> Recovered:
    return Wal.recover(disk, FOLDER, 2, segment_bytes=segment_bytes)


def found(disk: MemoryDisk) -> State:
    recovered = recover(disk)
    return recovered.hard_state, tuple(recovered.entries)


def written(*saves: Save, segment_bytes: int = SEGMENT_BYTES) -> tuple[MemoryDisk, list[State]]:
    """A disk after the saves, and every state on the way, the empty one first."""
    disk = MemoryDisk()
    log = recover(disk, segment_bytes).wal
    states: list[State] = [(HardState(), ())]
    for save in saves:
        states.append(do(log, save, states[-1]))
    return disk, states


def unsynced(save: Save) -> Save:
    return replace(save, sync=False)


STORY = (
    Save(HardState(1, "n1")),
    Save(None, None, (entry(1, "a"), entry(1, "b"))),
    Save(HardState(2, "n2")),
    Save(HardState(3), 2, (entry(3, "c"),)),
    Save(None, None, (entry(3, "d" * 20), entry(3, ""))),
    Save(HardState(4, "n3"), 3, (entry(4, "e"),)),
)


def steps(state: State, save: Save) -> list[State]:
    """What the log holds after each record of a save, before the first one included."""
    reached = [state]
    if save.hard_state is not None:
        reached.append(after(reached[-1], Save(save.hard_state)))
    if save.truncate_from is not None:
        reached.append(after(reached[-1], Save(truncate_from=save.truncate_from)))
    for each in save.entries:
        reached.append(after(reached[-1], Save(entries=(each,))))
    return reached


def test_what_was_saved_is_recovered() -> None:
    disk, states = written(*STORY)
    assert found(disk) == states[-1]
    assert found(disk) == states[-1], "recovering changes nothing"


def test_an_empty_folder_gives_an_empty_log() -> None:
    recovered = recover(MemoryDisk())
    assert (recovered.hard_state, recovered.entries, recovered.cut) == (HardState(), [], None)


# Crashes.


def test_after_a_crash_at_any_byte_the_synced_saves_and_a_prefix_of_the_next_are_there() -> None:
    for count, save in enumerate(STORY):
        disk, states = written(*STORY[:count], unsynced(save))
        inode = disk.files[FIRST]
        reachable = steps(states[-2], save)
        if not inode.synced:
            assert not disk.named, "the first save's segment has no durable name yet"
            disk.sync_folder(FOLDER)
        sizes = range(len(inode.data) - len(inode.synced) + 1)
        seen = [found(disk.power_cut(prefix(kept))) for kept in sizes]
        order = [reachable.index(state) for state in seen]
        assert order == sorted(order), "more bytes never mean less log"
        assert (order[0], order[-1]) == (0, len(reachable) - 1)


@pytest.mark.parametrize("mask", range(16))
def test_whatever_appends_a_crash_keeps_the_log_ends_before_the_first_lost_one(mask: int) -> None:
    kept = [bool(mask & 1 << bit) for bit in range(4)]
    disk, states = written(*STORY[:2], *map(unsynced, STORY[2:]))
    state = states[2 + [*kept, False].index(False)]
    crashed = disk.power_cut(some(kept))
    assert found(crashed) == state
    # Nothing of what stood behind the hole may come back later.
    vote = Save(HardState(9, "n1"))
    do(recover(crashed).wal, vote, state)
    assert found(crashed) == after(state, vote)


def test_whatever_sectors_a_crash_keeps_the_log_ends_before_the_first_lost_one() -> None:
    before = (Save(HardState(1)), Save(None, None, (entry(1, "old"),)))
    last = Save(None, None, tuple(entry(1, letter * size) for letter, size in LONG))
    disk, states = written(*before, unsynced(last))
    count = len(disk.files[FIRST].data) // SECTOR_BYTES + 1
    assert count == 6
    reachable = steps(states[-2], last)
    for mask in range(1 << count):
        crashed = disk.power_cut(sectors(lambda at, mask=mask: bool(mask & 1 << at), SECTOR_BYTES))
        state = found(crashed)
        assert state in reachable, f"sectors {mask:b}"
        assert found(crashed.power_cut(nothing)) == state


LONG = (("a", 300), ("b", 40), ("c", 900), ("d", 5), ("e", 1300))


def test_what_a_killed_process_left_unsynced_is_durable_once_it_was_recovered() -> None:
    """A restarted member tells others of all that it read; a later power cut must not take it."""
    disk, states = written(*STORY[:3], Save(None, None, (entry(2),), sync=False))
    assert found(disk) == states[-1]
    assert found(disk.power_cut(nothing)) == states[-1]


def test_a_segment_whose_name_was_not_durable_is_so_once_it_was_recovered() -> None:
    disk, states = written(unsynced(STORY[0]))
    assert found(disk.power_cut(prefix(999))) == states[0]
    assert found(disk) == states[1]
    assert found(disk.power_cut(nothing)) == states[1]


def test_a_torn_end_is_reported_and_gone_for_good() -> None:
    disk, states = written(*STORY)
    disk.files[FIRST].data += b"\x07\x00"
    cut = recover(disk).cut
    assert cut is not None
    assert cut.startswith(f"{FIRST}: 2 bytes from byte")
    assert recover(disk).cut is None
    assert found(disk.power_cut(nothing)) == states[-1]


@pytest.mark.parametrize("size", [1, 100, 5000])
def test_an_end_of_zeros_is_a_torn_end(size: int) -> None:
    disk, states = written(*STORY)
    disk.files[FIRST].data += bytes(size)
    assert found(disk) == states[-1]


def test_an_unfinished_record_that_holds_a_whole_one_is_a_torn_end() -> None:
    """A payload may look like a log; somebody may even make it so."""
    disk, states = written(*STORY)
    inner = record(ENTRY, 900, segment.entry_head(900, entry(4)))
    disk.files[FIRST].data += record(ENTRY, 99, segment.entry_head(4, entry(4)), inner * 3)[:-1]
    assert found(disk) == states[-1]


def test_a_record_inside_another_one_says_nothing_about_the_hole_before() -> None:
    """Else a payload could make a member refuse to start."""
    disk, states = written(*STORY[:2])
    lost, torn = record(ENTRY, 5, segment.entry_head(3, entry(1))), 5
    inner = record(ENTRY, torn + 2, segment.entry_head(5, entry(1)), synced=torn)
    outer = record(ENTRY, torn + 1, segment.entry_head(4, entry(1)), inner)
    disk.files[FIRST].data += bytes(len(lost)) + outer
    assert found(disk) == states[-1]


@pytest.mark.parametrize("keep", [nothing, prefix(5), some([False, True, True, True])])
def test_writing_goes_on_after_a_crash(keep: Keep) -> None:
    news = [Save(None, None, (entry(3, text),), sync=False) for text in "uvw"]
    disk, states = written(*STORY[:4], *news)
    crashed = disk.power_cut(keep)
    assert found(crashed) == states[4]
    state = do(recover(crashed).wal, Save(None, None, (entry(3, "new"),)), states[4])
    assert found(crashed.power_cut(nothing)) == state


# Damage.


def record(kind: bytes, sequence: int, head: bytes, tail: bytes = b"", *, synced: int = 0) -> bytes:
    return b"".join(segment.pack(kind, sequence, synced, head, tail))


def state_or_refusal(disk: MemoryDisk) -> State | WalCorruption:
    try:
        return found(disk)
    except WalCorruption as error:
        return error


def test_a_flipped_bit_never_changes_what_is_recovered() -> None:
    """In the last record it may be a torn end as far as anyone can tell; else it is refused."""
    disk, _ = written(*STORY)
    data = disk.files[FIRST].data
    last_record = data.rindex(segment.MARKER)
    without = steps(written(*STORY[:-1])[1][-1], STORY[-1])[-2]
    for at in range(len(data)):
        for bit in range(8):
            flipped = disk.copy()
            flipped.files[FIRST].data = data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
            outcome = state_or_refusal(flipped)
            if at >= last_record:
                assert outcome == without
            else:
                assert isinstance(outcome, WalCorruption)
                assert outcome.file == FIRST
                assert outcome.offset <= at


def test_damage_that_is_taken_for_a_torn_end_takes_what_was_durable() -> None:
    """R23, seeded."""
    disk, _ = written(*STORY)
    data = disk.files[FIRST].data
    second = nth(data, segment.MARKER, 1)
    disk.files[FIRST].data = (
        data[: second + 9] + bytes([data[second + 9] ^ 1]) + data[second + 10 :]
    )
    corrupt(disk.copy(), "durable once")
    found = Wal.recover(disk, FOLDER, 2, bugs=frozenset({DAMAGE_IS_TORN}))
    assert found.cut is not None
    assert (found.hard_state, found.entries) == (HardState(), [])


def test_what_a_later_record_calls_durable_is_not_torn_even_if_it_reads_as_zeros() -> None:
    disk, _ = written(*STORY)
    data = disk.files[FIRST].data
    third, fourth = (nth(data, segment.MARKER, n) for n in (3, 4))
    disk.files[FIRST].data = data[:third] + bytes(fourth - third) + data[fourth:]
    corrupt(disk, "durable once")


def nth(data: bytes, part: bytes, n: int) -> int:
    """Where a part stands for the n-th time, from 0."""
    at = -1
    for _ in range(n + 1):
        at = data.index(part, at + 1)
    return at


def corrupt(disk: MemoryDisk, reason: str, file: str = FIRST) -> None:
    before = {path: inode.data for path, inode in disk.files.items()}
    with pytest.raises(WalCorruption, match=reason) as caught:
        recover(disk)
    assert caught.value.file == file
    assert str(caught.value).startswith(f"{file}: corrupt at byte {caught.value.offset}: ")
    assert {path: inode.data for path, inode in disk.files.items()} == before, "nothing is changed"


def disk_with(data: bytes, file: str = FIRST) -> MemoryDisk:
    disk = MemoryDisk()
    disk.files[file] = disk.named[file] = Inode(data, data)
    return disk


def state_body(term: int, vote: str | None = None) -> tuple[bytes, bytes]:
    return STATE, segment.state_body(HardState(term, vote))


def entry_body(index: int, term: int) -> tuple[bytes, bytes]:
    return ENTRY, segment.entry_head(index, entry(term))


@pytest.mark.parametrize(
    ("bodies", "reason"),
    [
        ([state_body(2), state_body(1)], "cannot follow"),
        ([state_body(2, "n1"), state_body(2, "n2")], "cannot follow"),
        ([state_body(2, "n1"), state_body(2)], "cannot follow"),
        ([entry_body(2, 0)], "entry 2 where 1 belongs"),
        ([entry_body(1, 1)], "entry 1 has term 1"),
        ([state_body(2), entry_body(1, 2), entry_body(2, 1)], "entry 2 has term 1"),
        ([(TRUNCATE, segment.truncate_body(1))], "0 entries cannot be cut off from 1 on"),
        ([(TRUNCATE, segment.truncate_body(0))], "cannot be cut off from 0 on"),
        ([(TRUNCATE, b"\1")], "wrong length"),
        ([(HEADER, segment.header_body(2))], "one header"),
        ([(STATE, b"\1")], "too short"),
        ([(STATE, segment.state_body(HardState(1, "n")) + b"\xff")], "no text"),
        ([(ENTRY, b"\1")], "too short"),
        ([state_body(1), (ENTRY, b"\1" + bytes(7) + b"\1" + bytes(7) + b"\x63")], "99"),
    ],
)
def test_whole_records_that_make_no_sense_are_refused_even_at_the_end(
    bodies: list[tuple[bytes, bytes]], reason: str
) -> None:
    """Their checksums are right: they were written so, perhaps by a later version."""
    all_bodies = [(HEADER, segment.header_body(2)), *bodies]
    data = b"".join(record(kind, n, body) for n, (kind, body) in enumerate(all_bodies, start=1))
    corrupt(disk_with(data), reason)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (record(HEADER, 1, segment.header_body(3)), "belongs to group 3, not to 2"),
        (record(HEADER, 1, segment.header_body(2)[:-1]), "no write-ahead log of ours"),
        (record(HEADER, 1, b"GIF89a67" + segment.header_body(2)[8:]), "no write-ahead log of ours"),
        (record(HEADER, 1, segment.MAGIC + b"\3" + segment.header_body(2)[9:]), "version 3"),
        (record(HEADER, 2, segment.header_body(2)), "record 2 where 1 belongs"),
        (record(*state_body(1)[:1], 1, state_body(1)[1]), "one header"),
    ],
)
def test_a_file_that_is_not_this_segment_is_refused(data: bytes, reason: str) -> None:
    corrupt(disk_with(data), reason)


# Segments.


def several(*saves: Save) -> tuple[MemoryDisk, list[State]]:
    disk, states = written(*saves, segment_bytes=SMALL)
    assert len(disk.files) >= 2
    return disk, states


def test_all_segments_are_recovered() -> None:
    disk, states = several(*STORY)
    assert len(disk.files) >= 3
    assert found(disk) == states[-1]
    assert found(disk.power_cut(nothing)) == states[-1]


def test_writing_goes_on_in_the_last_segment_or_a_new_one() -> None:
    disk, states = several(*STORY)
    state = states[-1]
    for text in "uvwxyz":
        state = do(recover(disk, SMALL).wal, Save(None, None, (entry(4, text),)), state)
        assert found(disk.power_cut(nothing)) == state
    assert len(disk.files) > len(several(*STORY)[0].files)


def test_a_truncation_reaches_back_over_segments() -> None:
    disk, states = several(*STORY, Save(HardState(9), 1, (entry(9, "only"),)))
    assert found(disk) == states[-1]
    assert states[-1][1] == (entry(9, "only"),)


def test_a_crash_at_any_moment_loses_nothing_synced_from_any_segment() -> None:
    disk = MemoryDisk()
    log = recover(disk, SMALL).wal
    state: State = (HardState(), ())
    for save in STORY:
        later = do(log, unsynced(save), state)
        for kept in range(150):
            assert found(disk.power_cut(prefix(kept))) in steps(state, save)
        log.sync()
        assert found(disk.power_cut(nothing)) == later
        state = later


def test_unsynced_saves_do_not_spread_over_segments() -> None:
    """Else the end of a segment that is not the last one could be torn."""
    disk, states = written(*map(unsynced, STORY), segment_bytes=SMALL)
    assert list(disk.files) == [FIRST]
    disk.sync_folder(FOLDER)
    assert found(disk.power_cut(prefix(150))) in [
        s for b, a in zip(states, STORY, strict=False) for s in steps(b, a)
    ]


@pytest.mark.parametrize("lost", [0, 1])
def test_a_missing_segment_is_noticed(lost: int) -> None:
    disk, _ = several(*STORY)
    paths = sorted(disk.files)
    disk.remove(paths[lost])
    corrupt(disk, "a segment is missing", paths[lost + 1])


def test_a_last_segment_of_any_length_is_used() -> None:
    """Its name became durable, but not all, or nothing, of what should be in it."""
    disk, states = several(*STORY)
    last = max(disk.files)
    whole = disk.files[last].data
    for size in range(len(whole)):
        torn = disk.copy()
        torn.files[last].data = whole[:size]
        recovered = recover(torn, SMALL)
        state = (recovered.hard_state, tuple(recovered.entries))
        assert state in [s for b, a in zip(states, STORY, strict=False) for s in steps(b, a)]
        state = do(recovered.wal, Save(HardState(20), None, (entry(20),)), state)
        assert found(torn.power_cut(nothing)) == state
        assert max(torn.files) == last


@pytest.mark.parametrize("damage", [0, 1])
def test_an_end_torn_off_a_segment_that_others_follow_is_refused(damage: int) -> None:
    disk, _ = several(*STORY)
    second = sorted(disk.files)[1]
    disk.files[second].data = disk.files[second].data[:-1] if damage else b""
    corrupt(disk, "cut off" if damage else "empty", second)


def test_other_files_of_the_folder_do_not_matter() -> None:
    disk, states = several(*STORY)
    for name in ("0000000000000001.wal.old", "notes", "1.wal"):
        disk.open(f"{FOLDER}/{name}")
    assert found(disk) == states[-1]


# Syncing and failing.


def test_one_sync_makes_all_saves_durable() -> None:
    disk, states = written(STORY[0], *map(unsynced, STORY[1:]))
    log = recover(MemoryDisk()).wal
    log.sync()
    disk = MemoryDisk()
    log = recover(disk).wal
    for save, before in zip(STORY, states, strict=False):
        do(log, unsynced(save), before)
    assert disk.sync_count == 0
    log.sync()
    assert disk.sync_count == 1
    assert found(disk.power_cut(nothing)) == states[-1]


def test_a_sync_that_finds_nothing_to_do_is_harmless() -> None:
    disk, _ = written()
    recover(disk).wal.sync()
    assert disk.sync_count == 0
    assert disk.files == {}


@pytest.mark.parametrize("fault", ["append", "sync"])
def test_after_a_failure_the_log_takes_nothing_more(fault: str) -> None:
    disk, states = written(*STORY[:2])
    log = recover(disk).wal
    disk.fails = fault
    with pytest.raises(OSError, match=fault):
        do(log, STORY[2], states[-1])
    disk.fails = None
    with pytest.raises(OSError, match="failed before"):
        log.save(HardState(9), None, 0, ())
    with pytest.raises(OSError, match="failed before"):
        log.sync()
    assert found(disk.power_cut(nothing)) == states[2]


@pytest.mark.parametrize("fault", ["open", "append", "sync", "sync_folder"])
def test_a_failure_while_a_segment_is_begun_loses_nothing(fault: str) -> None:
    disk, states = written(*STORY[:2], segment_bytes=SMALL)
    log = recover(disk, SMALL).wal
    disk.fails = fault
    with pytest.raises(OSError, match=fault):
        do(log, STORY[2], states[-1])
    disk.fails = None
    assert found(disk.power_cut(nothing)) == states[2]
    assert found(disk) in (states[2], after(states[2], STORY[2]))
    log.close()


def test_a_failure_while_recovering_changes_nothing() -> None:
    for fault in ("open", "sync", "sync_folder"):
        disk, states = written(*STORY)
        disk.files[FIRST].data += b"torn"
        disk.fails = fault
        with pytest.raises(OSError, match=fault):
            recover(disk)
        disk.fails = None
        assert found(disk) == states[-1]


@pytest.mark.parametrize(
    ("hard_state", "truncate_from", "first_index", "entries"),
    [
        (None, None, 4, (entry(1),)),
        (None, 3, 0, ()),
        (None, 0, 0, ()),
        (None, 2, 3, (entry(1),)),
        (None, None, 3, (entry(2),)),
        (HardState(0), None, 0, ()),
        (HardState(1, "n2"), None, 0, ()),
    ],
)
def test_a_save_that_does_not_continue_the_log_is_a_bug(
    hard_state: HardState | None,
    truncate_from: int | None,
    first_index: int,
    entries: tuple[Entry, ...],
) -> None:
    disk, states = written(*STORY[:2])
    log = recover(disk).wal
    if len(states[-1][1]) + 1 != 3:
        pytest.fail("the story has changed")
    with pytest.raises(AssertionError):
        log.save(hard_state, truncate_from, first_index, entries)
    assert found(disk) == states[-1]


def test_a_closed_log_can_be_opened_again() -> None:
    disk, states = written(*STORY)
    recover(disk).wal.close()
    assert found(disk) == states[-1]


# Random stories.


@st.composite
def stories(draw: st.DrawFn) -> list[Save]:
    """Saves as a core may ask for them: terms and lengths fit, votes are cast once."""
    term, length = 1, 0
    saves = [Save(HardState(1, "n1"))]
    terms: list[int] = []
    for _ in range(draw(st.integers(0, 8))):
        hard_state = None
        if draw(st.booleans()):
            term += draw(st.integers(1, 3))
            hard_state = HardState(term, draw(st.sampled_from([None, "n1", "n2"])))
        truncate = draw(st.integers(1, length)) if length and draw(st.booleans()) else None
        if truncate:
            del terms[truncate - 1 :]
        texts = draw(st.lists(st.binary(max_size=40), max_size=3))
        entries = tuple(Entry(term, draw(st.sampled_from(Kind)), text) for text in texts)
        terms += [e.term for e in entries]
        length = len(terms)
        saves.append(Save(hard_state, truncate, entries, draw(st.booleans())))
    return saves


@pytest.mark.slow
@settings(max_examples=150, deadline=None, derandomize=True)
@given(stories(), st.integers(20, 400), st.integers(0, 2**32))
def test_any_story_is_recovered_and_keeps_what_was_synced(
    story: list[Save], segment_bytes: int, seed: int
) -> None:
    chance = random.Random(seed)
    disk, states = written(*story, segment_bytes=segment_bytes)
    reachable = [states[0]]
    for save, before in zip(story, states, strict=False):
        later = steps(before, save)
        reachable = [later[-1]] if save.sync else reachable + later[1:]
    pending = max(len(i.data) - len(i.synced) for i in disk.files.values())
    for keep in (
        nothing,
        prefix(chance.randint(0, pending)),
        some([chance.random() < 0.6 for _ in story]),
        sectors(lambda _: chance.random() < 0.6, SECTOR_BYTES),
    ):
        assert found(disk.power_cut(keep)) in reachable
    assert found(disk) == states[-1]
    assert found(disk.power_cut(nothing)) == states[-1], "recovering made it durable"


@pytest.mark.parametrize("bugs", [frozenset[str](), frozenset({FOLDER_NOT_SYNCED})])
def test_a_log_whose_folder_is_not_synced_is_gone_after_a_power_cut(bugs: frozenset[str]) -> None:
    disk = MemoryDisk()
    log = Wal.recover(disk, FOLDER, 2, bugs=bugs).wal
    state = do(log, Save(HardState(1, "n1"), None, (entry(1),)), (HardState(), ()))
    assert found(disk.power_cut()) == ((HardState(), ()) if bugs else state)
    assert found(disk) == state


@pytest.mark.parametrize("bugs", [frozenset[str](), frozenset({TRUNCATE_OFF_BY_ONE})])
@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_log_that_is_cut_one_too_late_brings_an_entry_back(
    bugs: frozenset[str], cut: int
) -> None:
    disk = MemoryDisk()
    log = Wal.recover(disk, FOLDER, 2, bugs=bugs).wal
    old = (entry(1, "a"), entry(1, "b"), entry(1, "c"))
    new = (entry(2, "d"), entry(2, "e"))
    state = do(log, Save(HardState(1, "n1"), None, old), (HardState(), ()))
    state = do(log, Save(HardState(2, "n2"), cut, new[:1]), state)
    do(log, Save(entries=new[1:]), state)
    assert found(disk)[1] == old[: cut if bugs else cut - 1] + new
