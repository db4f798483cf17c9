"""How a scenario can be made smaller: each move yields smaller ones, the boldest first.

A move knows nothing of runs. What it yields need not even be a scenario: whoever tries it reads it
first. `size` decides what is smaller, so that whatever the moves do, shrinking comes to an end.
"""

import re
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

from ..language.cluster_part import MEMBERS_MIN
from . import clusters, moments, steps
from .moments import Data

Move = Callable[[Data], Iterator[Data]]

Size = tuple[int | float, ...]

TOLD = ("name", "title", "description", "promises", "expect", "seed")
"""Keys that tell people about the scenario, and make nothing happen."""

_RATES = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)
_CLIENTS = (1, 2, 3, 4, 5, 6, 8)

DEFAULT_CLIENTS, DEFAULT_RATE, DEFAULT_ROWS = 8, 300.0, 8


def size(data: Data) -> Size:
    """How much there is to a scenario, what weighs most first."""
    workload, faults = data["workload"], data.get("faults", [])
    ops = workload.get("ops")
    clients = workload.get("clients", DEFAULT_CLIENTS)
    rate = workload.get("rate", DEFAULT_RATE)
    rows = workload.get("batch", {}).get("max", DEFAULT_ROWS)
    if ops is not None:
        clients = workload.get("clients", 1 + max((op["client"] for op in ops), default=0))
        rate, rows = 0.0, sum(op.get("append", 0) for op in ops)
    return (
        ops is None,
        sum("random" in step for step in faults),
        sum(1 - chance for _, chance in _chances(faults, ("faults",))),
        len(faults),
        len(ops or ()),
        members(data),
        clients,
        float("inf") if rate == "max" else float(rate),
        rows,
        clusters.extent(data),
        sum("read" in op and op["read"] != [0, None] for op in ops or ()),
        sum(_is_alias(op.get("node", "")) for op in ops or ()),
        _leaves({key: part for key, part in data.items() if key not in TOLD}),
        *moments.cost(data),
    )


def members(data: Data) -> int:
    """How many members there are."""
    if clusters.are_several(data):
        return clusters.members(data)
    count: int = data.get("cluster", {}).get("members", MEMBERS_MIN)
    return count


def _is_alias(word: str) -> bool:
    """Whether a word names one member for ever: who that hits is up to the seed."""
    return re.fullmatch(r"n\d+", word) is not None


def _leaves(value: Any) -> int:
    """How many keys and values there are to read."""
    if isinstance(value, dict):
        return sum(1 + _leaves(part) for part in value.values())
    if isinstance(value, list):
        return sum(_leaves(part) for part in value)
    return 1


def _chances(value: Any, place: moments.Place) -> Iterator[tuple[moments.Place, float]]:
    """Every number between 0 and 1: how likely something is."""
    if isinstance(value, dict | list):
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in inner:
            yield from _chances(part, (*place, key))
    elif isinstance(value, float) and 0 < value < 1:
        yield place, value


def surer(data: Data) -> Iterator[Data]:
    """What was likely happens always, or half of the time."""
    found = [place for place, _ in _chances(data.get("faults", []), ("faults",))]
    for chance in (1.0, 0.5):
        changed = data
        for place in found:
            changed = moments.put(changed, place, chance)
        yield changed
        for place in found:
            yield moments.put(data, place, chance)


def undone_by_for(data: Data) -> Iterator[Data]:
    """A step that undoes another, as the other's `for`."""
    for shorter in steps.undone(data.get("faults", [])):
        yield {**data, "faults": shorter}


def fewer_members(data: Data) -> Iterator[Data]:
    """A smaller group; whatever named the members that are gone names others, or nobody."""
    if clusters.are_several(data):
        yield from clusters.fewer(data)
        return
    cluster = data.get("cluster", {})
    for count in range(MEMBERS_MIN, members(data)):
        left = [f"n{number}" for number in range(1, count + 1)]
        gone = [f"n{number}" for number in range(count + 1, members(data) + 1)]
        smaller = {
            key: {alias: part for alias, part in value.items() if alias not in gone}
            if key in ("node_config", "bugs")
            else value
            for key, value in cluster.items()
        }
        workload, faults = data["workload"], data.get("faults", [])
        turns = [
            {alias: left[(at + shift) % count] for at, alias in enumerate(gone)}
            for shift in range(count)
        ]
        for others in (*turns, *(dict.fromkeys(gone, alias) for alias in left)):
            yield {
                **data,
                "cluster": {**smaller, "members": count},
                "workload": clusters.renamed(workload, others),
                "faults": clusters.renamed(faults, others),
            }


