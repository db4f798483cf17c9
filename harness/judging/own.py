"""A specification by its name, or one of the user's own: FILE.py:NAME."""

import importlib.util
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..checkers.judging import named
from ..checkers.operations import by_key
from ..checkers.specs import SPECS
from ..checkers.specs.spec import Spec
from ..errors import UsageError


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
    if isinstance(held, Spec):
        return held
    return _of_class(name, attribute, held)


def _attribute(file: str, attribute: str) -> Any:
    """What the file calls so."""
    path = Path(file)
    loading = importlib.util.spec_from_file_location(path.stem, path)
    if not path.is_file() or loading is None or loading.loader is None:
        raise UsageError(f"there is no file {file}")
    module = importlib.util.module_from_spec(loading)
    try:
        loading.loader.exec_module(module)
    except Exception as error:
        # Whatever the user's file raises is the user's to mend.
        raise UsageError(f"{file} cannot be loaded:\n{traceback.format_exc(limit=-1)}") from error
    if not hasattr(module, attribute):
        names = [name for name in vars(module) if not name.startswith("_")]
        raise UsageError(f"{file} has no {attribute!r}; it has {', '.join(names) or 'nothing'}")
    return getattr(module, attribute)


def _of_class(name: str, attribute: str, held: Any) -> Spec:
    """Anything with `initial` and `step`; reads and partition where it has them."""
    made = held() if isinstance(held, type) else held
    missing = [part for part in ("initial", "step") if not callable(getattr(made, part, None))]
    if missing:
        raise UsageError(
            f"{name} has no {' and no '.join(missing)}: a specification has initial() and "
            "step(state, f, argument, result), which returns a state, or None if not legal"
        )
    return Spec(
        name=getattr(made, "name", attribute),
        about=getattr(made, "about", f"{attribute}, a specification of one's own."),
        operations=(),
        initial=made.initial,
        step=_guarded(name, made.step),
        partition=getattr(made, "partition", by_key),
        reads=frozenset(getattr(made, "reads", ())),
    )


def _guarded(name: str, step: Callable[[Any, str, Any, Any], Any]) -> Callable[..., Any]:
    """The step; where it raises, the user hears on what."""

    def guarded(state: Any, f: str, argument: Any, result: Any) -> Any:
        try:
            return step(state, f, argument, result)
        except Exception as error:
            told = f"step({state!r}, {f!r}, {argument!r}, {result!r})"
            text = traceback.format_exc(limit=-1)
            raise UsageError(f"{name} failed at {told}:\n{text}") from error

    return guarded
