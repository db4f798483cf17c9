"""What a group is given by its node."""

from collections.abc import Callable
from dataclasses import dataclass

from ..runtime import Runtime
from ..site import Site
from ..trace import TraceFile
from .checkpoints import Policy
from .transfer import Send


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The world, ways out of it, and what the configuration says."""

    runtime: Runtime
    send: Send
    failed: Callable[[str], None]
    site: Site
    tick_s: float
    incarnation: int
    frame_bytes_max: int
    acks_early: bool
    trace: TraceFile | None
    checkpoints: Policy
