"""Every state of the model reached by the implementation's own steps, along shortest paths."""

from collections.abc import Iterator

from ....model.explore.pairs import Pairs
from ....model.storage_built import Kill
from ....model.storage_types import Append, Crash, Event, Member, Overrule, Own, Return
from . import dataside, logside
from .compare import Comparison, Difference, file_step
from .disk import ImageDisk
from .log import WAYS, Live, Way
from .log import following as told_by
from .words import REFUSALS


class Machine:
    """A member's log and tables, in use."""

    def __init__(self, comparison: Comparison, way: Way, bugs: frozenset[str]) -> None:
        self._comparison = comparison
        self._bugs = bugs
        options = comparison.options
        self.log = Live(ImageDisk(), way, options.batch, bugs)
        self.files = comparison.files.begin()

    def do(self, s: Member, event: Event | Kill, then: Member) -> None:
        """The implementation's step for the model's."""
        match event:
            case Append() | Overrule() | Return() | Own.REPAIR:
                save = told_by(self.log.expected.now, then.leader, then.term)
                if save is not None:
                    self.log.write([save])
            case Own.SYNC_LOG:
                self.log.sync()
            case Kill():
                self.log = self.log.recovered(self._bugs)
            case Crash():
                self._crash(event)
        self.files = self._comparison.files.make(self.files, file_step(s, event, then))

    def difference(self, s: Member) -> Difference | None:
        """Whether this is the state that the model is in."""
        comparison, log = self._comparison, self.log
        found = comparison.log.recoveries.images(log.disk, log.way, log.near_ends())
        logs = logside.Seen(logside.logs_of(found))
        files = dataside.Seen(comparison.files.images(self.files.disk), self.files.rows())
        return comparison.logs(s, logs, "replayed") or comparison.tables(s, files, "replayed")

    def _crash(self, crash: Crash) -> None:
        log, side = self.log, self._comparison
        fits = []
        for left in log.disk.beginnings(log.near_ends()):
            image = side.log.recoveries.found(left, log.way)
            if not isinstance(image, str) and image.records == crash.log.records:
                fits.append((left, image))
        assert fits, f"no crash leaves {crash.log}"
        left, image = fits[-1]
        self.log = Live(ImageDisk(left), log.way, side.options.batch, self._bugs, image)


def replay(
    pairs: Pairs, comparison: Comparison, bugs: frozenset[str]
) -> Iterator[tuple[Member, Difference | None]]:
    """Every state, and how the replayed member differs from it."""
    parents = {state for _, state, _, _ in pairs.tree()}
    ends = [state for _, state in pairs.states if state not in parents]
    known: set[Member] = set()
    for number, end in enumerate(ends):
        way = WAYS[number % 2]
        yield from _along(pairs, end, Machine(comparison, way, bugs), known)


def _along(
    pairs: Pairs, end: Member, machine: Machine, known: set[Member]
) -> Iterator[tuple[Member, Difference | None]]:
    """One path; every state on it that was not met before."""
    actor = pairs.model.actors[0]
    state = actor.initial(0)
    for event in [None, *pairs.path(0, end)]:
        assert isinstance(state, Member)
        if event is not None:
            step = actor.step(state, event)
            assert step is not None
            then = step.state
            assert isinstance(then, Member)
            try:
                machine.do(state, event, then)
            except REFUSALS as error:
                told = f"{type(error).__name__}: {error}"
                yield then, Difference("refusal", "a step", told, "replayed")
                return
            state = then
        if state not in known:
            known.add(state)
            yield state, machine.difference(state)
