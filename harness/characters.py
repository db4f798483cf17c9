"""Characters of texts that are not ours: halves of them, and those that no line should hold."""

import re

_HALF = re.compile("[\ud800-\udfff]")


def whole(text: str) -> str:
    """The text with two halves, as JSON escapes all beyond the first 65,536, as one character.

    Raises ValueError where there is half a character, which can be written nowhere.
    """
    if not _HALF.search(text):
        return text
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise ValueError(f"{text!r:.40} has half a character") from None


def printable(text: str, but: str = "") -> str:
    """The text with what could drive a terminal, or make a line more, as escapes: `\\n`, `\\x1b`.

    Those in `but` stay as they are.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in but else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
