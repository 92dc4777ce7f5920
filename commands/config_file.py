"""Options from a TOML file: its keys are the long options of a command, without the dashes.

What lives here: reading the file into click's defaults, so that the command line and the environment win over it, and
refusing keys that no option has.  The top level is for `start`; the table `[client]` for the commands that talk to a
server, so that one file can serve both.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import click

from commands.paths import FILE
from transport.errors import QuorateError

Command = Callable[..., Any]

CLIENT_TABLE: Final = "client"


class ConfigFileError(QuorateError):
    """A configuration file cannot be read, or says something that no option means."""

    exit_code = 2


def config_option(*, table: str = "") -> Callable[[Command], Command]:
    """The option `--config FILE` of a command whose options are in `table` of the file, or at its top level."""

    def take(ctx: click.Context, _parameter: click.Parameter, path: Path | None) -> None:
        if path is not None:
            ctx.default_map = {**(ctx.default_map or {}), **defaults(ctx.command, path, table)}

    return click.option(
        "--config",
        type=FILE,
        envvar="QUORATE_CONFIG",
        is_eager=True,
        expose_value=False,
        callback=take,
        help="A TOML file with values for these options.",
    )


def defaults(command: click.Command, path: Path, table: str) -> dict[str, Any]:
    """What a file says for a command: parameter name to value.  Raises ConfigFileError, naming the key."""
    content = _read(path)
    if table:
        found = content.get(table, {})
        if not isinstance(found, dict):
            raise ConfigFileError(f"{path}: {table} is a table of options, write [{table}]")
        content = found
    else:
        content.pop(CLIENT_TABLE, None)
    options = {option[2:]: parameter for parameter in command.params for option in parameter.opts if option[:2] == "--"}
    del options["config"]
    unknown = [key for key in content if key not in options]
    if unknown:
        near = get_close_matches(unknown[0], options, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(options))}"
        where = f"[{table}] " if table else ""
        raise ConfigFileError(f"{path}: unknown key {where}{unknown[0]!r}: {hint}")
    return {str(options[key].name): _value(path, key, value, options[key]) for key, value in content.items()}


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigFileError(f"cannot read the configuration file {path}: {error.strerror}") from None
    except ValueError as error:
        raise ConfigFileError(f"{path} is not TOML: {error}") from None


def _value(path: Path, key: str, value: Any, parameter: click.Parameter) -> Any:
    """A value in the form click takes a default in; tables become K=V, a single value a list of one."""
    if isinstance(value, dict):
        if not getattr(parameter, "multiple", False):
            raise ConfigFileError(f"{path}: {key} takes one value, not a table")
        return [f"{name}={part}" for name, part in value.items()]
    if getattr(parameter, "multiple", False):
        return value if isinstance(value, list) else [value]
    if isinstance(value, list):
        raise ConfigFileError(f"{path}: {key} takes one value, not a list")
    return value
