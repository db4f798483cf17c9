"""What clients did in a run, as scripted operations: the few that show the failure, or all."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..checkers.timeline import Act, acts, phase
from ..history import Call, History, load
from ..language.document import Document
from ..nemeses import NEMESES
from ..op import OBSERVER
from ..scenario import read
from . import moments
from .moments import Data
from .steps import kind_of

OPERATIONS_MAX = 3_000
"""A longer script is not worth a try: it takes as long as the run that it was cut from."""

_NEAR_NS = (50_000_000, 500_000_000)
"""How far around the witness operations may matter, too."""

_MILLISECOND_NS = 1_000_000


@dataclass(frozen=True, slots=True)
class Played:
    """A client's operation as it was recorded."""

    call: Call
    client: int
    at_ns: int

    @property
    def index(self) -> int:
        """By which verdicts cite it."""
        completion = self.call.completion
        return self.call.invoke.index if completion is None else completion.index

    @property
    def node(self) -> str | None:
        """The member that answered, or was asked last."""
        completion = self.call.completion
        return self.call.invoke.node if completion is None else completion.node

    def as_op(self, client: int, node: str | None, *, whole: bool) -> Data:
        """Its YAML; with `whole` a poll asks for the whole log."""
        invoke = self.call.invoke
        op: Data = {"client": client, "at": moments.spell(self.at_ns // 1_000)}
        if node is not None:
            op["node"] = node
        if invoke.f == "append":
            return {**op, "append": len(invoke.value)}
        return {**op, "read": [0, None] if whole else list(invoke.value)}


def scripts(data: Data, history: bytes, witness: Sequence[int]) -> Iterator[Data]:
    """The scenario with a script in place of chance, the shortest first.

    Who is asked is said by words that mean the same with other seeds (`leader`, whom a step hit),
    and if that does not do, by alias.
    """
    recorded = load(io.BytesIO(history))
    played = _played(recorded, data)
    told = Roles.of(recorded, data)
    seen: list[list[Played]] = []
    for chosen in (*_around(played, witness), played):
        if chosen not in seen and len(chosen) <= OPERATIONS_MAX:
            seen.append(chosen)
            words = [told.word(one) for one in chosen]
            aliases = [one.node for one in chosen]
            for nodes in [words] if words == aliases else [words, aliases]:
                for routing in ("follow", "home"):
                    yield _scripted(told.data, chosen, nodes, routing, whole=True)
            if chosen:
                yield _scripted(told.data, chosen, aliases, "follow", whole=False)


@dataclass(frozen=True, slots=True)
class Roles:
    """What members were besides their aliases, and when; `data` gives steps names for it."""

    data: Data
    since: tuple[tuple[int, str, str], ...]
    """(index of an op, word, the member that it means from then on)."""

    @classmethod
    def of(cls, history: History, data: Data) -> "Roles":
        """The leaders that were seen, and the members that steps hit alone."""
        found = []
        for op in history.of(OBSERVER):
            if op.f == "role" and op.node is not None and op.value.get("role") == "leader":
                found.append((op.index, "leader", op.node))
        steps = [dict(step) for step in data.get("faults", [])]
        left = list(enumerate(steps))
        for act in acts(history):
            at = next((at for at, step in left if _is_of(step, act)), None)
            if at is not None and len(act.nodes) == 1:
                left = [one for one in left if one[0] != at]
                name = steps[at].setdefault("as", f"hit-{at + 1}")
                found.append((act.asked.index, name, act.nodes[0]))
        return cls({**data, "faults": steps} if steps else data, tuple(sorted(found)))

    def word(self, one: Played) -> str | None:
        """What the member was that this operation asked: the leader, or the last that was hit."""
        means: dict[str, str] = {}
        for index, word, node in self.since:
            if index < one.call.invoke.index:
                means.pop(word, None)
                means[word] = node
        if means.get("leader") == one.node:
            return "leader"
        return next((word for word, node in reversed(means.items()) if node == one.node), one.node)


def _is_of(step: Data, act: Act) -> bool:
    """Whether an act may be that of a step."""
    kind = kind_of(step)
    if kind != act.kind or kind not in NEMESES:
        return False
    target = NEMESES[kind].planned(step[kind])["target"]
    return bool(target == dict(act.asked.value).get("target"))


def _played(history: History, data: Data) -> list[Played]:
    """What clients began while faults happened, in order."""
    begin = phase(history, "main")
    if begin is None:
        return []
    clients = read(Document(data, {}, "")).workload.planned()["clients"]
    end_ns = moments.read(data["duration"]) * 1_000
    found = []
    for call in history.calls():
        at_ns = call.invoke.time_ns - begin.time_ns
        at_ns = at_ns // _MILLISECOND_NS * _MILLISECOND_NS
        if at_ns < end_ns:
            assert isinstance(call.invoke.process, int)
            found.append(Played(call, call.invoke.process % clients, at_ns))
    return found


def _around(played: Sequence[Played], witness: Sequence[int]) -> Iterator[list[Played]]:
    """Nothing at all, then what the verdict cites, then more and more around it."""
    yield []
    cited = [one for one in played if one.index in witness]
    yield cited
    if cited:
        for near_ns in _NEAR_NS:
            low, high = cited[0].at_ns - near_ns, cited[-1].at_ns + near_ns
            yield [one for one in played if low <= one.at_ns <= high]


def _scripted(
    data: Data, chosen: Sequence[Played], nodes: Sequence[str | None], routing: str, *, whole: bool
) -> Data:
    """The scenario with these operations, by clients that are counted anew."""
    numbers = {client: at for at, client in enumerate(sorted({one.client for one in chosen}))}
    workload = {
        key: value
        for key, value in data["workload"].items()
        if key not in ("rate", "batch", "read_share", "clients", "routing")
    }
    workload["routing"] = routing
    workload["ops"] = [
        one.as_op(numbers[one.client], node, whole=whole)
        for one, node in zip(chosen, nodes, strict=True)
    ]
    return {**data, "workload": workload}
