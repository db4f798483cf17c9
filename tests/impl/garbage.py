"""What nobody in their right mind sends: hostile values, and real bytes with damage."""

import random
from typing import Any

from hypothesis import strategies as st

INTEGERS = (
    0,
    1,
    -1,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**32,
    2**62,
    2**63 - 1,
    2**63,
    2**64 - 1,
    -(2**63),
)
"""Where widths and signs end."""

NUMBERS = tuple(
    value.to_bytes(width, order, signed=value < 0)
    for width in (1, 2, 4, 8)
    for value in (0, 1, 2 ** (8 * width - 1) - 1, 2 ** (8 * width) - 1, -(2 ** (8 * width - 1)))
    for order in ("big", "little")
)
"""The same as bytes: lengths, offsets and counts that lie."""


def values() -> st.SearchStrategy[Any]:
    """Whatever MessagePack can say, also where something else belongs."""
    leaves = st.one_of(
        st.none(),
        st.booleans(),
        st.sampled_from(INTEGERS),
        st.integers(-3, 3),
        st.floats(),
        st.text(max_size=8),
        st.binary(max_size=16),
        st.datetimes(),
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.dictionaries(st.one_of(st.text(max_size=3), st.integers(-3, 3)), inner, max_size=3),
        ),
        max_leaves=8,
    )


def damaged(data: bytes, chance: random.Random) -> bytes:
    """The bytes with a few changes: bits, numbers, pieces cut out, doubled or put in."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4, 8))):
        if not changed:
            break
        at = chance.randrange(len(changed))
        match chance.randrange(6):
            case 0:
                changed[at] ^= 1 << chance.randrange(8)
            case 1:
                changed[at] = chance.randrange(256)
            case 2:
                number = chance.choice(NUMBERS)
                changed[at : at + len(number)] = number
            case 3:
                del changed[at : at + chance.choice((1, 4, 64, len(changed)))]
            case 4:
                end = min(len(changed), at + chance.choice((1, 4, 64)))
                changed[at:at] = changed[at:end]
            case _:
                changed[at:at] = chance.randbytes(chance.choice((1, 4, 16)))
    return bytes(changed)
