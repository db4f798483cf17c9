"""States of a group that a step may wait for: a closed vocabulary, decided on snapshots. Pure.

A snapshot is what is known of every member at one moment, as its trace tells it (docs/traces.md).
A dead member has no role, but what it last said of its term, vote and log still counts.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import msgspec

from ..language.selector import closest
from ..language.sides import MASTER, is_controller, side_of

MATCHED = "matched"
"""The selector for the members for which the state of a step holds."""


class MemberState(msgspec.Struct, frozen=True):
    """What a member last said of itself: `last` and `last_term` are of its last log entry.

    `caught`: how many of its messages each `hold` or `drop` caught, by the name of that step.
    """

    term: int = 0
    vote: str | None = None
    role: str = "follower"
    leader: str | None = None
    commit: int = 0
    last: int = 0
    last_term: int = 0
    alive: bool = True
    caught: Mapping[str, int] = msgspec.field(default_factory=dict)


Snapshot = Mapping[str, MemberState]
"""Every member that has said anything."""

Names = Mapping[str, tuple[str, ...]]
"""Words bound by `as`, and whom they stand for."""


def leader_of(snapshot: Snapshot, side: str = MASTER) -> str | None:
    """The member that leads in the highest term; others that think they lead are behind.

    Of several clusters the one called `side` is meant.
    """
    leading = _in_role(_group(snapshot, side), "leader")
    return max(leading, key=lambda alias: snapshot[alias].term, default=None)


@dataclass(frozen=True, slots=True)
class Clause:
    """One of the forms, and the words that fill it."""

    form: "Form"
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trigger:
    """A state to wait for: all of these hold at one moment."""

    text: str
    clauses: tuple[Clause, ...]

    @property
    def matches(self) -> bool:
        """Whether it holds for members that a step can hit."""
        return self.clauses[0].form.matches

    def holds(self, snapshot: Snapshot, names: Names) -> tuple[str, ...] | None:
        """The members for which the first clause holds, which may be none.

        None if not all clauses hold.
        """
        found = [one.form.holds(snapshot, one.words, names) for one in self.clauses]
        return None if None in found else found[0]


@dataclass(frozen=True, slots=True)
class Form:
    """One sentence of the vocabulary. NODE is a member or a word bound by `as`, N a number."""

    text: str
    pattern: str
    holds: Callable[[Snapshot, tuple[str, ...], Names], tuple[str, ...] | None]
    nodes: tuple[int, ...] = ()
    """Which of the pattern's words name members."""
    also: tuple[str, ...] = ()
    """What may stand for a member in this form only."""
    matches: bool = True
    """Whether it holds for members that a step can hit."""
    of_rules: bool = False
    """Whether its words name no members, but rules for messages."""


def parse(text: str) -> Trigger:
    """Read `leader has an uncommitted entry and n2 is behind`.

    Raises ValueError, with what would be right.
    """
    plain = " ".join(text.split())
    return Trigger(plain, tuple(_clause(part) for part in plain.split(" and ")))


def _clause(text: str) -> Clause:
    for form in FORMS:
        found = re.fullmatch(form.pattern, text)
        if found is not None:
            return Clause(form, tuple(word or "" for word in found.groups()))
    known = [form.text for form in FORMS]
    raise ValueError(f"{text!r} is no state to wait for{closest(text, known)}")


def problem(
    text: str, members: Collection[str], names: Collection[str], rules: Collection[str] = ()
) -> str | None:
    """What is wrong with the text of a trigger; `names` are those that earlier steps bind.

    `rules` are those of them that catch messages.
    """
    try:
        trigger = parse(text)
    except ValueError as error:
        return str(error)
    for clause in trigger.clauses:
        for at in clause.form.nodes:
            word = clause.words[at]
            if clause.form.of_rules:
                if word not in rules:
                    return f"no `hold` or `drop` before is called {word!r}{closest(word, rules)}"
                continue
            known = [*members, *names, *clause.form.also]
            if word not in known:
                return f"{word!r} is no member{closest(word, known)}"
    return None


def _meant(word: str, names: Names) -> tuple[str, ...]:
    return names.get(word, (word,))


def _asked(snapshot: Snapshot, word: str, names: Names) -> tuple[str, ...]:
    """As `_meant`, where `leader` is a word too."""
    if word != "leader":
        return _meant(word, names)
    leader = leader_of(snapshot)
    return () if leader is None else (leader,)


def _group(snapshot: Snapshot, side: str = MASTER) -> Snapshot:
    """Those who elect a leader together: all of a single group, the controllers of one of several.

    Terms and logs of two groups say nothing about each other.
    """
    return {
        a: state
        for a, state in snapshot.items()
        if side_of(a) is None or (side_of(a) == side and is_controller(a))
    }


def _in_role(snapshot: Snapshot, role: str) -> tuple[str, ...]:
    return tuple(a for a, state in sorted(snapshot.items()) if state.alive and state.role == role)


def _found(nodes: Collection[str]) -> tuple[str, ...] | None:
    return tuple(sorted(nodes)) or None


