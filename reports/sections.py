"""The parts of the page, each from a document: markup or, where there is nothing to say, None."""

from collections.abc import Iterator

from ..harness.verdict import Validity, Verdict
from .document import BROKEN, KEPT, Document
from .faults import Act
from .markup import Child, Html, el
from .nodelogs import Excerpt
from .prose import duration_text, plural, seconds_text
from .tables import facts, reachability, states, table
from .witness import Moment, Row, Witness

ICONS: dict[Validity | None, tuple[str, str]] = {
    Validity.PASS: ("✓", "Pass"),
    Validity.FAIL: ("✕", "Fail"),
    Validity.INCONCLUSIVE: ("?", "Inconclusive"),
    Validity.UNKNOWN: ("?", "Unknown"),
    Validity.HARNESS_ERROR: ("!", "Harness error"),
    None: ("…", "Not judged"),
}
"""Sign and word: a verdict is never told by its colour alone."""

_STATES = {KEPT: ("✓", "kept"), BROKEN: ("✕", "broken")}

_BAR_WIDTH = 200
"""The width of the bars in a witness table, in units of their own."""


def banner(document: Document) -> Html:
    """Verdict, sentence, promises, what was expected, and how to run it again."""
    validity = document.validity
    icon, word = ICONS[validity]
    judged = document.verdict
    sentence = judged.sentence if judged else "This run has not been judged: it left no verdict."
    name = "none" if validity is None else validity.value
    link = (
        el("a", "Show the operations that prove it", href="#witness")
        if document.witnesses
        else None
    )
    return el(
        "div",
        el(
            "div",
            el("p", el("span", icon, class_="icon", aria_hidden="true"), word, class_="word"),
            _expectation(document),
            class_=f"verdict {name}",
        ),
        el("h1", document.title),
        el("p", " · ".join(_particulars(document)), class_="meta"),
        el("p", sentence, class_="sentence"),
        el("p", link) if link else None,
        _promises(document),
        _command(document.command),
        _missing(document),
    )


def _particulars(document: Document) -> Iterator[str]:
    """Which run this is."""
    yield document.plan.scenario or document.name
    if document.seed is not None:
        yield f"seed {document.seed}"
    judged = document.verdict
    target = document.plan.target or (judged.target if judged else "")
    if target:
        yield f"on {target}"
    if judged is not None:
        yield judged.started
        yield f"{judged.duration_s:,.1f} s"


def _expectation(document: Document) -> Html | None:
    if document.verdict is None:
        return None
    expected = document.verdict.expected
    if document.verdict.as_expected:
        return el("p", f"as expected ({expected})", class_="expected")
    return el("p", f"expected: {expected}", class_="expected not")


def _promises(document: Document) -> Html | None:
    if not document.promises:
        return None
    items = []
    for promise in document.promises:
        icon, word = _STATES.get(promise.state, ("?", "undecided"))
        items.append(
            el(
                "li",
                el("span", f"{icon} {word}", class_=f"state {promise.state}"),
                el("span", el("strong", promise.id), " ", promise.text),
            )
        )
    return el("ul", items, class_="promises", aria_label="Promises")


def _command(command: str) -> Html | None:
    if not command:
        return None
    return el(
        "p",
        el("span", "Repeat it: "),
        el("code", command, id="command"),
        el("button", "Copy", type="button", data_copy="command"),
        class_="command",
    )


def _missing(document: Document) -> Html | None:
    if not document.missing:
        return None
    items = [el("li", sentence) for sentence in document.missing]
    return el("div", el("strong", "Incomplete:"), el("ul", items), class_="missing", role="note")


def story(document: Document) -> Html:
    """Three to six numbers."""
    tiles = [
        el("div", el("dt", f.label), el("dd", el("b", f.value), el("small", f.note)))
        for f in document.story
    ]
    return el("dl", tiles, class_="story")


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
        _moments(witness.moments) if witness.moments else None,
        el("div", [_log(log, is_open=True) for log in witness.logs], class_="logs"),
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


def _moments(moments: tuple[Moment, ...]) -> Html:
    heads = ["member", *(f"witness {m.number} ({seconds_text(m.time)})" for m in moments)]
    names = [name for name, _ in moments[0].members]
    rows: list[list[Child]] = [
        [name, *(dict(moment.members)[name] for moment in moments)] for name in names
    ]
    in_force = [", ".join(f"F{n}" for n in m.faults) or "none" for m in moments]
    rows.append(["faults in force", *in_force])
    return table("What the members were at that time", heads, rows, class_="plain")


def checkers(document: Document) -> Html | None:
    """Every checker's verdict."""
    if not document.verdicts:
        return None
    heads = ("checker", "verdict", "what it says", "promises", "witness", "cost")
    rows = [_checker_row(verdict, document) for verdict in document.verdicts]
    return table("Verdicts, one a checker", heads, rows, class_="flow checks")


def _checker_row(verdict: Verdict, document: Document) -> list[Child]:
    icon, word = ICONS[verdict.validity]
    anchors = {
        index: row.index
        for witness in document.witnesses
        for row in witness.numbered
        for index in (row.index, row.end_index)
    }
    ops: list[Child] = []
    for index in verdict.witness:
        shown = f"op {index}"
        at = anchors.get(index)
        ops += [el("a", shown, href=f"#op-{at}") if at is not None else shown, " "]
    return [
        verdict.checker,
        el("span", f"{icon} {word}", class_=f"state {verdict.validity.value}"),
        verdict.sentence,
        ", ".join(verdict.promises) or "–",
        el("span", ops) if ops else "–",
        duration_text(round(verdict.cost_s * 1e6)),
    ]


