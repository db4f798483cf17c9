"""Every target by name. To add one: its file, then its name here."""

from .local import LOCAL
from .target import Target

TARGETS: dict[str, Target] = {target.name: target for target in (LOCAL,)}
