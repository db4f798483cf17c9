"""The paths of the model that a real run's traces make: a step for each line of a trace."""

import threading
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from ..checkers.conformance import cut_logs, raft_members
from ..clocks import Clocks, clocks_of
from ..conform.trace.cuts import Cut
from ..conform.trace.validator import Validated, Validator
from ..errors import UsageError
from ..history import load
from ..judging.judgement import plan_of, require_whole, trace_of
from ..language.sides import side_of
from ..prose import plural
from ..rundir import RunDir
from ..traces import Persisted, Received, Record, Torn, Trace, Uid
from .atlas import NoSuchState
from .path import PathAbout, RunPath


class RunAbout(msgspec.Struct, frozen=True):
    """The run, and its paths."""

    run: str
    scenario: str
    sentence: str
    paths: tuple[PathAbout, ...]


class RunPaths:
    """The paths of one run, one a Raft group; read when somebody asks."""

    def __init__(self, run: RunDir) -> None:
        """Raises UsageError where there is no run, one without traces, or with changed ones."""
        self.run = run
        plan = plan_of(run)
        self._scenario = plan.scenario
        self._members = raft_members(plan.members)
        self._clocks = clocks_of(run)
        self._lock = threading.Lock()
        self._read: tuple[Validated, tuple[RunPath, ...]] | None = None
        if not any(run.node_trace(member).is_file() for member in self._members):
            raise UsageError(f"{run.path} has no traces: there is no path to show (docs/traces.md)")
        require_whole(run, plan)
        self._silent: list[str] = []
        """Members without records; known once the traces are read."""

    def about(self) -> RunAbout:
        validated, paths = self._paths()
        found = len(validated.rejected)
        sentence = (
            f"All {validated.steps:,} steps of "
            f"{plural(len(self._members) - len(self._silent), 'member')} are the model's."
            if not found
            else f"{found} of {validated.records:,} lines are not the model's; the first: "
            f"{validated.rejected[0]}."
        )
        if self._silent:
            sentence += f" No trace of {', '.join(self._silent)}: what was done there is not known."
        if validated.undecided:
            sentence += f" Undecided: {validated.undecided[0].reason}."
        about = tuple(path.about() for path in paths)
        return RunAbout(str(self.run.path), self._scenario, sentence, about)

    def path(self, number: int) -> "RunPath":
        """Raises NoSuchState."""
        paths = self._paths()[1]
        if number >= len(paths):
            raise NoSuchState(f"There is no path {number}: the run makes {len(paths)}.")
        return paths[number]

    def _paths(self) -> tuple[Validated, "tuple[RunPath, ...]"]:
        with self._lock:
            if self._read is None:
                traces = {member: trace_of(self.run, member) for member in self._members}
                self._silent = [m for m, trace in traces.items() if not trace.records]
                self._read = paths_of(self._members, traces, self._clocks, self._cuts())
            return self._read

    def _cuts(self) -> Mapping[str, Sequence[Cut]]:
        if not self.run.history.is_file():
            return {}
        with self.run.history.open("rb") as stream:
            return cut_logs(load(stream, torn_tail=True), self._clocks)


def paths_of(
    members: Sequence[str],
    traces: dict[str, Trace],
    clocks: Clocks,
    cuts: Mapping[str, Sequence[Cut]] | None = None,
) -> tuple[Validated, "tuple[RunPath, ...]"]:
    """Replay whole traces in the model, and keep the states on the way.

    `cuts`: when the end of a member's log was cut off.
    """
    validator = Validator(members, cuts, clocks)
    for trace in traces.values():
        for record in trace.records:
            validator.add(record)
    paths: dict[tuple[str | None, int], RunPath] = {}
    for line in in_order(traces):
        if not isinstance(line, Record):
            validator.torn(*line)
            continue
        replay = validator.replay(line)
        if replay is not None:
            replay.explained = None
        validator.check(line)
        if replay is None:
            continue
        key = (side_of(line.node), line.group)
        if key not in paths:
            paths[key] = RunPath(len(paths), key, replay.words, clocks)
        explained = replay.explained
        events = () if explained is None else tuple(event for event, _ in explained.steps)
        paths[key].add(line, events, None if replay.is_stopped else replay.refiner.state)
    validator.order(traces)
    validated = validator.finish()
    for path in paths.values():
        path.part(validated.rejected)
    return validated, tuple(paths.values())


def in_order(traces: dict[str, Trace]) -> Iterable[Record | tuple[str, Torn]]:
    """Lines by the clocks, but none that receives before the one that sends: clocks may be wrong.

    So the steps are in an order in which the model can make them.
    """
    left = {node: list(reversed(trace.lines)) for node, trace in sorted(traces.items())}
    waiting = {uid for trace in traces.values() for r in trace.records for uid in _sends(r)}
    while any(left.values()):
        heads = [(node, lines[-1]) for node, lines in left.items() if lines]
        torn = next(((node, line) for node, line in heads if isinstance(line, Torn)), None)
        if torn is not None:
            left[torn[0]].pop()
            yield torn
            continue
        records = [(node, line) for node, line in heads if isinstance(line, Record)]
        free = [one for one in records if not _waits(one[1], waiting)] or records
        node, record = min(free, key=lambda one: (one[1].t_ns, one[0]))
        left[node].pop()
        waiting.difference_update(_sends(record))
        yield record


def _sends(record: Record) -> Iterable[Uid | None]:
    """What leaves with a step: what it sends at once, and what a sync releases."""
    yield from (message.uid for message in record.out)
    if isinstance(record.event, Persisted):
        yield from record.event.released


def _waits(record: Record, waiting: set[Uid | None]) -> bool:
    return isinstance(record.event, Received) and record.event.uid in waiting
