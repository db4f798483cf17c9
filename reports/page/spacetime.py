"""The section that shows who told whom what around the witness: a picture, and it as a table.

Time runs down. Events have about equal room, so that those of a millisecond stay apart and a pause
of a second stays on the page: the times stand on the left.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping

from ...harness.prose import plural
from ..markup import Child, Html, el
from ..prose import duration_text, seconds_text, shortened
from .document import Document
from .messages import Exchange, Message, Turn
from .tables import table

WIDTH = 1_080
COLUMN_MIN, COLUMN_MAX = 140, 330
"""Columns share the width of a page; many members are wider than it, and scroll."""

GUTTER = 76
TOP = 40
STEP, STEP_MAX = 13.0, 44.0
PAUSE_US = 1_000
"""A pause of so long is worth one more STEP."""

LOST_SHARE = 0.62
"""So far an arrow goes that arrives nowhere."""

NAME_CHARACTERS_MAX = 20


def spacetime_section(document: Document) -> Html | None:
    """The messages around each moment; None if no trace or no clock tells any."""
    if not document.exchanges:
        return None
    several = len(document.exchanges) > 1
    return el(
        "div",
        [
            el(
                "details",
                el("summary", el("strong", one.name), f", {_extent(one)}"),
                _figure(one, document),
                class_="exchange",
                open=at == 0 or not several,
            )
            for at, one in enumerate(document.exchanges)
        ],
    )


def _extent(one: Exchange) -> str:
    more = ", the nearest of more" if one.is_cut else ""
    count, within = plural(len(one.messages), "message"), duration_text(one.end - one.begin)
    return f"from {seconds_text(one.begin)} on: {count} in {within}{more}"


def _figure(one: Exchange, document: Document) -> Html:
    lost = sum(m.is_lost for m in one.messages)
    label = (
        f"Messages between {', '.join(one.members)}, {_extent(one)}. "
        f"{plural(lost, 'message')} did not arrive. The table below says the same."
    )
    return el(
        "figure",
        el("div", _picture(one, label, document), class_="scroll", tabindex=0, role="region",
           aria_label=f"Picture of messages: {one.name}"),
        el("figcaption", "Time runs down, a line is a member in the colour of its role, an arrow a "
           "message; dashed ones ending in ✕ arrived nowhere within a second. Dotted lines are "
           "operations of clients, by the harness's clock.", _apart(one)),
        el("details", el("summary", "The same as a table"), _table(one)),
    )  # fmt: skip


def _apart(one: Exchange) -> str:
    """How far times of different members may be apart that seem to be one."""
    if not one.within:
        return ""
    return (
        " Members' hosts have clocks of their own, which were compared with the harness's before "
        f"and after the run: times are right give or take {duration_text(one.within)}, and an "
        "arrow that points up arrived within that."
    )


class _Scale:
    """Where times stand: every event below the one before it."""

    def __init__(self, times: Iterable[int]) -> None:
        self._times = sorted(set(times))
        self._places: list[float] = []
        y, last = float(TOP), self._times[0]
        for time in self._times:
            if time != last:
                y += min(STEP_MAX, STEP * (1 + (time - last) / PAUSE_US / 4))
            self._places.append(round(y, 1))
            last = time
        self.bottom = y + 2 * STEP

    def __call__(self, time: int) -> float:
        """An event's own place; of a time that is none, that of the event before it."""
        at = bisect_right(self._times, time)
        return self._places[at - 1] if at else TOP - STEP

    def __iter__(self) -> Iterator[tuple[int, float]]:
        return zip(self._times, self._places, strict=True)


