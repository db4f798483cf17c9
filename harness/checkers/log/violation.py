"""What a checker of logs found wrong, with the appends and reads that show it."""

import msgspec

from .prose import identity
from .view import Append, Read


class Violation(msgspec.Struct, frozen=True):
    """What is wrong, of which kind, and the operations that show it."""

    kind: str
    sentence: str
    operations: tuple[Append | Read, ...]

    @property
    def witness(self) -> tuple[int, ...]:
        return tuple(sorted({identity(operation.call) for operation in self.operations}))
