"""What a shaped link makes of packets, without packets."""

import itertools
from random import Random

import pytest
from delphic.harness.agent.shape import Line, Shape, damaged

SIZE = 1000


def arrivals(shape: Shape, *, count: int = 1000, every_s: float = 0.001) -> list[float]:
    """When each packet arrives that is sent; lost ones are left out."""
    line, chance = Line(shape), Random(1)
    fates = [line.fate(number * every_s, SIZE, chance) for number in range(count)]
    return [fate.at_s for fate in fates if fate is not None]


def test_delay_is_between_its_bounds_and_keeps_the_order() -> None:
    found = arrivals(Shape(delay_s=0.05, jitter_s=0.02))
    late = [at - number * 0.001 for number, at in enumerate(found)]
    assert min(late) >= 0.03
    assert max(late) <= 0.07
    assert max(late) - min(late) > 0.02
    assert found == sorted(found)


def test_jitter_beyond_the_delay_lets_nothing_arrive_before_it_was_sent() -> None:
    assert all(at >= n * 0.001 for n, at in enumerate(arrivals(Shape(jitter_s=0.05))))


def test_a_reordered_packet_is_passed_by_those_behind_it() -> None:
    found = arrivals(Shape(reorder=0.1, reorder_s=0.01))
    passed = sum(a > b for a, b in itertools.pairwise(found))
    assert 60 <= passed <= 140


def test_a_narrow_link_spreads_packets_and_loses_what_would_wait_too_long() -> None:
    found = arrivals(Shape(rate_bytes_s=100_000), count=2000)
    gaps = [b - a for a, b in itertools.pairwise(found)]
    assert gaps == pytest.approx([0.01] * len(gaps))
    assert len(found) < 2000
    assert found[-1] == pytest.approx(2.0 + 0.3, abs=0.05)  # The buffer is full to the end.


def test_copies_and_damage_are_as_many_as_asked_for() -> None:
    line, chance = Line(Shape(duplicate=0.3, corrupt=0.1)), Random(1)
    fates = [line.fate(0.0, SIZE, chance) for _ in range(2000)]
    duplicated = sum(fate.duplicate for fate in fates if fate is not None)
    corrupted = sum(fate.corrupt for fate in fates if fate is not None)
    assert 500 <= duplicated <= 700
    assert 140 <= corrupted <= 260
    assert line.said() == {"passed": 2000}, "that is counted by whoever does it"


@pytest.mark.parametrize("header", [bytes([0x45]) + bytes(19), bytes([0x60]) + bytes(39)])
def test_damage_is_one_bit_behind_the_header(header: bytes) -> None:
    packet = header + bytes(8)
    for seed in range(50):
        found = damaged(packet, Random(seed))
        assert found[: len(header)] == header
        assert sum(byte.bit_count() for byte in found[len(header) :]) == 1
    assert damaged(header, Random(1)) == header
