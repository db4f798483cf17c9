"""Functions about the cluster as a whole: who leads, calls at other nodes, rights."""

from collections.abc import Callable
from typing import Any

from ..client.errors import BAD_REQUEST, DISCONNECTED, NOT_LEADER, RequestError
from ..cluster.commands import Name, Right
from ..cluster.controllers import Controllers
from ..host import Node
from .call import Answer, Call, Function

RPC_S = 60.0
"""A call at another node may take so long; then its fate is unknown."""

HERE_ONLY = frozenset(("login", "logout", "changePwd", "subscribeTable", "unsubscribeTable"))
"""They are about the caller's own connection."""

ONWARD = frozenset(("rpc", "pnodeRun"))
"""Whoever had these called elsewhere could have 3^n calls made by one of n times 10 bytes."""


class ClusterFunctions:
    """`controllers` is None in a cluster that has none."""

    def __init__(self, node: Node, controllers: Controllers | None) -> None:
        self._node = node
        self._controllers = controllers

    def functions(self) -> dict[str, Function]:
        """By their documented names."""
        return {
            "getControllerAlias": (tuple[()], self._controller),
            "rpc": (tuple[str, str, tuple[Any, ...]], self._rpc),
            "pnodeRun": (tuple[str, tuple[Any, ...]], self._everywhere),
            "grant": (tuple[Name, Right, Name], self._grant),
            "revoke": (tuple[Name, Right, Name], self._revoke),
        }

    def for_peers(self) -> dict[str, Function]:
        """What nodes ask of one another."""
        return {"rpc": (tuple[str | None, str, tuple[Any, ...]], self._perform)}

    def _controller(self, call: Call) -> None:
        if self._controllers is None:
            call.answer(_none())
        else:
            self._controllers.ask("controllersLeader", (), call.answer)

    def _rpc(self, call: Call, alias: str, function: str, args: tuple[Any, ...]) -> None:
        self._ask(call, alias, function, args, call.answer)

    def _everywhere(self, call: Call, function: str, args: tuple[Any, ...]) -> None:
        """All data nodes, in the order of the configuration; rows get a column `node`."""
        names = [site.alias for site in self._node.config.data_nodes]
        answers: dict[str, Any] = {}

        def answered(alias: str) -> Callable[[Any], None]:
            def told(answer: Any) -> None:
                answers[alias] = answer
                if len(answers) == len(names):
                    call.answer(_joined([(name, answers[name]) for name in names]))

            return told

        for name in names:
            self._ask(call, name, function, args, answered(name))

    def _ask(
        self, call: Call, alias: str, function: str, args: tuple[Any, ...], answer: Answer
    ) -> None:
        sites = self._node.config.sites
        if alias not in sites:
            message = f"no node is called {alias}; there are {', '.join(sites)}"
            answer(RequestError(BAD_REQUEST, True, message))
        elif function in HERE_ONLY:
            message = f"{function} is about the caller's connection, and not for other nodes"
            answer(RequestError(BAD_REQUEST, True, message))
        elif function in ONWARD:
            message = f"{function} calls other nodes itself, and is not called at other nodes"
            answer(RequestError(BAD_REQUEST, True, message))
        else:
            lost = RequestError(DISCONNECTED, True, f"{alias} cannot be reached")
            self._node.peers.ask(alias, "rpc", (call.user, function, args), answer, lost, RPC_S)

    def _perform(self, call: Call, user: str | None, function: str, args: tuple[Any, ...]) -> None:
        self._node.perform(function, args, Call(call.answer, peer=call.peer, login=user))

    def _grant(self, call: Call, user: str, right: Right, object_: str) -> None:
        self._set_right(call, user, right, object_, on=True)

    def _revoke(self, call: Call, user: str, right: Right, object_: str) -> None:
        self._set_right(call, user, right, object_, on=False)

    def _set_right(self, call: Call, user: str, right: Right, object_: str, *, on: bool) -> None:
        if self._controllers is None:
            call.answer(_none())
        else:
            args = (call.user, user, right, object_, on)
            self._controllers.ask("userRight", args, call.answer)


def _joined(answers: list[tuple[str, Any]]) -> Any:
    rows: list[dict[str, Any]] = []
    for alias, answer in answers:
        match answer:
            case RequestError(name=name, message=message):
                # What NotLeader says is a site and nothing else.
                text = message if name == NOT_LEADER else f"{alias}: {message}"
                definite = all(isinstance(a, RequestError) and a.definite for _, a in answers)
                return RequestError(name, definite, text)
            case list() | tuple() if all(isinstance(row, dict) for row in answer):
                rows += [row | {"node": alias} for row in answer]
            case dict():
                rows.append(answer | {"node": alias})
            case _:
                rows.append({"value": answer, "node": alias})
    return rows


def _none() -> RequestError:
    return RequestError(BAD_REQUEST, True, "this cluster has no controllers")