def _picture(one: Exchange, label: str, document: Document) -> Html:
    inside = [t for m in one.messages for t in (m.sent, *m.arrived) if t is not None]
    times = [t for t in inside if one.begin <= t <= one.end]
    times += [turn.time for turn in one.turns] + [time for time, _ in one.marks]
    scale = _Scale([*times, one.begin, one.end])
    room = min(COLUMN_MAX, max(COLUMN_MIN, WIDTH // len(one.members)))
    columns = {node: GUTTER + 24 + room * at for at, node in enumerate(one.members)}
    width, height = GUTTER + 24 + room * len(columns), round(scale.bottom + STEP)
    return el(
        "svg",
        _clock(scale, width),
        [_life(node, x, one, scale, document) for node, x in columns.items()],
        [_mark(time, text, scale, width) for time, text in one.marks],
        [_arrow(message, columns, scale, one) for message in one.messages],
        [_turn(turn, columns[turn.node], scale) for turn in one.turns],
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
        role="img",
        aria_label=label,
        class_="spacetime",
    )


def _clock(scale: _Scale, width: int) -> list[Html]:
    """The time of an event, wherever there is room for one."""
    found, last = [], float("-inf")
    for time, y in scale:
        if y - last < 1.6 * STEP:
            continue
        last = y
        found.append(el("line", x1=GUTTER - 4, x2=width, y1=y, y2=y, class_="tick"))
        found.append(el("text", f"{time / 1e6:,.4f} s", x=4, y=y + 3.5, class_="clock"))
    return found


def _life(node: str, x: float, one: Exchange, scale: _Scale, document: Document) -> Html:
    """A member from top to bottom, in the colours of what it was; the harness saw it dead."""
    before = [turn for turn in one.before if turn.node == node]
    own = [*before, *(turn for turn in one.turns if turn.node == node)]
    edges = [TOP - STEP, *(scale(turn.time) for turn in own[len(before) :]), scale.bottom]
    bars = [
        el("rect", x=x - 4, y=top, width=8, height=round(max(0.0, bottom - top), 1),
           class_=f"life {turn.role}")
        for turn, top, bottom in zip(own, edges[:-1], edges[1:], strict=True)
    ]  # fmt: skip
    bars += [
        el("rect", x=x - 4, y=scale(span.start), width=8, class_=f"life {span.role}",
           height=round((scale.bottom if span.end > one.end else scale(span.end))
                        - scale(span.start), 1))
        for span in document.spans
        if span.node == node and span.role in ("dead", "paused")
        and span.start <= one.end and span.end >= one.begin
    ]  # fmt: skip
    name = shortened(node, NAME_CHARACTERS_MAX)
    return el("g", bars, el("text", name, x=x, y=16, class_="name"))


def _mark(time: int, text: str, scale: _Scale, width: int) -> Html:
    y = scale(time)
    return el(
        "g",
        el("line", x1=GUTTER - 4, x2=width, y1=y, y2=y, class_="moment"),
        el("text", shortened(text, 26), x=width - 4, y=y - 3, class_="moment-name"),
    )


def _arrow(
    message: Message, columns: Mapping[str, float], scale: _Scale, one: Exchange
) -> Html | None:
    """From who sent to who heard; one end may be out of the picture."""
    if message.source not in columns or message.target not in columns:
        return None
    left, right = columns[message.source], columns[message.target]
    sign = 1 if right > left else -1
    arrived = [time for time in message.arrived if one.begin <= time <= one.end]
    top = None if message.sent is None or message.sent < one.begin else scale(message.sent)
    first = scale(arrived[0]) if arrived else None
    if top is None and first is None:
        return None
    if top is None:
        assert first is not None
        top = first - STEP
        left = right - sign * 60
    parts: list[Child] = [el("title", spoken(message))]
    start, end = left + 5 * sign, right - 5 * sign
    for at, y in enumerate([scale(time) for time in arrived]):
        look = "flight" if at == 0 else "flight again"
        parts.append(el("line", x1=start, y1=top, x2=end, y2=y, class_=look))
        head = f"{end},{y} {end - 8 * sign},{y - 4} {end - 8 * sign},{y + 3}"
        parts.append(el("polygon", points=head, class_="head"))
    if not arrived:
        is_late = bool(message.arrived)
        share = 0.85 if is_late else LOST_SHARE
        x, y = start + (end - start) * share, top + STEP
        look = "flight late" if is_late else "flight lost"
        parts.append(el("line", x1=start, y1=top, x2=round(x, 1), y2=y, class_=look))
        sign_text = "later" if is_late else "✕"
        parts.append(el("text", sign_text, x=round(x, 1), y=y + 4, class_="end"))
    side = "start" if sign > 0 else "end"
    parts.append(el("text", message.text, x=left + 9 * sign, y=top - 3, class_=f"said {side}"))
    return el("g", parts, class_=f"message {message.kind}" if message.kind.isalnum() else "message")


def _turn(turn: Turn, x: float, scale: _Scale) -> Html:
    y = scale(turn.time)
    return el(
        "g",
        el("circle", cx=x, cy=y, r=4.5, class_=f"turn {turn.role}"),
        el("text", turn.text, x=x + 8, y=y + 10, class_="became"),
    )


def spoken(message: Message) -> str:
    """A message in a sentence."""
    end = "did not arrive within a second" if message.is_lost else "arrived nobody knows when"
    if message.arrived:
        end = f"arrived at {_exact(message.arrived[0])}"
        if message.sent is not None and message.arrived[0] >= message.sent:
            end += f", after {duration_text(message.arrived[0] - message.sent)}"
    again = f", {len(message.arrived)} times" if len(message.arrived) > 1 else ""
    when = "at an unknown time" if message.sent is None else f"at {_exact(message.sent)}"
    who = f"{message.source} to {message.target}"
    return f"{who}: {message.kind} ({message.text}), sent {when}, {end}{again}"


def _exact(time: int) -> str:
    return f"{time / 1e6:,.4f} s"


def _table(one: Exchange) -> Html:
    heads = ("time", "who", "what", "then")
    rows: list[tuple[int, list[Child]]] = []
    for message in one.messages:
        again = f" and {len(message.arrived) - 1} more" if len(message.arrived) > 1 else ""
        took = "never" if message.is_lost else "nobody knows when"
        if message.arrived:
            took = _exact(message.arrived[0])
        who = f"{message.source} → {message.target}"
        what = f"{message.kind}: {message.text}"
        sent = "unknown" if message.sent is None else _exact(message.sent)
        rows.append((message.first, [sent, who, what, f"arrived {took}{again}"]))
    rows += [(t.time, [_exact(t.time), t.node, t.text, "–"]) for t in one.turns]
    rows += [(time, [_exact(time), "client", text, "–"]) for time, text in one.marks]
    rows.sort(key=lambda row: row[0])
    return table(f"Messages and turns: {one.name}", heads, [cells for _, cells in rows])
