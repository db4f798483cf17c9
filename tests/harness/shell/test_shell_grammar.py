"""The shell's language: what it reads, and that nothing else gets through."""

import ast

import pytest
from delphic.harness.shell.grammar import GrammarError, Invocation, Name, Value, parse
from hypothesis import given
from hypothesis import strategies as st

WORDS = st.from_regex(r"[a-z][a-zA-Z0-9_]{0,8}X", fullmatch=True)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.builds(Name, WORDS)
)
VALUES: st.SearchStrategy[Value] = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3).map(tuple) | st.dictionaries(WORDS, inner, max_size=3)
    ),
    max_leaves=8,
)


def written(value: Value) -> str:
    match value:
        case Name(word=word):
            return word
        case None | bool():
            return {None: "null", True: "true", False: "false"}[value]
        case tuple():
            return f"[{', '.join(written(one) for one in value)}]"
        case dict():
            return f"{{{', '.join(f'{key}: {written(one)}' for key, one in value.items())}}}"
    return repr(value)


@given(WORDS, st.lists(VALUES, max_size=4), st.dictionaries(WORDS, VALUES, max_size=2))
def test_what_was_written_is_what_is_read(
    function: str, args: list[Value], named: dict[str, Value]
) -> None:
    words = [written(arg) for arg in args] + [f"{k}={written(v)}" for k, v in named.items()]
    text = f"{function}({', '.join(words)})"
    (call,) = parse(text)
    assert call == Invocation(function, tuple(args), named, text)


@given(st.text(alphabet=st.sampled_from(list("ab1.\"'()[]{}:,;=-*+@\\ \n\0lambda")), max_size=40))
def test_any_text_is_calls_or_a_mistake(text: str) -> None:
    try:
        calls = parse(text)
    except GrammarError:
        return
    assert all(isinstance(call, Invocation) for call in calls)


@pytest.mark.parametrize(
    "text",
    [
        "a(1",
        "1",
        "x = 1",
        "a.b()",
        "a(b())",
        "a(*b)",
        "a(**b)",
        "a(1 + 1)",
        "a(-true)",
        "a(lambda: 1)",
        "a([x for x in y])",
        "a({1: 2})",
        "a({**b})",
        "a({x: 1, x: 2})",
        "a(1j)",
        "a(b'x')",
        "a(f'{x}')",
        "a('\\d')",
        "a(...)",
        "a(\0)",
        "import os",
        "a" * (1 << 20) + "(1)",
        "a(" + "[" * 5000 + "]" * 5000 + ")",
    ],
    ids=lambda text: text[:20],
)
def test_whatever_is_no_call_with_literals_is_refused(text: str) -> None:
    with pytest.raises(GrammarError):
        parse(text)


def test_calls_are_separated_by_semicolons_or_lines() -> None:
    text = 'select("trades", 0, 10); help\nhaStreamTable(2, {id: LONG}, "t", cacheLimit=5)'
    select, helped, create = parse(text)
    assert select == Invocation("select", ("trades", 0, 10), {}, 'select("trades", 0, 10)')
    assert helped == Invocation("help", (), {}, "help")
    assert create.args == (2, {"id": Name("LONG")}, "t")
    assert create.named == {"cacheLimit": 5}


def test_a_mistake_names_its_line_and_column() -> None:
    with pytest.raises(GrammarError, match="line 2, column 8: a call within a call"):
        parse("help()\nselect(f(2))")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("\n\n\nfoo(1)\nselect(1,2) + 3", "line 5, column 1: want a call"),
        ("\n\n\nselect(=1)", "line 4, column 8: "),
        ('select("ä", 1+1)', "line 1, column 13: want a number"),
        ("  a(1)\n  b(c())", "line 2, column 5: a call within"),
        ("  a(b())\nc(1)", "line 1, column 5: a call within"),
        ("  a(1)\n  b(=)", "line 2, column 5: "),
        ("\r\n\ra(b())", "line 3, column 3: "),
        ('a("\\ud800")', "line 1, column 3: '\\ud800' is no text"),
        ('a({"\\ud800": 1})', "line 1, column 4: '\\ud800' is no text"),
    ],
)
def test_lines_and_columns_are_those_of_what_was_written(text: str, where: str) -> None:
    with pytest.raises(GrammarError) as error:
        parse(text)
    assert str(error.value).startswith(where)


@pytest.mark.parametrize(
    "text", ["\ufeffa(1)\r\nb(2)", "\n\t a(1)\n\n\t b(2)\n", "  a(1)\nb(2)", "a(1)\rb(2)"]
)
def test_a_mark_of_an_editor_and_an_indent_of_all_are_no_part_of_calls(text: str) -> None:
    assert [call.text for call in parse(text)] == ["a(1)", "b(2)"]


def test_the_text_of_calls_is_cut_out_of_lines_that_are_split_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ast, "get_source_segment", lambda *_: pytest.fail("splits the whole text"))
    calls = parse('a("ä"); b("ö",\n  1)\nc')
    assert [call.text for call in calls] == ['a("ä")', 'b("ö",\n  1)', "c"]
    assert parse(" \n ") == []
