"""What pydantic found wrong with a document, as sentences with the line each is about."""

import re
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from .document import Document, Path, spell
from .selector import closest

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
        found[(path, _sentence(details, path, schema))] = None
    return sorted(found, key=lambda complaint: document.line(complaint[0]) or 0)


def _in_document(details: ErrorDetails, document: Document) -> Path:
    """The error's place, without the names that pydantic gives to the branches of a union."""
    path: list[str | int] = []
    here = document.data
    last = len(details["loc"]) - 1
    for at, step in enumerate(details["loc"]):
        known = (isinstance(here, dict) and step in here) or (
            isinstance(here, list) and isinstance(step, int) and step < len(here)
        )
        if known:
            path.append(step)
            here = here[step]
        elif at == last and details["type"] == "missing":
            path.append(step)
    return tuple(path)


def _sentence(details: ErrorDetails, path: Path, schema: dict[str, Any]) -> str:
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    where = spell(path) or "the file"
    match kind:
        case "missing":
            return f"{where}: is missing"
        case "extra_forbidden":
            return f"{where}: unknown key{closest(str(path[-1]), known_keys(schema, path[:-1]))}"
        case "literal_error":
            known = re.findall(r"'([^']*)'", context["expected"])
            return f"{where}: unknown value {value!r}{closest(str(value), known)}"
        case "value_error":
            return f"{where}: {context['error']}"
        case "too_short":
            return f"{where}: must not be empty"
        case _ if kind in _KINDS:
            return f"{where}: must be {_KINDS[kind]}, not {value!r}"
        case _ if kind in _BOUNDS:
            return f"{where}: must be {_BOUNDS[kind].format(**context)}, not {value!r}"
        case _:
            return f"{where}: {details['msg'][0].lower()}{details['msg'][1:]}, not {value!r}"


def known_keys(schema: dict[str, Any], path: Path) -> list[str]:
    """The keys that the mapping at `path` may have."""
    parts = _resolved(schema, schema)
    for step in path:
        parts = [deeper for part in parts for deeper in _below(part, step, schema)]
    return [key for part in parts for key in part.get("properties", {})]


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
