"""The users of a cluster, as any of its nodes asks the controllers for them; a `Book`."""

import logging
from collections.abc import Callable, Collection
from typing import Any

from ..client.errors import BAD_ANSWER, DISCONNECTED, RequestError
from ..service.forwarding import Ask
from ..users import Done
from ..wire import printable
from .controllers import Controllers

USER_GONE = "userGone"
"""Asked of all nodes: to end the connections of a user who was deleted."""

GONE_S = 1.0
"""So long is waited for their answers."""

log = logging.getLogger("delphic.users")


class ClusterUsers:
    """All answers are the leader's."""

    def __init__(self, controllers: Controllers, others: Collection[str], ask: Ask) -> None:
        """`others` are all nodes but this one."""
        self._controllers = controllers
        self._others = others
        self._ask = ask

    def check(
        self,
        name: str,
        password: str,
        done: Callable[[bool | RequestError], None],
        is_wanted: Callable[[], bool],
    ) -> None:
        """The leader works for nodes, and knows only how long they wait."""

        def told(answer: Any) -> None:
            if isinstance(answer, bool | RequestError):
                done(answer)
            else:
                done(RequestError(BAD_ANSWER, True, "want true or false"))

        self._controllers.ask("userCheck", (name, password), told)

    def set(
        self, by: str | None, name: str, password: str, done: Done, *, admin: bool | None
    ) -> None:
        self._controllers.ask("userSet", (by, name, password, admin), done)

    def remove(self, by: str | None, name: str, done: Done) -> None:
        def removed(outcome: Any) -> None:
            if outcome is None:
                self._lock_out(name, lambda: done(None))
            else:
                done(outcome)

        self._controllers.ask("userRemove", (by, name), removed)

    def names(self, by: str | None, done: Done) -> None:
        self._controllers.ask("userList", (by,), done)

    def _lock_out(self, name: str, done: Callable[[], None]) -> None:
        """Have the logins of a deleted user ended wherever a node can be reached."""
        left = set(self._others)

        def asked(alias: str) -> Callable[[Any], None]:
            def told(answer: Any) -> None:
                if isinstance(answer, RequestError):
                    who = printable(name)
                    log.warning("logins of %s may last at %s: %s", who, alias, answer.message)
                left.discard(alias)
                if not left:
                    done()

            return told

        if not left:
            done()
        for alias in self._others:
            lost = RequestError(DISCONNECTED, True, f"{alias} cannot be reached")
            self._ask(alias, USER_GONE, (name,), asked(alias), lost, GONE_S)
