"""Whether a row is gone for good, or was only missed by a stale read."""

from .view import LogView, Read


def gone_in(view: LogView, row: int, offset: int, after: int) -> Read | None:
    """Return the last read that looked at the offset, if it did not find the row there.

    Only reads count that began after op `after`, when the row was certainly written.
    """
    for read in reversed(view.reads):
        if read.inv < after:
            return None
        if read.start <= offset and (read.limit is None or offset < read.start + read.limit):
            at = offset - read.start
            found = at < len(read.rows) and read.rows[at] == row
            return None if found else read
    return None
