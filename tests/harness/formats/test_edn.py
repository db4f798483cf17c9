"""EDN: what each notation means, and what is refused with its line."""

import time
from typing import Any

import pytest
from delphic.harness.formats import edn
from delphic.harness.formats.edn import forms
from delphic.harness.formats.format import BadLine


def read(text: str) -> list[Any]:
    return [form for _, form in forms(enumerate(text.splitlines(keepends=True), start=1))]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("nil", None),
        ("true", True),
        ("false", False),
        ("-12", -12),
        ("7N", 7),
        ("1.5", 1.5),
        ("2.50M", 2.5),
        ("1e3", 1000.0),
        ("3/4", "3/4"),
        (":timed-out", ":timed-out"),
        (":jepsen.nemesis/kill", ":jepsen.nemesis/kill"),
        ("symbol?", "symbol?"),
        ('"a \\"b\\"\\n\\u0041"', 'a "b"\nA'),
        ("\\a", "a"),
        ("\\newline", "\n"),
        ("{:a [1 2], :b #{3}}", {":a": (1, 2), ":b": frozenset({3})}),
        ("{[1 2] (3 (4))}", {(1, 2): (3, (4,))}),
        ('#inst "2026-01-01"', "2026-01-01"),
        ("#jepsen.history.Op{:index 0}", {":index": 0}),
        ("##Inf", float("inf")),
    ],
)
def test_each_notation_has_its_value(text: str, value: Any) -> None:
    found = read(f"{{:v {text}}}")
    assert found == [{":v": value}]
    assert type(found[0][":v"]) is type(value)


def test_comments_commas_and_dropped_forms_are_no_values() -> None:
    assert read("; a comment\n{:a 1,,}\n#_{:b 2} #_ #_ 1 2 {:c #_ 3 4} ; end") == [
        {":a": 1},
        {":c": 4},
    ]


def test_one_list_around_all_forms_is_taken_off() -> None:
    assert read("[{:a 1}\n {:a [2]}]") == [{":a": 1}, {":a": (2,)}]
    assert read("({:a 1} {:a 2})") == [{":a": 1}, {":a": 2}]


def test_forms_know_the_line_where_they_begin() -> None:
    lines = ["[{:a\n", "  1}\n", "\n", ' {:a "two\n', 'lines"}]\n']
    assert list(forms(enumerate(lines, start=1))) == [(1, {":a": 1}), (4, {":a": "two\nlines"})]


def test_what_follows_a_string_of_several_lines_is_on_its_own_line() -> None:
    lines = ['{:a "\\\\\n', 'b\\"\n', 'c"} {:d "e\n', '"} {:f 1}\n']
    assert list(forms(enumerate(lines, start=1))) == [
        (1, {":a": '\\\nb"\nc'}),
        (3, {":d": "e\n"}),
        (4, {":f": 1}),
    ]


def test_a_string_that_is_never_closed_is_looked_through_once() -> None:
    """It was, from its beginning, for each line behind it: 2,000 lines took 40 s."""
    line = "{:type :invoke, :f :write, :value 1, :process 0, :index 12345}\n"
    lines = ['{:a "x\n', *[line] * 20_000]
    began = time.process_time()
    with pytest.raises(BadLine, match="never closed") as caught:
        list(forms(enumerate(lines, start=1)))
    assert caught.value.line == 1
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("{:a 1}\n{:b [1 2}", 2, "'}' closes nothing: '[' of line 2 is open"),
        ("{:a 1}}", 1, "nothing is open"),
        ("{:a 1}\n{:b\n\n", 2, "'{' is never closed"),
        ("[{:a 1}\n", 1, "cut off"),
        ("{:a 1 :b}", 1, "a key without a value"),
        ('{:a 1}\n{:a "x', 2, "never closed"),
        ("{:a 12x}", 1, "'12x' is no number"),
        ("{:a ^b 1}", 1, "is no EDN"),
        ("{:a 1}\n{:a ##NaN}", 2, "##NaN is equal to nothing, not even to itself"),
        ("{:a 1}\n{:a [1\n [##NaN]]}", 3, "##NaN is equal to nothing"),
    ],
)
def test_what_is_no_edn_is_refused_with_its_line(text: str, line: int, says: str) -> None:
    with pytest.raises(BadLine) as caught:
        read(text)
    assert caught.value.line == line
    assert says in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "{:process 0, :type :invoke, :f :cas, :value [1 2], :time 12}",
        "{:a nil :b true, :c false,:d -3 , :e [], :f [nil :x, 1.5 2N -7 3/4] }",
        '  {:a "x y", :b-c/d :e, :f sym}  ',
        "{ :a [:append 1 nil] }",
        '{:a "", :b 12 :c ""}',
        "{:a [1 2]}",
    ],
)
def test_a_simple_map_on_its_line_means_what_it_means_among_others(text: str) -> None:
    """Such lines are read by a pattern; with a line break in them, they are not."""
    split = text.replace("{", "{\n", 1)
    assert edn._FLAT.fullmatch(text)
    assert not edn._FLAT.fullmatch(split.splitlines()[0])
    assert read(text) == read(split) != []
    assert [type(v) for v in read(text)[0].values()] == [type(v) for v in read(split)[0].values()]


@pytest.mark.parametrize(
    "text",
    ["{:a 12x}", '{:a "x\\"y"}', "{:a {:b 1}}", "{:a 1} {:b 2}", "{:a 1 :b}", "{:a [1 [2]]}",
     "{:a 1 ; }", "{:a [1 #{2}]}", "{:a 1}}"],
)  # fmt: skip
def test_no_other_line_is_read_by_a_pattern(text: str) -> None:
    assert not edn._FLAT.fullmatch(text)
