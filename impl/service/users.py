"""Functions about users: log in, log out, and what administrators do.

Each node has users of its own; where there are controllers, they have those of the whole cluster.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from ..bugs_of_users import DOOR_OPEN, LOGIN_SURVIVES
from ..client.errors import BAD_REQUEST, NOT_AUTHENTICATED, RequestError
from ..cluster.users import USER_GONE
from ..users import Done
from ..visitor import Visitor
from ..wire import printable
from .call import Call, Function

TRIES_MAX = 3
"""Wrong passwords that one connection may send; then it is ended."""

log = logging.getLogger("delphic.users")


class Book(Protocol):
    """The users, wherever they are kept. Answers come later."""

    def check(
        self,
        name: str,
        password: str,
        done: Callable[[bool | RequestError], None],
        is_wanted: Callable[[], bool],
    ) -> None:
        """Tell whether the password is right, if that is wanted when its turn comes."""

    def set(
        self, by: str | None, name: str, password: str, done: Done, *, admin: bool | None
    ) -> None:
        """Make a user, or with `admin` None change a password."""

    def remove(self, by: str | None, name: str, done: Done) -> None:
        """Delete a user."""

    def names(self, by: str | None, done: Done) -> None:
        """Every user."""


class UserFunctions:
    """The door. `book` is None where this node has no users to speak of."""

    def __init__(
        self,
        book: Book | None,
        visitors: Callable[[], Iterable[Visitor]],
        *,
        wants_login: bool,
        bugs: frozenset[str] = frozenset(),
    ) -> None:
        """Without `wants_login` everybody may call everything."""
        self._book = book
        self._bugs = bugs
        self._wants_login = wants_login
        self._visitors = visitors

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

    def for_peers(self) -> dict[str, Function]:
        """What nodes ask of one another."""
        return {USER_GONE: (tuple[str], self._gone)}

    def refusal(self, visitor: Visitor, function: str) -> RequestError | None:
        """Why this visitor may not call that; None if it may."""
        if not self._wants_login or visitor.user is not None or function == "login":
            return None
        if DOOR_OPEN in self._bugs and function not in self.functions():
            return None
        return RequestError(NOT_AUTHENTICATED, True, "log in first: login(user, password)")

    def _login(self, call: Call, user: str, password: str) -> None:
        visitor = call.visitor
        if self._book is None or not self._wants_login or visitor is None:
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
                # Who claims to be somebody else and is not, is nobody.
                if LOGIN_SURVIVES not in self._bugs:
                    visitor.log_out()
                self._turn_away(call, visitor, user)

        self._book.check(user, password, checked, lambda: visitor.is_open)

    def _turn_away(self, call: Call, visitor: Visitor, user: str) -> None:
        log.warning("wrong password for %s from %s", printable(user), visitor.channel.peer)
        call.answer(RequestError(NOT_AUTHENTICATED, True, "user or password is wrong"))
        if visitor.tries >= TRIES_MAX:
            visitor.channel.close("too many wrong passwords")

    def _logout(self, call: Call) -> None:
        if call.visitor is not None:
            call.visitor.log_out()
        call.answer(None)

    def _change_password(self, call: Call, old: str, new: str) -> None:
        book, visitor, name = self._book, call.visitor, call.user
        if book is None or visitor is None or name is None:
            call.answer(_off())
            return

        def checked(matches: bool | RequestError) -> None:
            if matches is True:
                book.set(name, name, new, call.answer, admin=None)
            elif isinstance(matches, RequestError):
                call.answer(matches)
            else:
                visitor.tries += 1
                self._turn_away(call, visitor, name)

        book.check(name, old, checked, lambda: visitor.is_open)

    def _create(self, call: Call, user: str, password: str, admin: bool) -> None:
        if self._book is None:
            call.answer(_off())
        else:
            self._book.set(call.user, user, password, call.answer, admin=admin)

    def _delete(self, call: Call, user: str) -> None:
        def done(outcome: Any) -> None:
            call.answer(outcome)
            if outcome is None:
                self._end(user)

        if self._book is None:
            call.answer(_off())
        else:
            self._book.remove(call.user, user, done)

    def _gone(self, call: Call, user: str) -> None:
        """Another node has deleted him."""
        self._end(user)
        call.answer(None)

    def _end(self, user: str) -> None:
        for visitor in list(self._visitors()):
            if visitor.user == user:
                visitor.channel.close(f"{user} is no user any more")

    def _list(self, call: Call) -> None:
        if self._book is None:
            call.answer(_off())
        else:
            self._book.names(call.user, call.answer)


def _off() -> RequestError:
    return RequestError(BAD_REQUEST, True, "this node has no users: authentication=off")
