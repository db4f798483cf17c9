"""Every target by name. To add one: its file, then its name here."""

from .local import LOCAL
from .sim import SIM
from .target import RealTarget, Target

REAL_TARGETS: dict[str, RealTarget] = {target.name: target for target in (LOCAL,)}
"""Where members are processes of their own."""

TARGETS: dict[str, Target] = {**REAL_TARGETS, SIM.name: SIM}
