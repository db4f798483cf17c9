"""Commands for a host, made of words: the only way in which a command line comes to be.

Rule: what a word holds can never be more than that word. Every word is quoted, and the first words
of a line are always ours, so that none of the caller's can be an assignment, an option or a name of
the shell's own.
"""

import shlex
from collections.abc import Sequence

from ..errors import UsageError

LENGTH_MAX = 100_000
"""Linux takes no single argument over 128 KiB, and the line becomes one of the login shell's."""

_SKIP = 'while IFS= read -r line && [ "$line" != "$1" ]; do :; done; shift; exec "$@"'
"""Reads up to a mark: sudo takes the password from the input only where it asks for one."""

_HEARD = '"$@"; code=$?; cat > /dev/null; exit "$code"'
"""Does not end before its input does."""


def line(words: Sequence[str]) -> str:
    """The words as a POSIX shell reads them back, run in the shell's place. Raises UsageError."""
    assert words
    for word in words:
        if "\0" in word:
            raise UsageError(f"no word of a command can hold a NUL: {word!r}")
    if words[0].startswith("-"):
        # Some shells' exec takes options, and not all of those take -- as their end.
        raise UsageError(f"no command is called {words[0]!r}")
    text = "exec " + shlex.join(words)
    try:
        size = len(text.encode(errors="surrogateescape"))
    except UnicodeEncodeError as error:
        raise UsageError(f"no text: {text[:80]!r}") from error
    if size > LENGTH_MAX:
        raise UsageError(f"a command of {size} bytes is too long: {text[:80]}…")
    return text


def within(timeout_s: float, words: Sequence[str]) -> tuple[str, ...]:
    """The command, ended by the host itself after so long."""
    return ("timeout", "-k", "1", f"{timeout_s:.3f}", *words)


def heard(words: Sequence[str]) -> tuple[str, ...]:
    """The command, which ends after its input only, with the same code.

    When a command ends first, the library answers the host's close while another thread says that
    the input ends; where that comes second, sshd ends the connection with all other commands on it.
    """
    return ("sh", "-c", _HEARD, "sh", *words)


def as_root(words: Sequence[str]) -> tuple[str, ...]:
    """The command through a sudo that asks nothing."""
    return ("sudo", "-n", "-H", "--", *words)


def as_root_after(mark: str, words: Sequence[str]) -> tuple[str, ...]:
    """The command through a sudo that reads a password; its own input begins after the mark."""
    return ("sudo", "-S", "-H", "-p", "", "--", "sh", "-c", _SKIP, "sh", mark, *words)
