"""The command completion: the script that makes a shell complete this command line."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from actors.program import complete_variable

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.option("--name", default="quorate", show_default=True, metavar="COMMAND", help="What is typed to run it.")
def completion(shell: str, name: str) -> None:
    """Print what makes SHELL complete commands and options.

    In ~/.bashrc or ~/.zshrc: eval "$(quorate completion bash)"; for fish: quorate completion fish | source.
    """
    made = get_completion_class(shell)
    assert made is not None, "click has these three"
    root = click.get_current_context().find_root().command
    click.echo(made(root, {}, name, complete_variable(name)).source())
