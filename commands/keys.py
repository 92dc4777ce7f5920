"""The command keys generate."""

from __future__ import annotations

from pathlib import Path

import click

from commands.paths import FILE


@click.group(no_args_is_help=True)
def keys() -> None:
    """Make the key of a cluster."""


@keys.command()
@click.argument("file", required=False, type=FILE)
@click.option(
    "--client-of",
    type=FILE,
    metavar="KEY",
    help="Not a new key, but a client's file for the cluster of this key: its holder cannot be a server.",
)
def generate(file: Path | None, client_of: Path | None) -> None:
    """Make a cluster key: into FILE, which only you can read, or else onto stdout.

    Copy it to every server, and start each with --key FILE.
    """
    from transport.keys import client_only, load, parse, save
    from transport.keys import generate as new_key

    text = new_key() if client_of is None else client_only(load(client_of))
    if file is None:
        click.echo(text, nl=False)
        return
    save(file, text)
    kind = "a client's key for the cluster" if client_of else "a cluster key"
    click.echo(f"{file}: {kind}, fingerprint {parse(text.encode(), str(file)).fingerprint}", err=True)
