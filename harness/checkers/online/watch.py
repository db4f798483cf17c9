"""What a check is that is made while a run goes on, and what it reports."""

from typing import Protocol

import msgspec

from ...history import Call
from ...op import Op


class Flaw(msgspec.Struct, frozen=True):
    """What is wrong, the promises that it breaks, and the indices of the few ops that show it."""

    sentence: str
    promises: tuple[str, ...]
    witness: tuple[int, ...]


class Watch(Protocol):
    """A checker that is told of every op as it is recorded, and keeps what it needs of them.

    Law: what it calls wrong, the checker of its name calls wrong in every history that goes on from
    there. The reverse need not hold: what is only known at the end, the checker finds then.
    """

    @property
    def name(self) -> str:
        """The checker's."""

    def hear(self, op: Op, call: Call | None) -> Flaw | None:
        """The next op; of a client's, the call that it begins (without a completion) or ends.

        Costs no more than in proportion to the op.
        """


class Sighting(msgspec.Struct, frozen=True):
    """What was seen to be wrong while a run went on: by which checker, at which op and when."""

    checker: str
    index: int
    time_ns: int
    flaw: Flaw
