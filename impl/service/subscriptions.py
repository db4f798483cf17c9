"""Functions about subscriptions, and what else a subscriber's connection says."""

from collections.abc import Mapping

from ..stream.broker import Ask
from ..stream.group import TableGroup
from ..visitor import Visitor
from ..wire import Credit
from .call import Call, Function
from .tables import TableFunctions


class SubscriptionFunctions:
    """A subscription is the leader's; any member says who that is."""

    def __init__(self, tables: TableFunctions, groups: Mapping[int, TableGroup]) -> None:
        self._tables = tables
        self._groups = groups

    def functions(self) -> dict[str, Function]:
        """What clients call."""
        return {
            "subscribeTable": (tuple[Ask], self._subscribe),
            "unsubscribeTable": (tuple[str, str], self._unsubscribe),
        }

    def credit(self, visitor: Visitor, credit: Credit) -> None:
        """A subscriber is there, and has room for more."""
        for group in self._groups.values():
            group.broker.credit(visitor, credit.subscription, credit.frames)

    def writable(self, visitor: Visitor) -> None:
        """A subscriber reads again."""
        for group in self._groups.values():
            group.broker.publish(link=visitor)

    def left(self, visitor: Visitor) -> None:
        """A connection has ended."""
        for group in self._groups.values():
            group.broker.left(visitor)

    def _subscribe(self, call: Call, ask: Ask) -> None:
        """Answers with the start; then rows come over the caller's connection."""
        group, link = self._tables.group_with(ask.table, call.answer), call.visitor
        if group is None or link is None:
            return

        def go() -> None:
            if link.is_open:
                begun = group.broker.subscribe(link, ask, group.raft.core.term)
                begun |= {"sites": group.raft.sites, "table": group.identity(ask.table)}
                call.answer(begun)
                group.broker.publish(link=link)

        group.raft.as_leader(go, call.answer)

    def _unsubscribe(self, call: Call, table: str, action: str) -> None:
        group = self._tables.group_with(table, call.answer)
        if group is None:
            return

        def go() -> None:
            group.broker.unsubscribe(table, action)
            call.answer(None)

        group.raft.as_leader(go, call.answer)
