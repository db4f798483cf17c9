"""Known mistakes in Raft, each one line, with a bound that shows it and the promise that breaks.

`source` names the row of the bug zoo (harness-notes §5.5: R1…) or the paper's section. A property
without a mutant that breaks it is not known to check anything.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any

from .actor import Model, Network
from .raft_group import raft_group
from .raft_rules import Rules, merged
from .raft_types import NOBODY, Disk, Options, majority, term_at


@dataclass(frozen=True)
class Mutant:
    """One rule changed, and where to look.

    `breaks` is what it breaks first. `also_breaks` are promises that no mutant breaks first; this
    one does when they are checked alone. docs/mutants.md has the rest.
    """

    name: str
    mistake: str
    source: str
    change: Callable[[Rules], Rules]
    options: Options
    breaks: str
    crashes: int = 0
    network: Network | None = None
    also_breaks: tuple[str, ...] = ()

    def model(
        self, bounds: Mapping[str, Any] | None = None, network: Network | None = None
    ) -> Model:
        """The group with the mistake in it; `bounds` and `network` go before its own."""
        wider = dict(bounds or {})
        crashes = wider.pop("crashes", self.crashes)
        options = replace(self.options, **wider)
        rules = self.change(Rules())
        return raft_group(options, crashes=crashes, network=network or self.network, rules=rules)


def _with(**rules: Any) -> Callable[[Rules], Rules]:
    return lambda right: replace(right, **rules)


_SMALL = Options(terms=2, entries=0)
_ENTRY = Options(terms=2, entries=1)
_THREE = Options(terms=3, entries=0)

RAFT_MUTANTS: dict[str, Mutant] = {
    mutant.name: mutant
    for mutant in (
        Mutant(
            "commit-old-term",
            "A leader commits entries of older terms by counting replicas.",
            "R1, Figure 8",
            _with(committable=lambda s, n: True),
            Options(terms=3, entries=0),
            "commits-own-term",
        ),
        Mutant(
            "read-before-noop",
            "A leader reads before anything of its own term is committed.",
            "R2",
            _with(may_read=lambda s: True),
            Options(terms=3, entries=0, reads=1),
            "linearizable-reads",
        ),
        Mutant(
            "read-unconfirmed",
            "A leader answers a read without asking a majority.",
            "R3",
            _with(read_quorum=lambda s, have: True),
            Options(terms=3, entries=0, reads=1),
            "linearizable-reads",
        ),
        Mutant(
            "read-on-lease",
            "A leader answers reads while it believes that a majority still follows it.",
            "R4",
            _with(read_quorum=lambda s, have: len(s.heard) + 1 >= majority(len(s.next))),
            Options(terms=3, entries=0, reads=1, quorum=True),
            "linearizable-reads",
        ),
        Mutant(
            "vote-forgotten",
            "The vote is not written to disk.",
            "R5",
            _with(saved=lambda s: Disk(s.term, NOBODY, s.log, s.snap)),
            _SMALL,
            "persisted-before-reply",
            crashes=1,
        ),
        Mutant(
            "vote-lost-in-crash",
            "A restart forgets term and vote.",
            "R5, semantics §4.2",
            _with(survives=lambda disk: Disk(1, NOBODY, disk.log, disk.snap)),
            _SMALL,
            "term-never-falls",
            crashes=1,
            also_breaks=("terms-in-order",),
        ),
        Mutant(
            "stale-vote-counted",
            "A candidate counts votes of another term.",
            "R6, Xraft#1",
            _with(counts_vote=lambda s, m: True),
            Options(terms=3, entries=0),
            "election-safety",
        ),
        Mutant(
            "duplicate-vote-counted",
            "A majority is counted in answers, not in voters.",
            "R7",
            _with(voters=lambda s, m: tuple(sorted((*s.votes, m.src)))),
            Options(members=4, terms=2, entries=0),
            "election-safety",
        ),
        Mutant(
            "half-elects",
            "Half of the members elect a leader.",
            "§5.2, model-notes §4.2",
            _with(wins=lambda votes, members: 2 * votes >= members),
            Options(members=4, terms=2, entries=0),
            "election-safety",
            also_breaks=("one-leader-per-term",),
        ),
        Mutant(
            "always-truncate",
            "An append cuts the log behind what it carries, conflict or not.",
            "R8, RaftOS#2",
            _with(merged=lambda s, m: s.log[: m.prev] + m.entries),
            _ENTRY,
            "truncates-on-conflict",
        ),
        Mutant(
            "ack-own-last",
            "A follower acknowledges its own last index.",
            "R9, CCF#6001",
            _with(acknowledged=lambda s, m: len(s.log)),
            Options(terms=3, entries=0, heartbeats=True),
            "committed-is-durable",
        ),
        Mutant(
            "snapshot-keeps-conflict",
            "A snapshot is installed over a log that contradicts it, and the log stays.",
            "R10",
            _with(installed_log=lambda s, m: s.log if len(s.log) >= len(m.prefix) else m.prefix),
            Options(terms=3, entries=0, checkpoints=1),
            "committed-is-durable",
        ),
        Mutant(
            "old-snapshot-installed",
            "A snapshot older than what is committed is installed.",
            "R11",
            _with(installs=lambda s, m: True, installed_log=lambda s, m: m.prefix),
            Options(terms=2, entries=1, checkpoints=1),
            "committed-is-durable",
        ),
        Mutant(
            "ack-before-fsync",
            "Replies do not wait for the disk.",
            "R13, R14",
            _with(replies_wait=lambda s: False),
            Options(terms=2, entries=0, sync=True),
            "persisted-before-reply",
            crashes=1,
        ),
        Mutant(
            "log-tail-lost-in-crash",
            "A restart loses the last entry.",
            "R13",
            _with(survives=lambda disk: disk._replace(log=disk.log[:-1])),
            _SMALL,
            "committed-is-durable",
            crashes=1,
            also_breaks=("matches-are-true",),
        ),
        Mutant(
            "truncates-applied",
            "A conflict is resolved below the commit index.",
            "R26",
            _with(
                fits=lambda s, m: True,
                merged=lambda s, m: s.log[: max(0, m.prev - 1)] + m.entries,
            ),
            _ENTRY,
            "commit-never-falls",
            also_breaks=("committed-prefix-stays", "committed-rows-agree"),
        ),
        Mutant(
            "vote-twice",
            "A member votes for everybody who asks.",
            "§5.2",
            _with(may_vote=lambda s, m: True),
            _SMALL,
            "one-vote-per-term",
        ),
        Mutant(
            "vote-for-the-outdated",
            "A vote does not look at the candidate's log.",
            "§5.4.1",
            _with(up_to_date=lambda log, term, index: True),
            _THREE,
            "up-to-date-votes",
            also_breaks=("leader-completeness",),
        ),
        Mutant(
            "up-to-date-by-length",
            "Up-to-date means longer, whatever the terms.",
            "§5.4.1",
            _with(up_to_date=lambda log, term, index: index >= len(log)),
            Options(terms=4, entries=1),
            "up-to-date-votes",
        ),
        Mutant(
            "append-of-old-term",
            "Appends of deposed leaders are taken.",
            "§5.1",
            _with(is_stale=lambda s, term: False),
            _THREE,
            "committed-is-durable",
        ),
        Mutant(
            "no-previous-term-check",
            "An append fits wherever the log is long enough.",
            "§5.3",
            _with(fits=lambda s, m: m.prev <= len(s.log)),
            Options(terms=4, entries=0),
            "log-matching",
        ),
        Mutant(
            "never-truncate",
            "A conflicting entry stays.",
            "§5.3",
            _with(
                merged=lambda s, m: (
                    merged(s.log, m.prev, m.entries) if m.prev >= len(s.log) else s.log
                )
            ),
            _THREE,
            "committed-is-durable",
            also_breaks=("state-machine-safety",),
        ),
        Mutant(
            "match-falls",
            "A late answer lowers the match index.",
            "PySyncObj#4, RaftOS#1",
            _with(new_match=lambda old, m: m.match),
            _ENTRY,
            "match-never-falls",
        ),
        Mutant(
            "commit-falls",
            "A follower takes the commit index of a message as its own.",
            "PySyncObj#2",
            _with(follower_commit=lambda s, m: min(m.commit, m.prev + len(m.entries))),
            _ENTRY,
            "commit-never-falls",
        ),
        Mutant(
            "commit-without-majority",
            "A leader commits what it alone holds.",
            "ack-before-quorum",
            _with(commit_quorum=lambda have, members: have >= 1),
            _SMALL,
            "committed-is-durable",
        ),
        Mutant(
            "counts-itself-early",
            "A leader counts its own entries before they are on its disk.",
            "R27",
            _with(own_match=lambda s: len(s.log)),
            Options(terms=2, entries=0, sync=True),
            "committed-is-durable",
            crashes=1,
        ),
        Mutant(
            "follower-writes",
            "A follower takes a client's request.",
            "§5.3",
            _with(
                accepts_request=lambda s: True,
            ),
            _ENTRY,
            "only-leaders-write",
        ),
        Mutant(
            "checkpoint-uncommitted",
            "A checkpoint covers entries that are not committed.",
            "HS-10",
            _with(checkpoint_at=lambda s: len(s.log)),
            Options(terms=2, entries=0, checkpoints=1),
            "commit-never-falls",
            also_breaks=("snapshot-is-committed",),
        ),
        Mutant(
            "leader-tidies",
            "A leader that writes drops what it has not committed of older terms.",
            "§5.3",
            _with(
                requested=lambda s: (
                    *(t for n, t in enumerate(s.log, 1) if n <= s.commit or t == s.term),
                    s.term,
                )
            ),
            Options(members=2, terms=3, entries=1),
            "leader-append-only",
            crashes=1,
        ),
        Mutant(
            "no-noop",
            "A new leader appends nothing, and never learns what older terms left.",
            "§8",
            _with(opening=lambda s: ()),
            Options(members=2, terms=2, entries=1),
            "the group converges",
            crashes=1,
        ),
        Mutant(
            "commit-scan-stops",
            "The commit rule looks upwards and stops at an entry of an older term.",
            "RaftOS#4",
            _with(
                scanned=lambda s: tuple(
                    takewhile(
                        lambda n: term_at(s.log, n) == s.term, range(s.commit + 1, len(s.log) + 1)
                    )
                )[::-1]
            ),
            Options(members=2, terms=2, entries=0),
            "the group converges",
            crashes=1,
        ),
        Mutant(
            "next-stays",
            "A refusal does not make the leader go back.",
            "§5.3",
            _with(backed_off=lambda s, m: s.next[m.src]),
            Options(members=2, terms=2, entries=0),
            "the group converges",
            crashes=1,
        ),
        Mutant(
            "snapshot-never-sent",
            "A leader has nothing for a follower that needs what a checkpoint removed.",
            "§7",
            _with(replicates=lambda s, peer: s.next[peer] > s.snap),
            Options(terms=2, entries=0, checkpoints=1),
            "the group converges",
        ),
        Mutant(
            "read-never-asked",
            "A leader waits for its read to be confirmed and asks nobody to.",
            "§6.4",
            _with(asked_round=lambda s: 0),
            Options(members=2, terms=2, entries=0, reads=1),
            "every read ends",
        ),
    )
}
