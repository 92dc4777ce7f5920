"""The command tokens generate: a bearer token for HTTP, and its entry in the file that `start --http-tokens` takes.

What lives here: making one.  What does not: what it allows (actors/gateway/http/tokens.py).
"""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

import click

from commands.options import GIVEN
from commands.paths import FILE
from transport.errors import QuorateError

TOKEN_BYTES: Final = 32
_OWNER_ONLY: Final = 0o600


class TokenSaveError(QuorateError):
    """The file cannot be written."""


@click.group(no_args_is_help=True)
def tokens() -> None:
    """Make bearer tokens for HTTP."""


@tokens.command()
@click.argument("file", type=FILE)
@click.option("--name", type=GIVEN, required=True, help="What refusals call it.")
@click.option("--role", type=click.Choice(["read", "write"]), default="read", show_default=True)
@click.option(
    "--prefix",
    "prefixes",
    type=GIVEN,
    multiple=True,
    help="Only keys that begin so; may be given several times.  [default: all keys]",
)
def generate(file: Path, name: str, role: str, prefixes: tuple[str, ...]) -> None:
    """Make a token, add its hash to FILE, and print the token: nobody can do that later.

    Start each server with --http-tokens FILE; a running one reads it anew after `actors kill http@N`.
    """
    from actors.gateway.http.tokens import TOKENS_MAX, read_grants

    if not name.isprintable():
        raise click.BadParameter("a name has printable characters only", param_hint="--name")
    known = read_grants(file) if file.exists() else []
    if any(grant.name == name for grant in known):
        raise TokenSaveError(f"{file} has a token {name} already: choose another name, or take its entry out")
    if len(known) >= TOKENS_MAX:
        raise TokenSaveError(f"{file} has {len(known)} tokens, which is the limit: take one out")
    token = secrets.token_urlsafe(TOKEN_BYTES)
    entry = [
        "[[token]]",
        # A string of JSON is one of TOML.
        f"name = {json.dumps(name)}",
        f'sha256 = "{sha256(token.encode()).hexdigest()}"',
        f'role = "{role}"',
        f"prefixes = {json.dumps(list(prefixes) or [''])}",
    ]
    try:
        append(file, "\n".join([*entry, "", ""]))
    except OSError as error:
        raise TokenSaveError(f"cannot write {file}: {error.strerror or error}; it is as it was") from None
    click.echo(token)
    click.echo(f"{file}: token {name}, which may {role} {', '.join(prefixes) or 'all keys'}", err=True)


def append(path: Path, text: str) -> None:
    """At the end of a file, which is as it was when that fails: half an entry would stop every server that reads it."""
    was_there = path.exists()
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, _OWNER_ONLY)
    try:
        before = os.fstat(fd).st_size
        try:
            with open(fd, "a", closefd=False) as file:
                file.write(text)
            os.fsync(fd)
        except OSError:
            with suppress(OSError):
                os.ftruncate(fd, before)
                if not was_there:
                    path.unlink()
            raise
    finally:
        os.close(fd)
