"""How a call can fail, and whether it certainly did nothing.

`definite` is the one thing that a caller must know before asking again: a definite error means that
the call was not executed and never will be; any other error means that nobody knows.
"""

import re
from typing import Final

from ..site import Site, parse_site

NOT_LEADER: Final = "NotLeader"
TABLE_EXISTS: Final = "TableExists"
NO_SUCH_TABLE: Final = "NoSuchTable"
SCHEMA_MISMATCH: Final = "SchemaMismatch"
OFFSET_PURGED: Final = "OffsetPurged"
BAD_REQUEST: Final = "BadRequest"
OVERLOADED: Final = "Overloaded"
TIMEOUT: Final = "Timeout"
DISCONNECTED: Final = "Disconnected"
INDETERMINATE: Final = "Indeterminate"
FRAME_TOO_LARGE: Final = "FrameTooLarge"
NOT_AUTHENTICATED: Final = "NotAuthenticated"
NOT_AUTHORIZED: Final = "NotAuthorized"
BAD_ANSWER: Final = "BadAnswer"
"""The node answered what no node of this version answers; it may have executed the call."""

TOPIC_EXISTS: Final = "TopicExists"
HAS_SUBSCRIPTIONS: Final = "HasSubscriptions"
NO_STORED_OFFSET: Final = "NoStoredOffset"
TABLE_REPLACED: Final = "TableReplaced"
"""Another table has the name now; rows of the one that was read are gone."""

NO_SUCH_DATABASE: Final = "NoSuchDatabase"
DATABASE_EXISTS: Final = "DatabaseExists"
BUSY: Final = "Busy"
"""Something is in the way that will be gone soon: worth another try."""

ABORTED: Final = "Aborted"
"""The transaction will never happen."""

FORGOTTEN: Final = "Forgotten"
"""How the transaction was decided nobody knows any more. For coordinators; clients never see it."""

ALREADY_APPLIED: Final = "AlreadyApplied"
"""The task that the transaction would execute is finished (S01039)."""

READ_ONLY: Final = "ReadOnly"
"""Clients do not write what replication writes (S01023)."""

NOT_LEADER_TAG: Final = "<NotLeader>"

_KEPT_FROM = re.compile(r"keeps rows from offset (\d+) on")


class RequestError(Exception):
    """The outcome of a call that gave no result."""

    def __init__(self, name: str, definite: bool, message: str) -> None:
        super().__init__(message)
        self.name = name
        self.definite = definite
        self.message = message

    def __str__(self) -> str:
        certainty = "not executed" if self.definite else "perhaps executed"
        return f"{self.name} ({certainty}): {self.message}"

    @property
    def site(self) -> Site | None:
        """Of a NotLeader: the site that it names (promise HS-7); None if it names none."""
        if self.name != NOT_LEADER or not self.message.startswith(NOT_LEADER_TAG):
            return None
        try:
            return parse_site(self.message.removeprefix(NOT_LEADER_TAG))
        except ValueError:
            return None

    @property
    def kept_from(self) -> int | None:
        """Of an OffsetPurged: the first row that is kept; None if it does not say."""
        said = _KEPT_FROM.search(self.message) if self.name == OFFSET_PURGED else None
        return int(said[1]) if said else None


def not_leader(site: Site) -> RequestError:
    """The answer of a member that is not the leader: who is, or itself if it knows none."""
    return RequestError(NOT_LEADER, True, f"{NOT_LEADER_TAG}{site}")


def table_replaced(table: str) -> RequestError:
    """What a reader ends with whose table was dropped, and its name given to another."""
    return RequestError(TABLE_REPLACED, True, f"{table} is another table now, with rows of its own")


def offset_purged(table: str, kept_from: int, asked: int) -> RequestError:
    """The answer to whoever asks for a row that retention has removed."""
    message = f"table {table} keeps rows from offset {kept_from} on, not {asked}"
    return RequestError(OFFSET_PURGED, True, message)
