"""Options from a TOML file: its keys are the long options of a command, without the dashes.

What lives here: reading the file into click's defaults, so that the command line and the environment win over it, and
refusing keys that no option has.  The top level is for `start`; the table `[client]` for the commands that talk to a
server, so that one file can serve both.  A key in the wrong one of the two is an error too.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping
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
        help=f"A TOML file with values for these options{f', in a table [{table}]' if table else ''}.",
    )


def defaults(command: click.Command, path: Path, table: str) -> dict[str, Any]:
    """What a file says for a command: parameter name to value.  Raises ConfigFileError, naming the key."""
    content = _read(path)
    options = _options(command)
    if table:
        of_start = {key: content[key] for key in content if key != table}
        content = content.get(table, {})
        if not isinstance(content, dict):
            raise ConfigFileError(f"{path}: {table} is a table of options, write [{table}]")
        _refuse_unknown_of_start(path, of_start, options)
    else:
        content.pop(CLIENT_TABLE, None)
    where = f"[{table}] " if table else ""
    for key in content:
        if key not in options:
            raise ConfigFileError(f"{path}: unknown key {where}{key!r}: {_hint(key, options)}")
    return {str(options[key].name): _value(path, key, value, options[key]) for key, value in content.items()}


def _options(command: click.Command) -> dict[str, click.Parameter]:
    """The options that a file may set, by their long names without the dashes."""
    options = {option[2:]: parameter for parameter in command.params for option in parameter.opts if option[:2] == "--"}
    del options["config"]
    return options


def _refuse_unknown_of_start(path: Path, content: Mapping[str, Any], options: Mapping[str, click.Parameter]) -> None:
    if not content:
        return
    from commands.start import start

    known = _options(start)
    for key in content:
        if key in known:
            continue
        why = f"for this command it stands under [{CLIENT_TABLE}]" if key in options else _hint(key, known)
        raise ConfigFileError(f"{path}: unknown key {key!r}: {why}")


def _hint(key: str, known: Iterable[str]) -> str:
    known = sorted(known)
    near = get_close_matches(key, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"


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
