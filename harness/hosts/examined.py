"""What has been found out about a host, thing by thing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from .inventory import Entry


class Grade(StrEnum):
    """How bad it is."""

    OK = "ok"
    NOTE = "note"  # Some runs need it, others do not.
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One question about a host, and the answer."""

    grade: Grade
    about: str
    sentence: str


@dataclass(slots=True)
class Examined:
    """A host, and all that was found."""

    entry: Entry
    findings: list[Finding] = field(default_factory=list)
    boot: str = ""
    lacks: Mapping[str, str | None] | None = None
    """What its agent cannot do, and why; None if there was no agent to ask."""

    def ok(self, about: str, sentence: str) -> None:
        self.findings.append(Finding(Grade.OK, about, sentence))

    def note(self, about: str, sentence: str) -> None:
        self.findings.append(Finding(Grade.NOTE, about, sentence))

    def bad(self, about: str, sentence: str) -> None:
        self.findings.append(Finding(Grade.BAD, about, sentence))

    @property
    def is_bad(self) -> bool:
        return any(finding.grade is Grade.BAD for finding in self.findings)
