"""The command `heal`: ends what killed harnesses left, here or on the hosts of an inventory."""

import asyncio

import click

from . import leases
from .errors import ExitCode
from .hosts.heal import heal_all
from .hosts.inventory import load
from .lab import lab


@click.command("heal")
@click.argument("hosts", metavar="[HOSTS.yaml]", required=False)
@click.pass_context
def heal_command(context: click.Context, hosts: str | None) -> None:
    """End what killed harnesses left running: here, or on the hosts of an inventory.

    Nothing else is touched, and runs that go on are left alone. Exit code: 0 all is undone, 2 a
    mistake in the inventory, 4 a host cannot be reached, or something there cannot be undone.
    """
    if hosts is None:
        for sentence in [*leases.heal(), *lab.heal()] or ["Nothing was left running."]:
            click.echo(sentence)
        return
    whole = True
    for name, said, is_whole in asyncio.run(heal_all(load(hosts))):
        whole = whole and is_whole
        for sentence in said or ["Nothing was left."]:
            click.echo(f"{name}: {sentence}")
    context.exit(ExitCode.AS_EXPECTED if whole else ExitCode.WORLD)
