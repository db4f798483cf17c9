"""Where a member is to crash: at one of its effects on the world, counted from its first start."""

import re

import msgspec


class CrashPoint(msgspec.Struct, frozen=True, omit_defaults=True):
    """One member's effect, from 1 on: it crashes right before it, or right after it.

    Effects are what reaches the disk or leaves for the network: appends, syncs, renames, sends.
    With `power` the power fails, for the whole group at once: whatever was not synced may be lost.
    Whoever crashed starts again soon after.
    """

    node: str
    effect: int
    after: bool = False
    power: bool = False

    def __str__(self) -> str:
        words = [self.node, str(self.effect), "after" if self.after else "before"]
        return ":".join([*words, "power"] if self.power else words)


def parse(text: str) -> CrashPoint:
    """Read `n1:17:before` or `n1:17:after:power`. Raises ValueError."""
    found = re.fullmatch(r"([A-Za-z][\w-]*):([1-9][0-9]*):(before|after)(:power)?", text)
    if found is None:
        raise ValueError(
            f"{text!r} is not understood: write member:effect:before|after[:power], "
            "as in n1:17:after or n1:17:before:power"
        )
    return CrashPoint(found[1], int(found[2]), found[3] == "after", found[4] is not None)