def fault_section(document: Document) -> Html:
    """What was asked, what came of it, and the proof."""
    if not document.acts:
        return el("p", "No fault was planned, and none happened.")
    effects = {effect.number: effect for effect in document.effects}
    rows: list[list[Child]] = []
    for act in document.acts:
        effect = None if act.number is None else effects.get(act.number)
        longest = None if effect is None or effect.longest is None else effect.longest.length
        rows.append(
            [
                _fault_name(act),
                act.kind,
                act.target or "–",
                ", ".join(act.nodes) or "–",
                seconds_text(act.start),
                "–" if act.number is None else seconds_text(act.end),
                _bit(act),
                "–" if effect is None else f"{effect.acknowledged:,}",
                duration_text(longest),
                duration_text(None if effect is None else effect.recovery),
            ]
        )
    heads = ("fault", "act", "asked for", "hit", "from", "until", "took hold",
             "acknowledged meanwhile", "longest without", "first after its end")  # fmt: skip
    receipts = [_receipt(act) for act in document.acts]
    return el(
        "div",
        table("All acts of the nemesis, in order", heads, rows),
        el("details", el("summary", f"The receipts of {plural(len(receipts), 'act')}"),
           el("div", receipts, class_="receipts"), open=True),
    )  # fmt: skip


def _fault_name(act: Act) -> str:
    """`F1`, or of a repair what it ends."""
    if act.number is not None:
        return f"F{act.number}"
    return f"ends {', '.join(f'F{number}' for number in act.undoes)}" if act.undoes else ""


def _bit(act: Act) -> Html:
    match act.bit:
        case True:
            return el("span", "✓ yes", class_="state pass")
        case False:
            return el("span", "✕ no", class_="state fail")
        case None:
            return el("span", "? no receipt", class_="state unknown")


def _receipt(act: Act) -> Html:
    title = " · ".join(filter(None, (_fault_name(act), seconds_text(act.start), act.label)))
    links = ", ".join(f"{source}→{destination}" for source, destination in act.links)
    other = [el("p", f"{name}: {value}") for name, value in act.other]
    return el(
        "article",
        el("h3", title),
        el("p", f"Asked for: {act.kind} {act.target}"),
        el("p", f"Links: {links}") if links else None,
        other,
        el("p", el("strong", act.error)) if act.error else None,
        reachability(act),
        states(act),
        el("p", "Took hold: ", _bit(act)),
    )


def statistics(document: Document) -> Html | None:
    """What was measured."""
    if document.verdict is None or not document.verdict.statistics:
        return None
    return el("div", facts("Measured", document.verdict.statistics), class_="tables")


def logs(document: Document) -> Html | None:
    """Both ends of each member's log."""
    return el("div", [_log(log) for log in document.logs]) if document.logs else None


def _log(log: Excerpt, *, is_open: bool = False) -> Html:
    lines: list[Child] = []
    last = None
    for line in log.lines:
        if last is not None and line.number != last + 1:
            lines.append(el("span", "⋯\n", class_="left-out"))
        last = line.number
        time = seconds_text(line.time) if line.is_stamped else ""
        number = el("span", f"{line.number:>5} ", class_="number")
        lines += [number, el("span", f"{time:>10} ", class_="time"), f"{line.text}\n"]
    summary = el("summary", el("strong", log.node), " ", log.note)
    text = el("pre", lines, tabindex=0, aria_label=f"Log of {log.node}") if lines else None
    return el("details", summary, text, open=is_open, class_="log")


def provenance(document: Document) -> Html:
    """Which Delphic, which plan, where the files lie, and how to do it again."""
    judged = document.verdict
    run = {
        "directory": document.name,
        "started": judged.started if judged else None,
        "duration_s": judged.duration_s if judged else None,
        "exit code": judged.exit_code if judged else None,
        "description": document.plan.description or None,
    }
    tables = facts("The run", {name: value for name, value in run.items() if value is not None})
    if judged:
        version = judged.provenance
        tables += facts(
            "Delphic", {name: getattr(version, name) for name in version.__struct_fields__}
        )
    plan = document.plan
    planned = {
        "system": plan.system,
        "target": plan.target,
        "members": plan.members,
        "seeded bugs": {node: bugs for node, bugs in plan.bugs.items()},
        "workload": plan.workload,
        "config": plan.config | plan.node_config,
        "limits": plan.limits,
        "expect": plan.expect,
    }
    tables += facts("Planned", {name: value for name, value in planned.items() if value})
    tables += facts("Environment", document.environment)
    sizes = [(name, f"{size:,} bytes") for name, size in document.files]
    tables.append(table("Files of the run", ("file", "size"), sizes, class_="facts"))
    return el("div", el("div", tables, class_="tables"), _scenario(document), _again(document))


def _scenario(document: Document) -> Html | None:
    if not document.scenario:
        return None
    text = el("pre", document.scenario, tabindex=0, aria_label="Scenario")
    return el("details", el("summary", "The scenario as it was written"), text, open=True)


def _again(document: Document) -> Html | None:
    if not document.command:
        return None
    return el(
        "p",
        "The same seed plans the same operations and faults: ",
        el("code", document.command),
        ". To judge the history again: ",
        el("code", f"delphic check {document.name}"),
        "; to make this page again: ",
        el("code", f"delphic report {document.name}"),
        ".",
    )
