"""Lines of a member's trace by time: it is as long as its run, and is read where it matters."""

import re
from collections.abc import Callable, Iterable, Iterator
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

LINE_BYTES_MAX = 1 << 20
_TIME = re.compile(rb'"t_ns":\s?(\d{1,19})')


def lines(path: Path, begin_ns: int, end_ns: int) -> Iterator[bytes]:
    """The lines between two times of the trace's clock."""
    if not path.stat().st_size:
        return
    with path.open("rb") as stream, mmap(stream.fileno(), 0, access=ACCESS_READ) as trace:
        at = _offset(trace, begin_ns)
        while at < len(trace):
            until = trace.find(b"\n", at)
            until = len(trace) if until < 0 else until
            line = trace[at:until]
            time = _TIME.search(line)
            if time is not None and int(time.group(1)) > end_ns:
                return
            yield line
            at = until + 1


def states(
    path: Path, times_ns: Iterable[int], mark: bytes, read: Callable[[bytes], T | None]
) -> Iterator[T | None]:
    """What the last line until each of these times says, of those that hold the mark.

    `times_ns` are in order; `read` gives None for lines that say nothing.
    """
    if not path.stat().st_size:
        yield from (None for _ in times_ns)
        return
    with path.open("rb") as stream, mmap(stream.fileno(), 0, access=ACCESS_READ) as trace:
        begin, known = 0, None
        for time_ns in times_ns:
            # What lies before the last time was looked at then.
            end = max(begin, _offset(trace, time_ns + 1))
            found = _last(trace, begin, end, mark, read)
            known = known if found is None else found
            begin = end
            yield known


def _last(
    trace: mmap, begin: int, end: int, mark: bytes, read: Callable[[bytes], T | None]
) -> T | None:
    """What the last line in there says that has the mark and says something."""
    while (hit := trace.rfind(mark, begin, end)) >= 0:
        start = max(begin, trace.rfind(b"\n", begin, hit) + 1)
        until = trace.find(b"\n", hit)
        found = read(trace[start : len(trace) if until < 0 else until])
        if found is not None:
            return found
        end = start
    return None


def _offset(trace: mmap, time_ns: int) -> int:
    """Where the first line of that time or later begins."""
    low, high = 0, len(trace)
    while low < high:
        middle = (low + high) // 2
        start = trace.rfind(b"\n", low, middle) + 1 or low
        found = _TIME.search(trace, start, min(len(trace), start + LINE_BYTES_MAX))
        if found is None or int(found.group(1)) >= time_ns:
            high = min(middle, start)
        else:
            behind = trace.find(b"\n", found.end())
            low = len(trace) if behind < 0 else behind + 1
    return low
