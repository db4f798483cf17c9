"""Every system under test by name. To add one: its file, then its name here."""

from ..system import System
from .hastream import HASTREAM
from .replication import REPLICATION

SYSTEMS: dict[str, System] = {system.name: system for system in (HASTREAM, REPLICATION)}
