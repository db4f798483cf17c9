"""Traces of a master and a slave that work for a while, and how to spoil them."""

import random
from collections.abc import Callable
from typing import Any

import msgspec
from delphic.harness.traces import CoreRecord
from delphic.impl.cluster.operations import Operation
from delphic.impl.replication.dispatcher import Dispatcher
from delphic.impl.replication.effects import Propose
from delphic.impl.replication.events import (
    Applied,
    AttemptEnded,
    Completed,
    Ending,
    Finished,
    FlagSet,
    Led,
    PullAnswered,
    Pulled,
    Recorded,
    RetryDue,
    Skipped,
    Started,
    StoodDown,
    Stopped,
)
from delphic.impl.replication.master import Master
from delphic.impl.replication.slave import Slave
from delphic.impl.replication.tasks import TaskMeta
from delphic.impl.replication.tracing import fields, master_post, slave_post, told
from written_lines import Written

LIMIT = 3
SITES = ("s1:1", "s2:1")
NODES = ("s1d1", "s1d2")
MEMBERS = ("mc1", "md1", "s1c1", *NODES)
Records = dict[str, list[CoreRecord]]


def meta(tid: int, dice: random.Random) -> TaskMeta:
    whole = dice.random() < 0.2
    return TaskMeta(
        tid=tid,
        operation=dice.choice((Operation.TRUNCATE_TABLE, Operation.DROP_PARTITION))
        if whole
        else Operation.APPEND,
        database="dfs://d",
        table="t",
        chunks=() if whole else (f"dfs://d/t/{dice.randrange(3)}",),
        source_host="n",
        source_port=1,
        submitted_ns=0,
    )


def world(seed: int, tasks: int = 30) -> tuple[Records, Records]:
    """A master and a slave of one controller that fails, is stopped, and stands down."""
    dice = random.Random(seed)
    m, s = Written("mc1"), Written("s1c1")
    master, slave = Master(), Slave()
    dispatcher = Dispatcher(slave, NODES, LIMIT)
    m.add("master", {"kind": "boot", "state": fields(master.dump())}, master_post(master))
    s.add(
        "slave",
        {"kind": "boot", "state": fields(slave.dump())},
        slave_post(slave, slave.records),
    )
    counts = {"master": 0, "slave": 0}

    def of_master(entry: Any) -> None:
        effects = master.step(entry)
        counts["master"] += 1
        m.add("master", told(entry), master_post(master), counts["master"], fields(effects))

    def news(piece: Any) -> None:
        effects = dispatcher.step(piece)
        out = [told(effect) for effect in effects]
        s.add("dispatcher", told(piece), fields(dispatcher.dump()), out=out)
        for effect in effects:
            if isinstance(effect, Propose):
                of_slave(effect.entry)

    def of_slave(entry: Any) -> None:
        effects = slave.step(entry)
        counts["slave"] += 1
        out = {"refusal": effects.refusal} if effects.refusal else None
        post = slave_post(slave, effects.changed)
        s.add("slave", told(entry), post, counts["slave"], out)
        news(Applied(entry))

    of_master(FlagSet("dfs://d", on=True))
    news(Led())
    tid = 0
    while tid < tasks or slave.finished < master.next - 1:
        if tid < tasks and dice.random() < 0.5:
            tid += 1
            if dice.random() < 0.05:
                of_master(dice.choice((Started(), Stopped())))
            of_master(Completed(meta(tid, dice), flagged=dice.random() < 0.9))
        pull = Pulled(SITES[0], SITES, slave.offset, slave.finished, 0, 1)
        if not master.refuses(pull) and master.changes(pull):
            of_master(pull)
        _act(dice, master, slave, dispatcher, news, of_slave)
    return {"mc1": m.records}, {"s1c1": s.records}


def _act(
    dice: random.Random,
    master: Master,
    slave: Slave,
    dispatcher: Dispatcher,
    news: Callable[[Any], None],
    of_slave: Callable[[Any], None],
) -> None:
    """One thing that befalls a slave."""
    state = dispatcher.dump()
    if not state.leads:
        news(Led())
    elif slave.status.value != "ENABLED":
        failed = [x.task.id for x in slave.records.values() if x.state.value == "FAILED"]
        if failed and dice.random() < 0.5 and not dispatcher.refuses_skip((failed[0],)):
            of_slave(Skipped((failed[0],), 0))
        of_slave(Started())
    elif state.pulling:
        news(PullAnswered(master.after(slave.offset, 5)[0], more=False, at_ns=0))
    elif state.running and dice.random() < 0.8:
        task = dice.choice(state.running)
        if dice.random() < 0.5:
            of_slave(Recorded(task))
            news(AttemptEnded(task, Ending.DONE, 0))
            of_slave(Finished(task, "a", 0))
        else:
            ending = dice.choice((Ending.FAILED, Ending.FAILED, Ending.NOT_PERSISTED))
            news(AttemptEnded(task, ending, 0, "why"))
    elif state.resting and dice.random() < 0.7:
        news(RetryDue(dice.choice(state.resting)))
    elif dice.random() < 0.1:
        of_slave(Stopped())
    elif dice.random() < 0.1:
        news(StoodDown())
    else:
        news(Led())


def post(name: str, change: Callable[[Any], Any]) -> Callable[[CoreRecord], CoreRecord]:
    def spoil(record: CoreRecord) -> CoreRecord:
        post = record.post | {name: change(record.post[name])}
        return msgspec.structs.replace(record, post=post)

    return spoil
