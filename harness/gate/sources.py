"""The import graph of this package, read from its sources without importing anything."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PACKAGE = "delphic"
ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("model", "impl", "harness", "reports")

Module = str
"""As in `harness.gate.sources`; the package itself is the empty one."""


@dataclass(frozen=True)
class Sources:
    """The package below `root`."""

    root: Path = ROOT

    @cached_property
    def files(self) -> dict[Module, Path]:
        """Every module and its file."""
        found = {"": self.root / "__init__.py", "__main__": self.root / "__main__.py"}
        for room in ROOMS:
            for path in sorted((self.root / room).rglob("*.py")):
                found[self._module(path)] = path
        return found

    def _module(self, path: Path) -> Module:
        parts = path.relative_to(self.root).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @cached_property
    def imports(self) -> dict[Module, frozenset[Module]]:
        """What each module imports of ours, inside functions, too, and the packages around it."""
        return {
            module: frozenset(self._imported(module, path)) for module, path in self.files.items()
        }

    def _imported(self, module: Module, path: Path) -> Iterator[Module]:
        yield from _around(module)
        folder = module if path.name == "__init__.py" else module.rpartition(".")[0]
        for node in ast.walk(ast.parse(path.read_bytes())):
            if not isinstance(node, ast.ImportFrom) or not node.level:
                continue
            base = folder.split(".") if folder else []
            kept = base[: len(base) - (node.level - 1)]
            source = ".".join([*kept, *(node.module or "").split(".")]).strip(".")
            names = {source, *(f"{source}.{alias.name}".strip(".") for alias in node.names)}
            for name in names & self.files.keys():
                yield name
                yield from _around(name)

    def closure(self, roots: Iterable[Module], beside: Iterable[Module] = ()) -> frozenset[Module]:
        """The roots and all that they import, directly or not.

        Registries name everything there is: those `beside` count, but are not followed.
        """
        shallow = frozenset(beside)
        left, found = list(roots), set(shallow)
        while left:
            module = left.pop()
            assert module in self.files, module
            if module not in found:
                found.add(module)
                left.extend(self.imports[module] - found)
        return frozenset(found)

    def below(self, package: Module) -> list[Module]:
        """A package and all that lies in it."""
        return [one for one in self.files if one == package or one.startswith(f"{package}.")]

    def module_of(self, path: Path) -> Module | None:
        """The module whose source the file is, if it is one of ours."""
        return self._by_file.get(path)

    def folder_of(self, path: Path) -> Module | None:
        """The package in whose folder a file of data lies."""
        if not path.is_relative_to(self.root):
            return None
        folder = path.parent
        while folder != self.root:
            if folder.is_relative_to(self.root) and (folder / "__init__.py") in self._by_file:
                return self._module(folder / "__init__.py")
            folder = folder.parent
        return None

    @cached_property
    def _by_file(self) -> dict[Path, Module]:
        return {path: module for module, path in self.files.items()}


def _around(module: Module) -> Iterator[Module]:
    """The packages that a module lies in."""
    while module:
        module = module.rpartition(".")[0]
        yield module
