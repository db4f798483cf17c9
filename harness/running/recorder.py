"""The one writer of a history: it alone gives indices, so that it alone decides order."""

from collections import Counter
from collections.abc import Callable
from typing import Any, BinaryIO

import msgspec

from ..errors import WorldError
from ..op import Op, OpType, ProcessId


class Recorder:
    """Appends ops to a file, through a buffer that `flush` empties.

    `now_ns` counts from the start of the run.
    """

    def __init__(self, stream: BinaryIO, now_ns: Callable[[], int]) -> None:
        self.now_ns = now_ns
        self.counts: Counter[OpType] = Counter()
        """Ops of clients, by type."""
        self._stream = stream
        self._encoder = msgspec.json.Encoder()
        self._buffer = bytearray()
        self._next = 0
        self._listener: Callable[[Op], None] | None = None

    def listen(self, listener: Callable[[Op], None]) -> None:
        """Let somebody hear of every op, once it is recorded."""
        self._listener = listener

    @property
    def next_index(self) -> int:
        """The index of the op to come: every later op has this one or a higher."""
        return self._next

    def add(
        self,
        process: ProcessId,
        kind: OpType,
        f: str,
        *,
        key: Any = None,
        value: Any = None,
        node: str | None = None,
        error: str | None = None,
    ) -> Op:
        """Record one op, now.

        Raises TypeError or ValueError where JSON cannot hold the key or the value; nothing is
        recorded then.
        """
        op = Op(self._next, self.now_ns(), process, kind, f, key, value, node, error)
        # Only a line that is whole gets into the buffer, and only that one uses up the index.
        line = self._encoder.encode(op)
        self._next += 1
        if type(process) is int:
            self.counts[kind] += 1
        self._buffer += line
        self._buffer += b"\n"
        if self._listener is not None:
            self._listener(op)
        return op

    def flush(self) -> None:
        """Hand everything recorded to the operating system. Raises WorldError, saying why not."""
        try:
            while self._buffer:
                written = self._stream.write(self._buffer)
                del self._buffer[:written]
            self._stream.flush()
        except OSError as error:
            raise WorldError(f"cannot write the history: {error.strerror}") from error
