"""Escapes that stand for halves of characters, as JSON writes all beyond the first 65,536."""

import re

_HALF = re.compile("[\ud800-\udfff]")


def whole(text: str) -> str:
    """The text with two halves as the one character that they are.

    Raises ValueError where there is half a character, which can be written nowhere.
    """
    if not _HALF.search(text):
        return text
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise ValueError(f"{text!r:.40} has half a character") from None
