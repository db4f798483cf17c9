"""Functions about users: log in, log out, and what administrators do. Each node has its own."""

import logging
from collections.abc import Callable, Iterable
from typing import Any

from ..client.errors import BAD_REQUEST, NOT_AUTHENTICATED, NOT_AUTHORIZED, RequestError
from ..config import ConfigError, NodeConfig
from ..users import Users, UsersError
from ..visitor import Visitor
from ..wire import printable
from .call import Call, Function

TRIES_MAX = 3
"""Wrong passwords that one connection may send; then it is ended."""

HINT = (
    "write initialAdminPassword=… into cluster.cfg for the user admin, or authentication=off "
    "if everybody may call"
)

log = logging.getLogger("delphic.users")


class UserFunctions:
    """The door. `users` is None where authentication is off: everybody may call then."""

    def __init__(self, users: Users | None, visitors: Callable[[], Iterable[Visitor]]) -> None:
        self._users = users
        self._visitors = visitors

    def open(self, config: NodeConfig) -> None:
        """Read who there is; raises OSError, or ConfigError if nobody could ever log in."""
        if self._users is None:
            return
        try:
            self._users.open(config.first_password)
        except UsersError as error:
            message = f"{error}; {HINT}"
            raise ConfigError(message, file=config.users_file) from None

    def functions(self) -> dict[str, Function]:
        """By their documented names."""
        return {
            "login": (tuple[str, str], self._login),
            "logout": (tuple[()], self._logout),
            "changePwd": (tuple[str, str], self._change_password),
            "createUser": (tuple[str, str, bool], self._create),
            "deleteUser": (tuple[str], self._delete),
            "getUserList": (tuple[()], self._list),
        }

    def refusal(self, visitor: Visitor, function: str) -> RequestError | None:
        """Why this visitor may not call that; None if it may."""
        if self._users is None or visitor.user is not None or function == "login":
            return None
        return RequestError(NOT_AUTHENTICATED, True, "log in first: login(user, password)")

    def _login(self, call: Call, user: str, password: str) -> None:
        visitor = call.visitor
        if self._users is None or visitor is None:
            call.answer(None)
            return
        visitor.tries += 1
        if visitor.tries > TRIES_MAX:
            self._turn_away(call, visitor, user)
            return

        def checked(matches: bool | RequestError) -> None:
            if isinstance(matches, RequestError):
                call.answer(matches)
            elif matches:
                visitor.log_in(user)
                log.info("%s logged in from %s", user, visitor.channel.peer)
                call.answer(None)
            else:
                self._turn_away(call, visitor, user)

        self._users.check(user, password, checked)

    def _turn_away(self, call: Call, visitor: Visitor, user: str) -> None:
        log.warning("wrong password for %s from %s", printable(user), visitor.channel.peer)
        call.answer(RequestError(NOT_AUTHENTICATED, True, "user or password is wrong"))
        if visitor.tries >= TRIES_MAX:
            visitor.channel.close("too many wrong passwords")

    def _logout(self, call: Call) -> None:
        if call.visitor is not None:
            call.visitor.user = None
        call.answer(None)

    def _change_password(self, call: Call, old: str, new: str) -> None:
        users, visitor = self._users, call.visitor
        if users is None or visitor is None or visitor.user is None:
            call.answer(_off())
            return
        name = visitor.user

        def checked(matches: bool | RequestError) -> None:
            if matches is True:
                users.set(name, new, call.answer, admin=None)
            elif isinstance(matches, RequestError):
                call.answer(matches)
            else:
                visitor.tries += 1
                self._turn_away(call, visitor, name)

        users.check(name, old, checked)

    def _create(self, call: Call, user: str, password: str, admin: bool) -> None:
        users = self._for_admin(call)
        if users is not None:
            users.set(user, password, call.answer, admin=admin)

    def _delete(self, call: Call, user: str) -> None:
        users = self._for_admin(call)
        if users is None:
            return

        def done(outcome: Any) -> None:
            call.answer(outcome)
            if outcome is None:
                for visitor in list(self._visitors()):
                    if visitor.user == user:
                        visitor.channel.close(f"{user} is no user any more")

        users.remove(user, done)

    def _list(self, call: Call) -> None:
        users = self._for_admin(call)
        if users is not None:
            call.answer(users.names())

    def _for_admin(self, call: Call) -> Users | None:
        """The users, if the caller may change them; answers why not, else."""
        if self._users is None:
            call.answer(_off())
            return None
        if call.visitor is None or not self._users.is_admin(call.visitor.user):
            call.answer(RequestError(NOT_AUTHORIZED, True, "only for administrators"))
            return None
        return self._users


def _off() -> RequestError:
    return RequestError(BAD_REQUEST, True, "this node has no users: authentication=off")
