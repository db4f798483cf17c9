"""A scenario written as YAML for people: a line a step, a line an operation, prose folded."""

from typing import Any

import yaml

WIDTH = 92
"""PyYAML breaks a line after the word that passes it."""


class _Line(dict[str, Any]):
    """A mapping that stands on one line."""


class _Words(list[Any]):
    """A list that stands on one line."""


class _Prose(str):
    """A long text that is folded."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indents lists below their key, as all our scenarios do."""
        super().increase_indent(flow, False)


def _line(dumper: yaml.SafeDumper, value: _Line) -> yaml.Node:
    return dumper.represent_mapping("tag:yaml.org,2002:map", value.items(), flow_style=True)


def _words(dumper: yaml.SafeDumper, value: _Words) -> yaml.Node:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=True)


def _prose(dumper: yaml.SafeDumper, value: _Prose) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(value), style=">")


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    """In double quotes where characters must be escaped: PyYAML loses a NEL in any other style."""
    style = None if value.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(_Line, _line)
_Dumper.add_representer(_Words, _words)
_Dumper.add_representer(_Prose, _prose)

_BLOCKS = ("cluster", "workload")
_PROSE_MIN = 60


def write(data: dict[str, Any]) -> str:
    """The YAML of a scenario. `document.parse` reads the same data back."""
    shaped = {key: _shaped(key, value) for key, value in data.items()}
    return yaml.dump(shaped, Dumper=_Dumper, sort_keys=False, width=WIDTH, allow_unicode=True)


def _shaped(key: str, value: Any) -> Any:
    if isinstance(value, dict):
        return (
            {inner: _shaped(inner, part) for inner, part in value.items()}
            if key in _BLOCKS
            else _Line(value)
        )
    if isinstance(value, list):
        lines = value and all(isinstance(part, dict) for part in value)
        return [_Line(part) for part in value] if lines else _Words(value)
    if isinstance(value, str) and len(value) > _PROSE_MIN and _foldable(value):
        return _Prose(value)
    return value


def _foldable(text: str) -> bool:
    """Whether folding keeps it: one paragraph of words, one blank between two."""
    return text == " ".join(text.split()) and text.isprintable()
