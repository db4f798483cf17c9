"""The JSON Schema of verdict.json, made from its type."""

from inspect import cleandoc
from typing import Any

import msgspec

from ..harness.verdict import RunVerdict

IDENTIFIER = "https://json-schema.org/draft/2020-12/schema"


def verdict_schema() -> dict[str, Any]:
    """What verdict.json version 1 must be. Readers ignore keys that they do not know."""
    made = msgspec.json.schema(RunVerdict)
    for definition in made["$defs"].values():
        if "description" in definition:
            definition["description"] = cleandoc(definition["description"])
    return {"$schema": IDENTIFIER, "title": "verdict.json", **made}


def verdict_schema_text() -> bytes:
    """The file docs/schemas/verdict.schema.json."""
    encoded = msgspec.json.encode(verdict_schema(), order="sorted")
    return msgspec.json.format(encoded, indent=2) + b"\n"
