"""What happened in a small run, as one paragraph: asked, broken, seen, which promise, and where.

Times are those of the scenario: they count from the moment the clients begin.
"""

import re
from collections.abc import Iterator
from typing import Any

from ..checkers.timeline import Act, acts, phase
from ..history import Call, History
from ..op import OBSERVER, Op, OpType
from ..plan import Plan
from ..promise import PROMISES
from ..verdict import RunVerdict, Verdict
from .failing import broken, failing
from .moments import spell
from .place import place

CALLS_MAX = 12
"""Of more operations than these, those that show the failure are told."""

ROWS_MAX = 6

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

_DONE = {
    "partition": "{nodes} {is_are} cut off ({asked})",
    "one-way": "what {nodes} {sends} no longer arrives ({asked})",
    "heal": "links are whole again",
    "kill": "{nodes} {is_are} killed",
    "power-cut": "{nodes} {loses} power",
    "restart": "{nodes} {is_are} started again",
    "pause": "{nodes} {is_are} paused",
    "crash-loop": "{nodes} {crashes} again and again",
    "resume": "{nodes} {goes} on",
    "delay": "links become slow ({asked})",
    "rate": "links become narrow ({asked})",
    "hold": "what {nodes} {sends} is held ({asked})",
    "release": "what was held is sent ({asked})",
    "drop": "what {nodes} {sends} is lost ({asked})",
}
"""Kind of fault → what it does; `nodes` are the members that it hit."""

Moment = tuple[int, str]
"""The index of an op, and what happened then."""


def tell(plan: Plan, history: History, verdict: RunVerdict, names: frozenset[str]) -> str:
    """The paragraph for a run in which these failed."""
    begin = phase(history, "main")
    start_ns = 0 if begin is None else begin.time_ns
    failed = [one for one in verdict.verdicts if names & failing(one)]
    failed.sort(key=lambda one: len(names.symmetric_difference(one.promises or failing(one))))
    witness = frozenset(failed[0].witness) if failed else frozenset[int]()
    moments = [
        *_leaders(history, start_ns),
        *_faults(history, start_ns),
        *_operations(history, start_ns, witness),
    ]
    told = [sentence for _, sentence in sorted(moments)]
    ending = _ending(failed, names, start_ns)
    return " ".join([_opening(plan), *told, *ending, place(plan)])


def _opening(plan: Plan) -> str:
    bugs = sorted({bug for found in plan.bugs.values() for bug in found})
    with_bugs = f", with the seeded {_plural('bug', len(bugs))} {_and(bugs)}" if bugs else ""
    config = {**plan.config}
    with_config = ", ".join(f"{name}: {value}" for name, value in config.items())
    count = _number(len(plan.members))
    ops = plan.load.ops
    clients = _number(plan.load.clients)
    asked = f"{clients} {_plural('client', plan.load.clients)}"
    if ops is not None:
        asked = f"{_number(len(ops))} scripted {_plural('operation', len(ops))}"
    return (
        f"{count.capitalize()} members{with_bugs}{f' ({with_config})' if with_config else ''}, "
        f"and {asked}."
    )


def _leaders(history: History, start_ns: int) -> Iterator[Moment]:
    """Who leads when clients begin, and whoever is seen to lead later."""
    before: Op | None = None
    for op in history.of(OBSERVER):
        if op.f != "role" or not isinstance(op.value, dict) or op.value.get("role") != "leader":
            continue
        said = f"{op.node} leads in term {op.value['term']}"
        if op.time_ns <= start_ns:
            before = op
        else:
            yield op.index, f"{_at(op, start_ns)} {said}."
    if before is not None:
        yield (
            before.index,
            f"When clients begin, {before.node} leads in term {before.value['term']}.",
        )


def _faults(history: History, start_ns: int) -> Iterator[Moment]:
    healing = phase(history, "heal")
    for act in acts(history):
        if healing is not None and act.asked.index > healing.index:
            yield healing.index, f"{_at(healing, start_ns)} all faults are undone."
            return
        if act.nodes or act.links:
            yield act.asked.index, f"{_at(act.asked, start_ns)} {_what(act)}."


def _what(act: Act) -> str:
    several = len(act.nodes) > 1
    return _DONE.get(act.kind, "{asked} on {nodes}").format(
        nodes=_and(act.nodes),
        is_are="are" if several else "is",
        sends="send" if several else "sends",
        loses="lose" if several else "loses",
        goes="go" if several else "goes",
        crashes="crash" if several else "crashes",
        asked=_asked(act),
    )


