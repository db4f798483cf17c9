"""Every kind of fault by its key in YAML. To add one: its file, then its name here."""

from .network import DELAY, RATE
from .partition import HEAL, ONE_WAY, PARTITION
from .process import KILL, PAUSE, RESTART, RESUME

NEMESES = {
    nemesis.kind: nemesis
    for nemesis in (PARTITION, ONE_WAY, HEAL, KILL, RESTART, PAUSE, RESUME, DELAY, RATE)
}
