"""A file that is written whole or not at all: it takes its name once it is on the disk, and only its owner reads it.

What lives here: that, for what commands write, or stdout in its place.  What does not: a server's files (storage/).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from commands.paths import STDIO
from storage.sqlite_file import sync
from transport.errors import QuorateError

_OWNER_ONLY: Final = 0o600


class FileNotWrittenError(QuorateError):
    """The file could not be written; what had its name before is still there."""


@contextmanager
def whole_file(name: str) -> Iterator[BinaryIO]:
    """The file to write into, which is in place once this ends well; - is stdout.  Raises FileNotWrittenError."""
    if name == STDIO:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(name)
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _OWNER_ONLY), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        sync(path.parent)
    except OSError as error:
        raise FileNotWrittenError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        with suppress(OSError):
            draft.unlink()
