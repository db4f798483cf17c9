"""Numbers on the command line."""

from math import isfinite
from typing import Any

import click


class Seconds(click.FloatRange):
    """A range of numbers, of which NaN and infinity are none whatever its bounds."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        found = float(super().convert(value, param, ctx))
        if not isfinite(found):
            self.fail(f"{value!r} is no number of seconds", param, ctx)
        return found
