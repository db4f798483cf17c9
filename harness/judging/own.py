"""A specification by its name, or one of the user's own: FILE.py:NAME."""

import importlib.util
import traceback
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..checkers.judging import named
from ..checkers.operations import by_key
from ..checkers.specs import SPECS
from ..checkers.specs.spec import Spec
from ..errors import UsageError

FAILURES = (Exception, SystemExit)
"""Whatever a user's file raises is the user's to mend. Who ends the process has judged nothing."""


def promising(spec: Spec, model: str) -> Spec:
    """The specification with this model for its promise. Raises UsageError where it has no such."""
    if model in spec.models:
        assert spec.promising is not None
        return spec.promising(model)
    if not spec.models:
        having = [one.name for one in SPECS.values() if one.models]
        raise UsageError(f"--model is for transactions ({', '.join(having)}), not for {spec.name}")
    raise UsageError(
        f"no history can be said to keep to {model!r}; to these it can: {', '.join(spec.models)}"
    )


def spec_of(name: str) -> Spec:
    """The specification. Raises UsageError saying what is wrong with it."""
    file, _, attribute = name.rpartition(":")
    if not file.endswith(".py"):
        return named(name)
    held = _attribute(file, attribute)
    if not isinstance(held, Spec):
        held = _of_class(name, attribute, held)
    elif held in SPECS.values():
        return held
    return replace(
        held,
        initial=_guarded(name, "initial", held.initial, "a state"),
        step=_guarded(name, "step", held.step, "a state"),
        partition=held.partition and _guarded(name, "partition", held.partition, "what it returns"),
    )


def _attribute(file: str, attribute: str) -> Any:
    """What the file calls so."""
    path = Path(file)
    loading = importlib.util.spec_from_file_location(path.stem, path)
    if not path.is_file() or loading is None or loading.loader is None:
        raise UsageError(f"there is no file {file}")
    module = importlib.util.module_from_spec(loading)
    try:
        loading.loader.exec_module(module)
    except FAILURES as error:
        raise UsageError(f"{file} cannot be loaded:\n{traceback.format_exc(limit=-1)}") from error
    if not hasattr(module, attribute):
        names = [name for name in vars(module) if not name.startswith("_")]
        raise UsageError(f"{file} has no {attribute!r}; it has {', '.join(names) or 'nothing'}")
    return getattr(module, attribute)


def _of_class(name: str, attribute: str, held: Any) -> Spec:
    """Anything with `initial` and `step`; reads and partition where it has them."""
    made = _guarded(name, attribute, held)() if isinstance(held, type) else held
    missing = [part for part in ("initial", "step") if not callable(getattr(made, part, None))]
    if missing:
        raise UsageError(
            f"{name} has no {' and no '.join(missing)}: a specification has initial() and "
            "step(state, f, argument, result), which returns a state, or None if not legal"
        )
    partition = getattr(made, "partition", by_key)
    if partition is not None and not callable(partition):
        raise UsageError(f"{name}: partition is {partition!r}, and no method partition(operation)")
    reads = getattr(made, "reads", ())
    if not _are_names(reads):
        raise UsageError(
            f"{name}: reads is {reads!r}, and no set of names of operations, like {{'read'}}"
        )
    return Spec(
        name=str(getattr(made, "name", attribute)),
        about=str(getattr(made, "about", f"{attribute}, a specification of one's own.")),
        operations=(),
        initial=made.initial,
        step=made.step,
        partition=partition,
        reads=frozenset(reads),
    )


def _are_names(value: Any) -> bool:
    """A text is a sequence of letters, and none of names."""
    if isinstance(value, str) or not isinstance(value, Collection):
        return False
    return all(isinstance(name, str) for name in value)


def _guarded(
    name: str, what: str, function: Callable[..., Any], hashed: str | None = None
) -> Callable[..., Any]:
    """The function; where it raises, the user hears on what. What is `hashed` must be hashable."""

    def guarded(*arguments: Any) -> Any:
        try:
            found = function(*arguments)
        except FAILURES as error:
            told = f"{what}({', '.join(map(repr, arguments))})"
            text = traceback.format_exc(limit=-1)
            raise UsageError(f"{name} failed at {told}:\n{text}") from error
        if hashed is None:
            return found
        try:
            hash(found)
        except TypeError as error:
            raise UsageError(
                f"{name}: {what} returned {found!r}: {hashed} must be hashable "
                "(tuples for lists, frozensets for sets and of pairs for dicts)"
            ) from error
        return found

    return guarded
