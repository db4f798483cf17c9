"""The shell's language: calls of functions with literals, nothing else.

Python's parser reads it, so that strings and numbers are written as everybody knows; what it makes
is walked here, and nothing is ever evaluated. A bare word is a name: of a type, or of a function.
"""

import ast
import warnings
from dataclasses import dataclass

TEXT_CHARACTERS_MAX = 1 << 20

_WORDS = {"true": True, "false": False, "null": None, "NULL": None}


class GrammarError(Exception):
    """Text that is no sequence of calls: what is wrong, and where."""

    def __init__(self, message: str, *, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.message}"


@dataclass(frozen=True, slots=True)
class Name:
    """A bare word."""

    word: str


Value = None | bool | int | float | str | Name | tuple["Value", ...] | dict[str, "Value"]
"""Lists come as tuples; the keys of a dictionary are words or strings."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """One call as it was written; `text` is its own part of the whole."""

    function: str
    args: tuple[Value, ...]
    named: dict[str, Value]
    text: str


def parse(text: str) -> list[Invocation]:
    """The calls in a text, separated by `;` or new lines. Raises GrammarError."""
    if len(text) > TEXT_CHARACTERS_MAX:
        raise GrammarError(f"more than {TEXT_CHARACTERS_MAX} characters")
    lines, indents = _laid_out(text)
    try:
        # A dubious escape is a warning of Python's; here it is a mistake.
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            module = ast.parse("\n".join(lines))
    except SyntaxError as error:
        message, line = error.msg.partition(". Perhaps")[0], error.lineno or 1
        column = (error.offset or 1) + (indents[line - 1] if line <= len(indents) else 0)
        raise GrammarError(message, line=line, column=column) from None
    except (ValueError, RecursionError, MemoryError, Warning) as error:
        raise GrammarError(f"cannot be read: {error}") from None
    # Python counts the bytes of a line.
    written = [line.encode() for line in lines]
    try:
        return [_invocation(statement, written) for statement in module.body]
    except GrammarError as error:
        before = written[error.line - 1][: error.column - 1].decode()
        error.column = len(before) + 1 + indents[error.line - 1]
        raise


def _laid_out(text: str) -> tuple[list[str], list[int]]:
    """The lines as Python reads them, and how much of each was taken away.

    What is indented as a whole, or in its first line only, as if cut out of another text, is not.
    """
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    filled = [number for number, line in enumerate(lines) if line.strip()]
    if not filled:
        return lines, [0] * len(lines)
    first = lines[filled[0]]
    indent = first[: len(first) - len(first.lstrip())]
    if not all(lines[number].startswith(indent) for number in filled):
        filled = filled[:1]
    taken = set(filled)
    for number in taken:
        lines[number] = lines[number].removeprefix(indent)
    return lines, [len(indent) * (number in taken) for number in range(len(lines))]


def _segment(node: ast.stmt, lines: list[bytes]) -> str:
    """As ast.get_source_segment, which splits the whole text for each part of it."""
    last = node.lineno if node.end_lineno is None else node.end_lineno
    part = lines[node.lineno - 1 : last]
    part[-1] = part[-1][: node.end_col_offset]
    part[0] = part[0][node.col_offset :]
    return b"\n".join(part).decode()


def _invocation(statement: ast.stmt, lines: list[bytes]) -> Invocation:
    written = _segment(statement, lines)
    match statement:
        case ast.Expr(value=ast.Name(id=word)):
            return Invocation(word, (), {}, written)
        case ast.Expr(value=ast.Call(func=ast.Name(id=word), args=args, keywords=keywords)):
            named: dict[str, Value] = {}
            for keyword in keywords:
                if keyword.arg is None:
                    raise _wrong(keyword.value, "`**` is not for this shell")
                if keyword.arg in named:
                    raise _wrong(keyword, f"{keyword.arg} is given twice")
                named[keyword.arg] = _value(keyword.value)
            return Invocation(word, tuple(_value(arg) for arg in args), named, written)
    raise _wrong(statement, "want a call, as in getStreamingLeader(2)")


def _value(node: ast.expr) -> Value:
    match node:
        case ast.Constant(value=str(value)):
            return _text(node, value)
        case ast.Constant(value=None | bool() | int() | float() as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            if not isinstance(number, bool):
                return -number
        case ast.Name(id=word):
            return _WORDS[word] if word in _WORDS else Name(word)
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return tuple(_value(item) for item in items)
        case ast.Dict(keys=keys, values=values):
            return _dictionary(node, keys, values)
        case ast.Call():
            raise _wrong(node, "a call within a call; for rpc and pnodeRun write f, 2 not f(2)")
    raise _wrong(node, "want a number, a string, a name, [a, list] or {a: dictionary}")


def _dictionary(
    node: ast.Dict, keys: list[ast.expr | None], values: list[ast.expr]
) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for key, value in zip(keys, values, strict=True):
        match key:
            case ast.Name(id=word) | ast.Constant(value=str(word)):
                if word in found:
                    raise _wrong(key, f"{word} is given twice")
                found[_text(key, word)] = _value(value)
            case _:
                raise _wrong(key or node, "want {name: value}")
    return found


def _text(node: ast.expr, value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _wrong(node, f"{value!a} is no text: half of a surrogate pair") from None
    return value


def _wrong(node: ast.expr | ast.stmt | ast.keyword, message: str) -> GrammarError:
    return GrammarError(message, line=node.lineno, column=node.col_offset + 1)
