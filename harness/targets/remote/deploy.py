"""Brings what nodes are made of to hosts: once per content, side by side, with nothing sent twice.

What is on a host is asked for first; where all of it is there, a deployment is that one question.
Hosts that share a cache (the laboratory's do) are served by one of them.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ...errors import WorldError
from ...hosts.connection import Host
from ...running.together import together
from .wheel import Wheel
from .wheelhouse import Survey, cache_directory, wheels

_SURVEY_S = 30.0
_INSTALL_S = 300.0

_PROGRAM = Path(__file__).with_name("install.py")


@dataclass(frozen=True, slots=True)
class Berth:
    """A host to deploy to: with which Python, and where what is deployed is kept."""

    shell: Host
    python: str
    cache: str
    sudo: bool = False
    """Whether it is kept by root, for whoever runs nodes there."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """What runs nodes on a host. `sent`: parts that were not there before."""

    python: str
    environment: str
    version: str
    sent: tuple[str, ...]


async def deploy(berths: Sequence[Berth]) -> dict[str, Deployed]:
    """Make all hosts able to run nodes; by name, what they run them with. Raises WorldError."""
    surveys = await asyncio.gather(*(_survey(berth) for berth in berths))
    groups: dict[str, list[Berth]] = {}
    for berth, survey in zip(berths, surveys, strict=True):
        groups.setdefault(f"{survey.identity} {survey.kind}", []).append(berth)
    kinds = {survey.kind: survey for survey in surveys}
    folder = cache_directory() / "wheels"
    made = {kind: await asyncio.to_thread(wheels, survey, folder) for kind, survey in kinds.items()}
    found: dict[str, Deployed] = {}

    async def serve(group: list[Berth], survey: Survey) -> None:
        here = await _install(group[0], survey, made[survey.kind])
        for at, berth in enumerate(group):
            sent = here.sent if at == 0 else ()
            found[berth.shell.name] = Deployed(here.python, here.environment, here.version, sent)

    by_identity = {f"{survey.identity} {survey.kind}": survey for survey in surveys}
    await together(*(serve(group, by_identity[key]) for key, group in groups.items()))
    return found


async def _survey(berth: Berth) -> Survey:
    said = await _program(berth, "survey", berth.cache, timeout_s=_SURVEY_S)
    try:
        return msgspec.json.decode(said, type=Survey)
    except msgspec.DecodeError as error:
        raise _failure(berth, f"{berth.python} answers with something else", said) from error


async def _install(berth: Berth, survey: Survey, wanted: Sequence[Wheel]) -> Deployed:
    parts = [wheel.part for wheel in wanted]
    name = hashlib.sha256("\n".join([survey.kind, *parts]).encode()).hexdigest()[:16]
    missing = [wheel for wheel in wanted if wheel.part not in survey.parts]
    python = f"{berth.cache}/environments/{name}/bin/python"
    if missing or name not in survey.environments:
        for wheel in missing:
            incoming = f"{berth.cache}/incoming/{wheel.part}.whl"
            await berth.shell.put(wheel.path, incoming, sudo=berth.sudo)
        words = ("install", berth.cache, name, *parts)
        await _program(berth, *words, timeout_s=_INSTALL_S)
    sent = tuple(wheel.part for wheel in missing)
    return Deployed(python, name, survey.version, sent)


async def _program(berth: Berth, *words: str, timeout_s: float) -> bytes:
    """Run `install.py` there; it may be run twice."""
    ran = await berth.shell.run(
        berth.python,
        "-",
        *words,
        input=_PROGRAM.read_bytes(),
        timeout_s=timeout_s,
        sudo=berth.sudo,
        again=True,
    )
    if ran.code != 0:
        raise _failure(berth, f"cannot deploy ({words[0]})", ran.err or ran.out)
    return ran.out


def _failure(berth: Berth, message: str, said: bytes) -> WorldError:
    detail = said.decode(errors="replace").strip()[-2000:]
    return WorldError(message, node=berth.shell.name, detail=detail)
