"""Seeded bugs of the door: known mistakes about who may call, which a test may switch on.

No numbered promise is about users, and clients in scenarios call as anybody: these are hunted by
tests/impl/test_door_bugs.py, not by the zoo.
"""

from collections.abc import Mapping
from types import MappingProxyType

from .bug import Bug

DOOR_OPEN = "door-open"
LOGIN_SURVIVES = "login-survives"

_ALL = (
    Bug(
        DOOR_OPEN,
        "A node lets through what somebody calls who has not logged in, unless it is about users.",
        "S4 §2.2",
        (),
    ),
    Bug(
        LOGIN_SURVIVES,
        "Who is logged in stays so when logging in as somebody else fails.",
        "S4 §2.2",
        (),
    ),
)

USER_BUGS: Mapping[str, Bug] = MappingProxyType({bug.name: bug for bug in _ALL})
"""All of them by name."""
