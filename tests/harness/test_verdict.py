"""The lattice of validities, and what a verdict looks like in a file."""

from itertools import pairwise, permutations, product

import msgspec
import pytest
from delphic.harness.verdict import Validity, Verdict, worst

LATTICE = ("pass", "inconclusive", "unknown", "harness_error", "fail")


def test_the_lattice_is_the_one_of_the_design() -> None:
    assert [str(v) for v in sorted(Validity, key=lambda v: v.severity)] == list(LATTICE)


@pytest.mark.parametrize(("low", "high"), list(pairwise(LATTICE)))
def test_of_two_the_more_severe_wins_in_either_order(low: str, high: str) -> None:
    assert worst([Validity(low), Validity(high)]) is Validity(high)
    assert worst([Validity(high), Validity(low)]) is Validity(high)


def test_worst_is_associative_commutative_and_idempotent() -> None:
    for chosen in product(Validity, repeat=3):
        a, b, c = chosen
        whole = worst(chosen)
        assert worst([worst([a, b]), c]) is whole
        assert worst([a, worst([b, c])]) is whole
        assert {worst(order) for order in permutations(chosen)} == {whole}
        assert worst([a, a]) is a


def test_nothing_checked_is_inconclusive() -> None:
    assert worst([]) is Validity.INCONCLUSIVE


def test_a_verdict_survives_a_round_trip_and_leaves_out_what_it_has_not() -> None:
    verdict = Verdict("order", Validity.PASS, "All is in order.")
    data = msgspec.json.encode(verdict)
    assert data == b'{"checker":"order","validity":"pass","sentence":"All is in order."}'
    assert msgspec.json.decode(data, type=Verdict) == verdict
