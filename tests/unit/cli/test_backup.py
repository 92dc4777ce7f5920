"""`backup` and `restore` where no cluster is needed: what is said, and how keys are put into batches."""

from __future__ import annotations

from io import BytesIO
from typing import Any, cast

import pytest

from commands import backup
from commands.backup import BATCH_BYTES_MAX, Progress
from quorate.client import Client
from quorate.errors import Compacted
from storage.backup_file import MAGIC, BackupError, BackupReader, BackupWriter, Head, Pair
from storage.kv_protocol import (
    KEY_BYTES_MAX,
    TXN_OPS_MAX,
    VALUE_BYTES_MAX,
    Compare,
    Put,
    put_if,
    txn,
)
from tests.unit.cli.play import Play
from transport.limits import COMMAND_BYTES_MAX


class ForgetfulStore:
    """The store of a server that knows the present alone."""

    @property
    def kv(self) -> ForgetfulStore:
        """Itself."""
        return self

    async def list(self, **_: Any) -> None:
        """Nothing is known any more."""
        raise Compacted("compacted", 70_000)


async def test_a_revision_that_is_forgotten_is_one_line() -> None:
    """More was written meanwhile than a server remembers: no gap, no mixture, but an end."""
    with pytest.raises(BackupError, match="revision 7 is so many changes ago"):
        await backup._page(cast("Client", ForgetfulStore()), "k", 7)


@pytest.mark.parametrize("force", [False, True])
def test_batches_are_commands_that_the_store_takes(force: bool) -> None:
    """Many small keys, long ones, and the largest value under the longest key."""
    pairs: list[Pair] = [(f"k{number:04}", b"v") for number in range(300)]
    pairs += [(f"{number:03}" + "ä" * 1_000, bytes(100_000)) for number in range(10)]
    pairs += [("z" * KEY_BYTES_MAX, bytes(VALUE_BYTES_MAX))]
    file = BytesIO()
    writer = BackupWriter(file, Head(1, "c", 0.0, "1"))
    writer.add(pairs[:200])
    writer.add(pairs[200:])
    writer.end()
    file.seek(0)
    batches = list(backup._batches(BackupReader(file, "b")))

    assert [pair for batch in batches for pair in batch] == pairs
    assert max(map(len, batches)) == TXN_OPS_MAX
    for batch in batches:
        puts = [Put(key, value) for key, value in batch]
        absent = [] if force else [Compare(key, "revision", "==", 0) for key, _ in batch]
        command = txn(absent, puts) if len(batch) > 1 else put_if(*batch[0], 0)
        assert len(command) <= (COMMAND_BYTES_MAX if len(batch) == 1 else BATCH_BYTES_MAX + TXN_OPS_MAX * 64)


def test_progress_in_a_pipe_is_lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Now and then, on stderr, without control characters."""
    monkeypatch.setattr(backup, "PROGRESS_LINES_S", 0.0)
    progress = Progress("restored")
    progress.show(5, 3 << 20)
    progress.end()
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("restored: 5 keys, 3.0 MiB, ")
    assert "\r" not in told.err


def test_a_torn_backup_from_a_pipe(play: Play) -> None:
    """What is named is what the bytes came from, and no server is asked."""
    result = play.run("restore", "-", stdin=MAGIC)

    assert result.exit_code == 1
    assert result.stderr.startswith("error: stdin is damaged (it ends in the middle")
    assert not play.addresses
