"""EDN, Clojure's notation for data: forms as they are completed, with the line each begins on.

Lists and vectors become tuples, maps dicts, sets frozensets; a keyword keeps its colon, so that it
is no string. A tag is dropped and its value kept. Libraries that read EDN read some hundred lines a
second (measured), and a history has millions.
"""

import re
from collections.abc import Iterator
from typing import Any

from ..characters import whole
from ..checkers.operations import hashable
from .format import BadLine, Lines

_TOKEN = re.compile(
    r"""(?P<space>[\s,]+|;.*)
      | (?P<atom>[^\s,;"\\()\[\]{}#@^`~][^\s,;"\\()\[\]{}]*)
      | (?P<open>\#\{|[(\[{])
      | (?P<close>[)\]}])
      | (?P<string>"(?:[^"\\]|\\.)*")
      | (?P<drop>\#_)
      | (?P<number>\#\#[A-Za-z-]+)
      | (?P<tag>\#[A-Za-z][\w.*+!?$%&=<>/-]*)
      | (?P<character>\\(?:[A-Za-z0-9]+|.))
      | (?P<open_string>"(?:[^"\\]|\\.)*\\?$)
    """,
    re.VERBOSE | re.DOTALL,
)
_STRING_END = re.compile(r'(?:[^"\\]|\\.)*"', re.DOTALL)
_SIMPLE = r"""(?:-?\d+|:?[A-Za-z][^\s,;"\\()\[\]{}#@^`~]*|"[^"\\]*"|\[[^\[\]{}()"\\;\#@^`~]*\])"""
_PAIR = re.compile(rf"(:[A-Za-z][^\s,;\"\\()\[\]{{}}#@^`~]*)[\s,]+({_SIMPLE})(?=[\s,}}])")
_FLAT = re.compile(rf"\s*\{{\s*(?:{_PAIR.pattern}[\s,]*)+\}}\s*")
"""A map from keywords to simple values, alone on its line, as most of a history is."""

_CLOSER = {"(": ")", "[": "]", "{": "}", "#{": "}"}
_CONSTANTS: dict[str, Any] = {
    "nil": None,
    "true": True,
    "false": False,
    "##Inf": float("inf"),
    "##-Inf": float("-inf"),
}
_CHARACTERS = {"newline": "\n", "space": " ", "tab": "\t", "return": "\r"}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_NUMBER = re.compile(r"[+-]?\d")
DEPTH_MAX = 200
"""A value nested deeper is no history's."""

DIGITS_PLAIN = 19
DIGITS_MAX = 4_000
"""Python refuses to read numbers of more digits, and a float of them would be another number."""

_DROP, _TAG = "#_", "#tag"


def forms(lines: Lines, *, unwrap: bool = True) -> Iterator[tuple[int, Any]]:
    """The forms of a text; with `unwrap`, one list or vector around all of them is taken off.

    Raises BadLine where brackets do not match, or a character has no meaning.
    """
    # A frame is what opened it, what it holds so far, and its line.
    stack: list[tuple[str, list[Any], int]] = []
    outer: str | None = None
    is_first = unwrap
    for number, kind, text in _tokens(lines):
        if kind == "close":
            if not stack and outer == text:
                outer = None
                continue
            value, number = _closed(stack, text, number)
        elif kind == "open":
            if is_first and text in "([":
                outer, is_first = _CLOSER[text], False
                continue
            is_first = False
            stack.append((text, [], number))
            if len(stack) > DEPTH_MAX:
                raise BadLine(number, "the value is nested too deeply")
            continue
        elif kind in ("drop", "tag"):
            stack.append((_DROP if kind == "drop" else _TAG, [], number))
            continue
        else:
            value = text if kind == "map" else _atom(kind, text, number)
        is_first = False
        is_dropped = False
        while stack and stack[-1][0] in (_DROP, _TAG) and not is_dropped:
            opener, _, number = stack.pop()
            is_dropped = opener == _DROP
        if is_dropped:
            continue
        if stack:
            stack[-1][1].append(value)
        else:
            yield number, value
    if stack:
        raise BadLine(stack[-1][2], f"{stack[-1][0]!r} is never closed")
    if outer is not None:
        raise BadLine(1, f"the {outer!r} that closes the history is missing: it was cut off")


