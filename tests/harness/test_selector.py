"""What a selector means at the moment of its fault."""

import pytest
from delphic.harness.language.selector import Raw, View, parse, resolve
from delphic.harness.language.sides import MASTER

ORDER = ("n3", "n1", "n5", "n2", "n4")


@pytest.mark.parametrize(
    ("raw", "leader", "meant"),
    [
        ("n2", None, ("n2",)),
        (["n4", "n2"], None, ("n2", "n4")),
        ("one", None, ("n3",)),
        ("leader", "n2", ("n2",)),
        ("leader", None, ()),
        ("follower", "n3", ("n1",)),
        ("followers", "n3", ("n1", "n2", "n4", "n5")),
        ("followers", None, ()),
        ("majority", None, ("n1", "n3", "n5")),
        ("minority", None, ("n1", "n3")),
        ("all", None, ("n1", "n2", "n3", "n4", "n5")),
        ("old", None, ("n1", "n2")),
        ("not old", None, ("n3", "n4", "n5")),
        ("not old nor leader", "n4", ("n3", "n5")),
        ("not old nor leader", None, ()),
        (["leader", "n1"], "n4", ("n1", "n4")),
        ("unborn", None, ()),
    ],
)
def test_words_mean_members(raw: Raw, leader: str | None, meant: tuple[str, ...]) -> None:
    view = View(ORDER, leader, {"old": ("n1", "n2")})
    assert resolve(parse(raw), view) == meant


@pytest.mark.parametrize(
    ("raw", "meant"),
    [
        ("one", ("n1",)),
        ("leader", ()),
        ("majority", ("n1", "n2", "n5")),
        ("all", ("n1", "n2", "n4", "n5")),
        ("not n1", ("n2", "n4", "n5")),
    ],
)
def test_only_candidates_are_chosen(raw: Raw, meant: tuple[str, ...]) -> None:
    assert resolve(parse(raw), View(ORDER, "n3"), {"n1", "n2", "n4", "n5"}) == meant


@pytest.mark.parametrize(
    "raw", ["", [], 3, None, {}, [3], "not", "not n1 and n2", "n1 n2", "not n1 nor"]
)
def test_what_is_not_understood_is_refused(raw: object) -> None:
    with pytest.raises(ValueError, match=r"must name members|is not understood"):
        parse(raw)


def test_a_selector_knows_whether_it_needs_a_leader_and_whether_it_is_explicit() -> None:
    assert parse("not old nor leader").leads(ORDER) == {MASTER}
    assert parse("majority").leads(ORDER) == frozenset()
    assert parse("s1-leader").leads(ORDER) == frozenset()
    assert parse(["n1", "n2"]).explicit(ORDER)
    assert not parse("not n1").explicit(ORDER)
    assert not parse("one").explicit(ORDER)
