"""All traces of a run against the model: the first step that cannot be, or coverage of all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ....model.raft_types import Disk
from ...clocks import Clocks
from ...language.sides import side_of
from ...traces import Boot, Received, Record, Stop, Torn, Trace
from .causes import Causes
from .coverage import Coverage
from .cuts import Cut, Cuts
from .finding import Place, Rejected, Undecided, place_of
from .group import Bridged, Group
from .replay import Replay
from .words import Words

NO_CLOCKS = Clocks()

RULES = ("continuity", "provenance", "durability", "recovery", "step", "promise")


@dataclass(frozen=True)
class Validated:
    """What came of it. `rejected`: by time, the first of each rule and member; empty if all is
    explained, but for what is `undecided`. `gaps`: ends of processes that a search explained.
    `losses`: disks that had lost the end of their log, as they might.
    """

    members: tuple[str, ...]
    records: int
    steps: int
    incarnations: int
    gaps: int
    losses: int = 0
    rejected: tuple[Rejected, ...] = ()
    undecided: tuple[Undecided, ...] = ()
    counted: Coverage = field(default_factory=Coverage)

    @property
    def promises(self) -> tuple[str, ...]:
        """Promises that were seen to break."""
        broken = {promise for rejected in self.rejected for promise in rejected.promises}
        return tuple(sorted(broken, key=lambda promise: (promise[:3], int(promise[3:]))))


def coverage(validated: Validated) -> Coverage:
    """Which of the model's steps explain the run."""
    return validated.counted


def validate(
    members: Sequence[str],
    traces: Mapping[str, Trace],
    cuts: Mapping[str, Sequence[Cut]] | None = None,
    clocks: Clocks = NO_CLOCKS,
) -> Validated:
    """Whole traces. Nothing needs to be known of the order of records of different members.

    `cuts`: when something took the end of a member's log away. `clocks` of members only say
    what is likely where a process ended without a line.
    """
    validator = Validator(members, cuts, clocks)
    for trace in traces.values():
        for line in trace.lines:
            if isinstance(line, Record):
                validator.add(line)
    for node in sorted(traces):
        for line in traces[node].lines:
            if isinstance(line, Record):
                validator.check(line)
            else:
                validator.torn(node, line)
    validator.order(traces)
    return validator.finish()


@dataclass(slots=True)
class _File:
    """How far one member's file was read."""

    inc: int = 0
    seq: int = -1
    running: set[int] = field(default_factory=set)
    """Groups that this process has booted and not stopped."""
    torn: Torn | None = None
    last: Record | None = None

    def is_stopped(self, group: int) -> bool:
        """Whether nothing more can come of this group in this life."""
        return group not in self.running


