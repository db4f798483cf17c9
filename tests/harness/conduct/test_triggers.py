"""States that steps wait for: which there are, when they hold, and for whom."""

import pytest
from delphic.harness.conduct.triggers import FORMS, MemberState, Snapshot, leader_of, parse, problem

MEMBERS = ("n1", "n2", "n3")
NAMES = {"old": ("n2", "n3")}


def group(**states: MemberState) -> Snapshot:
    followers = {alias: MemberState(term=1, vote="n1", last=5, commit=5) for alias in MEMBERS}
    return {**followers, **states}


def leader(**more: int) -> MemberState:
    return MemberState(**{"term": 1, "last": 5, "commit": 5, **more}, role="leader")  # type: ignore[arg-type]


CALM = group(n1=leader())
AHEAD = group(n1=leader(last=7))
CUT = group(n1=leader(last=9), n2=leader(term=2, last=6))
LOST = group(n1=MemberState(term=1, role="leader", last=9, commit=5, alive=False))
VOTING = group(
    n1=leader(),
    n2=MemberState(term=2, vote="n2", role="candidate", last=5, commit=5),
    n3=MemberState(term=2, role="precandidate", last=5, commit=5),
)
CAUGHT = group(n1=MemberState(caught={"late": 2}), n3=MemberState(caught={"late": 1, "early": 1}))


@pytest.mark.parametrize(
    ("text", "snapshot", "nodes"),
    [
        ("leader has an uncommitted entry", CALM, None),
        ("leader has an uncommitted entry", AHEAD, ("n1",)),
        ("leader  has an\tuncommitted entry", AHEAD, ("n1",)),
        ("leader has an uncommitted entry", CUT, ("n2",)),
        ("leader has an uncommitted entry", LOST, None),
        ("leader has 2 uncommitted entries", AHEAD, ("n1",)),
        ("leader has 3 uncommitted entries", AHEAD, None),
        ("n1 has an uncommitted entry", CUT, ("n1",)),
        ("old has an uncommitted entry", CUT, ("n2",)),
        ("a follower is behind", CALM, None),
        ("a follower is behind", AHEAD, ("n2", "n3")),
        ("a follower is behind", CUT, ("n3",)),
        ("a follower is behind", LOST, None),
        ("a follower is behind by 2", AHEAD, ("n2", "n3")),
        ("a follower is behind by 3", AHEAD, None),
        ("n3 is behind", AHEAD, ("n3",)),
        ("n3 is behind by exactly 2", AHEAD, ("n3",)),
        ("n3 is behind by exactly 1", AHEAD, None),
        ("n1 is behind", AHEAD, None),
        ("two leaders", CALM, None),
        ("two leaders", CUT, ("n1", "n2")),
        ("no leader", CALM, None),
        ("no leader", LOST, ()),
        ("no leader", {}, ()),
        ("a candidate", CALM, None),
        ("a candidate", VOTING, ("n2",)),
        ("a precandidate", VOTING, ("n3",)),
        ("n1 is leader", CALM, ("n1",)),
        ("n1 is leader", LOST, None),
        ("n2 is follower", CALM, ("n2",)),
        ("old is candidate", VOTING, ("n2",)),
        ("n3 is precandidate", VOTING, ("n3",)),
        ("n9 is leader", CALM, None),
        ("n2 has voted for n1", CALM, ("n2",)),
        ("n2 has voted for n1", VOTING, None),
        ("old has voted for old", VOTING, ("n2",)),
        ("term above 1", CALM, None),
        ("term above 1", VOTING, ("n2", "n3")),
        ("5 entries committed", CALM, ("n1", "n2", "n3")),
        ("6 entries committed", CALM, None),
        ("n1 has no uncommitted entry", CALM, ("n1",)),
        ("n1 has no uncommitted entry", AHEAD, None),
        ("leader has no uncommitted entry", CALM, ("n1",)),
        ("leader has no uncommitted entry", LOST, None),
        ("n2 has the log of n3", AHEAD, ("n2",)),
        ("old has the log of n2", AHEAD, ("n2", "n3")),
        ("old has the log of n1", AHEAD, None),
        ("old has the log of n2", CUT, None),
        ("n2 has the log of old", CUT, None),
        ("n2 has the log of n1", group(n1=leader(last_term=1)), None),
        ("n1 is leader and n2 has the log of n3", AHEAD, ("n1",)),
        ("n1 is leader and n2 is leader", AHEAD, None),
        ("no leader and n1 has an uncommitted entry", LOST, ()),
        ("late has caught a message", CALM, None),
        ("late has caught a message", CAUGHT, ("n1", "n3")),
        ("late has caught 3 messages", CAUGHT, ("n1", "n3")),
        ("late has caught 4 messages", CAUGHT, None),
        ("early has caught a message", CAUGHT, ("n3",)),
    ],
)
def test_a_state_holds_for_some_members_or_not_at_all(
    text: str, snapshot: Snapshot, nodes: tuple[str, ...] | None
) -> None:
    assert parse(text).holds(snapshot, NAMES) == nodes


