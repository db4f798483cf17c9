"""A YAML text as plain data, with the line of every value in it."""

from dataclasses import dataclass
from typing import Any

import yaml

from ..errors import ScenarioError

Path = tuple[str | int, ...]
"""Where a value is: keys and list positions from the top."""

_DEPTH_MAX = 20  # An anchor that holds itself would never end.

_WORDS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:bool")
"""Tags of keys. To YAML, the words on, off, yes and no are truths."""


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says (`data`), and where it says it (`lines`)."""

    data: Any
    lines: dict[Path, int]
    file: str

    def line(self, path: Path) -> int | None:
        """The line of the value at `path`, or of the nearest thing around it that exists."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)


def spell(path: Path) -> str:
    """`("faults", 2, "kill")` as `faults[2].kill`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text


def parse(text: str, file: str) -> Document:
    """Read one YAML document.

    Raises ScenarioError, with the line, where it is no YAML or says the same key twice.
    """
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        lines: dict[Path, int] = {}
        data = None if root is None else _value(loader, root, (), lines, file)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = None if mark is None else mark.line + 1
        raise ScenarioError(f"not YAML: {error.problem}", file=file, line=line) from error
    except yaml.YAMLError as error:
        raise ScenarioError(f"not YAML: {error}", file=file) from error
    finally:
        loader.dispose()
    return Document(data, lines, file)


def _value(
    loader: yaml.SafeLoader, node: yaml.Node, path: Path, lines: dict[Path, int], file: str
) -> Any:
    line = node.start_mark.line + 1
    lines[path] = line
    if len(path) > _DEPTH_MAX:
        raise ScenarioError("nested too deeply", file=file, line=line)
    if isinstance(node, yaml.SequenceNode):
        return [
            _value(loader, item, (*path, at), lines, file) for at, item in enumerate(node.value)
        ]
    if isinstance(node, yaml.MappingNode):
        found: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = _key(key_node, file)
            at = (*path, key)
            if key in found:
                raise ScenarioError(
                    f"{spell(at)}: said twice, first on line {lines[at]}",
                    file=file,
                    line=key_node.start_mark.line + 1,
                )
            found[key] = _value(loader, value_node, at, lines, file)
            lines[at] = key_node.start_mark.line + 1
        return found
    try:
        return loader.construct_object(node)
    except ValueError as error:
        raise ScenarioError(f"{spell(path)}: {error}", file=file, line=line) from error


def _key(node: yaml.Node, file: str) -> str:
    if node.tag in _WORDS:
        return str(node.value)
    said = node.value if isinstance(node, yaml.ScalarNode) else "of several parts"
    raise ScenarioError(f"the key {said} is not a word", file=file, line=node.start_mark.line + 1)
