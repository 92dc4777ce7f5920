"""The commands backup and restore: the whole key-value store into a file, and back.

What lives here: reading the store at one revision and writing it in batches, while somebody waits.  What does not: the
format of the file (storage/backup_file.py).

A backup is the store as it was at one revision, whatever is written meanwhile: its first page says which, and the
others are asked for as of that.  Restored, the keys get new revisions, and what belongs to a cluster and not to its
data stays out: leases, sessions, members, keys of the cluster.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from shutil import copyfileobj
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import click

from commands.options import Remote, remote_command
from commands.paths import INPUT, OUTPUT, STDIO
from commands.whole_file import whole_file
from quorate.version import __version__
from storage.backup_file import BackupError, BackupReader, BackupWriter, Head, Pair
from storage.kv_protocol import TXN_OPS_MAX, Compare, Put
from transport.limits import COMMAND_BYTES_MAX
from transport.text import counted

if TYPE_CHECKING:
    from quorate.client import Client

IN_FLIGHT: Final = 8
"""Batches on their way at a time: enough to keep the log busy, and at most 8 MiB."""

BATCH_BYTES_MAX: Final = COMMAND_BYTES_MAX // 4
"""Of keys and values; a key that is larger travels alone."""

PROGRESS_S: Final = 0.5
PROGRESS_LINES_S: Final = 10.0
_COPY_BYTES: Final = 1 << 20


class Progress:
    """How far it is, on stderr: one line that changes on a terminal, else a line now and then."""

    def __init__(self, verb: str) -> None:
        self._verb = verb
        self._began = time.monotonic()
        self._is_terminal = sys.stderr is not None and sys.stderr.isatty()
        self._period_s = PROGRESS_S if self._is_terminal else PROGRESS_LINES_S
        self._next = self._began + self._period_s
        self._is_shown = False

    def show(self, keys: int, size: int) -> None:
        """Say how much is done, if it is time to."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + self._period_s
        self._is_shown = self._is_terminal
        rate = size / max(now - self._began, 1e-3)
        line = f"{self._verb}: {counted(keys, 'key')}, {_amount(size)}, {_amount(rate)}/s"
        click.echo(f"\r{line}\x1b[K" if self._is_terminal else line, err=True, nl=not self._is_terminal)

    def end(self) -> None:
        """Leave the line that changes."""
        if self._is_shown:
            click.echo(err=True)


@click.command()
@click.argument("file", type=OUTPUT)
@remote_command()
def backup(remote: Remote, file: str) -> None:
    """Write all keys, as they are at one revision, into FILE (- for stdout).

    FILE is there whole, on the disk, or not at all; one that was there before is replaced.
    """
    from asyncio import run

    report = run(_backup(remote, file))
    _show(remote, file, report, "backed up")


@click.command()
@click.argument("file", type=INPUT)
@click.option(
    "--force", is_flag=True, help="Into a store that has keys: they stay, and those of FILE are set over them."
)
@remote_command()
def restore(remote: Remote, file: str, force: bool) -> None:
    """Put the keys of a backup FILE (- for stdin) into an empty store.

    All of FILE is checked before the first key is written.  One that was interrupted is begun again, with --force.
    """
    from asyncio import run

    report = run(_restore(remote, file, force=force))
    _show(remote, file, report, "restored")


# --- backup -----------------------------------------------------------------------------------------------------------


async def _backup(remote: Remote, name: str) -> dict[str, Any]:
    async with remote.lasting_client() as client:
        cluster_id = str((await client.call("status"))["cluster_id"])
        page = await client.kv.list()
        revision = page.revision
        progress = Progress("backed up")
        try:
            with whole_file(name) as file:
                writer = BackupWriter(file, Head(revision, cluster_id, time.time(), __version__))
                while True:
                    writer.add([(found.key, found.value) for found in page.items])
                    progress.show(writer.keys, writer.bytes)
                    if not page.next:
                        break
                    page = await _page(client, page.next, revision)
                writer.end()
        finally:
            progress.end()
    return {"keys": writer.keys, "bytes": writer.bytes, "revision": revision, "cluster_id": cluster_id}


async def _page(client: Client, start: str, revision: int) -> Any:
    from quorate.errors import Compacted

    try:
        return await client.kv.list(start=start, revision=revision)
    except Compacted:
        raise BackupError(
            f"revision {revision} is so many changes ago that it is not known any more: "
            "back up again when less is written, or from a server that is nearer"
        ) from None


# --- restore ----------------------------------------------------------------------------------------------------------


