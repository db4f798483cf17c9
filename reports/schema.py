"""The JSON Schema of verdict.json, made from its type."""

from typing import Any

from ..harness.schema import schema_of, schema_text
from ..harness.verdict import RunVerdict


def verdict_schema() -> dict[str, Any]:
    """What verdict.json version 1 must be. Readers ignore keys that they do not know."""
    return schema_of(RunVerdict, "verdict.json")


def verdict_schema_text() -> bytes:
    """The file docs/schemas/verdict.schema.json."""
    return schema_text(verdict_schema())