def _uncommitted(
    snapshot: Snapshot, words: tuple[str, ...], names: Names
) -> tuple[str, ...] | None:
    who, count = words
    asked = _asked(snapshot, who, names)
    least = int(count or 1)
    return _found([a for a in asked if (s := snapshot.get(a)) and s.last - s.commit >= least])


def _behind(snapshot: Snapshot, words: tuple[str, ...], names: Names) -> tuple[str, ...] | None:
    who, exactly, by = words
    least = int(by or 1)
    most = least if exactly else None
    asked = _in_role(_group(snapshot), "follower") if who == "a follower" else _meant(who, names)
    leaders = {a: leader_of(snapshot, side_of(a) or MASTER) for a in asked}
    missing = {
        a: snapshot[leader].last - s.last
        for a, leader in leaders.items()
        if leader is not None and (s := snapshot.get(a))
    }
    return _found([a for a, n in missing.items() if least <= n and (most is None or n <= most)])


def _two_leaders(snapshot: Snapshot, _: tuple[str, ...], names: Names) -> tuple[str, ...] | None:
    leading = _in_role(_group(snapshot), "leader")
    return leading if len(leading) > 1 else None


def _no_leader(snapshot: Snapshot, _: tuple[str, ...], names: Names) -> tuple[str, ...] | None:
    return None if _in_role(_group(snapshot), "leader") else ()


def _a_role(snapshot: Snapshot, words: tuple[str, ...], names: Names) -> tuple[str, ...] | None:
    return _found(_in_role(_group(snapshot), words[0]))


def _is_role(snapshot: Snapshot, words: tuple[str, ...], names: Names) -> tuple[str, ...] | None:
    who, role = words
    return _found(set(_meant(who, names)).intersection(_in_role(snapshot, role)))


def _term_above(snapshot: Snapshot, words: tuple[str, ...], names: Names) -> tuple[str, ...] | None:
    group = _group(snapshot)
    return _found([a for a, state in group.items() if state.term > int(words[0])])


def _committed(snapshot: Snapshot, words: tuple[str, ...], names: Names) -> tuple[str, ...] | None:
    group = _group(snapshot)
    return _found([a for a, state in group.items() if state.commit >= int(words[0])])


def _voted(snapshot: Snapshot, words: tuple[str, ...], names: Names) -> tuple[str, ...] | None:
    who, whom = (_meant(word, names) for word in words)
    return _found([a for a in who if (s := snapshot.get(a)) and s.vote in whom])


def _settled(snapshot: Snapshot, words: tuple[str, ...], names: Names) -> tuple[str, ...] | None:
    asked = _asked(snapshot, words[0], names)
    return _found([a for a in asked if (s := snapshot.get(a)) and s.last == s.commit])


def _same_log(snapshot: Snapshot, words: tuple[str, ...], names: Names) -> tuple[str, ...] | None:
    """Logs that end with the same entry are the same (Log Matching, Raft §5.3)."""
    who, whom = (_meant(word, names) for word in words)
    ends = {(s.last, s.last_term) for a in whom if (s := snapshot.get(a))}
    same = [a for a in who if (s := snapshot.get(a)) and ends == {(s.last, s.last_term)}]
    return _found(same) if len(same) == len(who) else None


def _caught(snapshot: Snapshot, words: tuple[str, ...], _: Names) -> tuple[str, ...] | None:
    name, count = words
    senders = {a: n for a, state in snapshot.items() if (n := state.caught.get(name, 0))}
    return _found(senders) if sum(senders.values()) >= int(count or 1) else None


_WORD = r"[a-z][a-z0-9-]*"
_NODE = f"({_WORD})"
_ROLES = r"(leader|follower|candidate|precandidate)"

FORMS = (
    Form(
        "leader has an uncommitted entry",
        rf"{_NODE} has (?:an uncommitted entry|(\d+) uncommitted entries)",
        _uncommitted,
        nodes=(0,),
        also=("leader",),
    ),
    Form(
        "a follower is behind",
        rf"(a follower|{_WORD}) is behind(?: by (exactly )?(\d+))?",
        _behind,
        nodes=(0,),
        also=("a follower",),
    ),
    Form(
        "NODE has no uncommitted entry",
        rf"{_NODE} has no uncommitted entry",
        _settled,
        nodes=(0,),
        also=("leader",),
    ),
    Form("NODE has the log of NODE", rf"{_NODE} has the log of {_NODE}", _same_log, (0, 1)),
    Form("two leaders", "two leaders", _two_leaders),
    Form("no leader", "no leader", _no_leader, matches=False),
    Form("a candidate", r"a (candidate|precandidate)", _a_role),
    Form("NODE is leader|follower|candidate|precandidate", rf"{_NODE} is {_ROLES}", _is_role, (0,)),
    Form("NODE has voted for NODE", rf"{_NODE} has voted for {_NODE}", _voted, (0, 1)),
    Form("term above N", r"term above (\d+)", _term_above),
    Form("N entries committed", r"(\d+) entries committed", _committed),
    Form(
        "NAME has caught a message",
        rf"{_NODE} has caught (?:a message|(\d+) messages)",
        _caught,
        nodes=(0,),
        of_rules=True,
    ),
)
"""The whole vocabulary."""
