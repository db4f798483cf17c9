"""A process beside the agent, of the agent's own program, that it asks things and ends."""

import asyncio
import json
import os
import uuid
from pathlib import Path
from typing import Any, Self

from . import tool
from .run import MARK, Refused, Run

_READY_S = 20.0


class Beside:
    """It says a line when it is ready, and ends with its input: so it does when the agent is dead.

    If it ends before, the harness is told. What it does not end of its own, the undo log does.
    """

    def __init__(
        self, run: Run, what: str, log: Path, entry: Path, process: asyncio.subprocess.Process
    ) -> None:
        self._run = run
        self._what = what
        self._log = log
        self._entry = entry
        self.process = process
        self.ready: dict[str, Any] = {}
        """What it said when it was."""
        self._watch: asyncio.Task[None] | None = None

    @classmethod
    async def begin(cls, run: Run, what: str, verb: str, *words: str, log: Path) -> Self:
        """Start it, and call it so to the harness. Raises Refused with what it complains of."""
        own = f"{MARK}_{what.upper()}={uuid.uuid4().hex}"
        entry = run.log.add("marked", mark=own)
        with log.open("wb") as said:
            process = await asyncio.create_subprocess_exec(
                *tool.own(verb, *words),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=said,
                env={**os.environ, **dict([own.split("=", 1)])},
                start_new_session=True,
            )
        made = cls(run, what, log, entry, process)
        try:
            made.ready = await asyncio.wait_for(made.answer(), _READY_S)
        except BaseException as error:
            await made.end()
            if isinstance(error, TimeoutError):
                raise Refused(f"it is not ready within {_READY_S:g} s") from error
            raise
        made._watch = asyncio.create_task(made._ended())
        return made

    @property
    def has_ended(self) -> bool:
        return self.process.returncode is not None

    async def answer(self) -> Any:
        """The next line that it says. Raises Refused if it says no more."""
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        if not line:
            lines = self._log.read_text(errors="replace").splitlines()
            raise Refused((lines or ["it says nothing"])[-1])
        return json.loads(line)

    async def end(self) -> None:
        """By the end of its input, or else by force."""
        if self._watch is not None:
            self._watch.cancel()
        await tool.end(self.process)
        self._run.log.done(self._entry)

    async def _ended(self) -> None:
        code = await self.process.wait()
        self._run.say({"event": "failed", "what": self._what, "code": code})
