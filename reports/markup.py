"""HTML that is escaped unless it says that it is markup already."""

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

_VOID = frozenset({"br", "col", "input", "link", "meta"})


@dataclass(frozen=True, slots=True)
class Html:
    """Markup. Everything else that becomes part of a page is text, and escaped."""

    text: str

    def __str__(self) -> str:
        return self.text


Child = Html | str | None
Attribute = str | int | float | bool | None


def el(name: str, /, *children: Child | Iterable[Child], **attributes: Attribute) -> Html:
    """An element. `class_` is class, `data_from` is data-from; True stands alone, None is left out.

    Names are ours and never data: only values and children are escaped.
    """
    spelled = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Html(f"<{name}{spelled}>")
    return Html(f"<{name}{spelled}>{joined(*children)}</{name}>")


def joined(*children: Child | Iterable[Child]) -> Html:
    """Children one after another."""
    return Html("".join(_markup(child) for child in children))


def _markup(child: Child | Iterable[Child]) -> str:
    match child:
        case None:
            return ""
        case Html():
            return child.text
        case str():
            return escape(visible(child))
        case _:
            return "".join(map(_markup, child))


def _attribute(key: str, value: Attribute) -> str:
    name = key.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{escape(visible(str(value)))}"'


def visible(text: str) -> str:
    """Characters that no document may hold, replaced."""
    if text.isprintable():
        return text
    return "".join("\N{REPLACEMENT CHARACTER}" if is_forbidden(c) else c for c in text)


def is_forbidden(character: str) -> bool:
    """Whether neither XML nor HTML may hold the character: controls, surrogates, no-characters."""
    point = ord(character)
    is_control = point < 0x20 and character not in "\t\n\r"
    return (
        is_control or 0x7F <= point < 0xA0 or 0xD800 <= point < 0xE000 or point & 0xFFFE == 0xFFFE
    )
