"""What a simulated network does not have is refused, not ignored."""

from typing import Any

import pytest
from delphic.harness.simulate.world import World
from delphic.impl.runtime import Tls


def test_there_is_no_tls_in_a_simulated_network() -> None:
    world = World("1", ["n1"])
    network = world.net.of(world.loop.main)
    nobody: Any = None
    for opening in (
        network.listen("h", 1, nobody, reuse_port=False, tls=Tls("a.pem")),
        network.dial("h", 1, nobody, timeout_s=1, stall_s=0, tls=Tls("a.pem")),
    ):
        with pytest.raises(OSError, match="there is no TLS in a simulated network"):
            opening.send(None)
