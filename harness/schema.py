"""The JSON Schema of what Delphic reads and writes as JSON, made from its types."""

from inspect import cleandoc
from typing import Any

import msgspec

IDENTIFIER = "https://json-schema.org/draft/2020-12/schema"


def schema_of(kind: Any, title: str) -> dict[str, Any]:
    """The schema of a msgspec type."""
    made = msgspec.json.schema(kind)
    for definition in made["$defs"].values():
        if "description" in definition:
            definition["description"] = cleandoc(definition["description"])
    return {"$schema": IDENTIFIER, "title": title, **made}


def schema_text(schema: dict[str, Any]) -> bytes:
    """The file that docs/schemas has of it."""
    encoded = msgspec.json.encode(schema, order="sorted")
    return msgspec.json.format(encoded, indent=2) + b"\n"
