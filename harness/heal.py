"""The command `heal`: ends what killed harnesses left, here or on the hosts of an inventory."""

import asyncio
import re
from pathlib import Path

import click

from . import leases
from .errors import ExitCode, UsageError
from .hosts.heal import Fate, heal_all
from .hosts.inventory import load
from .lab import lab
from .rundir import RunDir

_LEASE = re.compile("-[0-9a-f]{8}$")
"""What a run is called on hosts besides its name here."""


@click.command("heal")
@click.argument("hosts", metavar="[HOSTS.yaml]", required=False)
@click.option(
    "--home",
    metavar="RUNS",
    type=click.Path(path_type=Path, file_okay=False),
    help="Bring what members of such runs wrote home, to the runs in this folder, and remove it.",
)
@click.option("--purge", is_flag=True, help="Remove what members of such runs wrote.")
@click.pass_context
def heal_command(context: click.Context, hosts: str | None, home: Path | None, purge: bool) -> None:
    """End what killed harnesses left running: here, or on the hosts of an inventory.

    Nothing else is touched, and runs that go on are left alone. What members wrote stays on hosts
    unless an option says otherwise. Exit code: 0 all is undone, 2 a mistake in the inventory, 4 a
    host cannot be reached, or something there cannot be undone.
    """
    if hosts is None:
        if home is not None or purge:
            raise UsageError("--home and --purge are for the hosts of an inventory: name it")
        for sentence in [*leases.heal(), *lab.heal()] or ["Nothing was left running."]:
            click.echo(sentence)
        return
    if home is not None and purge:
        raise UsageError("--home brings it home and removes it: without --purge")
    fate = Fate(None if home is None else lambda run, part: _place(home, run, part), purge)
    whole = True
    for name, said, is_whole in asyncio.run(heal_all(load(hosts), fate)):
        whole = whole and is_whole
        for sentence in said or ["Nothing was left."]:
            click.echo(f"{name}: {sentence}")
    context.exit(ExitCode.AS_EXPECTED if whole else ExitCode.WORLD)


def _place(runs: Path, name: str, member: str) -> Path:
    """Where a run would have put what this member wrote."""
    return RunDir(runs / _LEASE.sub("", name)).node(member)
