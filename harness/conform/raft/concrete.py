"""The Raft core in a state of the model, and the state of the model that a core is in.

What the core knows and the model does not (who leads, what is under way to a peer, which reads
wait) is chosen: `concretize` gives one core for every `Guess`, and conformance checks them all.
"""

from collections.abc import Iterator
from typing import NamedTuple

from ....impl.raft.core import Core
from ....impl.raft.leadership import Leadership
from ....impl.raft.messages import HardState
from ....impl.raft.poll import Poll
from ....impl.raft.progress import Window
from ....impl.raft.ready import Persisted
from ....impl.raft.ready import Role as CoreRole
from ....model.raft_types import Disk, Log, Member, Read, Role, term_at
from .names import ROLES, Names
from .terms import log_of_runs, runs_of
from .translate import entries_of

TOKEN = 7
WAITING_TOKEN = 8
"""Reads have no names in the model: one of the round that is asked, one that waits."""


class Guess(NamedTuple):
    """What the model does not know of a core."""

    leader: str | None = None
    probing: bool = True
    reads_wait: bool = False
    is_offered: bool = False
    doubts: int | None = None


def guesses(s: Member, names: Names) -> Iterator[Guess]:
    """Everything that may hide behind a state of the model."""
    if s.role is Role.LEADER:
        for probing in (True, False):
            yield Guess(names.member(s.me), probing, reads_wait=False)
            if s.read is not None or term_at(s.log, s.commit) != s.term:
                yield Guess(names.member(s.me), probing, reads_wait=True)
        if any(match < s.snap for peer, match in enumerate(s.match) if peer != s.me):
            yield Guess(names.member(s.me), is_offered=True)
        if any(s.match):
            # Peers that seem to have lost entries, asked in this round already or not yet.
            yield from (
                Guess(names.member(s.me), doubts=since)
                for since in (s.rounds - 1, s.rounds)
                if since >= 0
            )
        return
    others = [alias for alias in names.aliases if alias != names.member(s.me)]
    if s.role is not Role.FOLLOWER:
        yield Guess()
    else:
        yield from (Guess(alias) for alias in others)
        if not s.fresh:
            yield Guess()


def concretize(s: Member, names: Names, guess: Guess, bugs: frozenset[str] = frozenset()) -> Core:
    """A core in this state, made from nothing."""
    me = names.member(s.me)
    core = recovered(
        s.disk._replace(term=s.term, vote=s.vote, log=s.log, snap=s.snap), me, names, bugs
    )
    core.role = CoreRole(s.role.value)
    core.leader = guess.leader
    core.lease = s.fresh
    core.log.durable = common(s.disk.log, s.log)
    core.log.commit = s.commit
    core.log._report_term_min = _cut_in(s)
    if s.role in (Role.PRECANDIDATE, Role.CANDIDATE):
        pre = s.role is Role.PRECANDIDATE
        core.poll = Poll(me, s.term + 1 if pre else s.term, pre=pre, bugs=bugs)
        core.poll.voters = {names.member(voter) for voter in s.votes}
    if s.role is Role.LEADER:
        core.leading = _leading(core, s, names, guess, bugs)
    return core


def recovered(disk: Disk, me: str, names: Names, bugs: frozenset[str] = frozenset()) -> Core:
    """The core that starts with this on its disk."""
    hard_state = HardState(disk.term, names.alias(disk.vote))
    base = disk.log[: disk.snap]
    entries = entries_of(disk.log[disk.snap :], disk.snap, term_at(disk.log, disk.snap))
    return Core.recover(me, names.aliases, hard_state, entries, bugs, base=runs_of(base))


def _leading(core: Core, s: Member, names: Names, guess: Guess, bugs: frozenset[str]) -> Leadership:
    window = Window()
    leading = Leadership(core.member, core.members, s.term, core.log, window=window, bugs=bugs)
    leading.heard = {names.member(j) for j in s.heard}
    leading.reads.round = s.rounds
    if s.read is not None:
        leading.reads.asked = (TOKEN,)
        leading.reads.index = s.read.at
    if guess.reads_wait:
        leading.reads.waiting = [WAITING_TOKEN]
    for alias, progress in leading.progress.items():
        j = names.number(alias)
        progress.match = s.match[j]
        progress.next = s.match[j] + 1 if guess.probing else len(s.log) + 1
        progress.probing = guess.probing
        asked = s.read is not None and j not in s.read.acks
        progress.round = s.rounds - asked
        if not guess.probing and progress.next > progress.match + 1:
            progress.in_flight.append((len(s.log), 1))
            progress.in_flight_bytes = 1
        if guess.doubts is not None and s.match[j]:
            progress.doubt = guess.doubts
        if guess.is_offered and s.match[j] < s.snap:
            progress.offered(s.snap)
    return leading


def _cut_in(s: Member) -> int:
    """The term whose leader last had the log cut while a sync may be about what was there."""
    cut = 0
    before = s.disk.log
    for write in s.queue:
        if common(before, write.disk.log) < len(before):
            cut = write.disk.term
        before = write.disk.log
    return cut


def report(s: Member, writes: int) -> Persisted | None:
    """What the driver tells the core when a sync ends that covers so many writes, if anything."""
    last = None
    before = s.disk.log
    for write in s.queue[:writes]:
        after = write.disk.log
        if len(after) > common(before, after):
            last = Persisted(len(after), term_at(after, len(after)))
        before = after
    return last


def abstract(core: Core, disk: Disk, names: Names) -> Member:
    """The core in the model's words, without the queue; `disk` is what it may rely on."""
    me = names.number(core.member)
    leading, poll = core.leading, core.poll
    n = len(names.aliases)
    match = [0] * n
    heard: frozenset[int] = frozenset()
    read, rounds = None, 0
    if leading is not None:
        heard = frozenset(map(names.number, leading.heard))
        rounds = leading.reads.round
        acks = {me}
        for alias, progress in leading.progress.items():
            match[names.number(alias)] = progress.match
            if progress.round >= rounds:
                acks.add(names.number(alias))
        if leading.reads.asked:
            read = Read(leading.reads.index, rounds, frozenset(acks))
    lowest = tuple(m + 1 for m in match) if leading is not None else (0,) * n
    log = core.log
    return Member(
        me, core.term, names.number(core.vote), ROLES[core.role], terms_of(core), log.base_index,
        log.commit,
        tuple(sorted(map(names.number, poll.voters))) if poll is not None else (),
        lowest, tuple(match), core.lease, heard, rounds, read, disk, frozenset(),
    )  # fmt: skip


def terms_of(core: Core) -> Log:
    """The core's log as the model sees it."""
    return log_of_runs(core.log.terms())


def common(a: Log, b: Log) -> int:
    """How far two logs agree."""
    shorter = min(len(a), len(b))
    while shorter and (a[shorter - 1] != b[shorter - 1] or a[:shorter] != b[:shorter]):
        shorter -= 1
    return shorter
