"""The log in memory: terms, cutting, and how far back two logs may agree."""

import itertools

import pytest
from delphic.impl.raft.log import Log
from delphic.impl.raft.messages import Entry, Kind
from hypothesis import given, settings
from hypothesis import strategies as st
from member import entries_of

terms_of_a_log = st.lists(st.integers(1, 5), max_size=12).map(sorted)


def test_index_0_lies_before_the_log() -> None:
    log = Log()
    assert (log.last_index, log.last_term, log.term_at(0)) == (0, 0, 0)
    assert log.holds(0, 0)
    assert not log.holds(1, 1)


def test_terms_never_fall() -> None:
    with pytest.raises(AssertionError, match="never fall"):
        Log(entries_of((2, 1)))


def test_what_is_committed_is_never_cut_off() -> None:
    log = Log(entries_of((1, 1, 1)))
    log.commit_to(2)
    with pytest.raises(AssertionError, match="committed"):
        log.truncate_from(2, 9)
    log.truncate_from(3, 9)
    with pytest.raises(AssertionError):
        log.commit_to(1)
    assert log.last_index == 2


def batch(sizes: list[int], first: int, *, count_max: int = 9, bytes_max: int = 100) -> list[int]:
    log = Log([Entry(1, Kind.APPEND, bytes(size)) for size in sizes])
    found = log.batch(first, count_max=count_max, bytes_max=bytes_max)
    return [len(entry.payload) for entry in found]


def test_a_batch_is_bounded_by_count_and_by_bytes() -> None:
    assert batch([1, 2, 3, 4], 2) == [2, 3, 4]
    assert batch([1, 2, 3, 4], 2, count_max=2) == [2, 3]
    assert batch([60, 40, 1], 1) == [60, 40]
    assert batch([60, 41, 1], 1) == [60]
    assert batch([1, 2], 3) == []


def test_an_entry_over_the_limit_goes_alone_and_leaves_no_gap() -> None:
    """R24: what does not fit is not skipped."""
    assert batch([200, 1], 1) == [200]
    assert batch([1, 200, 1], 1) == [1]
    assert batch([1, 200, 1], 2) == [200]


def test_a_batch_with_gaps_skips_what_does_not_fit() -> None:
    """R24, seeded."""
    log = Log([Entry(1, Kind.APPEND, bytes(size)) for size in (60, 50, 40, 1)])
    found = log.batch_with_gaps(1, count_max=9, bytes_max=100)
    assert [len(entry.payload) for entry in found] == [60, 40]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(terms_of_a_log, st.integers(1, 12), terms_of_a_log)
def test_terms_are_found_after_any_cut(before: list[int], cut: int, more: list[int]) -> None:
    log = Log(entries_of(before))
    expected = before
    if cut <= len(before):
        log.truncate_from(cut, 9)
        expected = before[: cut - 1]
    more = [term for term in more if term >= max(expected, default=0)]
    log.append(entries_of(more))
    expected = expected + more
    assert [log.term_at(i) for i in range(log.last_index + 1)] == [0, *expected]
    assert log.last_term == max(expected, default=0)
    assert [log.entry(i).term for i in range(1, log.last_index + 1)] == expected


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    terms_of_a_log, st.integers(0, 3), st.integers(0, 3), terms_of_a_log, terms_of_a_log, st.data()
)
def test_looking_back_stops_where_the_logs_agree(
    shared: list[int], own_more: int, leaders_more: int, own: list[int], leaders: list[int],
    data: st.DataObject,
) -> None:  # fmt: skip
    """A leader asks where the hint says until the logs agree: at most once a term of the member.

    Behind the shared entries the terms differ, for a term has one leader (Log Matching).
    """
    last = max(shared, default=0)
    mine = shared + [last] * bool(last) * own_more + [10 + 2 * term for term in own]
    other = shared + [last] * bool(last) * leaders_more + [11 + 2 * term for term in leaders]
    agree = sum(itertools.accumulate((a == b for a, b in zip(mine, other, strict=False)), min))
    log, leader = Log(entries_of(mine)), Log(entries_of(other))
    log.commit_to(data.draw(st.integers(0, agree), label="commit"))
    prev, probes = len(other), 0
    while not log.holds(prev, leader.term_at(prev)):
        hint = log.may_agree_until(prev, leader.term_at(prev))
        assert log.commit <= hint < prev
        prev = hint
        probes += 1
    assert prev <= agree
    assert probes <= len(set(mine)) + 1


def test_a_report_is_believed_only_for_the_entries_that_are_there() -> None:
    log = Log(entries_of((1,)))
    log.append(entries_of((1, 1)))
    assert not log.persisted(4, 1), "beyond the end"
    assert not log.persisted(3, 2), "another entry"
    assert not log.persisted(1, 1), "no news"
    assert log.persisted(2, 1)
    assert log.durable == 2
    log.truncate_from(2, 3)
    assert log.durable == 1
