"""keyring: the keys of this server, kept beside its databases while they differ from those of its key file.

The key file of `start --key` belongs to whoever runs the server: it may be read-only, and is never written. What a
rotation makes of it is kept here: replaced as a whole, readable by its owner only, and on the disk before anybody is
told so. What the ring in it means is transport/ring.py's business.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from attrs import field, frozen
from msgspec import Struct

from storage.errors import StorageError, WriteError
from storage.sqlite_file import sync
from transport.errors import KeyFileError
from transport.ring import Ring, decode_ring
from transport.wire import message

FILE_NAME: Final = "keyring"
_BYTES_MAX: Final = 64 * 1024
_OWNER_ONLY: Final = 0o600


@message("keyring.write", retry=False)
@frozen
class KeyringWrite:
    """Keep this ring (an ask, answered by `KeyringWritten`). It holds secrets."""

    ring: bytes = field(repr=False)


@message("keyring.written")
class KeyringWritten(Struct, frozen=True):
    """The ring is on the disk, or not for the reason in `error`, and the one before it still is."""

    error: str = ""


def read_keyring(folder: Path) -> Ring | None:
    """The ring kept in a data directory, if there is one. Raises StorageError for a file that holds none."""
    path = folder / FILE_NAME
    try:
        with path.open("rb") as file:
            data = file.read(_BYTES_MAX)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"{path} cannot be read ({error.strerror})") from error
    try:
        return decode_ring(data, str(path))
    except KeyFileError as error:
        raise StorageError(f"{error}. Move it away, and the server starts with the key of --key alone") from None


def write_keyring(folder: Path, ring: bytes) -> None:
    """Replace the ring in a data directory; it is on the disk when this returns. Raises WriteError, keeping the old."""
    path = folder / FILE_NAME
    draft = path.with_suffix(".new")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _OWNER_ONLY)
        with os.fdopen(descriptor, "wb") as file:
            file.write(ring)
            file.flush()
            os.fsync(descriptor)
        draft.replace(path)
        sync(folder)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        raise WriteError(f"{path} cannot be written ({error.strerror or error}): the keys are as before") from error


def remove_keyring(folder: Path) -> None:
    """Keep no ring any more: the key file says it all. Raises WriteError."""
    path = folder / FILE_NAME
    try:
        path.unlink(missing_ok=True)
        sync(folder)
    except OSError as error:
        raise WriteError(f"{path} cannot be removed ({error.strerror or error})") from error
