"""Functions about Raft groups and the node itself; what they tell is this member's view."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ..client.errors import BAD_REQUEST, RequestError
from ..config import CATALOG_GROUP, GroupConfig
from ..raft.group import Group
from .call import Answer, Call, Function

G = TypeVar("G")


class GroupFunctions:
    """Looks on: nothing here changes anything."""

    def __init__(
        self,
        alias: str,
        configs: tuple[GroupConfig, ...],
        groups: Mapping[int, Group],
        node_status: Callable[[], dict[str, Any]],
    ) -> None:
        self._alias = alias
        self._configs = configs
        self._groups = groups
        self._node = node_status

    def functions(self) -> dict[str, Function]:
        """By their documented names; `raftStatus` and `nodeStatus` are Delphic's own."""
        return {
            "getStreamingRaftGroups": (tuple[()], self._raft_groups),
            "getStreamingLeader": (tuple[int], self._leader),
            "raftStatus": (tuple[int], self._status),
            "nodeStatus": (tuple[()], self._node_status),
        }

    def _raft_groups(self, call: Call) -> None:
        call.answer(
            [
                {"id": group.id, "sites": ",".join(str(site) for site in group.sites)}
                for group in self._configs
                if group.id != CATALOG_GROUP
            ]
        )

    def _leader(self, call: Call, group_id: int) -> None:
        group = group_of(self._groups, self._alias, group_id, call.answer)
        if group is not None:
            call.answer(group.not_leader() if group.leader is None else group.leader.alias)

    def _status(self, call: Call, group_id: int) -> None:
        group = group_of(self._groups, self._alias, group_id, call.answer)
        if group is not None:
            call.answer(group.status())

    def _node_status(self, call: Call) -> None:
        call.answer(self._node())


def group_of(groups: Mapping[int, G], alias: str, group_id: int, answer: Answer) -> G | None:
    """The group of that id; answers BadRequest and gives None where this node is in no such one."""
    group = groups.get(group_id)
    if group is None:
        mine = ", ".join(str(known) for known in groups) or "none"
        message = f"{alias} is not in group {group_id}; its groups: {mine}"
        answer(RequestError(BAD_REQUEST, True, message))
    return group