async def _restore(remote: Remote, name: str, *, force: bool) -> dict[str, Any]:
    shown = _shown(name)
    with _read(name) as file:
        try:
            checked = BackupReader(file, shown)
            for _ in checked.pairs():
                pass
            file.seek(0)
            async with remote.lasting_client() as client:
                if not force and (await client.kv.list(limit=1)).items:
                    raise BackupError(
                        "the store has keys: restore into an empty one, or give --force to set the backup's over them"
                    )
                await _write(client, BackupReader(file, shown), force=force)
        except OSError as error:
            raise BackupError(f"cannot read {shown}: {error.strerror or error}") from None
    return {"keys": checked.keys, "bytes": checked.bytes, **_origin(checked.head)}


async def _write(client: Client, backup: BackupReader, *, force: bool) -> None:
    from asyncio import FIRST_COMPLETED, Task, create_task, gather, wait

    progress = Progress("restored")
    on_way: set[Task[None]] = set()
    try:
        for batch in _batches(backup):
            if len(on_way) >= IN_FLIGHT:
                done, on_way = await wait(on_way, return_when=FIRST_COMPLETED)
                await gather(*done)
            on_way.add(create_task(_put(client, batch, force=force)))
            progress.show(backup.keys, backup.bytes)
        await gather(*on_way)
    finally:
        progress.end()
        for task in on_way:
            task.cancel()


async def _put(client: Client, batch: list[Pair], *, force: bool) -> None:
    """One batch: over what is there, or only if there is nothing."""
    from quorate.errors import Conflict

    if force:
        await client.kv.put_many(dict(batch))
        return
    if len(batch) == 1:
        # The largest value leaves no room for a comparison beside it.
        key, value = batch[0]
        try:
            await client.kv.put(key, value, revision=0)
            return
        except Conflict:
            is_done = False
    else:
        absent = [Compare(key, "revision", "==", 0) for key, _ in batch]
        is_done = (await client.kv.txn(absent, [Put(key, value) for key, value in batch])).succeeded
    if not is_done:
        raise BackupError(
            f"somebody else writes to this store: a key from {batch[0][0]!r} to {batch[-1][0]!r} is there already; "
            "what was restored so far stays: give --force to go on over it"
        )


def _batches(backup: BackupReader) -> Iterator[list[Pair]]:
    """Commands' worth of keys."""
    batch: list[Pair] = []
    size = 0
    for pairs in backup.pairs():
        for key, value in pairs:
            # A key is in its command twice, in the comparison too.
            cost = 2 * len(key.encode()) + len(value)
            if batch and (len(batch) >= TXN_OPS_MAX or size + cost > BATCH_BYTES_MAX):
                yield batch
                batch, size = [], 0
            batch.append((key, value))
            size += cost
    if batch:
        yield batch


@contextmanager
def _read(name: str) -> Iterator[BinaryIO]:
    """The file, which can be read twice: what comes through a pipe is kept aside first."""
    if name == STDIO and sys.stdin is None:
        raise BackupError("there is no stdin to read the backup from: it is closed")
    with ExitStack() as opened:
        try:
            file = sys.stdin.buffer if name == STDIO else opened.enter_context(open(name, "rb"))
            if not file.seekable() or name == STDIO:
                file = opened.enter_context(_kept(file))
        except OSError as error:
            raise BackupError(f"cannot read {_shown(name)}: {error.strerror or error}") from None
        yield file


@contextmanager
def _kept(pipe: BinaryIO) -> Iterator[BinaryIO]:
    with tempfile.TemporaryFile() as kept:
        try:
            copyfileobj(pipe, kept, _COPY_BYTES)
            kept.seek(0)
        except OSError as error:
            where = tempfile.gettempdir()
            raise BackupError(f"cannot keep what the pipe brings in {where}: {error.strerror or error}") from None
        yield kept


# --- both -------------------------------------------------------------------------------------------------------------


def _origin(head: Head) -> dict[str, Any]:
    return {"revision": head.revision, "cluster_id": head.cluster_id}


def _show(remote: Remote, file: str, report: dict[str, Any], verb: str) -> None:
    line = f"{verb} {counted(report['keys'], 'key')}, {_amount(report['bytes'])}, of revision {report['revision']}"
    # The backup itself may be on stdout.
    remote.show({"file": file, **report}, lambda _: line, err=file == STDIO)


def _shown(name: str) -> str:
    return "stdin" if name == STDIO else name


def _amount(size: float) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
