"""The reference of scenarios as a page, out of their JSON Schema: every key as it is checked."""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

_MOST_VALUES = 12
_HEAD = """\
# Every key of a scenario

Made from the schema that scenarios are checked against (`delphic schema`; this page:
`delphic schema --markdown`). What the keys are for, with examples: [scenarios.md](scenarios.md).
"""


def page(schema: Schema) -> str:
    """The whole page, in Markdown: one table for the scenario, one for each part of it."""
    parts = dict(_parts(schema["$defs"]))
    sections = [_HEAD, _section("A scenario", {**schema, "description": ""})]
    sections += [_section(name, part) for name, part in sorted(parts.items())]
    return "\n".join(sections)


def _parts(defs: Mapping[str, Schema]) -> Iterator[tuple[str, Schema]]:
    """Parts that have keys of their own, and those that are a choice."""
    return ((name, part) for name, part in defs.items() if part)


def _section(name: str, part: Schema) -> str:
    lines = [f"## {name}", ""]
    if part.get("description"):
        lines += [_one_line(part["description"]), ""]
    keys: Mapping[str, Schema] = part.get("properties", {})
    if not keys:
        return "\n".join([*lines, f"{_type(part)}.", ""])
    required = set(part.get("required", ()))
    lines += ["| key | what | default | meaning |", "|---|---|---|---|"]
    lines += [_row(key, value, key in required) for key, value in keys.items()]
    return "\n".join([*lines, ""])


def _row(key: str, value: Schema, is_required: bool) -> str:
    default = "required" if is_required else _default(value)
    meaning = _one_line(value.get("description", ""))
    return f"| `{key}` | {_type(value)} | {default} | {meaning} |"


def _default(value: Schema) -> str:
    match value.get("default"):
        case None:
            return ""
        case bool(flag):
            return f"`{str(flag).lower()}`"
        case "" | [] | {}:
            return "empty"
        case float(seconds) if value.get("type") == "string":
            return f"`{seconds:g}s`"
        case given:
            return f"`{_cell(given)}`"


def _type(value: Schema) -> str:
    """In words, with links to other parts."""
    match value:
        case {"$ref": str(ref)}:
            name = ref.rsplit("/", 1)[-1]
            return f"[{name}](#{name.lower()})"
        case {"const": constant}:
            return f"`{_cell(constant)}`"
        case {"enum": list(values)}:
            return _values(values)
        case {"anyOf": list(choices)} | {"oneOf": list(choices)}:
            kinds = [_type(choice) for choice in choices if choice.get("type") != "null"]
            return " or ".join(dict.fromkeys(kinds))
        case {"type": "array"}:
            return f"list of {_type(value.get('items', {}))}"
        case {"type": "object"}:
            return _mapping(value)
        case {"type": "boolean"}:
            return "`true` or `false`"
        case {"type": str(kind)}:
            return kind + _limits(value)
        case _:
            return "anything"


def _mapping(value: Schema) -> str:
    if "properties" in value:
        keys = "; ".join(
            f"`{key}`: {_one_line(told) if (told := inner.get('description')) else _type(inner)}"
            for key, inner in value["properties"].items()
        )
        return f"mapping ({keys})"
    inner = value.get("additionalProperties")
    return f"mapping to {_type(inner)}" if isinstance(inner, Mapping) else "mapping"


def _values(values: list[Any]) -> str:
    if len(values) > _MOST_VALUES:
        return f"`{_cell(values[0])}` … `{_cell(values[-1])}` ({len(values)} values)"
    return ", ".join(f"`{_cell(value)}`" for value in values)


def _limits(value: Schema) -> str:
    said = []
    if examples := value.get("examples"):
        said.append("as in " + ", ".join(f"`{_cell(example)}`" for example in examples))
    elif pattern := value.get("pattern"):
        said.append(f"of the form `{_cell(pattern.removeprefix('^').removesuffix('$'))}`")
    for key, words in _BOUNDS:
        if key in value:
            bound = value[key]
            said.append(f"{words} {f'{bound:,}' if isinstance(bound, int) else f'{bound:g}'}")
    return f", {', '.join(said)}" if said else ""


_BOUNDS = (
    ("minimum", "at least"),
    ("exclusiveMinimum", "more than"),
    ("maximum", "at most"),
    ("exclusiveMaximum", "less than"),
)


def _one_line(text: str) -> str:
    return " ".join(_cell(text).split())


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|")
