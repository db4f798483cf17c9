"""The section about queues: how much waited, by whom, as lines over time and as a table."""

from collections.abc import Iterator, Sequence

import msgspec

from ...harness.prose import plural
from ..markup import Child, Html, el
from ..prose import seconds_text
from .document import Document
from .figures import series_look
from .queues import LOOKS, Backlog
from .tables import table

_TASKS = (
    "Of the master: tasks that not all slaves have finished, as far as it knows. Of a slave: tasks "
    "that it has pulled and not finished. Both as controllers' traces say, of those of a cluster "
    "the one that was furthest."
)
_ENTRIES = (
    "By where each member's log ends, as its trace says: entries beyond those that anybody knew to "
    "be committed wait for a majority (or for somebody to drop them); those that others knew to be "
    "committed are missing. Of a member that is dead or paused the last that it wrote counts."
)


class QueueFigure(msgspec.Struct, frozen=True):
    """Lengths of queues at these times (seconds), a line each."""

    unit: str
    times: tuple[float, ...]
    lines: tuple[tuple[str, tuple[int | None, ...]], ...]


def queues_section(document: Document) -> Html | None:
    """A plot for each kind of queue, and each queue in a line of a table."""
    found = document.queues
    if not found:
        return None
    names = list(dict.fromkeys(queue.name for one in found for queue in one.queues))
    keys = [
        el("span", el("span", class_=f"swatch line {series_look(at)}"), name, class_="key")
        for at, name in enumerate(names)
    ]
    step = document.end / 1e6 / LOOKS
    return el(
        "figure",
        el("div", el("div", keys), class_="legend"),
        [_plot(at, one, document) for at, one in enumerate(found)],
        el(
            "figcaption",
            _TASKS if document.plan.sides else _ENTRIES,
            f" Looked at every {step:.3g} s: what came and went between is not seen. "
            "Shaded: faults in force.",
        ),
        table("Queues", ("queue", "of", "longest", "in the end"), list(_rows(found))),
    )


def _plot(at: int, one: Backlog, document: Document) -> Html:
    label = (
        f"{one.what}: {one.unit} of {plural(len(one.queues), 'queue')} over "
        f"{document.end / 1e6:.1f} seconds; the table below says the most"
    )
    return el("div", id=f"queue-plot-{at}", class_="plot", tabindex=0, role="group",
              aria_label=label)  # fmt: skip


def queue_figures(document: Document) -> tuple[QueueFigure, ...]:
    """What the page's script draws."""
    return tuple(
        QueueFigure(one.unit, tuple(t / 1e6 for t in one.times), one.queues)
        for one in document.queues
    )


def _rows(found: Sequence[Backlog]) -> Iterator[Sequence[Child]]:
    for one in found:
        for queue in one.queues:
            known = [(n, t) for n, t in zip(queue.lengths, one.times, strict=True) if n is not None]
            if not known:
                continue
            most, when = max(known, key=lambda point: point[0])
            longest = f"{most:,} at {seconds_text(when)}" if most else "always empty"
            yield f"{one.what}: {one.unit}", queue.name, longest, f"{known[-1][0]:,}"
