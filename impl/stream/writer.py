"""When rows go into the data files: once the own log has them; and out of them when it does not."""

from ..raft.applier import APPLY_BYTES_MAX, APPLY_ENTRIES_MAX
from ..raft.core import Core
from .tables import Tables


class Writer:
    """Lets a member's tables follow its log, beside what is committed and applied."""

    def __init__(self, core: Core, tables: Tables) -> None:
        self._core = core
        self._tables = tables

    def roll_back(self) -> None:
        """Cut off what was overruled, before anything else is written. Raises OSError."""
        self._tables.roll_back(self._core.log.holds)

    def write(self, applied: int) -> None:
        """Let the data files have what is durable here while others are still asked (W3, V2).

        All is applied up to `applied` that can be. What more there is waits for its commit: it is
        written then. Raises OSError.
        """
        entries = self._core.log
        index, size = max(applied, self._tables.written_ahead) + 1, 0
        stop = min(entries.durable, index + APPLY_ENTRIES_MAX - 1)
        while index <= stop and size < APPLY_BYTES_MAX:
            entry = entries.entry(index)
            if not self._tables.write_ahead(index, entry):
                break
            size += len(entry.payload)
            index += 1
        self._tables.flush()
