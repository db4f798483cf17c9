"""The two clusters as a model: bounds, promises, and what they may count on when faults have ended.

Actors: 0 the master's controllers, 1 its data node, then of each slave its controllers and its data
nodes. The network between them loses, repeats and reorders as it is told to.
"""

from dataclasses import dataclass, fields, replace
from enum import Enum
from functools import partial
from typing import Any

from .actor import Fifo, GoodPhase, Model, Network, Receive, Soup
from .properties.replication import properties
from .properties.replication_good import ENDS, FINISHES, FOLLOWED, TRUNCATED
from .properties.replication_slave import Ledger
from .replication import DataNode, SlaveControllers
from .replication_events import (
    Abort,
    Apply,
    Begun,
    Commit,
    Complete,
    Dispatch,
    Ended,
    Execute,
    Fetch,
    Fetched,
    Finish,
    Flush,
    Lose,
    NotLeader,
    Order,
    Own,
    Pull,
    Pulled,
    Skip,
)
from .replication_master import CONTROLLERS, COORDINATOR, Controllers, Coordinator
from .replication_rules import Options, Rules, done_up_to, slot_of
from .replication_types import Data, Master, Node, Reason, Slave, Source, State

OF_ATTEMPTS = Execute | Fetch | Fetched | Apply | Ended

BUDGETS = (
    "flags", "orders", "elections", "crashes", "deletes", "stops", "starts", "skips", "failovers",
    "poisons", "fills", "clients",
)  # fmt: skip


def event_name(event: Any) -> str:
    """Coverage tells kinds of events apart, not tasks and chunks."""
    if isinstance(event, Receive):
        return f"receive {type(event.message).__name__.lower()}"
    return event.name.lower() if isinstance(event, Enum) else type(event).__name__.lower()


@dataclass(frozen=True)
class Calm:
    """Faults have ended. Connections bring what is sent, and are found broken where they are.

    Clients begin nothing new. `attended`: an administrator mends what is broken, skips what cannot
    be mended, and then starts. `alone`: of the master's controllers only the leader is up.
    """

    options: Options
    attended: bool = True
    alone: bool = False

    def __call__(
        self, locals_: tuple[Any, ...], net: tuple[Any, ...], node: int, event: Any
    ) -> bool:
        m: Master = locals_[CONTROLLERS]
        source: Source = locals_[COORDINATOR]
        s = locals_[node]
        match event:
            case Receive(Pull() as message):
                return not self.alone or message.member == m.leader
            case Receive() | Finish() | Flush() | Complete():
                return True
            case Abort(tid):
                return self._is_silent(source, net, tid)
            case Own.PULL:
                answers = not self.alone or s.site == m.leader
                return answers and self._has_reason(m, s, net, node)
            case Own.TURN:
                return self.alone and s.site != m.leader
            case Dispatch(task):
                tid = slot_of(s, task).task.tid
                return source.data[tid - 1] is not Data.MEMORY  # The next try is after that.
            case Lose(task):
                run = slot_of(s, task).run
                return not any(
                    isinstance(x, OF_ATTEMPTS) and _of_attempt(self.options, x, node, task, run)
                    for x in net
                )
        return self.attended and self._mends(locals_, node, event)

    def _mends(self, locals_: tuple[Any, ...], node: int, event: Any) -> bool:
        s = locals_[node]
        if event in (Own.CURE, Own.CLEAR):
            return True
        if isinstance(event, Skip):
            slot = slot_of(s, event.task)
            return slot.state is State.FAILED and slot.reason is Reason.MISSING
        if event is not Order.START or isinstance(s, Master):
            return event is Order.START
        base = self.options.base(s.me)
        nodes: tuple[Node, ...] = locals_[base + 1 : base + 1 + self.options.nodes]
        hopeless = any(
            slot.state is State.FAILED and slot.reason is Reason.MISSING for slot in s.slots
        )
        return s.rights and all(each.room for each in nodes) and not hopeless

    def _is_silent(self, source: Source, net: tuple[Any, ...], tid: int) -> bool:
        """Whether its coordinator will not ask for the commit any more."""
        coming = any(isinstance(x, Begun | Commit) and x.tid == tid for x in net)
        return not coming and not (self.options.sync and source.data[tid - 1] is Data.MEMORY)

    def _has_reason(self, m: Master, s: Slave, net: tuple[Any, ...], node: int) -> bool:
        """It pulls for ever; what counts is the next time that tells anybody anything."""
        if any(isinstance(x, Pull | Pulled | NotLeader) and node in (x.src, x.dst) for x in net):
            return False
        news = s.offset < len(m.tasks) or m.done[s.me] != done_up_to(s)
        return s.offset >= m.cut and (news or s.site != m.leader)


