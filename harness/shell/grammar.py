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
    try:
        # A dubious escape is a warning of Python's; here it is a mistake.
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            module = ast.parse(text.strip())
    except SyntaxError as error:
        message = error.msg.partition(". Perhaps")[0]
        raise GrammarError(message, line=error.lineno or 1, column=error.offset or 1) from None
    except (ValueError, RecursionError, MemoryError, Warning) as error:
        raise GrammarError(f"cannot be read: {error}") from None
    return [_invocation(statement, text.strip()) for statement in module.body]


def _invocation(statement: ast.stmt, text: str) -> Invocation:
    written = ast.get_source_segment(text, statement) or ""
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
        case ast.Constant(value=None | bool() | int() | float() | str() as value):
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
                found[word] = _value(value)
            case _:
                raise _wrong(key or node, "want {name: value}")
    return found


def _wrong(node: ast.expr | ast.stmt | ast.keyword, message: str) -> GrammarError:
    return GrammarError(message, line=node.lineno, column=node.col_offset + 1)
