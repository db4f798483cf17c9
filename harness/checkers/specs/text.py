"""A text under a key, as in key-value stores of courses: put, append to, got."""

from collections.abc import Collection, Iterator, Sequence
from itertools import combinations, pairwise
from typing import Any

import msgspec

from ..operations import UNKNOWN, Operation
from .spec import Shape, Spec

NEAR_MAX = 60
"""Of so many words near an operation single ones and pairs are looked at."""

CHARACTERS_MAX = 20_000_000
"""Of a history whose answers are longer together nothing simpler is made."""


def initial() -> str:
    return ""


def step(state: str, f: str, argument: Any, result: Any) -> str | None:
    """The state after a put, an append or a get, or None if it is answered wrongly."""
    match f:
        case "put":
            return str(argument)
        case "append":
            return state + str(argument)
        case "get":
            return state if result is UNKNOWN or (result or "") == state else None
    return None


def is_text(value: Any) -> bool:
    return isinstance(value, str)


def is_text_or_nothing(value: Any) -> bool:
    return value is None or is_text(value)


def simpler(operations: Sequence[Operation], near: Operation) -> Iterator[list[Operation]]:
    """The same with one or two words alone: all others are taken out of what was asked and said.

    Whatever explains the whole explains that, too, as long as texts fall into words in one way
    only: no word is the beginning of another. An answer that does not is wrong by itself.
    """
    writes = [o for o in operations if o.f != "get"]
    reads = [o for o in operations if o.f == "get" and o.result is not UNKNOWN]
    words = sorted({str(o.argument) for o in writes})
    if any(other.startswith(one) for one, other in pairwise(words)) or words[:1] == [""]:
        return
    if sum(len(o.result or "") for o in reads) > CHARACTERS_MAX:
        return
    known, found = frozenset(words), []
    lengths = sorted({len(word) for word in words})
    for read in reads:
        parts, rest = _parts(read.result or "", known, lengths)
        if rest:
            yield [msgspec.structs.replace(read, result=rest)]
        found.append((read, parts))
    closest = sorted(writes, key=lambda o: abs(o.invoked - near.invoked))
    few = list(dict.fromkeys(str(o.argument) for o in closest))[:NEAR_MAX]
    for size in (1, 2):
        for chosen in combinations(few, size):
            yield _of_words(writes, found, chosen)


def _parts(text: str, words: Collection[str], lengths: Sequence[int]) -> tuple[list[str], str]:
    """The words of a text, and what is left where it goes on with none."""
    parts = []
    at = 0
    while at < len(text):
        word = next((text[at : at + n] for n in lengths if text[at : at + n] in words), None)
        if word is None:
            break
        parts.append(word)
        at += len(word)
    return parts, text[at:]


def _of_words(
    writes: Sequence[Operation],
    reads: Sequence[tuple[Operation, Sequence[str]]],
    chosen: Collection[str],
) -> list[Operation]:
    kept = []
    for write in writes:
        if write.argument in chosen:
            kept.append(write)
        elif write.f == "put":
            kept.append(msgspec.structs.replace(write, argument=""))
    for read, parts in reads:
        left = "".join(part for part in parts if part in chosen)
        kept.append(msgspec.structs.replace(read, result=left))
    return sorted(kept, key=lambda operation: operation.invoked)


TEXT = Spec(
    name="text",
    about="A text under each key: put, appended to, got; empty at first (Porcupine's kv).",
    operations=(
        Shape("put", "the text", "nothing, or anything", asks=is_text),
        Shape("append", "what is added at its end", "nothing, or anything", asks=is_text),
        Shape("get", "nothing", "the text, or nothing", answers=is_text_or_nothing),
    ),
    initial=initial,
    step=step,
    reads=frozenset({"get"}),
    simpler=simpler,
)
