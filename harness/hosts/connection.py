"""One host over SSH: commands that end, channels that last, files there and back.

A command is a list of words (`words.py`). The library blocks; each host has a few threads for it
(`link.py`), and everything from here on is asyncio.
"""

import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import paramiko

from ..errors import WorldError
from . import transfer
from . import words as spelled
from .channel import Channel, feed
from .dial import secret
from .inventory import Entry
from .link import Link, Place, Ran

_SILENCE_S = 10.0  # Unacknowledged for so long, a connection is dead.
_PATIENCE_S = 10.0  # How long a host that was there may take to come back.
_NASTY = "a'b\"c $(echo d) `echo e` \\n\nf * ~ ! ; -n"


class Host:
    """A host that can be asked to do things. One connection; at most 8 things at once."""

    def __init__(
        self, entry: Entry, silence_s: float = _SILENCE_S, patience_s: float = _PATIENCE_S
    ) -> None:
        self.entry = entry
        self.link = Link(entry, silence_s, patience_s)

    @classmethod
    async def open(
        cls, entry: Entry, *, silence_s: float = _SILENCE_S, patience_s: float = _PATIENCE_S
    ) -> Self:
        """Connect, and make sure that words arrive there as they are. Raises WorldError.

        Silent for `silence_s`, the connection counts as lost; it is then tried for `patience_s`.
        """
        host = cls(entry, silence_s, patience_s)
        try:
            ran = await host.run("printf", "%s", _NASTY, timeout_s=10, again=True)
            if ran.code or ran.out != _NASTY.encode():
                raise host.error(
                    f"the login shell of {entry.user} is no plain POSIX shell, or writes something "
                    "by itself: make it /bin/sh",
                    ran.said or ran.text,
                )
        except BaseException:
            host.close()
            raise
        return host

    @property
    def name(self) -> str:
        """The host's name in the inventory."""
        return self.entry.name

    def close(self) -> None:
        """End the connection and everything that waits for it. May be called twice."""
        self.link.close()

    def error(self, message: str, detail: str = "") -> WorldError:
        """A failure of this host, to be raised."""
        return self.link.error(message, detail)

    async def run(
        self,
        *words: str,
        input: bytes = b"",
        timeout_s: float = 30.0,
        sudo: bool = False,
        again: bool = False,
    ) -> Ran:
        """Run a command to its end; `again`: it may happen twice, so a lost connection is no end.

        The host itself ends it after `timeout_s`. Raises WorldError; not for an exit code.
        """
        line, prefix = self.line(words, sudo=sudo, within_s=timeout_s)
        began = time.monotonic()
        ran = await self.link.alone(
            words[0],
            lambda place: place.run(line, [prefix, input]),
            timeout_s + 1 + self.link.silence_s,
            again=again,
        )
        if ran.code in (124, 137) and time.monotonic() - began >= timeout_s:
            raise self.error(f"{words[0]} did not end within {timeout_s:g} s", ran.said)
        return ran

    async def must(
        self,
        *words: str,
        input: bytes = b"",
        timeout_s: float = 30.0,
        sudo: bool = False,
        again: bool = False,
    ) -> Ran:
        """As `run`, and an exit code other than 0 is a WorldError, too."""
        ran = await self.run(*words, input=input, timeout_s=timeout_s, sudo=sudo, again=again)
        if ran.code:
            raise self.error(f"{' '.join(words)[:200]} ended with {ran.code}", ran.said)
        return ran

    async def channel(self, *words: str, sudo: bool = False) -> Channel:
        """Start a command that lasts. It occupies one of the 8 places until it is closed."""
        line, prefix = self.line(words, sudo=sudo)
        link = self.link

        def start(place: Place) -> paramiko.Channel:
            channel = place.start(line)
            feed(channel, [prefix], end=False)
            return channel

        await link.take(words[0])
        try:
            channel = await link.use(words[0], start, link.silence_s, again=False)
            return Channel(self.name, channel, link.submit, link.release)
        except BaseException:
            link.release()
            raise

    async def put(
        self, local: Path | bytes, remote: str, mode: int = 0o644, *, sudo: bool = False
    ) -> bool:
        """Make it a file on the host, with the folders above it; False if it was there already.

        The file appears whole or not at all. Raises WorldError.
        """
        return await transfer.put(self, local, remote, mode, sudo=sudo)

    async def get(self, remote: str, local: Path, *, sudo: bool = False) -> None:
        """Copy a file or a whole folder from the host, checked against its checksum there.

        A file that grows is copied as long as it was. A folder that is there already is an error,
        unless it has all that the host's has. What came of a file before a connection was
        lost is not fetched again. Raises WorldError.
        """
        await transfer.get(self, remote, local, sudo=sudo)

    def line(
        self, words: Sequence[str], *, sudo: bool = False, within_s: float | None = None
    ) -> tuple[str, bytes]:
        """The command line, and what is to precede the command's own input.

        `within_s`: the host ends it after so long; its input is given whole, and then ended.
        """
        if within_s is None:
            words, prefix = self._raised(words, sudo=sudo)
        else:
            words, prefix = self._raised(spelled.within(within_s, words), sudo=sudo)
            words = spelled.heard(words)
        return spelled.line(words), prefix

    def _raised(self, words: Sequence[str], *, sudo: bool) -> tuple[Sequence[str], bytes]:
        entry = self.entry
        if not sudo or entry.user == "root":
            return words, b""
        if not entry.sudo:
            raise self.error(f"{words[0]} needs root: log in as root, or say `sudo: true`")
        password = secret(entry, entry.sudo_password_env)
        if password is None:
            return spelled.as_root(words), b""
        if not {"\0", "\r", "\n"}.isdisjoint(password):  # Each would end it for sudo.
            raise self.error(f"the password of ${entry.sudo_password_env} is not one line")
        mark = secrets.token_hex(16)
        prefix = f"{password}\n{mark}\n".encode(errors="surrogateescape")
        return spelled.as_root_after(mark, words), prefix
