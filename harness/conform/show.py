"""What conformance found, for people, for tools and for CI."""

from collections.abc import Iterator, Sequence
from typing import Any
from xml.etree import ElementTree

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ...model.actor import Receive
from ...model.explore.show import named_fields, plain, text
from .binding import Binding, Conformance, Divergence

SAME = "(same)"


def sentence(results: Sequence[Conformance]) -> str:
    """One line for a person."""
    pairs = sum(result.pairs.total() for result in results)
    cores = sum(result.cores for result in results)
    replayed = sum(result.replayed for result in results)
    names = " and ".join(dict.fromkeys(result.binding for result in results))
    told = f"{pairs:,} pairs of state and event, {cores:,} steps of the implementation"
    kinds = sum(len(result.diverged) for result in results)
    if not kinds:
        return f"CONFORMS: {names}: {told}, {replayed:,} states replayed, no divergence."
    steps = sum(result.diverged.total() for result in results)
    return f"DIVERGES: {names}: {told}, {steps:,} differ, in {kinds} ways."


def line(result: Conformance) -> str:
    """What one set of bounds came to."""
    bounds = result.bounds
    kind = "random steps" if bounds.walk is not None else "global states"
    return (
        f"  {bounds.title} ({bounds}): {result.explored:,} {kind}, {result.states:,} local states, "
        f"{result.pairs.total():,} pairs, {result.diverged.total():,} divergences, "
        f"{result.seconds:.1f} s"
    )


def events(results: Sequence[Conformance]) -> Table:
    """Pairs checked, by event."""
    table = Table("event", "pairs", "divergences", box=None, pad_edge=False)
    table.columns[1].justify = table.columns[2].justify = "right"
    for name in sorted({name for result in results for name in result.pairs}):
        pairs = sum(result.pairs[name] for result in results)
        differ = sum(
            count for result in results for (event, _), count in result.diverged.items()
            if event == name
        )  # fmt: skip
        table.add_row(name, f"{pairs:,}", f"{differ:,}")
    return table


def divergence(found: Divergence, count: int) -> RenderableType:
    """State, event, the model's step and the implementation's, side by side; how to get there."""
    title = Text(f"{found.event}: {found.field} differs (in {count:,} pairs of this kind)")
    states = Table("state before", "", box=None, pad_edge=False)
    for name, value in named_fields(found.state) or [("state", found.state)]:
        states.add_row(name, _text(value))
    states.add_row("event", _event(found))
    if found.guess:
        states.add_row("assumed", found.guess)
    steps = Table(found.field, "model", "implementation", box=None, pad_edge=False)
    for name, model, implementation in _sides(found.expected, found.found):
        steps.add_row(name, model, implementation)
    path = Table("step", "shortest path to the state", box=None, pad_edge=False)
    for number, event in enumerate(found.path, start=1):
        path.add_row(str(number), _cause(event))
    return Group(Text(), title, Text(), states, Text(), steps, Text(), path)


def _sides(model: Any, implementation: Any) -> Iterator[tuple[str, str, str]]:
    ours, theirs = named_fields(model), named_fields(implementation)
    if type(model) is not type(implementation) or not ours:
        yield "", _text(model), _text(implementation)
        return
    for (name, one), (_, other) in zip(ours, theirs, strict=True):
        if one != other:
            yield name, _text(one), _text(other)
    if ours == theirs:
        yield "", _text(model), SAME


def _event(found: Divergence) -> str:
    return found.event if found.cause is None else f"{found.event}: {_cause(found.cause)}"


def _cause(event: Any) -> str:
    if isinstance(event, Receive):
        return f"receives {_text(event.message)} from {event.message.src}"
    return _text(event)


def _text(value: Any) -> str:
    return ", ".join(map(text, value)) or "-" if isinstance(value, list) else text(value)


def as_data(results: Sequence[Conformance]) -> dict[str, Any]:
    """Everything, as JSON can hold it."""
    return {
        "conforms": all(result.conforms for result in results),
        "sentence": sentence(results),
        "results": [_result(result) for result in results],
    }


def binding_as_data(binding: Binding) -> dict[str, Any]:
    """What can be asked of a binding."""
    return {
        "binding": binding.name,
        "title": binding.title,
        "small": [{"title": each.title, "bounds": str(each)} for each in binding.small],
        "documented": [{"title": each.title, "bounds": str(each)} for each in binding.documented],
        "differences": [{"name": d.name, "reason": d.reason} for d in binding.differences],
        "bugs": sorted(binding.bugs),
    }


def _result(result: Conformance) -> dict[str, Any]:
    return {
        "binding": result.binding,
        "title": result.bounds.title,
        "bounds": str(result.bounds),
        "explored": result.explored,
        "states": result.states,
        "pairs": dict(sorted(result.pairs.items())),
        "steps": result.cores,
        "replayed": result.replayed,
        "seconds": round(result.seconds, 2),
        "divergences": [
            {
                "event": d.event,
                "cause": plain(d.cause),
                "field": d.field,
                "count": result.diverged[d.event, d.field],
                "state": plain(d.state),
                "model": _plain(d.expected),
                "implementation": _plain(d.found),
                "assumed": d.guess,
                "path": [_cause(event) for event in d.path],
            }
            for d in result.divergences
        ],
    }


def _plain(value: Any) -> Any:
    return [plain(one) for one in value] if isinstance(value, list) else plain(value)


def as_junit(results: Sequence[Conformance]) -> bytes:
    """A suite a binding, a case for every bound: failed where a step differs."""
    root = ElementTree.Element("testsuites")
    for name in dict.fromkeys(result.binding for result in results):
        mine = [result for result in results if result.binding == name]
        suite = ElementTree.SubElement(
            root, "testsuite", name=f"delphic.conform.{name}", tests=str(len(mine)),
            failures=str(sum(not result.conforms for result in mine)), errors="0",
            time=f"{sum(result.seconds for result in mine):.3f}",
        )  # fmt: skip
        for result in mine:
            case = ElementTree.SubElement(
                suite, "testcase", classname=f"delphic.conform.{name}",
                name=f"{result.bounds.title} ({result.bounds})", time=f"{result.seconds:.3f}",
            )  # fmt: skip
            for found in result.divergences:
                told = f"{_event(found)}: {found.field} differs"
                failure = ElementTree.SubElement(case, "failure", type="divergence", message=told)
                failure.text = (
                    f"state: {_text(found.state)}\nmodel: {_text(found.expected)}\n"
                    f"implementation: {_text(found.found)}\n"
                    f"path: {'; '.join(map(_cause, found.path))}\n"
                )
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"
