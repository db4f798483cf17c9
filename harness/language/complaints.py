"""What pydantic found wrong with a document, as sentences with the line each is about."""

import re
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ..errors import ScenarioError
from .document import Document, Path, spell
from .selector import closest

BRANCH = "branch "
"""Begins the tags by which a union is told what is meant, so that no tag is a key."""

Complaint = tuple[Path, str]
"""Where, and what is wrong there."""

_KINDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
}

_BOUNDS = {
    "greater_than": "above {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "below {lt}",
    "less_than_equal": "at most {le}",
}


def complaints(
    error: ValidationError, document: Document, schema: dict[str, Any]
) -> list[Complaint]:
    """Every mistake once, in the order of the text; `schema` is the JSON Schema that it breaks."""
    found: dict[Complaint, None] = {}
    for details in error.errors(include_url=False):
        path = _in_document(details, document)
        found[(path, _sentence(details, path, schema, document))] = None
    return sorted(found, key=lambda complaint: document.line(complaint[0]) or 0)


def as_error(found: list[Complaint], document: Document) -> ScenarioError:
    """One error that says all complaints, a line each, in the order of the text."""
    placed = sorted(((document.line(path), text) for path, text in found), key=lambda c: c[0] or 0)
    (line, first), *others = placed
    more = [f"\n{ScenarioError(text, file=document.file, line=at)}" for at, text in others]
    return ScenarioError(first + "".join(more), file=document.file, line=line)


def _in_document(details: ErrorDetails, document: Document) -> Path:
    """The error's place, without the names that pydantic gives to the branches of a union."""
    path: list[str | int] = []
    here = document.data
    last = len(details["loc"]) - 1
    for at, step in enumerate(details["loc"]):
        if isinstance(step, str) and step.startswith(BRANCH):
            continue
        known = (isinstance(here, dict) and step in here) or (
            isinstance(here, list) and isinstance(step, int) and step < len(here)
        )
        if known:
            path.append(step)
            here = here[step]
        elif at == last and details["type"] == "missing":
            path.append(step)
    if details["type"] == "union_tag_invalid":
        path.append("name")
    return tuple(path)


def _sentence(details: ErrorDetails, path: Path, schema: dict[str, Any], document: Document) -> str:
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    where = spell(path) or "the file"
    match kind:
        case "missing":
            return f"{where}: is missing"
        case "extra_forbidden":
            known = known_keys(schema, path[:-1], document.data)
            return f"{where}: unknown key{closest(str(path[-1]), known)}"
        case "union_tag_invalid":
            known = re.findall(f"'{BRANCH}([^']*)'", context["expected_tags"])
            name = context["tag"].removeprefix(BRANCH)
            return f"{where}: unknown value {name!r}{closest(name, known)}"
        case "literal_error":
            known = [one.strip("'") for one in re.split(", | or ", context["expected"])]
            return f"{where}: unknown value {value!r}{closest(str(value), known)}"
        case "value_error":
            return f"{where}: {context['error']}"
        case "too_short" if context["min_length"] == 1:
            return f"{where}: must not be empty"
        case "too_short" | "too_long":
            bound = context.get("min_length", context.get("max_length"))
            side = "least" if kind == "too_short" else "most"
            return f"{where}: must have {bound} entries at {side}, not {context['actual_length']}"
        case _ if kind in _KINDS:
            return f"{where}: must be {_KINDS[kind]}, not {value!r}"
        case _ if kind in _BOUNDS:
            return f"{where}: must be {_BOUNDS[kind].format(**context)}, not {value!r}"
        case _:
            return f"{where}: {details['msg'][0].lower()}{details['msg'][1:]}, not {value!r}"


def known_keys(schema: dict[str, Any], path: Path, data: Any) -> list[str]:
    """The keys that the mapping at `path` may have, where `data` is the whole document."""
    parts = _resolved(schema, schema)
    for step in path:
        parts = [deeper for part in parts for deeper in _below(part, step, schema)]
        data = data[step]
        parts = [part for part in parts if _is_meant(part, data)]
    return [key for part in parts for key in part.get("properties", {})]


def _is_meant(part: dict[str, Any], data: Any) -> bool:
    """Whether this branch of a union has the name that the data gives itself."""
    name = part.get("properties", {}).get("name", {})
    if "const" not in name or not isinstance(data, dict):
        return True
    return bool(data.get("name", name.get("default")) == name["const"])


def _below(part: dict[str, Any], step: str | int, root: dict[str, Any]) -> list[dict[str, Any]]:
    inner = part.get("items") if isinstance(step, int) else part.get("properties", {}).get(step)
    return [] if inner is None else _resolved(inner, root)


def _resolved(part: dict[str, Any], root: dict[str, Any]) -> list[dict[str, Any]]:
    """The part itself, or what it refers to, or all that it may be."""
    if "$ref" in part:
        return _resolved(root["$defs"][part["$ref"].rsplit("/", 1)[1]], root)
    branches = part.get("anyOf") or part.get("oneOf")
    if branches and "properties" not in part:
        return [found for branch in branches for found in _resolved(branch, root)]
    return [part]
