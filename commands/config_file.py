"""Options from a TOML file: its keys are the long options of a command, without the dashes.

What lives here: reading the file into click's defaults, so that the command line and the environment win over it, and
refusing keys that no option has and values of another type than their option's.  The top level is for `start`; the
table `[client]` for the commands that talk to a server, so that one file can serve both.  A key in the wrong one of the
two is an error too.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import click
from click.types import BoolParamType, FloatParamType, IntParamType

from commands.paths import FILE
from transport.errors import QuorateError
from transport.text import shortened

Command = Callable[..., Any]

CLIENT_TABLE: Final = "client"
TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "text": (str,),
    "true or false": (bool,),
    "a whole number": (int,),
    "a number": (int, float),
    "text or a whole number": (str, int),
}
"""What an option takes, and the types that a TOML file has for it."""
INTEGER_BITS: Final = 63
"""Of a whole number without its sign, as TOML has it; Python's reader takes any, and a larger one is no float."""


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
    of_client = content.pop(CLIENT_TABLE, {})
    if not isinstance(of_client, dict):
        raise ConfigFileError(f"{path}: {CLIENT_TABLE} is a table of options, write [{CLIENT_TABLE}]")
    if table:
        _refuse_unknown_of_start(path, content, options)
        content = of_client
    where = f"[{table}] " if table else ""
    for key in content:
        if key not in options:
            raise ConfigFileError(f"{path}: unknown key {where}{key!r}: {_hint(key, options)}")
    return {
        str(options[key].name): _value(f"{path}: {where}{key}", value, options[key]) for key, value in content.items()
    }


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


def _hint(key: str, options: Mapping[str, click.Parameter]) -> str:
    # What `--help` hides is for tests: whoever has misspelt a key has not meant it.
    known = sorted(name for name, option in options.items() if not getattr(option, "hidden", False))
    near = get_close_matches(key, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigFileError(f"cannot read the configuration file {path}: {error.strerror}") from None
    except ValueError as error:
        raise ConfigFileError(f"{path} is not TOML: {error}") from None


def _value(key: str, value: Any, parameter: click.Parameter) -> Any:
    """A value in the form click takes a default in; tables become K=V, a single value a list of one."""
    is_multiple = getattr(parameter, "multiple", False)
    if isinstance(value, dict):
        if not is_multiple:
            raise ConfigFileError(f"{key} takes one value, not a table")
        # Whole numbers are what they look like; true, 1.10 or a date would be spelt otherwise than in the file.
        return [f"{name}={_checked(f'{key}.{name}', part, 'text or a whole number')}" for name, part in value.items()]
    kind = _kind(parameter)
    if is_multiple:
        return [_checked(key, part, kind) for part in (value if isinstance(value, list) else [value])]
    if isinstance(value, list):
        raise ConfigFileError(f"{key} takes one value, not a list")
    return _checked(key, value, kind)


def _kind(parameter: click.Parameter) -> str:
    """What an option takes: one of the keys of TYPES."""
    of = parameter.type
    if isinstance(of, BoolParamType):
        return "true or false"
    if isinstance(of, IntParamType):
        return "a whole number"
    return "a number" if isinstance(of, FloatParamType) else "text"


def _checked(key: str, value: Any, kind: str) -> Any:
    """The value, which has this type: click takes texts, and fails or makes do with what is none."""
    # By its very type: True is an int.
    if type(value) not in TYPES[kind]:
        raise ConfigFileError(f"{key} takes {kind}, not {_shown(value)}")
    if isinstance(value, int) and value.bit_length() > INTEGER_BITS:
        raise ConfigFileError(f"{key} is too large a number: TOML's have {INTEGER_BITS + 1} bits")
    if isinstance(value, str) and "\0" in value:
        # No command line or environment has one: nothing behind expects it, and a path with it fails.
        raise ConfigFileError(f"{key} has a NUL character in it: {shortened(value)}")
    return value


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return f"the text {shortened(value)}"
    if isinstance(value, (dict, list)):
        return "a table" if isinstance(value, dict) else "a list"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and value.bit_length() > INTEGER_BITS:
        return "a number"
    return str(value)
