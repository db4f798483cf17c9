"""What became of packets, held against what was to become of them."""

import pytest
from delphic.harness.targets.faults import PacketFaults, PacketProbe, merged_packets


@pytest.mark.parametrize(
    ("faults", "probe", "shown"),
    [
        (PacketFaults(), PacketProbe(20, 20, 0, 0), True),
        (PacketFaults(), PacketProbe(20, 19, 0, 0), True),
        (PacketFaults(), PacketProbe(20, 17, 0, 0), False),
        (PacketFaults(), PacketProbe(20, 20, 1, 0), False),
        (PacketFaults(), PacketProbe(20, 20, 0, 1), False),
        (PacketFaults(lose=0.1), PacketProbe(20, 18, 0, 0), True),
        (PacketFaults(lose=0.1), PacketProbe(20, 20, 0, 0), False),
        (PacketFaults(corrupt=0.1), PacketProbe(20, 18, 0, 0), True),
        (PacketFaults(corrupt=0.1), PacketProbe(20, 18, 0, 3), False),
        (PacketFaults(duplicate=0.1), PacketProbe(20, 20, 2, 5), True),
        (PacketFaults(duplicate=0.1), PacketProbe(20, 20, 0, 0), False),
        (PacketFaults(reorder=0.1), PacketProbe(20, 20, 0, 2), True),
        (PacketFaults(reorder=0.1), PacketProbe(20, 20, 0, 0), False),
        (PacketFaults(jitter_s=0.1), PacketProbe(20, 20, 0, 0, 0.05), True),
        (PacketFaults(jitter_s=0.1), PacketProbe(20, 20, 0, 0, 0.01), False),
        (PacketFaults(), PacketProbe(20, 20, 0, 0, 0.05), True),
        (PacketFaults(), PacketProbe(20, 20, 0, 0, 0.9), False),
        (PacketFaults(jitter_s=0.1), PacketProbe(20, 20, 0, 0, 0.9), False),
        (PacketFaults(jitter_s=1.0), PacketProbe(20, 20, 0, 0, 0.9), True),
    ],
)
def test_a_receipt_tells_whether_a_link_does_what_is_asked_of_it(
    faults: PacketFaults, probe: PacketProbe, shown: bool
) -> None:
    assert probe.shows(faults) is shown


def test_of_two_chances_the_higher_counts_and_lateness_adds_up() -> None:
    link, other = ("n1", "n2"), ("n2", "n1")
    one = {link: PacketFaults(lose=0.1, reorder=0.2, jitter_s=0.01)}
    two = {link: PacketFaults(lose=0.3, jitter_s=0.02), other: PacketFaults()}
    assert merged_packets([one, two]) == {link: PacketFaults(lose=0.3, reorder=0.2, jitter_s=0.03)}
    assert merged_packets([one]) == one
    assert merged_packets([]) == {}
