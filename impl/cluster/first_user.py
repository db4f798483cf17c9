"""The first administrator of a cluster: made by the first leader, from its configuration."""

import logging
from typing import Any

from ..client.errors import RequestError
from ..config import NodeConfig
from ..hashing import NOBODY, Hash, Hashing, hashed
from ..users import ADMIN
from .commands import Command, FirstUser
from .group import CatalogGroup

log = logging.getLogger("delphic.users")


class FirstUserMaker:
    """A `Follower` of the catalog's group.

    Where nobody logs in there is an administrator, too: one whom no password opens the door, so
    that what is executed in its name may be done.
    """

    def __init__(self, group: CatalogGroup, config: NodeConfig, hashing: Hashing) -> None:
        self._group = group
        self._config = config
        self._hashing = hashing

    def led(self) -> None:
        users = self._group.catalog.rights.users
        locked = [name for name, user in users.items() if not user.hash.key]
        if users and not (locked and self._config.wants_login):
            return
        password = self._config.first_password
        if password is not None:
            salt = self._hashing.salt()
            self._hashing.submit(lambda: hashed(password, salt), self._made)
        elif not self._config.wants_login:
            self._made(NOBODY)
        else:
            log.error(
                "authentication is on, and there is no user yet: nobody can log in; write "
                "initialAdminPassword=… into controller.cfg, or authentication=off into both files"
            )

    def stood_down(self) -> None:
        """The next leader begins anew."""

    def applied(self, command: Command, outcome: Any) -> None:
        """Nothing follows from it."""

    def _made(self, outcome: Hash | RequestError | OSError) -> None:
        if isinstance(outcome, Hash):
            self._group.propose(FirstUser(ADMIN, outcome), _nobody)


def _nobody(_: Any) -> None:
    """If it came to nothing, the next leader tries again."""
