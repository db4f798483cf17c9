"""Words that a shell completes: commands and options by click, scenarios by us."""

import click
from click.shell_completion import CompletionItem, get_completion_class

from ..language import shipped

SHELLS = ("bash", "zsh", "fish")
_VARIABLE = "_DELPHIC_COMPLETE"


class Scenarios(click.ParamType[str]):
    """A scenario: the name of one that ships, or a file."""

    name = "scenario"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return value

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        names = [name for name in shipped.names() if name.startswith(incomplete)]
        items = [CompletionItem(name, help=shipped.scenario(name).title) for name in names]
        return [*items, CompletionItem(incomplete, type="file")]


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion_command(context: click.Context, shell: str) -> None:
    """Print what makes a shell complete commands, options and scenarios.

    For bash, in ~/.bashrc; for zsh, in ~/.zshrc; for fish, in ~/.config/fish/completions.
    """
    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(context.find_root().command, {}, "delphic", _VARIABLE).source())
