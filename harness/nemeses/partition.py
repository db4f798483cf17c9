"""Members do not hear one another: partitions of many shapes, and links cut one way."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeGuard

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from ..fault import Fault
from ..language.selector import WORDS, Raw, Selector, View, closest, parse, resolve
from ..targets import links
from ..targets.target import Capability, ProcessState
from .nemesis import Aim, Nemesis, Planned
from .process import Members

SHAPES = ("halves", "minority", "majority-ring", "bridge")
"""Shapes with a name of their own; any selector isolates its members from the others."""

Groups = list[list[str]]


def _shape(raw: object) -> object:
    if _is_groups(raw):
        if all(isinstance(group, list) and group for group in raw) and all(
            isinstance(alias, str) for group in raw for alias in group
        ):
            return raw
        raise ValueError("groups must be lists of members, like [[n1], [n2, n3]]")
    if raw not in SHAPES:
        parse(raw)
    return raw


def _is_groups(raw: object) -> TypeGuard[Groups]:
    return isinstance(raw, list) and any(isinstance(item, list) for item in raw)


Shape = Annotated[
    Any,
    BeforeValidator(_shape),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "examples": [*SHAPES, *WORDS]},
                {"type": "array", "items": {"type": "string"}},
                {"type": "array", "items": {"type": "array", "items": {"type": "string"}}},
            ]
        }
    ),
]


def _selectors(target: Raw | Groups) -> list[Selector]:
    if target == "minority":
        return [parse("leader")]
    if target in SHAPES or _is_groups(target):
        return []
    return [parse(target)]


def _cuts_nothing(selector: Selector, members: Sequence[str]) -> str | None:
    for word in selector.words:
        if word in SHAPES and word not in WORDS:
            return f"{word!r} is a shape, no member: it stands alone"
    everybody = selector.explicit(members) and set(selector.words) >= set(members)
    if everybody or (not selector.negated and "all" in selector.words):
        return "cuts nothing: nobody is left on the other side"
    return None


def _check(target: Raw | Groups, members: Sequence[str]) -> str | None:
    if target == "all":
        return "cuts nothing: nobody is left on the other side"
    if target == "majority-ring" and len(members) < 4:
        return f"a majority-ring needs at least 4 members, not {len(members)}"
    if not isinstance(target, list) or not _is_groups(target):
        return None if target in SHAPES else _cuts_nothing(parse(target), members)
    if len(target) < 2:
        return "cuts nothing: there is one group only"
    listed = [alias for group in target for alias in group]
    for alias in listed:
        if alias not in members:
            return f"{alias!r} is no member{closest(alias, members)}"
        if listed.count(alias) > 1:
            return f"{alias} is in more than one group"
    missing = [alias for alias in members if alias not in listed]
    return f"{missing[0]} is in no group" if missing else None


def _aim(fault: Fault, view: View, _: Mapping[str, ProcessState]) -> Aim:
    members = sorted(view.order)
    order = list(view.order)
    match fault.target:
        case "halves":
            sides = links.halves(order)
            return Aim(tuple(sorted(sides[0])), links.cut(links.components(sides)))
        case "majority-ring":
            return Aim(tuple(members), links.cut(links.majority_ring(order)))
        case "bridge":
            return Aim((order[0],), links.cut(links.bridge(order)))
        case "minority":
            if view.leader is None:
                return Aim(())
            followers = [m for m in order if m != view.leader]
            cut_off = [view.leader, *followers[: (len(order) - 1) // 2 - 1]]
            return Aim(tuple(sorted(cut_off)), links.cut(links.isolate(cut_off, members)))
        case list() as groups if _is_groups(groups):
            return Aim(tuple(sorted(groups[0])), links.cut(links.components(groups)))
        case raw:
            nodes = resolve(parse(raw), view)
            return Aim(nodes, links.cut(links.isolate(nodes, members)))


class Ends(BaseModel):
    """The two ends of one-way links; `to: others` means all members that are not in `from`."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    source: Members = Field(alias="from")
    destination: Members = Field(alias="to")


def check_ends(target: Any, members: Sequence[str]) -> str | None:
    """What is wrong with a planned pair of ends; targets that are none are not looked at."""
    if not isinstance(target, dict):
        return None
    source, destination = target["from"], target["to"]
    if source == "others":
        return "`others` are all that are not in `from`: it stands in `to` only"
    if destination == "others":
        return "names no link: nobody is left for `to`" if source == "all" else None
    sides = [parse(raw) for raw in (source, destination)]
    if all(s.explicit(members) and len(set(s.words)) == 1 for s in sides):
        same = sides[0].words[0] == sides[1].words[0]
        return "names no link: both ends are the same member" if same else None
    return None


def ends_selectors(target: Any) -> list[Selector]:
    """The selectors of a planned pair of ends."""
    return [parse(raw) for raw in (target["from"], target["to"]) if raw != "others"]


def ends_pairs(target: Any, view: View) -> tuple[tuple[str, ...], frozenset[links.Pair]]:
    """The members at the sending ends, and the links meant."""
    sources = resolve(parse(target["from"]), view)
    if target["to"] == "others":
        destinations = tuple(m for m in view.order if m not in sources)
    else:
        destinations = resolve(parse(target["to"]), view)
    return sources, links.one_way(sources, destinations)


def _aim_one_way(fault: Fault, view: View, _: Mapping[str, ProcessState]) -> Aim:
    sources, grudge = ends_pairs(fault.target, view)
    return Aim(sources, links.cut(grudge))


def _plan_ends(value: Ends) -> Planned:
    return {"target": {"from": value.source, "to": value.destination}}


def _aim_heal(fault: Fault, view: View, _: Mapping[str, ProcessState]) -> Aim:
    named = view.order if fault.target == "all" else view.names.get(fault.target, ())
    return Aim(tuple(sorted(named)))


PARTITION = Nemesis(
    kind="partition",
    f="partition",
    about=f"Cuts links both ways: {', '.join(SHAPES)}, groups of members, or some members "
    f"({', '.join(WORDS)}, not …) from the others.",
    value=Shape,
    plan=lambda value: {"target": value},
    selectors=_selectors,
    aim=_aim,
    requires=Capability.CUT,
    undo="heal",
    drawn=("leader", "one", "halves", "minority", "bridge"),
    shapes=SHAPES,
    check=_check,
)

ONE_WAY = Nemesis(
    kind="one-way",
    f="partition",
    about="Cuts links in one direction.",
    value=Ends,
    plan=_plan_ends,
    selectors=ends_selectors,
    aim=_aim_one_way,
    requires=Capability.CUT,
    undo="heal",
    check=check_ends,
    drawn=(
        {"from": "leader", "to": "others"},
        {"from": "followers", "to": "leader"},
        {"from": "one", "to": "others"},
    ),
)

HEAL = Nemesis(
    kind="heal",
    f="heal",
    about="Undoes the fault of network, disk or clock called by `as`, or `all` of them.",
    value=str,
    plan=lambda value: {"target": value},
    selectors=lambda target: [],
    aim=_aim_heal,
    requires=Capability.CUT,
)
