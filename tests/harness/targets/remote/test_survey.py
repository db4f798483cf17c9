"""What hosts can do together, and why not more."""

from delphic.harness.targets.remote.survey import ALWAYS, NEEDS, able
from delphic.harness.targets.target import Capability

SOUND = dict.fromkeys(
    (
        "cut",
        "cut-ipv6",
        "loss",
        "rate",
        "shape",
        "reset",
        "permissions",
        "cpu-pressure",
        "memory-pressure",
        "disk",
        "shim",
    )
)


def test_a_group_can_do_what_every_host_can() -> None:
    assert able([("h1", SOUND), ("h2", SOUND)]) == (
        ALWAYS | set(NEEDS),
        {},
    )


def test_what_one_host_lacks_nobody_can_and_it_is_said_which_and_why() -> None:
    assert Capability.PACKETS in NEEDS
    lame = SOUND | {"shape": "no queue", "cut": "nft is not installed"}
    found, reasons = able([("h1", SOUND), ("h2", lame), ("h3", SOUND | {"shape": "no root"})])
    fine = {Capability.RATE, Capability.RESET, Capability.PERMISSIONS, Capability.CPU}
    fine |= {Capability.MEMORY, Capability.POWER_CUT, Capability.DISK, Capability.CLOCK}
    assert found == ALWAYS | fine
    assert reasons == {
        Capability.DELAY: "h2: no queue; h3: no root",
        Capability.PACKETS: "h2: no queue; h3: no root",
        Capability.CUT: "h2: nft is not installed",
    }


def test_addresses_of_ipv6_need_a_kernel_that_can_cut_them_off() -> None:
    old = SOUND | {"cut-ipv6": "the kernel has no IPv6"}
    assert able([("h1", old)]) == (ALWAYS | set(NEEDS), {})
    found, reasons = able([("h1", old)], over_ipv6=True)
    assert Capability.CUT not in found
    assert reasons == {Capability.CUT: "h1: the kernel has no IPv6"}
