"""Key files: secret, complete, never overwritten, and clear about what is wrong with them."""

from __future__ import annotations

import errno
import logging
import os
import stat
from pathlib import Path

import pytest

from transport import keys
from transport.errors import KeyFileError, KeySaveError


def test_a_generated_key_loads_and_is_private(tmp_path: Path) -> None:
    """A cluster key makes its holder a server; the file is readable by its owner only; no secret is ever printed."""
    path = tmp_path / "cluster.key"
    keys.save(path, keys.generate())

    key = keys.load(path)

    assert key.can_serve
    assert key.server is not None
    assert key.server.public == key.server_public
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert key.server.secret.decode() not in repr(key)
    assert key.client.secret.decode() not in repr(key)


def test_a_client_file_cannot_serve(tmp_path: Path) -> None:
    """The client's file names the same cluster and holds no secret of the servers."""
    key = keys.parse(keys.generate().encode(), "generated")
    path = tmp_path / "client.key"
    keys.save(path, keys.client_only(key))

    client = keys.load(path)

    assert not client.can_serve
    with pytest.raises(
        KeyFileError, match=r"client\.key is a client's key file: a server needs the cluster's"
    ) as refused:
        keys.load_cluster(path)
    assert refused.value.exit_code == 2
    assert client.client == key.client
    assert client.fingerprint == key.fingerprint
    assert key.server is not None
    assert key.server.secret not in path.read_bytes()


def test_a_key_file_is_never_overwritten(tmp_path: Path) -> None:
    """Losing a cluster's key to a typo would lock its servers out."""
    path = tmp_path / "cluster.key"
    keys.save(path, "first")

    with pytest.raises(KeySaveError, match="exists; a key file is never overwritten"):
        keys.save(path, "second")
    assert path.read_text() == "first"


def test_nothing_is_left_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty file would have the next attempt refused, and look like a key."""
    path = tmp_path / "cluster.key"

    def full(_fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        with pytest.raises(KeySaveError, match=r"cluster\.key cannot be written \(No space left on device\)"):
            keys.save(path, "x")
    assert not path.exists()
    keys.save(path, "x")


def test_what_cannot_be_read_or_written_is_named(tmp_path: Path) -> None:
    """The error names the file and the reason."""
    with pytest.raises(KeyFileError, match=r"none\.key cannot be read \(No such file.*keys generate"):
        keys.load(tmp_path / "none.key")
    with pytest.raises(KeyFileError, match=r"cannot be read \(Is a directory\)"):
        keys.load(tmp_path)
    with pytest.raises(KeySaveError, match="cannot be written"):
        keys.save(tmp_path / "no" / "dir.key", "x")


def _damaged() -> list[tuple[str, str]]:
    good, other = keys.generate(), keys.generate()
    secret = next(line for line in other.splitlines() if line.startswith("secret"))
    mine = next(line for line in good.splitlines() if line.startswith("secret"))
    return [
        ("", "server.public is missing"),
        ("server = 1", "server.public is missing"),
        ("not toml", "is not a key file"),
        ("\udcff", "is not a key file"),
        ("# " + "x" * 70_000, "larger than"),
        (good.replace('public = "', 'public = "x'), "not a key of 40 characters"),
        (good.replace(mine, secret), "do not belong together"),
        (good.replace(mine, 'secret = "' + "~" * 40 + '"'), "do not belong together"),
        (good.replace("[client]", "[guest]"), "client.public is missing"),
    ]


@pytest.mark.parametrize(("text", "why"), _damaged(), ids=lambda value: "" if "\n" in value else value[:20])
def test_a_damaged_file_is_refused(tmp_path: Path, text: str, why: str) -> None:
    """A cut, mixed-up or foreign file is refused with one line, before any socket is opened with it."""
    path = tmp_path / "cluster.key"
    path.write_bytes(text.encode(errors="surrogateescape"))
    path.chmod(0o600)

    with pytest.raises(KeyFileError, match=why) as refused:
        keys.load(path)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_another_file_is_not_to_be_closed_to_others(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A mistyped --key is no reason to tell anybody to change the mode of /etc/passwd."""
    path = tmp_path / "passwd"
    path.write_text("root:x:0:0:root:/root:/bin/bash")
    path.chmod(0o644)

    with caplog.at_level(logging.WARNING), pytest.raises(KeyFileError, match="is not a key file"):
        keys.load(path)
    assert caplog.text == ""


def test_an_open_key_file_is_used_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Mounted secrets are often readable by all; the operator is told."""
    path = tmp_path / "cluster.key"
    keys.save(path, keys.generate())
    path.chmod(0o644)

    with caplog.at_level(logging.WARNING, logger="quorate.keys"):
        assert keys.load(path).can_serve
    assert "chmod 600" in caplog.text
