"""The guard `planted`: violations planted in a sound history, each of which its checkers must see.

The history is written down here, small enough to be read: three members, three clients, a follower
that is killed and comes back. Every plant changes one thing in it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ..check import check
from ..checkers import CHECKERS
from ..evidence import Evidence
from ..history import History
from ..op import HARNESS, NEMESIS, OBSERVER, Op, OpType, ProcessId
from ..traces import Trace
from ..verdict import Validity
from . import plants_of_replication
from .guard import Guard, Noticed
from .plants_of_replication import REPLICATED

MEMBERS = ("n1", "n2", "n3")
TABLE = "readings"

STEP_NS = 10_000_000

Lines = tuple[Op, ...]
Change = Callable[[Op], Op]

FAIL, INCONCLUSIVE = Validity.FAIL, Validity.INCONCLUSIVE


def _client(process: int, kind: OpType, f: str, value: Any, error: str | None = None) -> Op:
    return Op(0, 0, process, kind, f, TABLE, value, "n1", error)


def _call(process: int, f: str, asked: Any, answer: Any, node: str = "n1") -> tuple[Op, Op]:
    began = Op(0, 0, process, OpType.INVOKE, f, TABLE, asked, node)
    return began, Op(0, 0, process, OpType.OK, f, TABLE, answer, node)


def _open(process: int, f: str, asked: Any, kind: OpType, error: str) -> tuple[Op, Op]:
    began = _client(process, OpType.INVOKE, f, asked)
    return began, _client(process, kind, f, asked, error)


def _told(process: ProcessId, f: str, value: Any, node: str | None = None) -> Op:
    return Op(0, 0, process, OpType.INFO, f, None, value, node)


def _act(f: str, target: str, *nodes: str) -> tuple[Op, Op]:
    asked = {"kind": f, "target": target}
    receipt = {"asked": asked, "nodes": list(nodes), "observed": {}, "bit": True}
    return Op(0, 0, NEMESIS, OpType.INVOKE, f, None, asked), _told(NEMESIS, f, receipt)


def _replica(node: str) -> Op:
    told = _told(HARNESS, "replica", {"rows": 5, "digest": "5f", "applied": 9}, node)
    return msgspec.structs.replace(told, key=TABLE)


def _numbered(lines: Lines) -> Lines:
    return tuple(
        msgspec.structs.replace(op, index=index, time_ns=index * STEP_NS)
        for index, op in enumerate(lines)
    )


_BY = ("n1", 1)
_BEGUN, _GIVEN = ["live", 0, *_BY], ("handled",)

SOUND: Lines = _numbered(
    (
        _told(HARNESS, "phase", "main"),
        _told(OBSERVER, "role", {"role": "leader", "term": 1, "leader": "n1"}, "n1"),
        *_call(0, "append", [0, 1], 0),
        *_call(1, "append", [2], 2),
        *_call(0, "read", [0, None], [0, 1, 2]),
        *_call(1, "poll", [0, 2], [0, 1]),
        *_call(3, "subscribe", {"offset": 0}, [_BEGUN, [*_GIVEN, 0, [0, 1], *_BY]]),
        *_act("kill", "n3", "n3"),
        *_call(1, "append", [3], 3),
        *_call(0, "read", [2, 5], [2, 3]),
        *_open(2, "append", [4], OpType.INFO, "Timeout: no answer"),
        *_open(0, "append", [5], OpType.FAIL, "NotLeader: <NotLeader>127.0.0.1:4001:n1"),
        *_act("restart", "n3", "n3"),
        _told(HARNESS, "phase", "heal"),
        _told(HARNESS, "phase", "quiesce"),
        *_call(1, "append", [6], 4),
        *_call(1, "poll", [1, None], [1, 2, 3]),
        _told(HARNESS, "phase", "final"),
        *_call(0, "read", [0, None], [0, 1, 2, 3, 6]),
        *_call(3, "drain", None, [[*_GIVEN, 2, [2, 3, 6], *_BY]]),
        *(_replica(alias) for alias in MEMBERS),
        *(op for alias in MEMBERS for op in _call(1, "poll", [0, None], [0, 1, 2, 3, 6], alias)),
        _told(HARNESS, "phase", "end"),
    )
)
"""Nothing is wrong here: every checker passes it."""


def _record(node: str, seq: int, event: dict[str, Any], **more: Any) -> dict[str, Any]:
    core = {"term": 0, "vote": None, "role": "follower", "leader": None}
    post = {**core, "commit": 0, "last": [0, 0]}
    who = {"node": node, "inc": 1, "seq": seq, "t_ns": seq * STEP_NS, "group": 2}
    return {**who, "event": event, "post": post, **more}


BOOTS = tuple(_record(node, 0, {"kind": "boot"}, log={"entries": []}) for node in MEMBERS)
"""The traces of members that have done nothing yet."""

USURPS = _record(
    "n1",
    1,
    {"kind": "timer", "timer": "election"},
    post={**BOOTS[0]["post"], "term": 1, "vote": "n1", "role": "leader", "leader": "n1"},
    out=[],
    held=[],
    persist={"hard_state": [1, "n1"]},
    synced=False,
)
"""A member whose time is over leads without asking anybody."""

_EMPTY = {"status": "ENABLED", "flagged": [], "head": 1, "next": 1, "group": 0, "slaves": {}}
_META = [1, "APPEND", "dfs://d", "t", ["dfs://d/t/1"], "n", 1, 0, ""]
QUEUES_UNASKED = (
    {
        "node": "mc1", "inc": 1, "seq": 0, "t_ns": 0, "group": "master",
        "event": {"kind": "boot", "state": _EMPTY | {"tasks": [], "joined": [], "slaves": []}},
        "post": _EMPTY,
    },
    {
        "node": "mc1", "inc": 1, "seq": 1, "t_ns": 1, "group": "master", "index": 1,
        "event": {"kind": "completed", "meta": _META, "flagged": False},
        "post": _EMPTY | {"next": 2, "group": 1},
        "out": {"enqueued": [1, 1, _META], "truncated": [], "refusal": ""},
    },
)  # fmt: skip
"""A controller that makes a task of what is not replicated."""


@dataclass(frozen=True, slots=True)
class Plant:
    """One violation: how the sound history becomes it, and what each of these checkers must say."""

    name: str
    lines: Lines
    seen_by: Mapping[str, Validity]
    planned_faults: tuple[dict[str, Any], ...] = ()
    minimum: dict[str, int] = field(default_factory=dict)
    traced: tuple[dict[str, Any], ...] = BOOTS

    @property
    def evidence(self) -> Evidence:
        others = {record["node"] for record in self.traced} - {*MEMBERS}
        members = tuple(sorted(others)) or MEMBERS
        lines = {member: b"" for member in members}
        for record in self.traced:
            lines[record["node"]] += msgspec.json.encode(record) + b"\n"
        return Evidence(
            History(_numbered(self.lines)),
            members,
            traces={member: Trace(data) for member, data in lines.items()},
            planned_faults=self.planned_faults,
            minimum=self.minimum,
        )


def _changed(wanted: Callable[[Op], bool], **fields: Any) -> Lines:
    """The sound history with these fields in the one op that is meant."""
    (at,) = (op.index for op in SOUND if wanted(op))
    return tuple(msgspec.structs.replace(op, **fields) if op.index == at else op for op in SOUND)


def _answer_to(f: str, asked: Any, *, last: bool = False) -> Callable[[Op], bool]:
    """The completion of the operation that asked for this, of several the first or the last."""
    invokes = [op for op in SOUND if op.type is OpType.INVOKE and op.f == f and op.value == asked]
    began = invokes[-1 if last else 0]
    return lambda op: op.index == began.index + 1


def _added(after: Callable[[Op], bool], *more: Op) -> Lines:
    """The sound history with more ops behind the first that is meant."""
    at = next(op.index for op in SOUND if after(op))
    return (*SOUND[: at + 1], *more, *SOUND[at + 1 :])


_FINAL = _answer_to("read", [0, None], last=True)


def _unanswered(op: Op) -> Op:
    """Nobody knows how it ended."""
    if not op.is_client or op.type is OpType.INVOKE:
        return op
    return msgspec.structs.replace(op, type=OpType.INFO, error="Timeout: no answer")


def _nothing_after_the_heal(op: Op) -> Op:
    heal = next(op.index for op in SOUND if op.value == "heal")
    return _unanswered(op) if op.f == "append" and op.index > heal else op


def _majority_down(op: Op) -> Op:
    """The kill, and with it the restart, are of two members."""
    if op.process != NEMESIS or op.type is OpType.INVOKE:
        return op
    return msgspec.structs.replace(op, value={**op.value, "nodes": ["n2", "n3"]})


KEYED: Lines = _numbered(
    (
        _told(HARNESS, "phase", "main"),
        *_open(0, "append", [0, 1], OpType.INFO, "Timeout: no answer"),
        *_call(3, "append", [0, 1], [-1, 0]),
        *_call(1, "append", [2], [2, 1]),
        _told(HARNESS, "phase", "final"),
        *_call(1, "read", [0, None], [0, 1, 2]),
    )
)
"""As sound, of a table with a key: what was sent twice is there once."""


TABLES: Lines = _numbered(
    (
        _told(HARNESS, "phase", "main"),
        *_call(0, "make", 1, None),
        *_call(0, "append", {"made": 1, "rows": [0, 1]}, 0),
        *_call(1, "drop", None, None),
        *_call(0, "make", 2, None),
        _told(HARNESS, "phase", "final"),
        *_call(1, "scan", None, {"made": 2, "rows": []}),
    )
)
"""As sound, of a table that is dropped and made again."""


PLANTS = (
    Plant(
        "nothing",
        SOUND,
        {
            name: Validity.PASS
            for name in CHECKERS
            if name not in ("keyed", "tables", *plants_of_replication.JUDGES)
        },
    ),
    Plant(
        "nothing, of a master and its slave",
        _numbered(REPLICATED),
        dict.fromkeys(plants_of_replication.JUDGES, Validity.PASS),
    ),
    *(
        Plant(name, _numbered(lines), {judge: FAIL})
        for name, lines, judge in plants_of_replication.wrongs()
    ),
    Plant("nothing, with keys", KEYED, {"keyed": Validity.PASS}),
    Plant("nothing, of many tables", TABLES, {"tables": Validity.PASS}),
    Plant(
        "a dropped table's rows are back",
        (*TABLES[:-1], msgspec.structs.replace(TABLES[-1], value={"made": 1, "rows": [0, 1]})),
        {"tables": FAIL},
    ),
    Plant(
        "a retry is stored twice",
        (*KEYED[:-1], msgspec.structs.replace(KEYED[-1], value=[0, 1, 2, 0, 1])),
        {"keyed": FAIL},
    ),
    Plant(
        "an acknowledged row is not there in the end",
        _changed(_FINAL, value=[0, 1, 2, 3]),
        {"linearizable": FAIL, "log-monitor": FAIL, "log-search": FAIL, "durability": FAIL},
    ),
    Plant(
        "a read misses a row that was acknowledged before it began",
        _changed(_answer_to("read", [2, 5]), value=[2]),
        {"linearizable": FAIL, "log-monitor": FAIL, "log-search": FAIL},
    ),
    Plant(
        "a row stands at two offsets",
        _changed(_FINAL, value=[0, 1, 2, 3, 6, 2]),
        {"linearizable": FAIL, "log-monitor": FAIL, "log-search": FAIL, "order": FAIL},
    ),
    Plant(
        "two appends are acknowledged at one offset",
        _changed(_answer_to("append", [3]), value=2),
        {"linearizable": FAIL, "log-monitor": FAIL, "log-search": FAIL, "order": FAIL},
    ),
    Plant(
        "a read ends inside a batch",
        _changed(_answer_to("read", [0, None]), value=[0]),
        {"linearizable": FAIL, "log-monitor": FAIL, "log-search": FAIL, "batches": FAIL},
    ),
    Plant(
        "a subscriber is not given a row",
        _changed(_answer_to("drain", None), value=[[*_GIVEN, 3, [3, 6], *_BY]]),
        {"subscriptions": FAIL},
    ),
    Plant(
        "a row of an append that certainly failed is read",
        _changed(_FINAL, value=[0, 1, 2, 3, 6, 5]),
        {"linearizable": FAIL, "log-monitor": FAIL, "log-search": FAIL, "refusals": FAIL},
    ),
    Plant(
        "a row that nobody appended is read",
        _changed(_FINAL, value=[0, 1, 2, 3, 6, 77]),
        {"linearizable": FAIL, "log-monitor": FAIL, "log-search": FAIL},
    ),
    Plant(
        "a member shows less than before",
        _changed(_answer_to("poll", [1, None]), value=[]),
        {"log-poll": FAIL},
    ),
    Plant(
        "two members lead in one term",
        _added(
            lambda op: op.f == "restart",
            _told(OBSERVER, "role", {"role": "leader", "term": 1, "leader": "n2"}, "n2"),
        ),
        {"elections": FAIL},
    ),
    Plant(
        "a replica holds other rows",
        _changed(
            lambda op: op.f == "replica" and op.node == "n2",
            value={"rows": 5, "digest": "60", "applied": 9},
        ),
        {"replicas": FAIL},
    ),
    Plant(
        "no append is acknowledged after the heal",
        tuple(map(_nothing_after_the_heal, SOUND)),
        {"liveness": FAIL},
    ),
    Plant(
        "an append is acknowledged while a majority is dead",
        tuple(map(_majority_down, SOUND)),
        {"quorum": FAIL},
    ),
    Plant(
        "a fault did not take hold",
        _changed(
            lambda op: op.f == "kill" and op.type is OpType.INFO,
            value={"asked": {}, "nodes": ["n3"], "observed": {}, "bit": False},
        ),
        {"faults": INCONCLUSIVE},
    ),
    Plant(
        "a planned fault never happened",
        SOUND,
        {"faults": INCONCLUSIVE},
        ({"kind": "kill"}, {"kind": "partition"}),
    ),
    Plant(
        "nothing of what was asked for is in the traces",
        SOUND,
        {"dose": INCONCLUSIVE},
        minimum={"elections": 1},
    ),
    Plant(
        "a member leads without having asked anybody",
        SOUND,
        {"conformance": FAIL},
        traced=(*BOOTS, USURPS),
    ),
    Plant(
        "a controller queues what nobody asked it to",
        SOUND,
        {"replication-conformance": FAIL},
        traced=QUEUES_UNASKED,
    ),
    Plant(
        "nobody was ever answered",
        tuple(map(_unanswered, SOUND)),
        {"statistics": INCONCLUSIVE, "availability": INCONCLUSIVE, "linearizable": INCONCLUSIVE},
    ),
)


def look() -> Iterator[Noticed | None]:
    """Every checker on the sound history, then on each plant that it must see."""
    for plant in PLANTS:
        for verdict, wanted in zip(
            check(plant.evidence, plant.seen_by), plant.seen_by.values(), strict=True
        ):
            if verdict.validity is wanted:
                yield None
                continue
            sentence = f"Where {plant.name}, it says {verdict.validity.value}: {verdict.sentence}"
            yield Noticed(verdict.checker, sentence)


PLANTED = Guard(
    "planted",
    "plants violations in a sound history; each must be seen by the checkers whose business it is",
    "All checkers still see what was planted for them.",
    look,
)
