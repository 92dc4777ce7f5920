"""What a run writes down when somebody watches it."""

from __future__ import annotations

from collections.abc import Callable


class Trace:
    """Lines about what happened, each with its simulated time.  ``is_on``: ask before making an expensive line."""

    def __init__(self, write: Callable[[str], object] | None = None) -> None:
        self._write = write
        self.is_on = write is not None

    def note(self, now: float, line: str) -> None:
        """Something happened."""
        if self._write is not None:
            self._write(f"{now:11.6f} {line}")


SILENT = Trace()