def _of_attempt(options: Options, x: Any, node: int, task: int, run: int) -> bool:
    """Whether a message is about this attempt of the slave whose controllers are `node`."""
    number = x.task.id if isinstance(x, Execute) else x.task
    mine = any(node <= end <= node + options.nodes for end in (x.src, x.dst))
    return mine and (number, x.attempt) == (task, run)


def actors(options: Options, rules: Rules, *, calm: bool = False) -> tuple[Any, ...]:
    """All of them."""
    slaves = (
        actor
        for nth in range(options.slaves)
        for actor in (
            SlaveControllers(options, rules, nth, calm),
            *(DataNode(options, rules, nth, node) for node in range(options.nodes)),
        )
    )
    return (Controllers(options, rules, calm), Coordinator(options, rules), *slaves)


def phases(options: Options, rules: Rules) -> tuple[GoodPhase, ...]:
    """Good phases: somebody mends everything; nobody does; and with something that stays down."""
    wide = replace(options, attempts=options.attempts + 2 * options.limit + 1)
    cast = actors(wide, rules, calm=True)
    up = tuple(range(len(cast)))
    last = options.base(options.slaves - 1)
    dead = last + 1 + 1 % options.nodes  # Task 1 is for this data node.
    cured = (FINISHES.name, TRUNCATED.name)
    followed = (FOLLOWED.name,) if options.controllers > 1 else ()
    found = [
        GoodPhase("mended", cast, up, Calm(options), (*cured, *followed)),
        GoodPhase("unattended", cast, up, Calm(options, attended=False), (ENDS.name,)),
        GoodPhase(
            "unattended, a data node of the last slave is down", cast,
            (*up[:dead], *up[dead + 1 :]), Calm(options, attended=False), (ENDS.name,),
        ),
    ]  # fmt: skip
    if options.slaves > 1:
        found.append(
            GoodPhase("the last slave is down", cast, up[:last], Calm(options), (FINISHES.name,))
        )
    if options.controllers > 1:
        found.append(
            GoodPhase(
                "the leader is alone", cast, up, Calm(options, alone=True), (*cured, *followed)
            )
        )
    return tuple(found)


def replication(
    options: Options, network: Network | None = None, rules: Rules | None = None
) -> Model:
    """A master and its slaves."""
    rules = rules or Rules()
    slaves = range(options.slaves)
    names = ["master", "coordinator"]
    for nth in slaves:
        nodes = (f"data node {node + 1} of slave {nth + 1}" for node in range(options.nodes))
        names += [f"slave {nth + 1}", *nodes]
    return Model(
        name="replication",
        actors=actors(options, rules),
        network=network or Soup(),
        observers=tuple(Ledger(options, nth) for nth in slaves),
        budgets=tuple((name, getattr(options, name)) for name in BUDGETS),
        properties=properties(options),
        within=partial(_is_bounded, options),
        event_names=event_name,
        expected_events=tuple(_expected(options)),
        good=() if isinstance(network, Fifo) else phases(options, rules),
        names=tuple(names),
        parameters=tuple((each.name, getattr(options, each.name)) for each in fields(options)),
    )


def _is_bounded(options: Options, s: Any) -> bool:
    """Nothing is applied twice; where a mistake does, once more is enough."""
    most = options.transactions + options.clients + 1
    return not isinstance(s, Slave) or all(len(tids) <= most for tids in s.content)


def _expected(options: Options) -> list[str]:
    """What must happen at least once within these bounds."""
    o = options
    found: list[str] = []
    tasks = o.created and o.writes + o.definitions > 0
    fails = o.queues and o.attempts >= o.limit
    wanted = [
        (("begin", "complete", "abort", "receive begun", "receive commit"), o.writes > 0),
        (("flush", "receive fetch", "receive fetched"), o.writes > 0 and o.created),
        (("pull", "receive pull"), o.created),
        (("receive pulled", "dispatch", "receive execute", "receive apply"), tasks),
        (("finish", "lose"), tasks),
        (("receive forget",), o.created and o.writes > 0),
        (("define",), o.definitions > 0),
        (("create",), not o.created),
        (("setflag",), o.flags > 0),
        (("elect", "receive notleader", "turn"), o.elections > 0 and o.controllers > 1),
        (("crash",), o.crashes > 0 and o.queues),
        (("delete",), o.deletes > 0 and o.queues),
        (("skip",), o.skips > 0 and fails),
        (("fail_over",), o.failovers > 0),
        (("poison", "cure"), o.poisons > 0),
        (("fill", "clear"), o.fills > 0),
        (("receive ended",), o.fills > 0 and o.queues),
        (("write",), o.clients > 0),
        (("call",), o.strangers),
    ]
    for names, asked in wanted:
        found += names if asked else ()
    return found
