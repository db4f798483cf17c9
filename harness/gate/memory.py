"""What earlier gates have done, by everything that it depended on."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ..errors import ExitCode, WorldError
from ..reading import UNDECODABLE
from ..writing import put
from .result import State, StepResult
from .step import Step

FINAL = frozenset({ExitCode.AS_EXPECTED, ExitCode.PROMISE_BROKEN})
"""What another attempt would not change; anything else is tried again."""


@dataclass(frozen=True, slots=True)
class Memory:
    """A directory with a file for each step that was done, named by the digest of its inputs."""

    path: Path
    digest: Callable[[Step], str]
    is_asked: bool
    """Whether what is remembered counts (`--resume`); it is written down in any case."""

    def now(self, step: Step) -> str | None:
        """The digest of what lies there; None where some of it cannot be read."""
        try:
            return self.digest(step)
        except OSError:
            return None

    def recall(self, step: Step, now: str | None) -> StepResult | None:
        """What came of the step, if nothing that it depends on has changed since."""
        if not self.is_asked or now is None:
            return None
        try:
            found = msgspec.json.decode(self._file(now).read_bytes(), type=StepResult)
        except (OSError, *UNDECODABLE):
            return None
        told = (*found.notes, "Done before, and nothing that it depends on has changed.")
        return msgspec.structs.replace(
            found, name=step.name, line=step.line, state=State.KEPT, notes=told
        )

    def keep(self, step: Step, found: StepResult, before: str | None) -> WorldError | None:
        """Write down what came of it, or say why it cannot be: no result is lost with it.

        If something has changed since `before`, nobody knows what of it the step has seen.
        """
        if found.state is not State.DONE or found.code not in FINAL:
            return None
        if before is None or self.now(step) != before:
            return None
        file = self._file(before)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            put(file, msgspec.json.encode(found))
        except OSError as error:
            return WorldError(f"cannot write {file}: {error.strerror}")
        except WorldError as error:
            return error
        return None

    def _file(self, digest: str) -> Path:
        return self.path / f"{digest}.json"


def digest_of(*parts: bytes) -> str:
    """One digest of several texts, whatever their lengths."""
    hashed = hashlib.sha256()
    for part in parts:
        hashed.update(len(part).to_bytes(8, "big") + part)
    return hashed.hexdigest()
