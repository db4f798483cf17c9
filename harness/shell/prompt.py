"""Where calls come from and what becomes of them: a script, or a person at a prompt."""

import asyncio
import re
import readline
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ...impl.client.errors import RequestError
from ...impl.stream.types import TYPES
from ..errors import DelphicError, UsageError
from ..running.leases import state_directory
from .functions import SAYS, SIGNATURES, Ready, understood
from .grammar import GrammarError, Invocation, Name, parse
from .show import Look
from .sites import Sites

PROMPT = "delphic> "
HISTORY = "shell_history"
HISTORY_LINES_MAX = 1000

Calls = Sequence[tuple[Invocation, Ready]]

_SECRET = re.compile(r"\b(login|createUser|changePwd)\b")
"""Functions that take passwords."""

_HELP, _LEAVE = "help", ("exit", "quit")


def prepared(text: str) -> Calls:
    """All calls of a text, looked up before the first is made. Raises UsageError."""
    try:
        return [(call, _prepared(call)) for call in parse(text)]
    except GrammarError as error:
        raise UsageError(str(error)) from None


def _prepared(call: Invocation) -> Ready:
    if call.function != _HELP:
        return understood(call)
    words = [arg.word if isinstance(arg, Name) else str(arg) for arg in call.args]
    unknown = [word for word in words if word not in SIGNATURES]
    if unknown:
        raise UsageError(f"no function {unknown[0]}; help() lists them")

    async def helped(_: Sites) -> list[dict[str, Any]]:
        names = words or sorted(SIGNATURES)
        return [{"function": SIGNATURES[name], "does": SAYS[name]} for name in names]

    return helped


async def perform(call: Invocation, ready: Ready, sites: Sites, look: Look) -> bool:
    """Make one call and show what came; whether it went well."""
    try:
        value = await ready(sites)
    except (RequestError, DelphicError) as error:
        look.error(call.text, error)
        return False
    look.result(call.text, value)
    return True


async def script(calls: Calls, sites: Sites, look: Look) -> bool:
    """Make the calls up to the first that fails; whether none did."""
    for call, ready in calls:
        if not await perform(call, ready, sites, look):
            return False
    return True


def converse(runner: asyncio.Runner, sites: Sites, look: Look, say: Callable[[str], None]) -> None:
    """Read lines and make their calls until the end of input; Ctrl-C gives up a line or a call."""
    history = state_directory() / HISTORY
    _begin(history, say)
    try:
        while True:
            try:
                line = input(PROMPT).strip()
                _keep(line)
                if line.removesuffix("()") in _LEAVE:
                    return
                for call, ready in prepared(line):
                    if not runner.run(perform(call, ready, sites, look)):
                        break
            except EOFError:
                say("")
                return
            except KeyboardInterrupt:
                say("\ninterrupted; a call under way may have been executed")
            except UsageError as error:
                say(f"error: {error}")
    finally:
        _end(history, say)


def completions(text: str, aliases: Sequence[str] = ()) -> list[str]:
    """What a word may become."""
    functions = [f"{name}(" for name in (*SIGNATURES, _HELP)]
    return sorted(word for word in (*functions, *TYPES, *aliases) if word.startswith(text))


def _complete(text: str, state: int) -> str | None:
    found = completions(text)
    return found[state] if text and state < len(found) else None


def _begin(history: Path, say: Callable[[str], None]) -> None:
    readline.set_auto_history(False)
    readline.set_completer(_complete)
    readline.set_completer_delims(" \t\n\"'()[]{},;:=")
    readline.parse_and_bind("tab: complete")
    readline.set_history_length(HISTORY_LINES_MAX)
    try:
        if history.is_file():
            readline.read_history_file(history)
    except OSError as error:
        say(f"cannot read what was typed before ({history}): {error.strerror}")


def _keep(line: str) -> None:
    """For later, if it holds no password."""
    last = readline.get_history_item(readline.get_current_history_length())
    if line and line != last and _SECRET.search(line) is None:
        readline.add_history(line)


def _end(history: Path, say: Callable[[str], None]) -> None:
    try:
        history.parent.mkdir(parents=True, exist_ok=True)
        readline.write_history_file(history)
    except OSError as error:
        say(f"cannot keep what was typed in {history}: {error.strerror}")
