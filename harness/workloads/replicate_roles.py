"""Who does what where databases are replicated: each role is a script that learns from answers.

A script yields steps and is told how each ended: the answer in a tuple, or None where it did not go
well. Each row belongs to the client that brought it, and everything that touches many rows at once
to the owner, so that the order of what touches a row is known.
"""

import random
from collections.abc import Generator as Coroutine
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..language.sides import MASTER, Side
from .workload import Step

Ended = tuple[Any] | None
Script = Coroutine[Step, Ended, None]

OWN_MAX = 60
"""So many rows of its own a writer keeps in mind."""

EXECUTOR = "replicator"
"""Who executes tasks on slaves, and whose rights are taken away."""


def write_right(database: str) -> list[str]:
    """Without it tasks of that database fail, and those of others do not."""
    return [EXECUTOR, "DB_WRITE", database]


class Place(NamedTuple):
    """A table, and how its database is partitioned."""

    database: str
    table: str
    kind: str
    partitions: int

    @property
    def path(self) -> str:
        return f"{self.database}/{self.table}"

    @property
    def scheme(self) -> dict[str, Any]:
        """VALUE begins with half of its partitions: the others come with their first row."""
        numbers = list(range(self.partitions))
        match self.kind:
            case "VALUE":
                return {"kind": "VALUE", "values": numbers[: max(1, self.partitions // 2)]}
            case "HASH":
                return {"kind": "HASH", "buckets": max(1, self.partitions // 2)}
            case _:
                return {"kind": "RANGE", "values": [*numbers[::2], self.partitions]}


class Known:
    """What all clients know together: the tables, and which of them are there."""

    def __init__(self, places: Sequence[Place], bulk: Place | None = None) -> None:
        """`bulk`: a table of many rows, which are only counted."""
        self.places = list(places)
        self.bulk = bulk
        self.there: set[str] = set()

    @property
    def databases(self) -> list[str]:
        return list(dict.fromkeys(place.database for place in self.all))

    @property
    def all(self) -> list[Place]:
        """With the table of many rows, if there is one."""
        return self.places + ([] if self.bulk is None else [self.bulk])

    @property
    def ready(self) -> list[Place]:
        return [place for place in self.places if place.path in self.there]


class Role:
    """A script as a generator."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._ended: Ended = None

    def next(self) -> Step:
        ended, self._ended = self._ended, None
        return self._script.send(ended)

    def completed(self, step: Step, value: Any) -> None:
        self._ended = (value,)


def sure(step: Step, nodes: Sequence[str], chance: random.Random) -> Coroutine[Step, Ended, Any]:
    """Do it again, at one node or another, until it went well."""
    while True:
        ended = yield step._replace(node=chance.choice(nodes))
        if ended is not None:
            return ended[0]


def owner(
    options: Mapping[str, Any], found: Mapping[str, Side], known: Known, chance: random.Random
) -> Script:
    """Makes the databases, and does one after the other what concerns many rows, or a switch."""
    nodes = found[MASTER].data
    for name, side in found.items():
        if name != MASTER:
            who = {"user": EXECUTOR, "databases": known.databases}
            yield from sure(Step("make-executor", who, name), side.data, chance)
    for database, first in {p.database: p for p in known.all}.items():
        yield from sure(Step("make-db", first.scheme, database), nodes, chance)
        yield from sure(Step("flag", True, database), nodes, chance)
    for place in known.places:
        yield from sure(Step("make-table", None, place.path), nodes, chance)
        known.there.add(place.path)
    if known.bulk is not None:
        yield from sure(Step("make-table", None, known.bulk.path), nodes, chance)
        rows = {"rows": options["bulk"], "partitions": known.bulk.partitions}
        yield Step("bulk", rows, known.bulk.path, chance.choice(nodes))
    while not known.places:
        yield Step("flags", None, MASTER, chance.choice(nodes))
    value = -1
    while True:
        kinds = ["update", "delete", "flags", "flags"]
        kinds += ["flap"] * (2 * options["flags"]) + ["stop"] * (2 * options["master_stops"])
        kinds += ["truncate", "drop-partition", "remake", "anew"] * options["metadata"]
        place, kind = chance.choice(known.places), chance.choice(kinds)
        node = chance.choice(nodes)
        # Where nothing is asked for nothing is drawn; plans of old do not know of it.
        share = options.get("truncates", 0)
        if share and chance.random() < share:
            yield from sure(Step("truncate", None, place.path), nodes, chance)
            continue
        match kind:
            case "update":
                part = chance.randrange(place.partitions)
                yield Step("update", {"p": part, "v": value}, place.path, node)
                value -= 1
            case "delete":
                part = chance.randrange(place.partitions)
                yield Step("delete", {"p": part}, place.path, node)
            case "flags":
                yield Step("flags", None, MASTER, node)
            case "flap":
                yield from _flap(place.database, found, known, nodes, chance)
            case "stop":
                yield from sure(Step("stop", None, MASTER), nodes, chance)
                yield from _pause(found, chance)
                yield from sure(Step("start", None, MASTER), nodes, chance)
            case "truncate":
                yield from sure(Step("truncate", None, place.path), nodes, chance)
            case "drop-partition":
                keys = [chance.randrange(max(1, place.partitions // 2))]
                if place.kind == "VALUE":
                    step = Step("drop-partition", {"keys": keys}, place.path)
                    yield from sure(step, nodes, chance)
            case "anew":
                yield from _anew(place.database, known, nodes, chance)
            case _:
                known.there.discard(place.path)
                yield from sure(Step("drop-table", None, place.path), nodes, chance)
                yield from sure(Step("make-table", None, place.path), nodes, chance)
                known.there.add(place.path)
        yield from _pause(found, chance)


def _anew(database: str, known: Known, nodes: Sequence[str], chance: random.Random) -> Script:
    """Drop a database with all its tables, and make it again; never the one of many rows."""
    if known.bulk is not None and known.bulk.database == database:
        return
    mine = [place for place in known.places if place.database == database]
    known.there -= {place.path for place in mine}
    yield from sure(Step("drop-db", None, database), nodes, chance)
    yield from sure(Step("make-db", mine[0].scheme, database), nodes, chance)
    yield from sure(Step("flag", True, database), nodes, chance)
    for place in mine:
        yield from sure(Step("make-table", None, place.path), nodes, chance)
        known.there.add(place.path)


def _flap(
    database: str,
    found: Mapping[str, Side],
    known: Known,
    nodes: Sequence[str],
    chance: random.Random,
) -> Script:
    yield from sure(Step("flag", False, database), nodes, chance)
    yield from _pause(found, chance)
    yield from sure(Step("flag", True, database), nodes, chance)


def _pause(found: Mapping[str, Side], chance: random.Random) -> Script:
    """Something that changes nothing, some times."""
    for _ in range(chance.randint(1, 6)):
        yield Step("flags", None, MASTER, chance.choice(found[MASTER].data))


def watcher(
    options: Mapping[str, Any], found: Mapping[str, Side], known: Known, chance: random.Random
) -> Script:
    """Looks at every status table in turn, and tries what must be refused.

    A slave that is stopped may be written to: where slaves are, nobody tries.
    """
    slaves = [side for name, side in found.items() if name != MASTER]
    nodes = found[MASTER].data
    while True:
        yield Step("queue", None, MASTER, chance.choice(nodes))
        yield Step("slaves", None, MASTER, chance.choice(nodes))
        for side in slaves:
            yield Step("metrics", None, side.name, chance.choice(side.data))
            yield Step("tasks", None, side.name, chance.choice(side.data))
            yield Step("metrics", None, side.name, chance.choice(side.data))
            intrudes = not options["slave_stops"]
            yield from _tries(side, nodes, known.ready if intrudes else [], chance)


MASTERS_ONLY = ("getMasterReplicationStatus", "getRecentSlaveReplicationInfo")
SLAVES_ONLY = ("getSlaveReplicationStatus", "getClusterReplicationMetrics")
CONTROLLERS_ONLY = ("startClusterReplication", "stopClusterReplication")
"""Functions by where they may run; each is tried elsewhere."""


def _tries(
    side: Side, nodes: Sequence[str], ready: Sequence[Place], chance: random.Random
) -> Script:
    kind = chance.randrange(4)
    there, here = chance.choice(side.data), chance.choice(nodes)
    if kind == 0:
        yield Step("misuse", [chance.choice(MASTERS_ONLY), "controller"], side.name, there)
    elif kind == 1:
        yield Step("misuse", [chance.choice(SLAVES_ONLY), "controller"], MASTER, here)
    elif kind == 2:
        yield Step("misuse", [chance.choice(CONTROLLERS_ONLY), "data"], side.name, there)
    elif ready:
        place = chance.choice(ready)
        rows = {"rows": [[-1 - chance.randrange(1_000_000), 0, 0]]}
        yield Step("intrude", rows, place.path, there)


def operator(
    options: Mapping[str, Any], found: Mapping[str, Side], known: Known, chance: random.Random
) -> Script:
    """Stops and starts slaves, takes rights away, and mends what is STOPPED."""
    slaves = [side for name, side in found.items() if name != MASTER]
    while True:
        for side in slaves:
            kind = chance.random()
            if options["slave_stops"] and kind < 0.3:
                yield from sure(Step("stop", None, side.name), side.data, chance)
                for _ in range(chance.randint(3, 12)):
                    yield Step("metrics", None, side.name, chance.choice(side.data))
                if options["skips"]:
                    waiting = yield from _writes(side, chance, "WAITING")
                    oldest = waiting[: chance.randint(1, 4)]
                    if oldest:
                        yield Step("skip", oldest, side.name, chance.choice(side.data))
                yield from sure(Step("start", None, side.name), side.data, chance)
            elif options["poison"] != "none" and known.ready and kind < 0.6:
                database = chance.choice(known.databases)
                yield from _poison(database, side, chance, skips=options["poison"] == "skip")
            else:
                yield from _mend(side, chance, skips=options["poison"] == "skip")


POISON_POLLS_MAX = 400


def _poison(database: str, side: Side, chance: random.Random, *, skips: bool) -> Script:
    """Until the slave is STOPPED, or it has nothing to do."""
    yield from sure(Step("revoke", write_right(database), side.name), side.data, chance)
    for _ in range(POISON_POLLS_MAX):
        ended = yield Step("metrics", None, side.name, chance.choice(side.data))
        if ended is not None and ended[0]["status"] == "STOPPED":
            break
    yield from _mend(side, chance, skips=skips)
    yield from sure(Step("grant", write_right(database), side.name), side.data, chance)
    yield from _mend(side, chance, skips=False)


def _mend(side: Side, chance: random.Random, *, skips: bool) -> Script:
    """Look whether it is STOPPED; then start it, perhaps without what failed."""
    ended = yield Step("metrics", None, side.name, chance.choice(side.data))
    if ended is None or ended[0]["status"] != "STOPPED":
        return
    if skips:
        failed = yield from _writes(side, chance, "FAILED")
        if failed:
            yield Step("skip", failed, side.name, chance.choice(side.data))
        return
    yield from sure(Step("start", None, side.name), side.data, chance)


def _writes(side: Side, chance: random.Random, state: str) -> Coroutine[Step, Ended, list[int]]:
    """Tasks in this state, but for those without which everything after them would fail."""
    ended = yield Step("tasks", None, side.name, chance.choice(side.data))
    rows = [] if ended is None else ended[0]
    return [row[0] for row in rows if row[6] == state and not row[3].startswith(NEEDED)]


NEEDED = ("CREATE_", "DROP_TABLE", "DROP_DB")
"""Whoever skips these has no table later on, or one that cannot be made once more."""


def reader(found: Mapping[str, Side], known: Known, chance: random.Random) -> Script:
    """Reads a partition or a whole table, on every side in turn; what is large, it counts."""
    while True:
        for side in found.values():
            if known.bulk is not None:
                yield Step("count", None, known.bulk.path, chance.choice(side.data))
            if not known.places:
                continue
            place = chance.choice(known.places)
            part = chance.choice((None, *range(place.partitions)))
            yield Step("read", {"p": part}, place.path, chance.choice(side.data))


def writer(
    options: Mapping[str, Any],
    master: Side,
    known: Known,
    chance: random.Random,
    number: int,
    stride: int,
) -> Script:
    """Brings rows, and changes and deletes those of its own. Ids and values are its own, too."""
    next_id = value = number
    mine: dict[int, tuple[str, int]] = {}
    edges = (options["updates"], options["upserts"], options["deletes"])
    while True:
        node, kind = chance.choice(master.data), chance.random()
        if not known.ready:
            yield Step("flags", None, MASTER, node)
            continue
        place = chance.choice(known.ready)
        own = [row for row, (path, _) in mine.items() if path == place.path]
        value += stride
        if not own or kind >= sum(edges):
            rows = []
            for _ in range(chance.randint(*options["batch"])):
                rows.append([next_id, chance.randrange(place.partitions), value])
                next_id += stride
            ended = yield Step("append", {"rows": rows}, place.path, node)
            if ended is not None:
                mine |= {row: (place.path, part) for row, part, _ in rows}
            while len(mine) > OWN_MAX:
                del mine[next(iter(mine))]
            continue
        some = chance.sample(own, min(len(own), chance.randint(1, 3)))
        if kind < edges[0]:
            ended = yield Step("update", {"ids": some, "v": value}, place.path, node)
        elif kind < edges[0] + edges[1]:
            rows = [[row, mine[row][1], value] for row in some]
            ended = yield Step("upsert", {"rows": rows}, place.path, node)
        else:
            ended = yield Step("delete", {"ids": some}, place.path, node)
        if ended is None or kind >= edges[0] + edges[1]:
            # What nobody knows of is left alone: its order with what comes later is not known.
            mine = {row: where for row, where in mine.items() if row not in some}