class Validator:
    """Takes records one by one: those of a member in its order.

    `feed` them as they happen, each before what it sends arrives; or `add` all first, so that
    every message is known, then `check` all.
    """

    def __init__(
        self,
        members: Sequence[str],
        cuts: Mapping[str, Sequence[Cut]] | None = None,
        clocks: Clocks = NO_CLOCKS,
    ) -> None:
        """`cuts`: the first start after each may find less of the log than was on the disk."""
        self._members = tuple(sorted(members))
        self._cuts = Cuts(cuts or {})
        self._clocks = clocks
        self._losses = 0
        self._files = {member: _File() for member in self._members}
        self._groups: dict[tuple[str | None, int], Group] = {}
        """By cluster, where there are several, and number: each counts its own."""
        self._rejected: dict[tuple[str, str], Rejected] = {}
        self._undecided: list[Undecided] = []
        self._lost: set[str] = set()
        self._records = 0
        self._incarnations = 0
        self._gaps = 0

    def feed(self, record: Record) -> Rejected | None:
        """The next record of the world; what it is rejected for, if it is."""
        before = len(self._rejected)
        group = self._group(record)
        group.wire.is_live = True
        self.add(record)
        try:
            group.wire.check_order(record)
        except Rejected as rejected:
            self._reject(rejected)
        self.check(record)
        return None if len(self._rejected) == before else list(self._rejected.values())[before]

    def add(self, record: Record) -> None:
        """Learn what it sends and takes."""
        try:
            self._group(record).wire.add(record)
        except Rejected as rejected:
            self._reject(rejected)

    def check(self, record: Record) -> None:
        """Check the next record of a member."""
        self._records += 1
        file = self._files.get(record.node)
        group = self._group(record)
        replay = group.replays.get(record.node)
        if file is None or replay is None:
            of = f" of group {record.group}" if file is not None else ""
            reason = f"a record of {record.node}, which is no member{of}"
            self._reject(Rejected(Place.of(record), "continuity", reason, record=record))
            return
        event = record.event
        try:
            if isinstance(event, Received):
                group.wire.check(record, event)
        except Rejected as rejected:
            self._reject(rejected)
        try:
            self._continue(file, record)
            if record.node not in self._lost:
                if isinstance(event, Boot):
                    self._boot(group, replay, record)
                elif replay.last is not None:
                    replay.follow(record)
        except Rejected as rejected:
            self._lost.add(record.node)
            self._reject(rejected)
        try:
            replay.observe(record)
        except Rejected as rejected:
            self._reject(rejected)

    def replay(self, record: Record) -> Replay | None:
        """The member that a record is of, as its group knows it; None if it is no member of it."""
        return self._group(record).replays.get(record.node)

    def torn(self, node: str, line: Torn) -> None:
        """A line that is no record: all that a kill may leave, at the end of what it killed."""
        file = self._files.get(node)
        if file is None:
            return
        last = file.last
        if file.torn is not None or (last is not None and not file.running):
            place = place_of(node, last)
            reason = f"line {line.line} of {node}'s trace is no record, and no kill can be why"
            self._lost.add(node)
            self._reject(Rejected(place, "continuity", reason, field="line"))
        file.torn = line

    def order(self, traces: Mapping[str, Trace]) -> None:
        """All records are checked, those of these whole traces: causes come before what they
        cause. Where something was rejected, it may be what contradicts itself here.
        """
        if self._rejected:
            return
        records = {node: trace.records for node, trace in traces.items()}
        wires = {
            (node, number): group.wire
            for (_, number), group in self._groups.items()
            for node in group.words.aliases
        }
        try:
            Causes(records, wires).check()
        except Rejected as rejected:
            self._reject(rejected)

    def finish(self) -> Validated:
        """All records are in."""
        for group in self._groups.values():
            for replay in group.replays.values():
                self._end(group, replay)
        rejected = sorted(
            self._rejected.values(), key=lambda r: (r.place.t_ns, RULES.index(r.rule))
        )
        # Who is alone makes steps of its own, which are none of a group's.
        several = [group for group in self._groups.values() if len(group.words.aliases) > 1]
        counted = [group.counting.coverage() for group in several]
        return Validated(
            members=self._members,
            records=self._records,
            steps=sum(r.steps for g in self._groups.values() for r in g.replays.values()),
            incarnations=self._incarnations,
            gaps=self._gaps,
            losses=self._losses,
            rejected=tuple(rejected),
            undecided=tuple(self._undecided),
            counted=_together(counted),
        )

    def _reject(self, rejected: Rejected) -> None:
        self._rejected.setdefault((rejected.place.node, rejected.rule), rejected)

    def _group(self, record: Record) -> Group:
        """What the record is about; its members are those that the first of its records tells."""
        key = (side_of(record.node), record.group)
        found = self._groups.get(key)
        if found is None:
            told = record.event.members if isinstance(record.event, Boot) else ()
            found = self._groups[key] = Group(Words(told or self._members), self._clocks)
        return found

    # A member's file.

    def _continue(self, file: _File, record: Record) -> None:
        """Records follow one another without a gap. Raises Rejected."""
        expected = (file.inc, file.seq + 1)
        found = (record.inc, record.seq)
        is_boot = isinstance(record.event, Boot)
        is_new = record.inc > file.inc
        if is_new and record.seq == 0 and is_boot:
            self._incarnations += 1
            file.running.clear()
        elif is_new or found != expected or file.torn is not None:
            raise self._out_of_order(file, record, is_new=is_new)
        elif is_boot:
            self._check_first_of_group(record)
        elif file.is_stopped(record.group):
            raise self._out_of_order(file, record, is_new=is_new)
        file.inc, file.seq, file.last, file.torn = record.inc, record.seq, record, None
        if is_boot:
            file.running.add(record.group)
        elif isinstance(record.event, Stop):
            file.running.discard(record.group)

    def _check_first_of_group(self, record: Record) -> None:
        """One process boots each of its groups once."""
        last = self._group(record).replays[record.node].last
        if last is not None and last.inc == record.inc:
            reason = "a second beginning of one incarnation"
            raise Rejected(Place.of(record), "continuity", reason, field="boot", record=record)

    def _out_of_order(self, file: _File, record: Record, *, is_new: bool) -> Rejected:
        if file.torn is not None and not is_new:
            reason = f"line {file.torn.line} before it is no record"
        elif is_new:
            reason = f"incarnation {record.inc} does not begin with `boot`"
        elif file.is_stopped(record.group) and file.last is not None:
            reason = f"it comes after `stop` (step {file.seq})"
        else:
            reason = f"step {file.seq + 1} of incarnation {file.inc} belongs here"
        return Rejected(
            Place.of(record),
            "continuity",
            reason,
            field="seq",
            model={"incarnation": file.inc, "step": file.seq + 1},
            found={"incarnation": record.inc, "step": record.seq},
            record=record,
        )

    # Ends and beginnings of processes.

    def _boot(self, group: Group, replay: Replay, record: Record) -> None:
        """What is found is what the process before has left. Raises Rejected."""
        self._check_members(group, record)
        disk = group.words.disk(record)
        self._cuts.begins(record)
        if record.node not in self._lost:
            self._bridge(group, record.node, record, disk)
        replay.boot(record, disk)

    def _check_members(self, group: Group, record: Record) -> None:
        """All of them count majorities of the same members."""
        assert isinstance(record.event, Boot)
        told, members = tuple(sorted(record.event.members)), group.words.aliases
        if told and told != members:
            reason = f"{record.node} takes {', '.join(told)} for the members of group "
            reason += f"{record.group}, and others {', '.join(members)}"
            raise Rejected(Place.of(record), "continuity", reason, field="members", record=record)

    def _bridge(self, group: Group, node: str, record: Record | None, disk: Disk | None) -> None:
        """From a process's last record to what is known to come of it. Raises Rejected."""
        found = self._bridged(group, node, record, disk)
        self._gaps += found.was_searched
        if found.undecided is not None:
            self._undecided.append(found.undecided)

    def _bridged(
        self, group: Group, node: str, record: Record | None, disk: Disk | None
    ) -> Bridged:
        if (
            disk is None
            or record is None
            or not self._cuts.may_explain(record)
            or not group.may_lack_the_end(node, disk)
        ):
            return group.bridge(node, record, disk)
        try:
            found = group.bridge(node, record, disk)
            if found.undecided is None:
                return found
        except Rejected:
            pass
        # The disk tells no more what the process before had done in the end.
        cut = self._cuts.explain(record)
        self._losses += 1
        found = group.bridge(node, record, None)
        if cut.is_known or found.undecided is not None:
            return found
        reason = f"nobody knows whether the end of {node}'s log was cut off before this start"
        return Bridged(found.was_searched, Undecided(Place.of(record), reason))

    def _end(self, group: Group, replay: Replay) -> None:
        """The last process of a member left no line at its end, or none at all, and perhaps
        messages.
        """
        last = replay.last
        ends = last is not None and group.wire.last_heard(replay.node) <= last.inc
        if replay.node in self._lost or (replay.is_stopped and ends):
            return
        try:
            self._bridge(group, replay.node, None, None)
        except Rejected as rejected:
            self._reject(rejected)


def _together(found: Sequence[Coverage]) -> Coverage:
    if len(found) == 1:
        return found[0]
    events: dict[str, int] = {}
    branches: dict[tuple[str, str], int] = {}
    for one in found:
        for name, count in one.events.items():
            events[name] = events.get(name, 0) + count
        for names, count in one.branches.items():
            branches[names] = branches.get(names, 0) + count
    return Coverage(events, branches)
