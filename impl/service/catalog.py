"""What the nodes of a cluster ask of a controller: the leader answers, others say who that is."""

from collections.abc import Callable
from typing import Annotated, Any

import msgspec

from ..bugs_of_replication import INCOMPLETE_SHOWN
from ..client.errors import OVERLOADED, RequestError
from ..cluster.catalog import Catalog
from ..cluster.commands import (
    Abort,
    Begin,
    Commit,
    Complete,
    Crc,
    Ddl,
    Id,
    Keys,
    Name,
    RemoveUser,
    Replicate,
    Right,
    SetFlag,
    SetRight,
    SetUser,
    Statement,
)
from ..cluster.controllers import attempt_s
from ..cluster.group import CatalogGroup
from ..cluster.operations import Operation
from ..config import NodeConfig
from ..hashing import NOBODY, Hashing, hashed
from ..replication.tasks import TaskMeta
from ..runtime import Clock
from ..users import PASSWORD_CHARACTERS_MAX
from .call import Call, Function

Password = Annotated[str, msgspec.Meta(min_length=1, max_length=PASSWORD_CHARACTERS_MAX)]


class CatalogFunctions:
    """Of one controller; docs/cluster.md lists them. `group` is there once the node is open."""

    group: CatalogGroup

    def __init__(self, config: NodeConfig, clock: Clock, hashing: Hashing) -> None:
        self._config = config
        self._clock = clock
        self._hashing = hashing
        self._attempt_s = attempt_s(config)
        self._shows_incomplete = INCOMPLETE_SHOWN in config.seeded_bugs
        self._nodes = tuple(site.alias for site in config.data_nodes)

    def functions(self) -> dict[str, Function]:
        """For peers only."""
        return {
            "controllersLeader": (tuple[()], self._leader),
            "txnBegin": (
                tuple[str | None, Name, Name, Operation, Keys | None, Crc, Id | None],
                self._begin,
            ),
            "txnCommit": (tuple[Id, TaskMeta | None], self._commit),
            "txnComplete": (tuple[Id], self._complete),
            "txnAbort": (tuple[Id], self._abort),
            "txnOutcome": (tuple[Id], self._outcome),
            "ddl": (tuple[str | None, Statement, Id | None], self._ddl),
            "setFlag": (tuple[str | None, Name, bool], self._set_flag),
            "tableLayout": (tuple[str | None, Name, Name], self._layout),
            "snapshot": (tuple[str | None, Name, Name], self._snapshot),
            "describe": (tuple[str | None, Name], self._describe),
            "databases": (tuple[()], self._databases),
            "userCheck": (tuple[Name, str], self._check_user),
            "userSet": (tuple[str | None, Name, Password, bool | None], self._set_user),
            "userRemove": (tuple[str | None, Name], self._remove_user),
            "userRight": (tuple[str | None, Name, Right, Name, bool], self._set_right),
            "userList": (tuple[str | None], self._users),
            "userIsAdmin": (tuple[str | None], self._is_admin),
            "replicate": (tuple[bytes], self._replicate),
        }

    def _leader(self, call: Call) -> None:
        self.group.glance(lambda catalog: self._config.alias, call.answer)

    # Transactions.

    def _begin(
        self,
        call: Call,
        user: str | None,
        database: str,
        table: str,
        operation: Operation,
        keys: tuple[str, ...] | None,
        layout: int,
        applied: int | None,
    ) -> None:
        wanted = (operation, database, table, keys, layout, applied)
        command = Begin(user, call.peer, *wanted, self._nodes)
        self.group.propose(command, call.answer)

    def _commit(self, call: Call, tid: int, meta: TaskMeta | None) -> None:
        self.group.propose(Commit(tid, meta), call.answer)

    def _complete(self, call: Call, tid: int) -> None:
        self.group.propose(Complete(tid, self._clock.wall_ns()), call.answer)

    def _abort(self, call: Call, tid: int) -> None:
        self.group.propose(Abort(tid), call.answer)

    def _outcome(self, call: Call, tid: int) -> None:
        self.group.look(lambda catalog: catalog.transactions.outcome(tid), call.answer)

    # Metadata.

    def _ddl(self, call: Call, user: str | None, statement: Statement, applied: int | None) -> None:
        site, now_ns = self._config.sites[call.peer], self._clock.wall_ns()
        command = Ddl(user, site.alias, site.host, site.port, statement, applied, now_ns)
        self.group.propose(command, call.answer)

    def _set_flag(self, call: Call, user: str | None, database: str, on: bool) -> None:
        site, now_ns = self._config.sites[call.peer], self._clock.wall_ns()
        command = SetFlag(user, site.host, site.port, database, on, now_ns)
        self.group.propose(command, call.answer)

    def _layout(self, call: Call, user: str | None, database: str, table: str) -> None:
        """As `snapshot`, of what this leader knows, for whoever may write: it asks again."""
        self.group.glance(lambda catalog: catalog.layout(user, database, table), call.answer)

    def _snapshot(self, call: Call, user: str | None, database: str, table: str) -> None:
        def view(catalog: Catalog) -> dict[str, Any]:
            found = catalog.snapshot(user, database, table)
            return found | {"excluded": []} if self._shows_incomplete else found

        self.group.look(view, call.answer)

    def _describe(self, call: Call, user: str | None, database: str) -> None:
        self.group.look(lambda catalog: catalog.described(user, database), call.answer)

    def _databases(self, call: Call) -> None:
        self.group.look(lambda catalog: catalog.listed(), call.answer)

    # Users.

    def _check_user(self, call: Call, name: str, password: str) -> None:
        """Answers whether it is right; users that there are not take as long."""
        # Who asks will have asked again by then.
        deadline_ns = self._clock.now_ns() + round(self._attempt_s * 1e9)

        def found(told: Any) -> None:
            if isinstance(told, RequestError):
                call.answer(told)
                return
            users = self.group.catalog.rights.users
            if self._config.first_password and all(not user.hash.key for user in users.values()):
                # Who leads is about to make the first one.
                call.answer(RequestError(OVERLOADED, True, "there is no user yet"))
                return
            kept = users.get(name)
            kept_hash = NOBODY if kept is None else kept.hash

            def is_same(catalog: Catalog) -> bool:
                known = catalog.rights.users.get(name)
                return known is not None and known.hash == kept_hash

            def compared(matches: Any) -> None:
                if matches is True:
                    # He may have been deleted meanwhile, or have got another password.
                    self.group.look(is_same, call.answer)
                else:
                    call.answer(matches)

            self._hashing.submit(
                lambda: kept_hash.matches(password),
                compared,
                lambda: self._clock.now_ns() < deadline_ns,
            )

        self.group.look(lambda catalog: None, found)

    def _set_user(
        self, call: Call, by: str | None, name: str, password: str, admin: bool | None
    ) -> None:
        salt = self._hashing.salt()

        def made(outcome: Any) -> None:
            if isinstance(outcome, RequestError):
                call.answer(outcome)
            else:
                self.group.propose(SetUser(by, name, outcome, admin), call.answer)

        # Who does not lead says so before it works.
        self.group.glance(
            lambda catalog: self._hashing.submit(lambda: hashed(password, salt), made),
            _unless_refused(call),
        )

    def _remove_user(self, call: Call, by: str | None, name: str) -> None:
        self.group.propose(RemoveUser(by, name), call.answer)

    def _set_right(
        self, call: Call, by: str | None, name: str, right: Right, object_: str, on: bool
    ) -> None:
        self.group.propose(SetRight(by, name, right, object_, on), call.answer)

    def _users(self, call: Call, by: str | None) -> None:
        self.group.look(lambda catalog: catalog.listed_users(by), call.answer)

    def _is_admin(self, call: Call, name: str | None) -> None:
        self.group.look(lambda catalog: catalog.rights.is_admin(name), call.answer)

    def _replicate(self, call: Call, entry: bytes) -> None:
        self.group.propose(Replicate(entry), call.answer)


def _unless_refused(call: Call) -> Callable[[Any], None]:
    """Hears only why something was not begun."""

    def told(outcome: Any) -> None:
        if isinstance(outcome, RequestError):
            call.answer(outcome)

    return told
