"""The command `heal`: ends what killed harnesses left, here or on the hosts of an inventory."""

import asyncio
import re
from pathlib import Path

import click

from .. import data
from ..errors import ExitCode, UsageError
from ..hosts.heal import Fate, heal_all
from ..hosts.inventory import load
from ..lab import lab
from ..rundir import RunDir
from ..running import leases

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
@data.AS_JSON
@click.pass_context
def heal_command(
    context: click.Context, hosts: str | None, home: Path | None, purge: bool, as_json: bool
) -> None:
    """End what killed harnesses left running: here, or on the hosts of an inventory.

    Nothing else is touched, and runs that go on are left alone. What members wrote stays on hosts
    unless an option says otherwise. Exit code: 0 all is undone, 2 a mistake in the inventory, 4 a
    host cannot be reached, or something cannot be undone.
    """
    if hosts is None:
        if home is not None or purge:
            raise UsageError("--home and --purge are for the hosts of an inventory: name it")
        told = (leases.heal(), lab.heal())
        here = [sentence for said, _ in told for sentence in said]
        is_whole = all(whole for _, whole in told)
        code = ExitCode.AS_EXPECTED if is_whole else ExitCode.WORLD
        if as_json:
            data.show({"healed": [_plain(None, here, whole=is_whole)]}, code)
            context.exit(code)
        for sentence in here or ["Nothing was left running."]:
            click.echo(sentence)
        context.exit(code)
    if home is not None and purge:
        raise UsageError("--home brings it home and removes it: without --purge")
    fate = Fate(None if home is None else lambda run, part: _place(home, run, part), purge)
    healed = asyncio.run(heal_all(load(hosts), fate))
    code = ExitCode.AS_EXPECTED if all(whole for _, _, whole in healed) else ExitCode.WORLD
    if as_json:
        data.show(
            {"healed": [_plain(name, said, whole=whole) for name, said, whole in healed]}, code
        )
        context.exit(code)
    for name, said, _ in healed:
        for sentence in said or ["Nothing was left."]:
            click.echo(f"{name}: {sentence}")
    context.exit(code)


def _plain(host: str | None, said: list[str], *, whole: bool) -> dict[str, object]:
    return {"host": host, "said": said, "is_whole": whole}


def _place(runs: Path, name: str, member: str) -> Path:
    """Where a run would have put what this member wrote."""
    return RunDir(runs / _LEASE.sub("", name)).node(member)
