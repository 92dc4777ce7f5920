"""A file that is written whole or not at all: it takes its name once it is on the disk, and only its owner reads it.

What lives here: that, for what commands write.  What does not: the files of a server (storage/).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from storage.sqlite_file import sync
from transport.errors import QuorateError

_OWNER_ONLY: Final = 0o600


class FileNotWrittenError(QuorateError):
    """The file could not be written; what had its name before is still there."""


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """The file to write into, which is in place once this ends well.  Raises FileNotWrittenError."""
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