def fewer_clients(data: Data) -> Iterator[Data]:
    """All operations by one client, or those of two by one; of chance, fewer clients."""
    workload = data["workload"]
    ops = workload.get("ops")
    if ops is None:
        for count in _CLIENTS:
            yield {**data, "workload": {**workload, "clients": count}}
        return
    rest = {key: value for key, value in workload.items() if key != "clients"}
    clients = sorted({op["client"] for op in ops})
    merges = [dict.fromkeys(clients, 0)]
    merges += [{gone: kept} for kept, gone in combinations(clients, 2)]
    merges += [{client: at for at, client in enumerate(clients)}]
    for merge in merges:
        merged = [{**op, "client": merge.get(op["client"], op["client"])} for op in ops]
        merged.sort(key=lambda op: moments.read(op["at"]))
        numbers = {c: at for at, c in enumerate(sorted({op["client"] for op in merged}))}
        merged = [{**op, "client": numbers[op["client"]]} for op in merged]
        yield {**data, "workload": {**rest, "ops": merged}}


def plainer_operations(data: Data) -> Iterator[Data]:
    """Batches of one row, polls of everything, of the leader: all at once, then one by one."""
    workload = data["workload"]
    ops = workload.get("ops")
    if ops is None:
        yield {**data, "workload": {**workload, "batch": {"min": 1, "max": 1}}}
        return
    plain = [_plain(op) for op in ops]
    yield {**data, "workload": {**workload, "ops": plain}}
    leading = [{**op, "node": "leader"} if _is_alias(op.get("node", "")) else op for op in ops]
    for others in (plain, leading):
        for at, op in enumerate(others):
            yield {**data, "workload": {**workload, "ops": [*ops[:at], op, *ops[at + 1 :]]}}


def _plain(op: Data) -> Data:
    return {**op, "append": 1} if "append" in op else {**op, "read": [0, None]}


def asked_by_role(data: Data) -> Iterator[Data]:
    """Operations that ask one member for ever ask whom a step hit, who may be another one."""
    workload, faults = data["workload"], data.get("faults", [])
    ops = workload.get("ops", [])
    for alias in sorted({op["node"] for op in ops if _is_alias(op.get("node", ""))}):
        for at, step in enumerate(faults):
            name = step.get("as", f"hit-{at + 1}")
            asked = [{**op, "node": name} if op.get("node") == alias else op for op in ops]
            called = [*faults[:at], {**step, "as": name}, *faults[at + 1 :]]
            yield {**data, "workload": {**workload, "ops": asked}, "faults": called}


def lower_rate(data: Data) -> Iterator[Data]:
    """Fewer operations a second, where chance makes them."""
    if "ops" not in data["workload"]:
        for rate in _RATES:
            yield {**data, "workload": {**data["workload"], "rate": rate}}


_KEPT = (("name",), ("workload",), ("workload", "name"), ("workload", "ops"), ("duration",))
"""What a scenario cannot do without, or what other moves see to."""


def defaults(data: Data) -> Iterator[Data]:
    """Without one key, so that its default counts; without one entry of a list of words."""
    yield from (_cut(data, place) for place in _optional(data, ()))


def _optional(value: Any, place: moments.Place) -> Iterator[moments.Place]:
    if isinstance(value, dict):
        for key, part in value.items():
            here = (*place, key)
            if len(here) == 1 and key in TOLD:
                continue
            if here not in _KEPT:
                yield here
            yield from _optional(part, here)
    elif isinstance(value, list) and place not in (("faults",), ("workload", "ops")):
        for at, part in enumerate(value):
            if isinstance(part, str) and len(value) > 1:
                yield (*place, at)
    elif isinstance(value, list):
        for at, part in enumerate(value):
            yield from _optional(part, (*place, at))


def _cut(data: Any, place: moments.Place) -> Any:
    head, *rest = place
    if rest:
        inner = _cut(data[head], tuple(rest))
        if isinstance(data, list):
            return [inner if at == head else part for at, part in enumerate(data)]
        return {**data, head: inner}
    if isinstance(data, list):
        return [part for at, part in enumerate(data) if at != head]
    return {key: part for key, part in data.items() if key != head}


MOVES: tuple[Move, ...] = (
    surer,
    undone_by_for,
    fewer_members,
    fewer_clients,
    lower_rate,
    clusters.smaller_tables,
    plainer_operations,
    asked_by_role,
    defaults,
)
"""All that leaves less, but for faults, operations and chance written out."""

TIMES: tuple[Move, ...] = (
    moments.less_idle,
    moments.evenly,
    moments.on_a_grid,
    moments.earlier,
    moments.one_by_one,
    moments.shorter_spans,
)
"""All that makes times shorter or rounder."""
