"""How a master and its slaves can be made smaller: fewer slaves, controllers, data nodes, tables.

Whatever named somebody who is gone names the first one of the same kind.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ..language.cluster_part import SidePart
from ..language.sides import MASTER, words
from ..systems.replication import REPLICATION
from .moments import Data

_CONTROLLERS = (1, 3)

_EXTENTS = {"databases": (2, 1), "tables": (1, 1), "partitions": (4, 1), "bulk": (0, 0)}
"""Options of the workload `replicate` that say how much there is: if nothing is said, at least."""

_WORKLOAD = "replicate"


def are_several(data: Data) -> bool:
    """Whether the scenario is about a master and slaves."""
    return bool(data.get("cluster", {}).get("system") == REPLICATION.name)


def members(data: Data) -> int:
    """How many members they have, all together."""
    cluster = data["cluster"]
    return sum(len(_aliases("", part)) for part in (cluster.get("master", {}), *_slaves(cluster)))


def extent(data: Data) -> int:
    """How many databases, tables, partitions and rows the clients make."""
    workload = data["workload"]
    if workload.get("name") != _WORKLOAD:
        return 0
    return sum(workload.get(name, usual) for name, (usual, _) in _EXTENTS.items())


def fewer(data: Data) -> Iterator[Data]:
    """One slave alone, then fewer members of each cluster."""
    cluster = data["cluster"]
    slaves = _slaves(cluster)
    if len(slaves) > 1:
        for kept, slave in enumerate(slaves):
            others = [_aliases(f"s{at + 1}", one) for at, one in enumerate(slaves) if at != kept]
            gone = [alias for aliases in others for alias in aliases]
            yield _with(data, {"slaves": [slave]}, _merged(slaves, slave), gone)
    for change, name, part in _sides(cluster):
        for smaller in _smaller(part):
            left = _aliases(name, smaller)
            gone = [alias for alias in _aliases(name, part) if alias not in left]
            names = {alias: f"{name}{alias.removeprefix(name)[0]}1" for alias in gone}
            yield _with(data, change(smaller), names, gone)


def smaller_tables(data: Data) -> Iterator[Data]:
    """Fewer databases, tables and partitions, and fewer rows at once."""
    workload = data["workload"]
    if workload.get("name") != _WORKLOAD:
        return
    for name, (usual, least) in _EXTENTS.items():
        now = workload.get(name, usual)
        for count in sorted({least, now // 2}):
            if least <= count < now:
                yield {**data, "workload": {**workload, name: count}}


def renamed(value: Any, names: Mapping[str, str]) -> Any:
    """The same with other words; a list of words names nobody twice."""
    if isinstance(value, dict):
        return {key: renamed(part, names) for key, part in value.items()}
    if isinstance(value, list):
        found = [renamed(part, names) for part in value]
        told = [part for part in found if isinstance(part, str)]
        return list(dict.fromkeys(told)) if told and told == found else found
    return names.get(value, value) if isinstance(value, str) else value


def _slaves(cluster: Data) -> list[Data]:
    found: list[Data] = cluster.get("slaves", [{}])
    return found


def _sides(cluster: Data) -> Iterator[tuple[Any, str, Data]]:
    """How to put another part in its place, whose it is, and the part."""
    yield (lambda part: {"master": part}), MASTER, cluster.get("master", {})
    slaves = _slaves(cluster)
    for at, slave in enumerate(slaves):
        yield (
            (lambda part, at=at: {"slaves": [*slaves[:at], part, *slaves[at + 1 :]]}),
            f"s{at + 1}",
            slave,
        )


def _aliases(name: str, part: Data) -> list[str]:
    usual = SidePart.model_fields
    controllers = part.get("controllers", usual["controllers"].default)
    nodes = part.get("nodes", usual["nodes"].default)
    return [
        *(f"{name}c{number}" for number in range(1, controllers + 1)),
        *(f"{name}d{number}" for number in range(1, nodes + 1)),
    ]


def _smaller(part: Data) -> Iterator[Data]:
    usual = SidePart.model_fields
    for count in _CONTROLLERS:
        if count < part.get("controllers", usual["controllers"].default):
            yield {**part, "controllers": count}
    for count in range(1, part.get("nodes", usual["nodes"].default)):
        yield {**part, "nodes": count}


def _merged(slaves: list[Data], kept: Data) -> dict[str, str]:
    """Words for any slave, and what they mean when there is but one."""
    left = _aliases("s1", kept)
    found: dict[str, str] = {}
    for number, slave in enumerate(slaves, start=1):
        name = f"s{number}"
        aliases = _aliases(name, slave)
        for alias in aliases:
            same = alias.replace(name, "s1")
            found[alias] = same if same in left else f"s1{alias.removeprefix(name)[0]}1"
        found |= {word: word.replace(name, "s1") for word in words(aliases)}
    return found


def _with(data: Data, change: Data, names: Mapping[str, str], gone: Collection[str]) -> Data:
    """The scenario with other clusters: what was said of those that are gone is of nobody."""
    cluster = {
        key: {names.get(a, a): part for a, part in value.items() if a not in gone}
        if key in ("node_config", "bugs")
        else value
        for key, value in data["cluster"].items()
    }
    found = {**data, "cluster": {**cluster, **change}}
    if "faults" in data:
        found["faults"] = renamed(data["faults"], names)
    return found
