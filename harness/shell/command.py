"""The command `shell`: a prompt, or a script from -c or a pipe."""

import asyncio
import os
import sys
from functools import partial
from typing import TextIO

import click
from rich.console import Console

from ...impl.runtime import Tls
from ..commands.numbers import Seconds
from ..errors import ExitCode, UsageError
from .prompt import converse, prepared, script
from .show import Look, json_lines, on_terminal, plain
from .sites import Sites


@click.command("shell")
@click.argument("sites", metavar="HOST:PORT[,HOST:PORT…]")
@click.option("-c", "text", metavar="'CALL; CALL'", help="Make these calls and leave.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a call.")
@click.option(
    "--timeout",
    "timeout_s",
    type=Seconds(0.1, 3600),
    default=30.0,
    show_default=True,
    help="Seconds that a call may take, elections included.",
)
@click.option("--user", help="Log in; the password is asked for, or is in DELPHIC_PASSWORD.")
@click.option("--authority", metavar="FILE", help="Speak TLS and believe this authority (PEM).")
@click.pass_context
def shell_command(
    context: click.Context,
    sites: str,
    text: str | None,
    as_json: bool,
    timeout_s: float,
    user: str | None,
    authority: str | None,
) -> None:
    """Call the functions of a running cluster by their documented names.

    With -c, or from a pipe, all calls are looked up before the first is made, and the first that
    fails is the last. Exit code: 0 all went well, 1 a call failed, 2 a mistake in the calls or the
    command, or a wrong password, 3 stopped by Ctrl-C, 4 no node answers.
    """
    if text is None and not _is_terminal(sys.stdin):
        text = _piped()
    calls = None if text is None else prepared(text)
    known = Sites(
        [site.strip() for site in sites.split(",")],
        timeout_s,
        user=user,
        password="" if user is None else _password(user),
        tls=None if authority is None else Tls(authority),
    )
    look = _look(as_json)
    with asyncio.Runner() as runner:
        try:
            runner.run(known.open())
            if calls is None:
                click.echo(f"nodes: {', '.join(known.aliases)}; help lists functions; Ctrl-D ends")
                converse(runner, known, look, click.echo)
            elif not runner.run(script(calls, known, look)):
                context.exit(ExitCode.PROMISE_BROKEN)
        except KeyboardInterrupt:
            click.echo("stopped; a call under way may have been executed", err=True)
            context.exit(ExitCode.INCONCLUSIVE)
        finally:
            runner.run(_closed(known))


def _is_terminal(stream: TextIO | None) -> bool:
    """None: there is no such stream, as after `<&-`."""
    return stream is not None and stream.isatty()


def _piped() -> str:
    if sys.stdin is None:
        raise UsageError("there are no calls to make: neither -c nor a standard input")
    try:
        return sys.stdin.read()
    except UnicodeDecodeError as error:
        raise UsageError("what comes from the pipe is not UTF-8 text") from error


def _password(user: str) -> str:
    """Never from the command line, which everybody on the host can read."""
    found = os.environ.get("DELPHIC_PASSWORD")
    if found is None:
        try:
            found = str(click.prompt(f"password of {user}", hide_input=True, err=True))
        except click.Abort:
            raise UsageError("no password was given; it may be in DELPHIC_PASSWORD") from None
    return found


async def _closed(sites: Sites) -> None:
    sites.close()


def _look(as_json: bool) -> Look:
    if as_json:
        return json_lines(click.echo)
    complain = partial(click.echo, err=True)
    if _is_terminal(sys.stdout):
        return on_terminal(Console(), complain)
    return plain(click.echo, complain)