def _tokens(lines: Lines) -> Iterator[tuple[int, str, Any]]:
    """Line, kind and text of everything that means something; of a simple map, the map."""
    # A string that is open, line by line: what is looked through again and again takes too long.
    held: list[str] = []
    began = 0
    for number, line in lines:
        at, end = 0, len(line)
        if held:
            rest = _STRING_END.match(line)
            held.append(line if rest is None else rest.group())
            if rest is None:
                continue
            yield began, "string", "".join(held)
            held, at = [], rest.end()
        elif _FLAT.fullmatch(line):
            yield number, "map", {key: _simple(text, number) for key, text in _PAIR.findall(line)}
            continue
        while at < end:
            match = _TOKEN.match(line, at)
            if match is None:
                raise BadLine(number, f"{line[at : at + 20]!r} is no EDN")
            kind = match.lastgroup
            assert kind is not None
            if kind == "open_string":
                held, began = [line[at:]], number
                break
            if kind != "space":
                yield number, kind, match.group()
            at = match.end()
    if held:
        raise BadLine(began, f"the string {held[0][:20]!r} is never closed")


def _closed(stack: list[tuple[str, list[Any], int]], closer: str, line: int) -> tuple[Any, int]:
    """The collection that this bracket ends, and the line where it began."""
    if not stack or _CLOSER.get(stack[-1][0]) != closer:
        opened = f"{stack[-1][0]!r} of line {stack[-1][2]} is open" if stack else "nothing is open"
        raise BadLine(line, f"{closer!r} closes nothing: {opened}")
    opener, items, began = stack.pop()
    if opener == "{":
        if len(items) % 2:
            raise BadLine(began, "a map has a key without a value")
        return {hashable(k): v for k, v in zip(items[::2], items[1::2], strict=True)}, began
    if opener == "#{":
        return frozenset(map(hashable, items)), began
    return tuple(items), began


def _simple(text: str, line: int) -> Any:
    """A value of which a pattern has told already that it is one."""
    if text.isdigit() and len(text) < DIGITS_PLAIN:
        return int(text)
    if text[0] == ":":
        return text
    if text[0] == '"':
        return text[1:-1]
    if text[0] == "[":
        return tuple(_atom("atom", part, line) for part in text[1:-1].replace(",", " ").split())
    return _atom("atom", text, line)


def _atom(kind: str, text: str, line: int) -> Any:
    if text == "##NaN":
        raise BadLine(line, "##NaN is equal to nothing, not even to itself: no read could show it")
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if kind == "string":
        return _unescaped(text[1:-1], line) if "\\" in text else text[1:-1]
    if kind == "character":
        return _CHARACTERS.get(text[1:], text[1:])
    if _NUMBER.match(text):
        return _number(text, line)
    return text


def _number(text: str, line: int) -> Any:
    """A number; a ratio stays text, which equals itself as the number would."""
    if len(text) > DIGITS_MAX:
        raise BadLine(line, f"the number {text[:20]}… is too long")
    try:
        return int(text[:-1] if text.endswith("N") else text)
    except ValueError:
        if "/" in text:
            return text
    try:
        return float(text[:-1] if text.endswith("M") else text)
    except ValueError as error:
        raise BadLine(line, f"{text!r} is no number") from error


def _unescaped(text: str, line: int) -> str:
    try:
        return whole(_ESCAPE.sub(_character, text))
    except ValueError as error:
        raise BadLine(line, str(error)) from error


def _character(match: re.Match[str]) -> str:
    code = match.group(1)
    return chr(int(code[1:], 16)) if len(code) > 1 else _ESCAPES.get(code, code)
