"""Which steps a change can affect: what git says has changed, held against what steps depend on."""

import fnmatch
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError
from .inputs import Inputs
from .resolve import is_matched
from .step import Step

SHOWN = 3


@dataclass(frozen=True, slots=True)
class Affected:
    """Why each step is to be done, by its name, and what is to be told about the rest."""

    reasons: dict[str, str]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """Files that differ from a revision, and those that git does not know yet, below `top`.

    `tracked`: those of which git would say so.
    """

    top: Path
    paths: tuple[Path, ...]
    tracked: frozenset[Path]


def changed(revision: str, base: Path, but: Path | None = None) -> Change:
    """What git says has changed since, but for what lies in one folder. Raises UsageError."""
    top = Path(_git(base, "rev-parse", "--show-toplevel").strip()).resolve()
    if revision.startswith("-"):
        raise UsageError(f"--since {revision}: is no revision")
    _git(base, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}", of=revision)
    differ = _git(top, "diff", "--name-only", "--no-renames", "-z", revision, "--", of=revision)
    unknown = _git(top, "ls-files", "--others", "--exclude-standard", "-z")
    names = {name for name in (differ + unknown).split("\0") if name}
    paths = (top / name for name in sorted(names))
    tracked = _git(top, "ls-files", "-z")
    return Change(
        top,
        tuple(p for p in paths if but is None or not p.is_relative_to(but)),
        frozenset(top / name for name in tracked.split("\0") if name),
    )


def _git(where: Path, *words: str, of: str = "") -> str:
    program = shutil.which("git")
    if program is None:
        raise UsageError("--since asks git, which is not installed")
    done = subprocess.run([program, "-C", str(where), *words], capture_output=True, check=False)
    if done.returncode != 0:
        said = (
            done.stderr.decode(errors="replace").strip().partition("\n")[0].removeprefix("fatal: ")
        )
        raise UsageError(f"--since {of or 'REV'}: {said or 'there is no such revision'}")
    # Names of files are whatever bytes they are.
    return os.fsdecode(done.stdout)


def affected(
    change: Change, steps: Sequence[Step], inputs: Inputs, base: Path, ignore: Sequence[str]
) -> Affected:
    """The steps that a change of these files can affect.

    What is no module of ours, no file of any step and not ignored may be anything: it affects all.
    A step is done, too, if it has a file of which git would not say that it has changed.
    """
    own = {step.name: frozenset(inputs.files(step, base)) for step in steps}
    modules = {step.name: inputs.modules(step.work) for step in steps}
    reasons: dict[str, list[str]] = {}
    is_known = inputs.sources.files[""] in change.tracked
    covered = change.tracked.union(change.paths)
    unseen = {
        name: [
            _near(path, change.top)
            for path in sorted(files - covered)
            if is_known or not path.is_relative_to(inputs.sources.root)
        ]
        for name, files in own.items()
    }
    ignored: list[str] = []
    strange: list[str] = []
    for path in change.paths:
        name = str(path.relative_to(change.top))
        having = [
            step.name for step in steps if path in own[step.name] or _has_watched(step, base, path)
        ]
        module = inputs.sources.module_of(path)
        folder = None if module is not None else inputs.sources.folder_of(path)
        if module is not None:
            having += [one for one in modules if module in modules[one]]
        elif folder is not None and path.suffix != ".py":
            having += [one for one in modules if _has_any_of(modules[one], folder)]
        elif not having and _is_ignored(name, ignore):
            ignored.append(name)
        elif not having and not _is_of_ours(path, inputs):
            strange.append(name)
            having = [step.name for step in steps]
        for one in dict.fromkeys(having):
            reasons.setdefault(one, []).append(name)
    why = {name: [_told(found)] for name, found in reasons.items()}
    for name, files in unseen.items():
        if files:
            why.setdefault(name, []).append(f"git does not know {_few(files)}")
    notes = _notes(ignored, strange)
    if not is_known:
        notes.append(f"That Delphic is the same is not known to git: {inputs.sources.root}")
    return Affected({name: "; ".join(told) for name, told in why.items()}, tuple(notes))


def _has_watched(step: Step, base: Path, path: Path) -> bool:
    """Whether it watches a file that is gone."""
    return not path.exists() and any(is_matched(base, pattern, path) for pattern in step.watch)


def _near(path: Path, top: Path) -> str:
    return str(path.relative_to(top) if path.is_relative_to(top) else path)


def _has_any_of(modules: frozenset[str], folder: str) -> bool:
    return any(one == folder or one.rpartition(".")[0] == folder for one in modules)


def _is_of_ours(path: Path, inputs: Inputs) -> bool:
    """A scenario that ships, and that no step asks for."""
    return path.is_relative_to(inputs.sources.root / "scenarios")


def _is_ignored(name: str, patterns: Sequence[str]) -> bool:
    """`*` reaches beyond slashes, as in .gitignore's `**`."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _told(names: list[str]) -> str:
    return f"changed: {_few(names)}"


def _few(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    shown = (os.fsencode(name).decode(errors="replace") for name in names[:SHOWN])
    return f"{', '.join(shown)}{more}"


def _notes(ignored: list[str], strange: list[str]) -> list[str]:
    notes = []
    if ignored:
        notes.append(f"Ignored: {_told(ignored)}")
    if strange:
        notes.append(
            f"Everything is done, because nobody knows what depends on it; {_told(strange)}. "
            "(`ignore` in the gate's file names what nothing depends on.)"
        )
    return notes
