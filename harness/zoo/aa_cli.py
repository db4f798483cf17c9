"""`delphic aa`: scenarios without their faults, from the command line."""

import os
from collections.abc import Sequence

import click

from .. import data
from ..errors import ExitCode
from ..simulate.campaign import Tried
from ..simulate.cli import Seeds
from ..verdict import Validity
from .aa import Nulled, every, tried


@click.command("aa")
@click.argument("scenarios", metavar="[NAME|FILE]...", nargs=-1)
@click.option("--seeds", type=Seeds(), default="1..5", show_default=True)
@click.option("--jobs", type=click.IntRange(1), help="Processes; as many as cores if not said.")
@data.AS_JSON
def aa_command(
    scenarios: tuple[str, ...], seeds: range, jobs: int | None, as_json: bool
) -> ExitCode:
    """A/A: run scenarios with their faults and seeded bugs taken out, in simulated worlds.

    Nothing goes wrong in these worlds, so whatever is found the harness made up. All that ship with
    Delphic if none is named. Exit code 0: all were clean. 5: one was not.
    """
    nulled = every(scenarios)
    every_case = tried(nulled, seeds, jobs or os.cpu_count() or 1)
    found = [(job, [next(every_case) for _ in seeds]) for job in nulled]
    clean = not any(_dirty(ones) for _, ones in found)
    code = ExitCode.AS_EXPECTED if clean else ExitCode.HARNESS
    if as_json:
        data.show({"scenarios": [_plain(job, ones) for job, ones in found]}, code)
    else:
        for job, ones in found:
            _tell(job, ones)
        worlds = len(nulled) * len(seeds)
        dirty = sum(len(_dirty(ones)) for _, ones in found)
        click.echo(f"{worlds - dirty:,} of {worlds:,} worlds without faults were clean.")
    return code


def _dirty(ones: Sequence[Tried]) -> list[Tried]:
    return [one for one in ones if one.validity is not Validity.PASS]


def _tell(job: Nulled, ones: Sequence[Tried]) -> None:
    for one in _dirty(ones):
        click.echo(f"{job.name}: {one.validity.value}: {one.sentence}")
        click.echo(f"  again   {job.again(one.case)}")


def _plain(job: Nulled, ones: Sequence[Tried]) -> dict[str, object]:
    return {
        "scenario": job.name,
        "worlds": len(ones),
        "operations": sum(one.operations for one in ones),
        "dirty": [
            {
                "seed": one.case.seed,
                "validity": one.validity.value,
                "sentence": one.sentence,
                "again": job.again(one.case),
            }
            for one in _dirty(ones)
        ],
    }
