"""What a program says about a subscription, and what it may be told of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

import msgspec

from ..runtime import Tls
from ..site import Site, parse_site
from ..stream.filtering import Values
from .cursor import LATEST
from .errors import (
    BAD_ANSWER,
    BAD_REQUEST,
    FRAME_TOO_LARGE,
    NOT_AUTHENTICATED,
    OFFSET_PURGED,
    TABLE_REPLACED,
    TOPIC_EXISTS,
    RequestError,
)
from .functions import NUMBER_MAX, TableId

WINDOW = 8
"""Frames that we have room for."""

LASTING = frozenset(
    {BAD_REQUEST, FRAME_TOO_LARGE, NOT_AUTHENTICATED, OFFSET_PURGED, TABLE_REPLACED, TOPIC_EXISTS}
)
"""Refusals that no other member and no other moment will change."""

Login = tuple[str | None, str, Tls | None]
"""User, password, and what to believe of members."""

NOBODY: Login = (None, "", None)

BEAT_S_MAX = 3600.0
"""The longest that a leader may want to be silent."""

Handler = Callable[..., Awaitable[None] | None]
"""Called with rows, and with the id of the last one where it wants that."""


class Begun(msgspec.Struct, frozen=True):
    """A leader's answer to subscribeTable."""

    schema: bytes
    term: int
    beat_s: Annotated[float, msgspec.Meta(gt=0, le=BEAT_S_MAX)]
    start: Annotated[int, msgspec.Meta(ge=0, le=NUMBER_MAX)]
    sites: list[str]
    table: TableId

    def places(self) -> list[Site]:
        """Where the members are; raises RequestError."""
        try:
            return [parse_site(text) for text in self.sites]
        except ValueError as error:
            raise RequestError(BAD_ANSWER, False, str(error)) from None


class Note(msgspec.Struct, frozen=True):
    """What befell a subscription, for whoever watches: live, handled, failed, recorded or lost."""

    what: str
    offset: int = 0
    count: int = 0
    leader: str = ""
    term: int = 0


@dataclass(frozen=True, slots=True)
class Options:
    """As in the documents' subscribeTable.

    `missing` is what -2 means where no offset is stored; None makes that an error (V9). With
    `batch_size` the handler waits for so many rows or `throttle_s`, and gets all that wait (B15).
    With a `filter` it gets only rows with one of these values in the table's filter column (B17);
    what is left out counts for `batch_size` and for offsets.
    """

    action: str = ""
    offset: int = LATEST
    missing: int | None = None
    msg_as_table: bool = False
    batch_size: int = 0
    throttle_s: float = 1.0
    reconnect: bool = False
    persist_offset: bool = False
    handler_need_msg_id: bool = False
    filter: Values | None = None
