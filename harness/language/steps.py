"""What a scenario says of its faults: one step, its moment, and those that the seed draws."""

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    create_model,
    model_validator,
)

from ..conduct.triggers import FORMS
from ..fault import Fault
from ..nemeses import NEMESES
from ..schedule import DRAWABLE, DRAWN_MAX, Choice, stretches
from .selector import closest
from .units import Duration

_WORD = r"[a-z][a-z0-9-]*"
WORD_MAX = 100
"""Names of directories are made of words, and no system takes more than 255 bytes."""


def _word(text: str) -> str:
    if not re.fullmatch(_WORD, text):
        raise ValueError(f"must be lower-case letters, digits and hyphens, not {text!r}")
    if len(text) > WORD_MAX:
        raise ValueError(f"must be at most {WORD_MAX} letters, not {len(text)}")
    return text


Word = Annotated[
    str,
    AfterValidator(_word),
    WithJsonSchema({"type": "string", "pattern": f"^{_WORD}$", "maxLength": WORD_MAX}),
]


class Part(BaseModel):
    """A part of a scenario: nothing unknown, nothing converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


State = Annotated[
    str,
    WithJsonSchema({"type": "string", "examples": [form.text for form in FORMS]}),
]
"""What a step waits for, checked where the members are known."""


def _choice(raw: object) -> Choice:
    kind, value = (
        next(iter(raw.items())) if isinstance(raw, dict) and len(raw) == 1 else (raw, None)
    )
    if kind not in DRAWABLE:
        raise ValueError(f"unknown fault {kind!r}{closest(str(kind), DRAWABLE)}")
    if value is None:
        return kind, None
    try:
        return kind, NEMESES[kind].planned(value)
    except ValidationError as error:
        raise ValueError(
            f"{kind}: {error.errors()[0]['msg'].removeprefix('Value error, ')}"
        ) from error


class RandomPart(Part):
    """Faults that the seed draws before the run: one in every stretch of `every`."""

    kinds: list[
        Annotated[
            Any,
            BeforeValidator(_choice),
            WithJsonSchema({"anyOf": [{"enum": DRAWABLE}, {"type": "object", "maxProperties": 1}]}),
        ]
    ] = Field(alias="from", min_length=1)
    every: Duration
    lasting: Duration = Field(alias="for")
    until: Duration

    @model_validator(mode="after")
    def _fits(self) -> "RandomPart":
        if self.lasting >= self.every:
            raise ValueError("`for` must be shorter than `every`: each fault ends before the next")
        if self.until < 2 * self.every:
            raise ValueError("`until` leaves room for no fault: it is at least twice `every`")
        if (drawn := stretches(self.every, self.until)) > DRAWN_MAX:
            raise ValueError(
                f"draws {drawn:,} faults, and {DRAWN_MAX:,} are the most: lengthen `every`"
            )
        return self


class StepPart(Part):
    """One step: a moment (`at`, `after`, `then` or `when`) and one kind of fault."""

    at: Duration | None = Field(default=None, description="From the start of the run.")
    after: Literal["new-leader"] | None = Field(
        default=None, description="When a leader of a higher term than at the step before is seen."
    )
    then: Duration | None = Field(default=None, description="So long after the step before it.")
    when: State | None = Field(
        default=None,
        description="When this state is seen in the members' traces; from `at` or `then` on, if "
        "one is said too.",
    )
    within: Duration | None = Field(default=None, description="How long `after` or `when` waits.")
    lasting: Duration | None = Field(default=None, alias="for", description="Undone so much later.")
    named: Word | None = Field(
        default=None,
        alias="as",
        description="A word for the members that it hits, for later steps.",
    )
    random: RandomPart | None = None

    @property
    def kind(self) -> str:
        """The kind of fault, as YAML says it."""
        return next(kind for kind in (*NEMESES, "random") if self._value(kind) is not None)

    def _value(self, kind: str) -> Any:
        return getattr(self, _field_name(kind))

    def fault(self) -> Fault:
        """The step as the plan has it. Not for `random`."""
        return Fault(
            kind=self.kind,
            at_s=self.at,
            after=self.after,
            then_s=self.then,
            within_s=self.within,
            when=self.when,
            for_s=self.lasting,
            name=self.named,
            **NEMESES[self.kind].plan(self._value(self.kind)),
        )

    @model_validator(mode="after")
    def _says_one_thing(self) -> "StepPart":
        kinds = [kind for kind in (*NEMESES, "random") if self._value(kind) is not None]
        if len(kinds) != 1:
            said = " and ".join(kinds) or "none"
            raise ValueError(f"says one fault of {', '.join((*NEMESES, 'random'))}; found {said}")
        kind = kinds[0]
        words = ("at", "after", "then", "when")
        moments = [word for word in words if getattr(self, word) is not None]
        others = [*moments, *(w for w, v in (("for", self.lasting), ("as", self.named)) if v)]
        if kind == "random":
            if others:
                raise ValueError(f"`random` draws its own moments; remove `{others[0]}`")
        elif len(moments) != 1 and moments not in (["at", "when"], ["then", "when"]):
            found = " and ".join(moments) or "none"
            raise ValueError(f"needs one moment of {', '.join(words)}; found {found}")
        elif self.lasting is not None and NEMESES[kind].undo is None:
            why = "is over at once" if NEMESES[kind].momentary else "undoes other faults"
            raise ValueError(f"`{kind}` {why}; it has no `for`")
        if kind == "stage" and self.when is None:
            raise ValueError("`stage` says that a state was reached: it needs `when`")
        if kind == "hold" and self.named is None and self.lasting is None:
            raise ValueError("`hold` needs `as`, a word for a `release`, or `for`")
        if (self.within is None) != (self.after is None and self.when is None):
            raise ValueError(
                "`within` goes with `after` or `when`, and they with it: how long to wait"
            )
        return self


def _field_name(kind: str) -> str:
    return kind.replace("-", "_")


_kinds: dict[str, Any] = {
    _field_name(nemesis.kind): (
        nemesis.value | None,
        Field(default=None, alias=nemesis.kind, description=nemesis.about),
    )
    for nemesis in NEMESES.values()
}
Step = create_model("Step", __base__=StepPart, **_kinds)
"""A step with a key for every kind of fault in the registry."""
