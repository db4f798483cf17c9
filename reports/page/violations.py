"""The section of the page that shows violations, each with its operations and their moments."""

from ..markup import Child, Html, el
from ..prose import ICONS, duration_text, seconds_text
from .document import Document
from .tables import excerpt, table
from .witness import NOT_OBSERVED, Moment, Row, Witness

_BAR_WIDTH = 200
"""The width of the bars in a witness table, in units of their own."""


def witness_section(document: Document) -> Html | None:
    """For each violation: the operations, what members were then, and what their logs say."""
    if not document.witnesses:
        return None
    return el("div", [_witness(w, document) for w in document.witnesses])


def _witness(witness: Witness, document: Document) -> Html:
    broken = f" · breaks {', '.join(witness.promises)}" if witness.promises else ""
    said = f"{', '.join(witness.checkers)}{broken}"
    return el(
        "article",
        el("h3", ICONS[witness.validity][0], " ", said),
        el("p", witness.sentence, class_="sentence"),
        _witness_table(witness, document) if witness.rows else None,
        _moments(witness.moments, has_data_nodes=bool(document.plan.sides))
        if witness.moments
        else None,
        el("div", [excerpt(log, is_open=True) for log in witness.logs], class_="logs"),
        class_="violation",
    )


def _witness_table(witness: Witness, document: Document) -> Html:
    begin = min(row.start for row in witness.rows)
    until = max(document.end if row.end is None else row.end for row in witness.rows)
    span = max(1, until - begin)
    heads = ("op", "when", "time", "who", "did", "came back", "outcome", "took")
    with_key = len({row.key for row in witness.rows if row.key}) > 1
    rows = [_witness_row(row, begin, span, with_key=with_key) for row in witness.rows]
    caption = "The witness (numbered) and the operations around it, in order of invocation"
    return table(caption, heads, rows, class_="flow witnesses")


def _witness_row(row: Row, begin: int, span: int, *, with_key: bool) -> list[Child]:
    left = (row.start - begin) / span * _BAR_WIDTH
    end = begin + span if row.end is None else row.end
    width = max(3.0, (end - row.start) / span * _BAR_WIDTH)
    left = min(left, _BAR_WIDTH - width)
    kind = f"bar {row.outcome}{' is-witness' if row.number else ''}"
    bar = el(
        "svg",
        el("rect", x=0, y=6.5, width=_BAR_WIDTH, height=1, class_="rail"),
        el("rect", x=round(left, 2), y=2, width=round(width, 2), height=10, class_=kind),
        viewBox=f"0 0 {_BAR_WIDTH} 14",
        preserveAspectRatio="none",
        aria_hidden="true",
    )
    indices = f"{row.index}" if row.end_index is None else f"{row.index}–{row.end_index}"
    mark = el("span", row.relation, class_="relation")
    if row.number is not None:
        mark = el("strong", f"Witness {row.number}", class_="mark")
    name = f"op-{row.index}" if row.number is not None else None
    anchor = el("span", indices, id=name, class_="indices")
    node = f" at {row.node}" if row.node else ""
    return [
        el("span", mark, " ", anchor),
        bar,
        _in_timeline(row),
        f"{_who(row.process)}{node}",
        f"{row.f} {row.asked}" + (f" of {row.key}" if with_key else ""),
        row.result,
        el("span", row.outcome, class_=f"outcome {row.outcome}"),
        "open" if row.end is None else duration_text(row.end - row.start),
    ]


def _in_timeline(row: Row) -> Html:
    until = row.start if row.end is None else row.end
    return el(
        "a",
        seconds_text(row.start),
        href="#timeline",
        title="Show in the timeline",
        data_from=row.start / 1e6,
        data_to=until / 1e6,
    )


def _who(process: str) -> str:
    return f"process {process}" if process.lstrip("-").isdecimal() else process


def _moments(moments: tuple[Moment, ...], *, has_data_nodes: bool) -> Html:
    """Data nodes of a cluster with controllers have no role: they are left out while they live."""
    heads = ["member", *(f"witness {m.number} ({seconds_text(m.time)})" for m in moments)]
    names = [name for name, _ in moments[0].members]
    if has_data_nodes:
        seen = {name for m in moments for name, state in m.members if state != NOT_OBSERVED}
        names = [name for name in names if name in seen]
    rows: list[list[Child]] = [
        [name, *(dict(moment.members)[name] for moment in moments)] for name in names
    ]
    in_force = [", ".join(f"F{n}" for n in m.faults) or "none" for m in moments]
    rows.append(["faults in force", *in_force])
    return table("What the observer last saw the members to be", heads, rows, class_="plain")
