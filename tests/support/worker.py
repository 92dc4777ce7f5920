"""A worker beside a test: an event loop in a thread, so that the test can go on breaking things meanwhile.

What lives here: its beginning and its end, a crash included. What does not: its work.
"""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from typing import Self


class Worker(ABC):
    """At work from `with` to its end, or to `stop`."""

    def __init__(self, name: str) -> None:
        self._stop = threading.Event()
        self._crash: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the work, once everything under way has been answered or given up. Raises what the work crashed with."""
        self._stop.set()
        self._thread.join()
        if self._crash is not None:
            raise AssertionError(f"the {self._thread.name} itself crashed: {self._crash!r}") from self._crash

    @property
    def is_broken(self) -> bool:
        """Whether it has ended by itself."""
        return not self._thread.is_alive()

    @abstractmethod
    async def work(self) -> None:
        """In the thread: work until `_stop` is set."""

    def _run(self) -> None:
        try:
            asyncio.run(self.work())
        except BaseException as error:  # it is raised where the thread is joined
            self._crash = error
