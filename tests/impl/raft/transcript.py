"""Plays a transcript: commands to a group in memory, and what its members answer, indented."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterator

from delphic.impl.raft.messages import (
    AppendRequest,
    AppendResponse,
    HardState,
    Kind,
    Message,
    VoteRequest,
    VoteResponse,
)
from delphic.impl.raft.progress import Window
from delphic.impl.raft.ready import (
    Event,
    Proposed,
    ReadRequested,
    Ready,
    Received,
    Role,
    Timer,
    TimerFired,
)
from member import Member, entries_of

ROUNDS_MAX = 100


class Transcript:
    """Members and the messages between them, first in first out on every link.

    group a b c [bug=NAME] [one-by-one]   begin anew; one-by-one: one entry to a request
    start a [term=N] [vote=b] [log=1,1,2] bring a up with its disk, or with this one
    fire a TIMER · propose a x y · read a 1 2 · sync a
    deliver a b [N] · drop a b [N] · copy a b   what is under way from a to b: all, or the first N
    exchange a b c                        deliver and sync among these until nothing is under way
    show [a b]                            where members are
    """

    def __init__(self) -> None:
        self._members: dict[str, Member] = {}
        self._links: dict[tuple[str, str], deque[Message]] = defaultdict(deque)
        self._make: Callable[..., Member] = Member
        self._commands: dict[str, Callable[..., Iterator[str]]] = {
            "group": self._group,
            "start": self._start,
            "fire": lambda a, timer: self._step(a, TimerFired(Timer(timer))),
            "propose": lambda a, *words: self._step(
                a, Proposed(tuple((Kind.APPEND, word.encode()) for word in words))
            ),
            "read": lambda a, *tokens: self._step(a, ReadRequested(tuple(map(int, tokens)))),
            "sync": self._sync,
            "deliver": self._deliver,
            "drop": self._drop,
            "copy": self._copy,
            "exchange": self._exchange,
            "show": self._show,
        }

    def play(self, text: str) -> str:
        """The transcript with the answers that the commands give now."""
        lines: list[str] = []
        for line in text.splitlines():
            if line.startswith("  "):
                continue
            lines.append(line)
            if line and not line.startswith("#"):
                name, *args = line.split()
                lines += [f"  {answer}" for answer in self._commands[name](*args)]
        return "\n".join(lines) + "\n"

    def _group(self, *words: str) -> Iterator[str]:
        aliases = [word for word in words if len(word) == 1]
        bugs = frozenset(word.removeprefix("bug=") for word in words if word.startswith("bug="))
        window = Window(request_entries_max=1) if "one-by-one" in words else None
        self._links.clear()
        self._make = lambda alias, **disk: Member(alias, aliases, bugs=bugs, window=window, **disk)
        self._members = {alias: self._make(alias) for alias in aliases}
        yield from ()

    def _start(self, alias: str, *words: str) -> Iterator[str]:
        disk = dict(word.split("=") for word in words)
        if disk:
            log = entries_of(map(int, disk.get("log", "").split(",")) if "log" in disk else ())
            last_term = log[-1].term if log else 0
            hard_state = HardState(int(disk.get("term", last_term)), disk.get("vote"))
            self._members[alias] = self._make(alias, hard_state=hard_state, log=log)
        else:
            self._members[alias].restart()
        yield from self._show(alias)

    def _step(self, alias: str, event: Event) -> Iterator[str]:
        member = self._members[alias]
        try:
            ready = member.step(event)
        except AssertionError as error:
            yield f"{alias}: refuses to go on: {error}"
            return
        yield from self._describe(member, ready)
        self._send(ready.messages)

    def _sync(self, alias: str) -> Iterator[str]:
        released, report = self._members[alias].sync()
        yield from (f"{m.src} -> {m.dst}: {described(m)}" for m in released)
        self._send(released)
        if report is not None:
            yield f"{alias}: {report.index}/{report.term} is durable"
            yield from self._step(alias, report)

    def _deliver(self, src: str, dst: str, count: str = "") -> Iterator[str]:
        for message in self._take(src, dst, count):
            yield f"{dst} <- {src}: {described(message)}"
            yield from self._step(dst, Received(message))

    def _drop(self, src: str, dst: str, count: str = "") -> Iterator[str]:
        for message in self._take(src, dst, count):
            yield f"lost: {src} -> {dst}: {described(message)}"

    def _copy(self, src: str, dst: str) -> Iterator[str]:
        self._links[src, dst].append(self._links[src, dst][0])
        yield from ()

    def _exchange(self, *aliases: str) -> Iterator[str]:
        links = [(a, b) for a in aliases for b in aliases if a != b]
        for _ in range(ROUNDS_MAX):
            for alias in aliases:
                list(self._sync(alias))
            for src, dst in links:
                list(self._deliver(src, dst))
            waiting = any(self._members[alias].unsynced for alias in aliases)
            if not waiting and not any(self._links[link] for link in links):
                break
        else:
            raise AssertionError("no end of messages")
        yield from self._show(*aliases)

    def _show(self, *aliases: str) -> Iterator[str]:
        for alias in aliases or self._members:
            core = self._members[alias].core
            log = " ".join(str(core.log.term_at(i)) for i in range(1, core.log.last_index + 1))
            peers = "".join(
                f" {peer}:{p.match}{'?' if p.probing else '-'}{p.next}"
                for peer, p in core.progress.items()
            )
            leader = f" of {core.leader}" if core.leader and core.role is not Role.LEADER else ""
            yield (
                f"{alias}: {core.role}{leader} in term {core.term}, "
                f"commit {core.commit}, log [{log}]{peers}"
            )

    def _take(self, src: str, dst: str, count: str) -> list[Message]:
        link = self._links[src, dst]
        return [link.popleft() for _ in range(int(count) if count else len(link))]

    def _send(self, messages: list[Message]) -> None:
        for message in messages:
            self._links[message.src, message.dst].append(message)

    def _describe(self, member: Member, ready: Ready) -> Iterator[str]:
        alias, core = member.alias, member.core
        if ready.role_changed:
            yield f"{alias}: {core.role} in term {core.term}, leader {core.leader or 'unknown'}"
        if ready.hard_state is not None:
            yield f"{alias}: writes term {ready.hard_state.term}, vote {ready.hard_state.vote}"
        if ready.truncate_from is not None:
            yield f"{alias}: cuts its log off from {ready.truncate_from} on"
        if ready.entries:
            terms = " ".join(str(entry.term) for entry in ready.entries)
            yield f"{alias}: writes entries from {ready.first_index} on: {terms}"
        if ready.refused:
            yield f"{alias}: takes no proposals"
        if ready.commit_advanced:
            yield f"{alias}: commit {ready.commit}"
        yield from (f"{alias}: read {token} is safe at {index}" for token, index in ready.reads)
        yield from (f"{alias}: refuses read {token}" for token in ready.reads_refused)
        yield from (f"{m.src} -> {m.dst}: {described(m)}" for m in ready.messages)
        yield from (f"{m.src} => {m.dst}: {described(m)}" for m in ready.after_persist)
        timers = [f"+{timer}" for timer in sorted(ready.arm)]
        timers += [f"-{timer}" for timer in sorted(ready.disarm)]
        if timers:
            yield f"{alias}: timers {' '.join(timers)}"


def described(message: Message) -> str:
    """A message without its addresses, in few words."""
    pre = "pre-" if isinstance(message, VoteRequest | VoteResponse) and message.pre else ""
    match message:
        case VoteRequest(last_index=index, last_term=term):
            return f"{pre}vote? term {message.term}, last {index}/{term}"
        case VoteResponse(granted=granted):
            return f"{pre}vote: {'yes' if granted else 'no'}, term {message.term}"
        case AppendRequest(prev_index=index, prev_term=term, entries=entries):
            terms = " ".join(str(entry.term) for entry in entries)
            return (
                f"append? term {message.term}, after {index}/{term}: [{terms}], "
                f"commit {message.commit}, round {message.round}"
            )
        case AppendResponse(success=True, match=match, round=round):
            return f"append: until {match}, term {message.term}, round {round}"
        case AppendResponse(hint=hint, round=round):
            return f"append: no, look at {hint}, term {message.term}, round {round}"
