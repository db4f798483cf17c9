"""Text is escaped unless it says that it is markup."""

import pytest
from delphic.reports.markup import Html, el, joined
from delphic.reports.page.tables import facts, value_cell
from delphic.reports.promises import order, text


def test_text_is_escaped_and_markup_is_not() -> None:
    found = el("p", "<b>", Html("<i>x</i>"), None, ["&", Html("<br>")], title='"<', id=3)
    assert str(found) == '<p title="&quot;&lt;" id="3">&lt;b&gt;<i>x</i>&amp;<br></p>'


def test_attributes_are_spelled_as_html_spells_them() -> None:
    found = el("div", class_="a", data_from=1.5, open=True, hidden=False, lang=None)
    assert str(found) == '<div class="a" data-from="1.5" open></div>'


def test_elements_without_content_have_no_end() -> None:
    assert str(el("meta", charset="utf-8")) == '<meta charset="utf-8">'


def test_characters_that_no_document_holds_are_replaced() -> None:
    assert (
        str(joined("a\x00b\x1b\ud800\ufffe\x85c\n\td"))
        == "a" + "b".join(["\ufffd", "\ufffd" * 4]) + "c\n\td"
    )


def test_facts_become_a_table_a_group() -> None:
    values = {
        "count": 1234,
        "none": None,
        "groups": {"append": {"ok": 1, "ms": {"p50": 0.5}}, "read": {"ok": 2}},
        "windows": [{"from_s": 1.0, "faults": ["a", "b"]}, {"from_s": 2.5, "faults": []}],
        "one": {"a_b": {"c": True}},
        "empty": {},
    }
    found = [str(table) for table in facts("All", values)]
    captions = [text.split("<caption>")[1].split("<")[0] for text in found]
    assert captions == ["All", "All: groups", "All: windows", "All: one"]
    assert "1,234" in found[0]
    assert ">ms p50<" in found[1]
    assert ">a, b<" in found[2]
    assert ">a b c<" in found[3]
    assert ">yes<" in found[3]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "–"),
        (True, "yes"),
        (False, "no"),
        (12_345, "12,345"),
        (0.5, "0.5"),
        (2.0, "2"),
        (0.0, "0"),
        (0.0002, "0.0002"),
        (-0.00041, "-0.00041"),
        (0.123456, "0.123"),
        (1234.5678, "1,234.568"),
        (1e-9, "1e-09"),
        ([], "–"),
        ([1, "a"], "1, a"),
        ([{}, 1], "[{},1]"),
        ("<b>", "<b>"),
    ],
)
def test_values_are_told_for_people(value: object, told: str) -> None:
    assert value_cell(value) == told


def test_promises_stand_in_the_order_of_their_numbers() -> None:
    assert sorted(["HS-10", "HS-2", "PR-1", "odd"], key=order) == ["HS-2", "HS-10", "PR-1", "odd"]
    assert text("HS-2").endswith(".")
    assert text("no promise") == ""