def _asked(act: Act) -> str:
    """What the plan said, in its words, without what is not so anyway."""
    value = {key: part for key, part in dict(act.asked.value).items() if key != "kind"}
    target = _spelled(value.pop("target", None))
    words = [target, *(f"{key} {_spelled(part)}" for key, part in value.items())]
    return f"{act.kind}: {', '.join(filter(None, words))}"


def _spelled(value: Any) -> str:
    match value:
        case dict():
            said = {key: part for key, part in value.items() if part not in (False, None)}
            return ", ".join(f"{key} {_spelled(part)}" for key, part in said.items())
        case list():
            sign = " | " if any(isinstance(part, list) for part in value) else ", "
            return sign.join(_spelled(part) for part in value)
        case None:
            return ""
        case _:
            return str(value)


def _operations(history: History, start_ns: int, witness: frozenset[int]) -> Iterator[Moment]:
    quiet = phase(history, "quiesce")
    calls = [call for call in history.calls() if call.invoke.time_ns >= start_ns]
    clients = [c for c in calls if quiet is None or c.invoke.index < quiet.index]
    for call in calls:
        is_cited = bool(witness & {call.invoke.index, _end(call).index})
        if is_cited or (call in clients and len(clients) <= CALLS_MAX):
            yield call.invoke.index, f"{_at(call.invoke, start_ns)} {_operation(call)}."


def _end(call: Call) -> Op:
    return call.invoke if call.completion is None else call.completion


def _operation(call: Call) -> str:
    """Who asked whom for what, and what came of it."""
    invoke, end = call.invoke, call.completion
    who = f"client {invoke.process}"
    node = (end or invoke).node
    through = f" through {node}" if node else ""
    match invoke.f, invoke.value:
        case "append", list() as rows:
            asked = f"{who} appends {_rows(rows)}{through}"
        case "read", [start, None]:
            asked = f"{who} reads {'all' if start == 0 else f'from offset {start}'}{through}"
        case "read", {"p": part}:
            what = "all" if part is None else f"partition {part}"
            asked = f"{who} reads {what} of {invoke.key}{through}"
        case "read", [start, most]:
            asked = f"{who} reads at most {most} rows from offset {start}{through}"
        case _:
            asked = f"{who} does {invoke.f} {invoke.value}{through}"
    return f"{asked}{_came(invoke, end)}"


def _came(invoke: Op, end: Op | None) -> str:
    if end is None:
        return " and gets no answer"
    why = f" ({end.error.partition(':')[0]})" if end.error else ""
    match end.type, invoke.f:
        case OpType.FAIL, _:
            return f" and is refused{why}"
        case OpType.INFO, "append":
            return f" and never learns whether it was done{why}"
        case OpType.INFO, _:
            return f" and gets no answer{why}"
        case _, "append":
            return f", acknowledged at offset {end.value}"
        case _, "read":
            return f" and gets {_rows(end.value) if end.value else 'nothing'}"
        case _:
            return f": {end.value}"


def _ending(failed: list[Verdict], names: frozenset[str], start_ns: int) -> Iterator[str]:
    for one in failed[:1]:
        yield f"Checker {one.checker}: {_as_told(one.sentence, start_ns)}"
    told = _and([f"{promise} ({PROMISES[promise].rstrip('.')})" for promise in broken(names)])
    yield f"That breaks {told}." if told else "No promise was seen to break."


def _as_told(sentence: str, start_ns: int) -> str:
    """A verdict's sentence without numbers of operations, in the scenario's time."""
    sentence = re.sub(r" Faults in force then: .*", "", sentence)
    sentence = re.sub(r" #\d+|: <NotLeader>[^ )]*", "", sentence)

    def earlier(found: re.Match[str]) -> str:
        return f"{found[1]} {_seconds(round(float(found[2]) * 1e9) - start_ns)}"

    return re.sub(r"\b(at|from|to|since) (\d+\.\d{3}) s\b", earlier, sentence)


def _at(op: Op, start_ns: int) -> str:
    return f"At {_seconds(op.time_ns - start_ns)}"


def _seconds(time_ns: int) -> str:
    """As the scenario spells it, to the millisecond."""
    return spell(time_ns // 1_000_000 * 1_000)


def _rows(rows: list[Any]) -> str:
    """Rows by number, where they have more than that."""
    numbers = [row[0] if isinstance(row, list) else row for row in rows[:ROWS_MAX]]
    shown = ", ".join(map(str, numbers))
    more = f" and {len(rows) - ROWS_MAX} more" if len(rows) > ROWS_MAX else ""
    return f"{_plural('row', len(rows))} {shown}{more}"


def _and(words: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def _number(count: int) -> str:
    return _NUMBERS[count] if count < len(_NUMBERS) else str(count)


def _plural(noun: str, count: int) -> str:
    return noun if count == 1 else f"{noun}s"
