"""Terms: a log by runs is the tuple that it stands for, whatever is asked of it."""

from delphic.harness.conform.raft.terms import Terms
from hypothesis import given
from hypothesis import strategies as st

LOGS = st.lists(st.integers(1, 5), max_size=12).map(lambda terms: tuple(sorted(terms)))


@given(LOGS, st.integers(-14, 14), st.integers(-14, 14))
def test_slices_items_and_length_are_those_of_the_tuple(
    log: tuple[int, ...], a: int, b: int
) -> None:
    terms = Terms(log)
    assert (len(terms), tuple(terms), bool(terms)) == (len(log), log, bool(log))
    assert tuple(terms[a:b]) == log[a:b]
    assert tuple(terms[:a]) == log[:a]
    if -len(log) <= a < len(log):
        assert terms[a] == log[a]


@given(LOGS, LOGS)
def test_sums_and_comparisons_are_those_of_the_tuple(
    one: tuple[int, ...], other: tuple[int, ...]
) -> None:
    cut = tuple(term for term in other if not one or term >= one[-1])
    joined = one + cut
    for left, right in ((Terms(one), cut), (Terms(one), Terms(cut)), (one, Terms(cut))):
        assert isinstance(left + right, Terms)
        assert tuple(left + right) == joined
        assert left + right == joined
    assert (Terms(one) == Terms(other)) == (one == other) == (Terms(one) == other)
    assert Terms(joined) == Terms(one) + cut
    assert hash(Terms(joined)) == hash(Terms(one) + cut)


def test_a_long_log_is_shown_by_its_runs() -> None:
    assert str(Terms((1, 1, 2))) == "[1, 1, 2]"
    assert str(Terms([1] * 7 + [3] * 9)) == "[1x7, 3x9]"