def test_of_several_that_think_they_lead_the_latest_does() -> None:
    assert leader_of(CUT) == "n2"
    assert leader_of(LOST) is None


SEVERAL: Snapshot = {
    "mc1": MemberState(term=1, role="follower", last=5, commit=5),
    "mc2": leader(last=6),
    "md1": MemberState(),
    "s1c1": MemberState(term=2, role="candidate", last=9, commit=7),
    "s1c3": leader(term=2, last=9, commit=9),
}


@pytest.mark.parametrize(
    ("text", "nodes"),
    [
        ("two leaders", None),
        ("leader has an uncommitted entry", ("mc2",)),
        ("leader has no uncommitted entry", None),
        ("a follower is behind", ("mc1",)),
        ("s1c1 is behind", None),
        ("mc1 is behind by exactly 1", ("mc1",)),
        ("a candidate", None),
        ("term above 1", None),
        ("6 entries committed", None),
        ("s1c3 is leader", ("s1c3",)),
    ],
)
def test_of_several_clusters_states_without_a_name_are_about_the_master(
    text: str, nodes: tuple[str, ...] | None
) -> None:
    assert parse(text).holds(SEVERAL, NAMES) == nodes
    assert leader_of(SEVERAL) == "mc2"


def test_the_master_has_no_leader_whoever_leads_a_slave() -> None:
    alone = {alias: state for alias, state in SEVERAL.items() if alias != "mc2"}
    assert parse("no leader").holds(alone, NAMES) == ()


def test_every_form_can_be_read_and_holds_nowhere_where_nothing_is_known() -> None:
    for form in FORMS:
        text = form.text.replace("NODE", "n1").replace("NAME", "old")
        text = text.replace("N ", "3 ").replace("above N", "above 3")
        trigger = parse(text.split("|")[0])
        assert trigger.clauses[0].form is form
        assert trigger.holds({}, {}) == (() if trigger.text == "no leader" else None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "leader has uncommitted entry",
            "'leader has uncommitted entry' is no state to wait for; "
            "did you mean 'leader has an uncommitted entry'? (known: leader has an uncommitted "
            "entry, a follower is behind, NODE has no uncommitted entry, NODE has the log of NODE, "
            "two leaders, no leader, a candidate, "
            "NODE is leader|follower|candidate|precandidate, NODE has voted for NODE, "
            "term above N, N entries committed, NAME has caught a message)",
        ),
        ("n9 is leader", "'n9' is no member (known: n1, n2, n3, old)"),
        ("n1 has voted for leader", "'leader' is no member (known: n1, n2, n3, old)"),
        ("n9 is behind", "'n9' is no member (known: n1, n2, n3, old, a follower)"),
        ("n9 has an uncommitted entry", "'n9' is no member (known: n1, n2, n3, old, leader)"),
        ("n1 is leader and n9 is behind", "'n9' is no member (known: n1, n2, n3, old, a follower)"),
        ("n9 has the log of n1", "'n9' is no member (known: n1, n2, n3, old)"),
        ("late has caught 2 messages", None),
        (
            "old has caught 2 messages",
            "no `hold` or `drop` before is called 'old' (known: late)",
        ),
        ("n1 is leader and old has the log of n1", None),
        ("old is leader", None),
        ("leader has an uncommitted entry", None),
    ],
)
def test_a_state_that_cannot_be_waited_for_is_told_with_what_can(
    text: str, said: str | None
) -> None:
    assert problem(text, MEMBERS, ["old"], ["late"]) == said
