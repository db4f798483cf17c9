"""What clients did in a run, as scripted operations: the few that show the failure, or all."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..checkers.timeline import phase
from ..document import Document
from ..history import Call, History, load
from ..scenario import read
from . import moments
from .moments import Data

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

    def as_op(self, client: int, *, whole: bool) -> Data:
        """Its YAML; with `whole` a poll asks for the whole log."""
        invoke, completion = self.call.invoke, self.call.completion
        op: Data = {"client": client, "at": moments.spell(self.at_ns // 1_000)}
        node = invoke.node if completion is None else completion.node
        if node is not None:
            op["node"] = node
        if invoke.f == "append":
            return {**op, "append": len(invoke.value)}
        return {**op, "read": [0, None] if whole else list(invoke.value)}


def scripts(data: Data, history: bytes, witness: Sequence[int]) -> Iterator[Data]:
    """The scenario with a script in place of chance, the shortest first."""
    played = _played(load(io.BytesIO(history)), data)
    seen: list[list[Played]] = []
    for chosen in (*_around(played, witness), played):
        if chosen not in seen and len(chosen) <= OPERATIONS_MAX:
            seen.append(chosen)
            for routing in ("follow", "home"):
                yield _scripted(data, chosen, routing, whole=True)
            if chosen:
                yield _scripted(data, chosen, "follow", whole=False)


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


def _scripted(data: Data, chosen: Sequence[Played], routing: str, *, whole: bool) -> Data:
    """The scenario with these operations, by clients that are counted anew."""
    numbers = {client: at for at, client in enumerate(sorted({one.client for one in chosen}))}
    workload = {
        key: value
        for key, value in data["workload"].items()
        if key not in ("rate", "batch", "read_share", "clients", "routing")
    }
    workload["routing"] = routing
    workload["ops"] = [one.as_op(numbers[one.client], whole=whole) for one in chosen]
    return {**data, "workload": workload}
