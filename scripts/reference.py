"""The reference of the command line and of the configuration file, made from the commands themselves: `make reference`.

What lives here: turning click's commands into Markdown.  What does not: any word of it, which are in commands/; HTTP
(http_reference.py) and metrics (actors/gateway/metrics.py).  A test holds the files in docs/ to what this makes.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import click

from actors.gateway.metrics import reference as metrics_reference
from commands.config_file import CLIENT_TABLE
from commands.options import environment, remote_command
from commands.root import root
from commands.start import start
from scripts.http_reference import http_reference

DOCS: Final = Path(__file__).resolve().parent.parent / "docs"
CLI_HEAD: Final = """\
# Command line

<!-- made by make reference -->

`python cli.py` in a checkout, `quorate` where it is installed. Exit codes: 0 done; 1 failed; 2 wrong usage; 3 no server
reached; 4 no leader, no quorum or an unknown outcome; 5 unhealthy; 70 the server gave up; 130 interrupted.

## Options of every command for a server

They are not repeated below."""
CONFIG_HEAD: Final = """\
# Configuration

<!-- made by make reference -->

Every option of `start` can come from the command line, from an environment variable, or from the TOML file that
`--config FILE` or `QUORATE_CONFIG` names. The command line wins over the environment, and that over the file. An
unknown key is an error that names the one that was meant; so is a value of another type, as a number in quotes. What
may be given several times is a list in the file, and in the environment it is separated by blanks
(`QUORATE_EVENT_HANDLER`: a line each). Tags are a table.

```toml
data-dir = "/var/lib/quorate"
bind = "10.0.0.1:7946"
peer = ["10.0.0.2:7946", "10.0.0.3:7946"]
key = "/etc/quorate/key"

[tag]
zone = "b"

[client]
address = "10.0.0.1:7946"
key = "/etc/quorate/key"
```

## The server: the top level of the file"""
CLIENT_HEAD: Final = f"""\
## Commands for a server: the table `[{CLIENT_TABLE}]`

An option that a command has beside these may stand there, too, for that command."""
TYPES: Final = {
    "integer": "whole number",
    "integer range": "whole number",
    "float range": "number",
    "boolean": "boolean",
}


@click.command()
@remote_command()
def _any_remote(remote: object) -> None:
    """A command with the options that all commands for a server have, and no others."""


REMOTE: Final = {parameter.name: parameter for parameter in _any_remote.params}


def cli_reference() -> str:
    """docs/reference-cli.md."""
    parts = [CLI_HEAD, _table(_any_remote)]
    for context in _commands(click.Context(root, info_name="quorate")):
        parts += _section(context)
    return "\n\n".join(filter(None, parts)) + "\n"


def config_reference() -> str:
    """docs/reference-config.md."""
    return f"{CONFIG_HEAD}\n\n{_settings(start)}\n\n{CLIENT_HEAD}\n\n{_settings(_any_remote)}\n"


def _commands(context: click.Context) -> Iterator[click.Context]:
    """The context of each command, a group's before those in it."""
    group = context.command
    assert isinstance(group, click.Group), "only groups are asked"
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        inner = click.Context(command, info_name=name, parent=context)
        yield inner
        if isinstance(command, click.Group):
            yield from _commands(inner)


def _section(context: click.Context) -> list[str]:
    command = context.command
    words = context.command_path.removeprefix("quorate ")
    level = "#" * (1 + len(words.split()))
    usage = " ".join([words, *command.collect_usage_pieces(context)])
    help_text = inspect.cleandoc(command.help or "").replace("\b\n", "")
    if isinstance(command, click.Group):
        return [f"{level} `{words}`", help_text]
    return [f"{level} `{words}`", f"    {usage}", help_text, _remote_note(command), _table(command, context)]


def _remote_note(command: click.Command) -> str:
    if not _is_remote(command):
        return ""
    (timeout,) = [parameter for parameter in command.params if parameter.name == "timeout"]
    note = "Takes the [options of every command for a server](#options-of-every-command-for-a-server)"
    return (
        f"{note}." if timeout.default == REMOTE["timeout"].default else f"{note}; `--timeout` is {timeout.default:g}."
    )


def _is_remote(command: click.Command) -> bool:
    return {parameter.name for parameter in command.params} >= REMOTE.keys()


def _table(command: click.Command, context: click.Context | None = None) -> str:
    """The options, but for those that all commands for a server have."""
    hidden = REMOTE.keys() if command is not _any_remote and _is_remote(command) else set()
    context = context or click.Context(command)
    records = [
        record
        for parameter in command.params
        if parameter.name not in hidden and (record := parameter.get_help_record(context)) is not None
    ]
    return _rows(("option", "what it does"), [(_code(names), _cell(text)) for names, text in records])


def _settings(command: click.Command) -> str:
    """The options as keys of a file."""
    rows = []
    for option in command.params:
        if isinstance(option, click.Option) and not option.hidden and option.name != "config":
            long = next(name for name in option.opts if name.startswith("--"))
            rows.append(
                (_code(long[2:]), _code(environment(long)), _type(option), _default(option), _cell(option.help or ""))
            )
    return _rows(("key", "environment", "type", "default", "what it does"), rows)


def _type(option: click.Option) -> str:
    if isinstance(option.type, click.Choice):
        kind = ", ".join(map(str, option.type.choices))
    else:
        kind = TYPES.get(option.type.name, "text")
    if option.name == "tags":
        return "table"
    return f"{kind}, or a list of it" if option.multiple else kind


def _default(option: click.Option) -> str:
    if isinstance(option.show_default, str):
        return option.show_default
    default = option.to_info_dict()["default"]
    if isinstance(default, bool):
        return _code(str(default).lower())
    return "" if default is None or option.multiple else _code(str(default))


def _rows(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) if rows else ""


def _code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def main() -> None:
    """Write all files."""
    (DOCS / "reference-cli.md").write_text(cli_reference(), "utf-8")
    (DOCS / "reference-config.md").write_text(config_reference(), "utf-8")
    (DOCS / "reference-http.md").write_text(http_reference(), "utf-8")
    (DOCS / "metrics.md").write_text(metrics_reference(), "utf-8")


if __name__ == "__main__":
    main()
