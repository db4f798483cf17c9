"""Known failures: written down, with a reason and a day on which they are no excuse any more."""

from datetime import date
from functools import cache
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError, WithJsonSchema

from ..errors import ExitCode, ScenarioError
from ..language.complaints import Complaint, as_error, complaints
from ..language.document import parse
from ..language.selector import closest
from ..language.steps import Part
from ..scenario import Promise
from ..schema import IDENTIFIER
from .result import Attempt, Known


def _day(raw: object) -> date:
    try:
        found = date.fromisoformat(raw) if isinstance(raw, str) else raw
    except ValueError:
        found = None
    if type(found) is not date:
        raise ValueError(f"must be a day like 2026-01-31, not {raw!r}")
    return found


Day = Annotated[date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]


class KnownPart(Part):
    """One known failure: of a step, and of these promises, if they are named."""

    step: str
    until: Day = Field(description="The last day on which it is no surprise.")
    why: str = Field(min_length=1, description="What is known about it, and who works on it.")
    promises: list[Promise] = Field(default_factory=list)


class BaselinePart(Part):
    """The file of known failures."""

    known: list[KnownPart]


def load(text: str, file: str, steps: list[str]) -> list[Known]:
    """Read a baseline for these steps. Raises ScenarioError with every mistake and its line."""
    document = parse(text, file)
    if not isinstance(document.data, dict):
        raise ScenarioError("a baseline is a mapping with the key `known`", file=file)
    try:
        found = BaselinePart.model_validate(document.data)
    except ValidationError as error:
        raise as_error(complaints(error, document, schema()), document) from error
    wrong: list[Complaint] = []
    seen: set[str] = set()
    for at, entry in enumerate(found.known):
        path = ("known", at, "step")
        if entry.step not in steps:
            told = f"known[{at}].step: there is no step {entry.step!r}{closest(entry.step, steps)}"
            wrong.append((path, told))
        if entry.step in seen:
            wrong.append((path, f"known[{at}].step: {entry.step!r} is said twice"))
        seen.add(entry.step)
    if wrong:
        raise as_error(wrong, document)
    return [
        Known(entry.step, entry.until.isoformat(), entry.why, tuple(entry.promises))
        for entry in found.known
    ]


@cache
def schema() -> dict[str, Any]:
    """The JSON Schema of a baseline. Made once: read it, do not change it."""
    return {"$schema": IDENTIFIER, **BaselinePart.model_json_schema(by_alias=True)}


def excuse(entry: Known, attempt: Attempt, today: date) -> tuple[bool, str]:
    """Whether the entry excuses what came of its step, and a sentence about it.

    A broken promise alone can be known: what nobody could decide was never a known failure.
    """
    if attempt.code is ExitCode.AS_EXPECTED:
        return False, f"A known failure is gone ({entry.why}): remove it from the baseline."
    if attempt.code is not ExitCode.PROMISE_BROKEN:
        return False, ""
    if today > date.fromisoformat(entry.until):
        return False, f"It was known until {entry.until} ({entry.why}), which is over."
    others = [p for p in attempt.promises if p not in entry.promises]
    if entry.promises and (others or not all(attempt.kinds) or not attempt.kinds):
        broken = ", ".join(others) or "something without a promise"
        known = ", ".join(entry.promises)
        return False, f"It is known that {known} breaks ({entry.why}), but this is {broken}."
    return True, f"Known until {entry.until}: {entry.why}"
