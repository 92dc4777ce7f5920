"""Leases, locks and elections from the command line: lease grant, keep, revoke, show; lock; elect.

What lives here: holding something while a command runs, or until one is interrupted.  What does not: how a lock is held
(quorate/lock.py), and what its token is for (docs/locks.md).
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import click

from commands.kv_answer import answer_of
from commands.options import GIVEN, TEXT, Remote, Seconds, remote_command
from quorate.errors import LeaseLost
from storage.kv_protocol import Changed, Leased, grant, lease_of, renew, revoke
from storage.leases import TTL_MAX_MS, TTL_MIN_MS
from storage.record import NUMBER_MAX
from transport.errors import QuorateError

if TYPE_CHECKING:
    from quorate.lock import Lock


END_WAIT_S: Final = 5.0
"""How long a command that lost its lock has to end after SIGTERM; then it is killed."""

ENDING: Final = (signal.SIGTERM, signal.SIGHUP)
"""What ends a holder besides Ctrl-C, which asyncio hears by itself."""

TTL: Final = Seconds(TTL_MIN_MS / 1000, TTL_MAX_MS / 1000)
LEASE: Final = click.IntRange(1, NUMBER_MAX)


class LeaseError(QuorateError):
    """There is no such lease, or it cannot be had."""


class LockLostError(QuorateError):
    """The lock was lost before its holder had left it."""


class CommandError(QuorateError):
    """The command that was to run under a lock cannot be run."""

    exit_code = 2


ttl_option = click.option(
    "--ttl",
    "ttl_s",
    type=TTL,
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="For how long a holder is waited for that is heard no more.",
)


@click.group(no_args_is_help=True)
def lease() -> None:
    """Leases: keys put with one go when it ends."""


@lease.command("grant")
@click.argument("ttl_s", type=TTL, metavar="SECONDS")
@remote_command()
def grant_lease(remote: Remote, ttl_s: float) -> None:
    """Begin a lease that ends after SECONDS, unless it is kept; print its id."""
    leased = _propose(remote, grant(round(ttl_s * 1000)))
    remote.show(_report(leased), lambda report: str(report["lease"]))


@lease.command("keep")
@click.argument("lease_id", type=LEASE, metavar="ID")
@remote_command()
def keep_lease(remote: Remote, lease_id: int) -> None:
    """Let lease ID begin anew, once."""
    remote.show(_report(_propose(remote, renew(lease_id))), _view)


@lease.command("revoke")
@click.argument("lease_id", type=LEASE, metavar="ID")
@remote_command()
def revoke_lease(remote: Remote, lease_id: int) -> None:
    """End lease ID now, with its keys."""
    with remote.client() as client:
        changed = answer_of(client.propose(revoke(lease_id)), Changed, LeaseError)
    remote.show({"lease": lease_id, "revision": changed.revision}, lambda report: f"lease {report['lease']} has ended")


@lease.command("show")
@click.argument("lease_id", type=LEASE, metavar="ID")
@remote_command()
def show_lease(remote: Remote, lease_id: int) -> None:
    """Show when lease ID ends, and how many keys hang on it."""
    with remote.client() as client:
        leased = answer_of(client.read(lease_of(lease_id)), Leased, LeaseError)
    remote.show(_report(leased), _view)


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("name", type=GIVEN)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@ttl_option
@remote_command()
def lock(remote: Remote, name: str, command: Sequence[str], ttl_s: float) -> None:
    """Run COMMAND while holding lock NAME: lock NAME -- COMMAND ARGUMENTS.  Without one, hold it until interrupted.

    COMMAND finds QUORATE_LOCK_NAME, QUORATE_LOCK_KEY and the fencing token QUORATE_LOCK_TOKEN in its environment, and
    its exit code becomes this one's.  When the lock is lost it is ended by SIGTERM, and the exit code is 1.  When this
    one is ended (SIGINT, SIGTERM, SIGHUP), so is COMMAND, and the lock is left.
    """
    _run(_hold(remote, name, command, ttl_s, ""))


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("name", type=GIVEN)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.option("--value", type=TEXT, default="", help="What others see of the winner (default: the host's name).")
@ttl_option
@remote_command()
def elect(remote: Remote, name: str, command: Sequence[str], value: str, ttl_s: float) -> None:
    """Stand for office NAME, and run COMMAND once elected.  Without one, hold office until interrupted.

    The same as `lock`, with a name of the holder that `kv list lock/NAME/` shows.
    """
    _run(_hold(remote, name, command, ttl_s, value or os.uname().nodename))


def _run(held: Coroutine[Any, Any, int]) -> None:
    code = asyncio.run(_heeding_signals(held))
    if code:
        raise click.exceptions.Exit(code)


async def _heeding_signals(held: Coroutine[Any, Any, int]) -> int:
    """Cancel what holds the lock when this process is told to end: its command must not outlive the lock."""
    holder = asyncio.ensure_future(held)
    told: list[int] = []

    def end(number: int) -> None:
        # Once: its command is being ended then, which a second one would break off.
        if not told:
            told.append(number)
            holder.cancel()

    for number in ENDING:
        # What nohup had ignored stays so.
        if signal.getsignal(number) is signal.SIG_DFL:
            asyncio.get_running_loop().add_signal_handler(number, end, number)
    try:
        return await holder
    except asyncio.CancelledError:
        if not told:
            raise
        return 128 + told[0]


async def _hold(remote: Remote, name: str, command: Sequence[str], ttl_s: float, value: str) -> int:
    outcome = f"lock {name} was not got"
    ended = f", and {command[0]} was ended" if command else ""
    try:
        async with remote.lasting_client() as client, client.lock(name, ttl_s=ttl_s, value=value) as held:
            outcome = f"lock {name} was lost{ended}"
            if command:
                return await _execute(name, held, command)
            shown = {"name": name, "key": held.key, "token": held.token}
            remote.show(shown, lambda report: f"token {report['token']}")
            await asyncio.Event().wait()
            return 0
    except LeaseLost as error:
        raise LockLostError(f"{outcome}: {error}") from None


async def _execute(name: str, held: Lock, command: Sequence[str]) -> int:
    process = _started(command, QUORATE_LOCK_NAME=name, QUORATE_LOCK_KEY=held.key, QUORATE_LOCK_TOKEN=str(held.token))
    try:
        code = await asyncio.to_thread(process.wait)
    except asyncio.CancelledError:
        await _end(process)
        raise
    return code if code >= 0 else 128 - code


def _started(command: Sequence[str], **variables: str) -> subprocess.Popen[bytes]:
    # Not asyncio's: that warns of a process which Ctrl-C has ended by the time it is to be ended.
    try:
        return subprocess.Popen(command, env=os.environ | variables)
    except OSError as error:
        raise CommandError(f"cannot run {command[0]}: {error.strerror}") from None


async def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.to_thread(process.wait), END_WAIT_S)
    finally:
        # Also when a second Ctrl-C comes meanwhile.
        process.kill()
    await asyncio.to_thread(process.wait)


def _propose(remote: Remote, command: bytes) -> Leased:
    with remote.client() as client:
        return answer_of(client.propose(command), Leased, LeaseError)


def _report(leased: Leased) -> dict[str, Any]:
    return {
        "lease": leased.lease,
        "ttl_s": leased.ttl_ms / 1000,
        "left_s": leased.left_ms / 1000,
        "keys": leased.keys,
    }


def _view(report: dict[str, Any]) -> str:
    return f"lease {report['lease']} of {report['ttl_s']:g} s ends in {report['left_s']:g} s; keys: {report['keys']}"
