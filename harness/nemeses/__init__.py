"""Every kind of fault by its key in YAML. To add one: its file, then its name here."""

from .crashes import CRASH_LOOP
from .host import BIT_FLIP, CLOCK, DISK, LOSE_TASK_DATA, READ_ONLY
from .memory import MEMORY
from .messages import MESSAGES, RESET
from .network import DELAY, RATE
from .packets import PACKETS
from .partition import HEAL, ONE_WAY, PARTITION
from .process import KILL, PAUSE, POWER_CUT, RESTART, RESUME
from .rules import DROP, HOLD, RELEASE
from .stage import STAGE
from .tail import CUT_TAIL
from .throttle import THROTTLE

NEMESES = {
    nemesis.kind: nemesis
    for nemesis in (
        *(PARTITION, ONE_WAY, HEAL, DELAY, RATE, PACKETS, MESSAGES, RESET),
        *(HOLD, RELEASE, DROP),
        *(KILL, POWER_CUT, RESTART, PAUSE, RESUME, CRASH_LOOP, THROTTLE, MEMORY),
        *(DISK, READ_ONLY, BIT_FLIP, CUT_TAIL, LOSE_TASK_DATA, CLOCK),
        STAGE,
    )
}
