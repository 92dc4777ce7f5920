"""The commands keys generate, keys list and keys rotate.

What lives here: the command line, and carrying out what a rotation says is next. What does not: its order
(actors/keyring/rotation.py), and what a server does with a key (actors/keyring/keyring.py).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from actors.views import table
from commands.options import Remote, remote_command
from commands.paths import FILE
from transport.client.errors import ClientError, OutcomeUnknown, Overloaded, RequestFailed, Unreachable
from transport.errors import KeyFileError, QuorateError

if TYPE_CHECKING:
    from actors.keyring.rotation import Rotation, Tell
    from transport.keys import ClusterKey

_PASSING = (Unreachable, OutcomeUnknown, Overloaded, RequestFailed)
"""What may be otherwise a moment later."""


class KeysDifferError(QuorateError):
    """The members do not all have the same keys, or one does not say."""


class RotationError(QuorateError):
    """A rotation has not come to its end."""


@click.group(no_args_is_help=True)
def keys() -> None:
    """Make the key of a cluster, and move a running cluster to another one."""


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


@keys.command("list")
@remote_command()
def list_keys(remote: Remote) -> None:
    """Ask every member which keys it holds and which one it uses, by their fingerprints.

    The exit code is 1 when one does not answer or has other keys than the rest.
    """
    rows = remote.ask("keys.list")
    remote.show(rows, keys_view)
    trouble = differences(rows)
    if trouble:
        raise KeysDifferError(trouble)


@keys.command()
@click.argument("new_key_file", required=False, type=FILE)
@click.option("--finish", is_flag=True, help="Forget the old key: only the one of --key is let in from now on.")
@click.option("--force", is_flag=True, help="With --finish: also when a member is off and may have the old key only.")
@remote_command()
def rotate(remote: Remote, new_key_file: Path | None, finish: bool, force: bool) -> None:
    """Move a running cluster to the key in NEW_KEY_FILE, without downtime.

    First `keys rotate NEW_KEY_FILE --key OLD_KEY_FILE`: every server accepts both keys, and uses the new one. Give the
    new file to servers and clients then. At last `keys rotate --finish --key NEW_KEY_FILE`: the old key is refused.
    What was interrupted is taken up by the same command again.
    """
    from actors.keyring.rotation import Rotation
    from transport.keys import load
    from transport.ring import Stage

    if (new_key_file is None) is not finish or (force and not finish):
        raise click.UsageError("give NEW_KEY_FILE, or --finish [--force] without one")
    if remote.key_file is None:
        raise click.UsageError("--key FILE is missing: whoever rotates the cluster key has to hold it")
    held = _whole_key(load(remote.key_file), remote.key_file)
    new = held if new_key_file is None else _whole_key(load(new_key_file), new_key_file)
    rotation = Rotation(new.fingerprint, Stage.SETTLED if finish else Stage.USING, time.monotonic(), force=force)
    off = _Driver(remote, held, new).drive(rotation)
    rows = remote.ask("keys.list")
    remote.show(rows, keys_view)
    for name in off:
        click.echo(f"{name} is off: {_for_the_absent(finish)}", err=True)
    if not finish and all(len(row["holds"]) <= 1 for row in rows):
        click.echo(f"{new.fingerprint} is the key already, and no other is accepted: nothing was changed", err=True)
    elif not finish:
        click.echo(
            f"both keys are accepted, and {new.fingerprint} is used; when every server and client has the new file: "
            "keys rotate --finish --key NEW_KEY_FILE",
            err=True,
        )


def _whole_key(key: ClusterKey, file: Path) -> ClusterKey:
    if not key.can_serve:
        raise KeyFileError(f"{file} is a client's file: only a holder of the whole cluster key may rotate it")
    return key


def _for_the_absent(finish: bool) -> str:
    return "start it with --key NEW_KEY_FILE" if finish else "it gets the key when it comes back, with either file"


class _Driver:
    """Carries out what a rotation wants, with one connection a request: a step may cut the one it came by."""

    def __init__(self, remote: Remote, held: ClusterKey, new: ClusterKey) -> None:
        self._remote = remote
        self._held = held
        self._new = new

    def drive(self, rotation: Rotation) -> Sequence[str]:
        """To the end; returns who was passed over. Raises RotationError."""
        from actors.keyring.rotation import Done, Look, Tell

        # Outside of what is tried again: a wrong address or key is known at once.
        rotation.seen(time.monotonic(), self._remote.ask("keys.list"))
        while True:
            action = rotation.next(time.monotonic())
            if isinstance(action, Done):
                if action.trouble:
                    raise RotationError(f"the rotation to key {self._new.fingerprint} has stopped: {action.trouble}")
                return action.off
            try:
                if isinstance(action, Look):
                    rotation.seen(time.monotonic(), self._remote.ask("keys.list"))
                elif isinstance(action, Tell):
                    self._tell(rotation, action)
                else:
                    time.sleep(action.wait_s)
            except _PASSING as error:
                rotation.failed(time.monotonic(), str(error))

    def _tell(self, rotation: Rotation, step: Tell) -> None:
        from actors.keyring.held import proof_of
        from transport.keys import to_text

        new = to_text(self._new)
        proof = proof_of(self._held, step.member, step.stage.value, new)
        arguments = {"member": step.member, "stage": step.stage.value, "new": new, "proof": proof}
        try:
            self._remote.ask("keys.step", arguments)
        except _PASSING:
            raise
        except ClientError as error:
            rotation.refused(step.member, str(error))
        else:
            click.echo(f"{step.name}: {_DOES[step.stage.value].format(self._new.fingerprint)}", err=True)
            rotation.told(time.monotonic())


_DOES = {"installed": "accepts {} too", "using": "uses {}", "settled": "accepts {} alone"}


def keys_view(rows: Sequence[dict[str, Any]]) -> str:
    """How many hold each key, then what each member has."""
    counts = Counter(key for row in rows for key in row["holds"])
    used = Counter(row["uses"] for row in rows)
    lines = [f"{key}  [{count}/{len(rows)}]  used by {used[key]}" for key, count in counts.most_common()]
    columns = ("NAME", "ADDRESS", "STATUS", "USES", "ACCEPTS", "ERROR")
    members = (
        (row["name"], row["address"], row["status"], row["uses"], " ".join(row["holds"]), row["error"]) for row in rows
    )
    return "\n".join([*(lines or ["no member says that it holds a key"]), "", table(columns, members)])


def differences(rows: Sequence[dict[str, Any]]) -> str:
    """What keeps the members from having one and the same, in one line; "" when nothing does."""
    silent = [f"{row['name']} does not say ({row['error']})" for row in rows if row["error"]]
    said = Counter((row["stage"], *row["holds"]) for row in rows if not row["error"])
    ((most, _),) = said.most_common(1) or [((), 0)]
    odd = [
        f"{row['name']} uses {row['uses'] or 'no key'} and accepts {' '.join(row['holds']) or 'anybody'}"
        for row in rows
        if not row["error"] and (row["stage"], *row["holds"]) != most
    ]
    return "; ".join(silent + odd)
