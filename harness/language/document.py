"""A YAML text as plain data, with the line of every value in it."""

from dataclasses import dataclass
from typing import Any

import yaml

from ..characters import whole
from ..errors import ScenarioError

Path = tuple[str | int, ...]
"""Where a value is: keys and list positions from the top."""

_DEPTH_MAX = 20  # An anchor that holds itself would never end.

NODES_MAX = 100_000
"""So many more values than characters: aliases of aliases would fill the memory."""

_TOO_DEEP = "nested too deeply"

_UNREADABLE = (LookupError, AttributeError, TypeError, ArithmeticError)
"""What PyYAML lets through where a value is none of its tag, besides ValueError."""

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

    Raises ScenarioError, with the line, where it is no YAML, says the same key twice, or would be
    too large with its aliases written out.
    """
    lines: dict[Path, int] = {}
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        reading = _Reading(loader, lines, file, len(text) + NODES_MAX)
        data = None if root is None else _value(reading, root, ())
    except yaml.reader.ReaderError as error:
        sentence = f"not YAML: the character {text[error.position]!r} is not allowed"
        before = text.count("\n", 0, error.position)
        raise ScenarioError(sentence, file=file, line=before + 1) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = None if mark is None else mark.line + 1
        raise ScenarioError(f"not YAML: {error.problem}", file=file, line=line) from error
    except yaml.YAMLError as error:
        raise ScenarioError(f"not YAML: {error}", file=file) from error
    except RecursionError as error:
        raise ScenarioError(_TOO_DEEP, file=file) from error
    return Document(data, lines, file)


def keys_of(text: str) -> frozenset[str] | None:
    """The keys at the top of a YAML text, none where it is no mapping; None where it is no YAML."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError):
        return None
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    return frozenset(key.value for key, _ in pairs if isinstance(key, yaml.ScalarNode))


@dataclass(frozen=True, slots=True)
class _Reading:
    """What goes along while a text is read. `nodes_max`: more values it must not have."""

    loader: yaml.SafeLoader
    lines: dict[Path, int]
    file: str
    nodes_max: int

    def refused(self, sentence: str, line: int) -> ScenarioError:
        return ScenarioError(sentence, file=self.file, line=line)


def _value(reading: _Reading, node: yaml.Node, path: Path) -> Any:
    line, lines = node.start_mark.line + 1, reading.lines
    lines[path] = line
    if len(path) > _DEPTH_MAX:
        raise reading.refused(_TOO_DEEP, line)
    if len(lines) > reading.nodes_max:
        raise reading.refused("too many values: aliases repeat them too often", line)
    if isinstance(node, yaml.SequenceNode):
        return [_value(reading, item, (*path, at)) for at, item in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        found: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = _key(reading, key_node)
            at = (*path, key)
            key_line = key_node.start_mark.line + 1
            if key in found:
                sentence = f"{spell(at)}: said twice, first on line {lines[at]}"
                raise reading.refused(sentence, key_line)
            found[key] = _value(reading, value_node, at)
            lines[at] = key_line
        return found
    try:
        said = reading.loader.construct_object(node)
        return whole(said) if isinstance(said, str) else said
    except ValueError as error:
        raise reading.refused(f"{spell(path)}: {error}", line) from error
    except _UNREADABLE as error:
        kind = node.tag.rsplit(":", 1)[1]
        raise reading.refused(f"{spell(path)}: {node.value!r} is no {kind}", line) from error


def _key(reading: _Reading, node: yaml.Node) -> str:
    line = node.start_mark.line + 1
    if node.tag in _WORDS:
        try:
            return whole(str(node.value))
        except ValueError as error:
            raise reading.refused(f"a key: {error}", line) from error
    said = node.value if isinstance(node, yaml.ScalarNode) else "of several parts"
    raise reading.refused(f"the key {said} is not a word", line)
