"""Durations and rates as people write them: 250ms, 2s, 64kB/s."""

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_BYTES = {"B": 1, "kB": 1_000, "MB": 1_000_000}

# So many digits: more make infinity, which no plan can hold.
_NUMBER = r"(\d{1,9}(?:\.\d{1,12})?)"
_DURATION = rf"{_NUMBER}(ms|s|m|h)"
_SIZE = rf"{_NUMBER}(B|kB|MB)"
_RATE = f"{_SIZE}/s"


def seconds(text: object) -> float:
    """Read a duration. Raises ValueError with a sentence that shows the right form."""
    found = re.fullmatch(_DURATION, text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"must be a duration like 250ms, 2s or 1m, not {text!r}")
    return round(float(found[1]) * _SECONDS[found[2]], 6)


def bytes_per_second(text: object) -> float:
    """Read a rate. Raises ValueError with a sentence that shows the right form."""
    found = re.fullmatch(_RATE, text) if isinstance(text, str) else None
    if found is None or float(found[1]) == 0:
        raise ValueError(f"must be a rate like 500B/s, 64kB/s or 2MB/s, not {text!r}")
    return float(found[1]) * _BYTES[found[2]]


def size(text: object) -> int:
    """Read how many bytes. Raises ValueError with a sentence that shows the right form."""
    found = re.fullmatch(_SIZE, text) if isinstance(text, str) else None
    count = 0 if found is None else round(float(found[1]) * _BYTES[found[2]])
    if not count:
        raise ValueError(f"must be a size like 500B, 64kB or 2MB, not {text!r}")
    return count


LEAST_S = 0.001


def _long_enough(duration_s: float) -> float:
    if duration_s < LEAST_S:
        raise ValueError(f"must be at least {spell(LEAST_S)}: in less nobody answers")
    return duration_s


def spell(duration_s: float) -> str:
    """The shortest spelling that `seconds` reads back."""
    if duration_s < 1 and duration_s:
        return f"{duration_s * 1000:g}ms"
    return f"{duration_s:g}s"


_DURATION_SCHEMA = WithJsonSchema(
    {"type": "string", "pattern": f"^{_DURATION}$", "examples": ["250ms", "2s"]}
)

Duration = Annotated[float, BeforeValidator(seconds), _DURATION_SCHEMA]
"""Seconds, written with a unit."""

Patience = Annotated[Duration, AfterValidator(_long_enough)]
"""How long somebody waits for something: never no time at all."""

Rate = Annotated[
    float,
    BeforeValidator(bytes_per_second),
    WithJsonSchema({"type": "string", "pattern": f"^{_RATE}$", "examples": ["64kB/s"]}),
]
"""Bytes a second, written with a unit."""

Size = Annotated[
    int,
    BeforeValidator(size),
    WithJsonSchema({"type": "string", "pattern": f"^{_SIZE}$", "examples": ["64kB"]}),
]
"""Bytes, written with a unit."""
