"""What a step depends on: modules of ours, and files of its own."""

import hashlib
import platform
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from importlib import metadata
from pathlib import Path

import msgspec

from ...model import models
from ...model.models import MODELS
from ..conform.cli import BINDINGS
from .memory import digest_of
from .resolve import matching
from .sources import PACKAGE, Module, Sources
from .step import Check, Conform, Explore, Run, Simulate, Step, Work

_GATE = ("harness.gate.work", "harness.gate.step", "harness.gate.resolve")
_MODELS = "model.models"
_REGISTRIES = (_MODELS, "model.cli", "harness.conform.cli")

_EXPLORER = ("model.explore.explorer", "model.summary", "model.only", "model.actor")
_COMPARER = ("harness.conform.binding", "harness.conform.show")
_SIMULATOR = ("harness.simulate.cli", "harness.scenario", "impl.node")
_RUNNER = ("harness.launch", "harness.targets.proxy", "impl.node")
_AGENT = "harness.agent"
_JUDGE = ("harness.judging.judge", "harness.judging.judgement")


@dataclass(frozen=True)
class Inputs:
    """Answers for one package; finds out once who imports whom."""

    sources: Sources = field(default_factory=Sources)

    def modules(self, work: Work) -> frozenset[Module]:
        """Modules that can change what comes of a step.

        Modules that processes of a run are started from are named here, for nothing imports them.
        """
        beside = [*_GATE, *_REGISTRIES]
        match work:
            case Explore(mutant=None):
                roots = [*_EXPLORER, *_model(work)]
            case Explore():
                # Its mutant may be made of anything that the registry of models knows.
                roots = [*_EXPLORER, _MODELS]
                beside.remove(_MODELS)
            case Conform():
                roots = [*_COMPARER, _ours(type(BINDINGS[work.binding]).__module__)]
            case Simulate():
                roots = [*_SIMULATOR]
            case Run():
                # What is sent to hosts is sent whole.
                agent = self.sources.below(_AGENT) if work.target != "local" else ()
                roots = [*_RUNNER, *agent]
            case Check():
                roots = [*_JUDGE]
        return self.sources.closure(roots, beside)

    def files(self, step: Step, base: Path) -> Iterator[Path]:
        """Files of the step's own: its scenario, its hosts, its history, what it watches."""
        for pattern in step.watch:
            for path in matching(base, pattern):
                yield from _inside(path.resolve())
        work = step.work
        if isinstance(work, Simulate | Run) and Path(work.name).suffix:
            yield Path(work.name).resolve()
        elif isinstance(work, Simulate | Run):
            yield self.sources.root / work.file
        if isinstance(work, Run) and Path(work.target).suffix:
            yield Path(work.target).resolve()
        if isinstance(work, Check):
            yield from _inside(Path(work.path).resolve())
            if work.spec is not None and ".py:" in work.spec:
                yield Path(work.spec.rpartition(":")[0]).resolve()

    def digest(self, step: Step, base: Path) -> str:
        """Equal where nothing that the step depends on has changed. Raises OSError."""
        modules = sorted(self.modules(step.work))
        folders = {self.sources.files[module].parent for module in modules}
        data = [path for folder in sorted(folders) for path in self._data.get(folder, ())]
        files = [self.sources.files[module] for module in modules]
        named = [*files, *data, *self.files(step, base)]
        texts = [part for path in named for part in (str(path).encode(), _text(path))]
        return digest_of(msgspec.json.encode(step.work), *self._world, *texts)

    @cached_property
    def _data(self) -> dict[Path, list[Path]]:
        """Files that lie beside modules and are none."""
        folders = {path.parent for path in self.sources.files.values()} - {self.sources.root}
        return {
            folder: sorted(
                path for path in folder.iterdir() if path.is_file() and path.suffix != ".py"
            )
            for folder in folders
        }

    @cached_property
    def _world(self) -> list[bytes]:
        """Python, and the libraries that we ask for."""
        wanted = metadata.requires(PACKAGE) or []
        names = [one for one in wanted if "extra ==" not in one]
        plain = sorted({_name(one) for one in names})
        versions = [f"{name}=={metadata.version(name)}" for name in plain]
        return [
            word.encode() for word in (platform.python_version(), platform.machine(), *versions)
        ]


def _inside(path: Path) -> Iterator[Path]:
    """The file; of a folder all that lies below it."""
    inside = sorted(path.rglob("*")) if path.is_dir() else [path]
    yield from (one for one in inside if one.is_file())


def _text(path: Path) -> bytes:
    """A file as a digest, of what lies there now: somebody may save it while a gate goes on."""
    if not path.exists():
        return b""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()


def _name(requirement: str) -> str:
    """`click<9,>=8.1` as `click`."""
    end = next((at for at, c in enumerate(requirement) if c in "<>=!~;[ ("), len(requirement))
    return requirement[:end]


def _ours(module: str) -> Module:
    """A module's name below the package."""
    assert module.startswith(f"{PACKAGE}."), module
    return module.removeprefix(f"{PACKAGE}.")


def _model(work: Explore) -> Iterator[Module]:
    """Where a model is made: what its entry's builder calls, and its mistake."""
    entry = MODELS[work.model]
    builder = entry.build
    if builder.__module__ != models.__name__:
        yield _ours(builder.__module__)
    else:
        for name in builder.__code__.co_names:
            made = getattr(vars(models).get(name), "__module__", "")
            if made.startswith(f"{PACKAGE}.") and made != models.__name__:
                yield _ours(made)
