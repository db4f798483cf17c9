"""Standard output and standard error on which a command may write until its end, come what may."""

import errno
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _Sink(io.FileIO):
    """A descriptor's bytes as long as it takes them; from the first error on they are dropped."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self.failure: OSError | None = None

    def write(self, data: "ReadableBuffer", /) -> int:
        if self.failure is None:
            try:
                return super().write(data)
            except OSError as error:
                self.failure = error
        return memoryview(data).nbytes


@contextmanager
def lasting() -> Iterator[Callable[[], str | None]]:
    """Streams that raise nothing: what a command found is its exit code, whoever reads about it.

    Yields what tells why standard output could not be written, in the system's words; None where
    nothing was lost. A reader who went away (`| head -1`) had enough: that is no loss. Streams that
    are not the process's own are left alone; in place of one that is closed (`2>&-`) is one that
    drops everything.
    """
    sink = _sink(sys.stdout, sys.__stdout__)

    def lost() -> str | None:
        _flush(sys.stdout)
        failure = None if sink is None else sink.failure
        return None if failure is None or failure.errno == errno.EPIPE else failure.strerror

    said = _sink(sys.stderr, sys.__stderr__)
    with (
        open(os.devnull, "w", encoding="utf-8", errors="replace") as nowhere,
        redirect_stdout(_text(sys.stdout or nowhere, sink)),
        redirect_stderr(_text(sys.stderr or nowhere, said)),
    ):
        try:
            yield lost
        finally:
            _flush(sys.stdout)
            _flush(sys.stderr)


def _flush(stream: TextIO | None) -> None:
    if stream is not None:
        stream.flush()


def _sink(stream: TextIO | None, own: TextIO | None) -> _Sink | None:
    return _Sink(stream.fileno()) if stream is not None and stream is own else None


def _text(stream: TextIO, sink: _Sink | None) -> TextIO:
    """The same text, on bytes that may be dropped."""
    if sink is None:
        return stream
    return io.TextIOWrapper(
        io.BufferedWriter(sink),
        encoding=stream.encoding,
        # A name of a file need not be text, and is no reason to end.
        errors="backslashreplace" if stream.errors == "strict" else stream.errors,
        line_buffering=stream.isatty() or stream is sys.__stderr__,
    )
