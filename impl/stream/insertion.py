"""A batch that a leader has checked, on its way into the log."""

from dataclasses import dataclass
from typing import Any

from ..client.errors import RequestError
from .dedup import NO_ROW, Screened


@dataclass(frozen=True, slots=True)
class Insertion:
    """A batch as it is to be logged. `logged` once it is sure to be."""

    payload: bytes
    beside_bytes: int
    """Of the schema, which every answer has beside the rows."""
    screened: Screened | None = None
    """What the key columns left of it, if the table has any."""

    def logged(self) -> None:
        """Later batches are judged against this one, too."""
        if self.screened is not None:
            self.screened.logged()

    def told(self, outcome: Any) -> Any:
        """What its producer is told: an offset; with key columns also how many rows were new."""
        if self.screened is None or isinstance(outcome, RequestError):
            return outcome
        rows = self.screened.rows
        return [outcome if rows else NO_ROW, rows]
