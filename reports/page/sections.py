"""The parts of the page, each from a document: markup or, where there is nothing to say, None."""

import shlex
from collections.abc import Sequence

from ...harness.prose import plural
from ...harness.verdict import Verdict
from ..markup import Child, Html, el
from ..prose import ICONS, duration_text, seconds_text
from .document import Document
from .faults import Act
from .merged import merged_section
from .tables import excerpt, facts, reachability, states, table


def story(document: Document) -> Html:
    """Three to six numbers."""
    tiles = [
        el("div", el("dt", f.label), el("dd", el("b", f.value), el("small", f.note)))
        for f in document.story
    ]
    return el("dl", tiles, class_="story")


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
                _fault_name(act) or "–",
                act.kind,
                act.target or "–",
                ", ".join(act.nodes) or "–",
                seconds_text(act.start),
                "–" if act.number is None else seconds_text(act.end),
                _bit(act),
                "–" if effect is None else f"{effect.acknowledged:,}",
                duration_text(longest),
                "–" if effect is None else effect.recovery_text,
            ]
        )
    heads = ("fault", "act", "asked for", "hit", "from", "until", "took hold",
             "acknowledged meanwhile", "longest without", "first after its end")  # fmt: skip
    receipts = [_receipt(act, document.members) for act in document.acts]
    return el(
        "div",
        table("All acts of the nemesis, in order", heads, rows, class_="stack acts"),
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


def _receipt(act: Act, members: Sequence[str]) -> Html:
    title = " · ".join(
        filter(None, (_fault_name(act), seconds_text(act.start), act.label(members)))
    )
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
    measured = {k: v for k, v in document.verdict.statistics.items() if k != "coverage"}
    return el("div", facts("Measured", measured), class_="tables")


def logs(document: Document) -> Html | None:
    """All members' logs as one, and both ends of each."""
    if not document.logs:
        return None
    return el("div", merged_section(document.merged), [excerpt(log) for log in document.logs])


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
    # Numbers here are names, like a process id: not to be grouped by thousands.
    names = {k: str(v) if type(v) is int else v for k, v in document.environment.items()}
    argv = names.get("command")
    if isinstance(argv, list):
        names["command"] = shlex.join(map(str, argv))
    tables += facts("Environment", names)
    return el(
        "div",
        el("div", tables, class_="tables"),
        _scenario("scenario", "The scenario as it was written", document.scenario, "Scenario"),
        _scenario(
            "shrunk",
            "The smallest scenario that breaks the same, as delphic shrink found it",
            document.shrunk,
            "Smallest scenario",
        ),
        _files(document),
        _again(document),
    )


def _files(document: Document) -> Html | None:
    if not document.files:
        return None
    sizes = [(name, f"{size:,} bytes") for name, size in document.files]
    content = table("Files of the run", ("file", "size"), sizes, class_="facts")
    return el("details", el("summary", f"The run's {plural(len(sizes), 'file')}"), content)


def _scenario(name: str, title: str, text: str, label: str) -> Html | None:
    """A scenario to read and to copy."""
    if not text:
        return None
    return el(
        "details",
        el("summary", title),
        el("button", "Copy", type="button", data_copy=name, aria_label=f"Copy: {label}"),
        el("pre", text, id=name, tabindex=0, aria_label=label),
        open=True,
    )


def _again(document: Document) -> Html | None:
    if not document.command:
        return None
    return el(
        "p",
        "The same seed plans the same operations and faults: ",
        el("code", document.command),
        ". To judge the history again: ",
        el("code", "delphic check RUN"),
        "; to make this page again: ",
        el("code", "delphic report RUN"),
        ", where RUN is the directory of the run.",
    )
