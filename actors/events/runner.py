"""Runs event handlers: several at a time, none for long, and never more than there is room for.

What lives here: processes, their number, their time, and what is read of their output. What does not: what is run and
when (events.py), and what a handler is told (handlers.py).
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen
from msgspec import Struct

if TYPE_CHECKING:
    from actors.events.handlers import Job

_log = logging.getLogger("quorate.events")

_CHUNK_BYTES: Final = 4096
_END_S: Final = 1.0
"""How long a handler that was killed may hold its pipes."""


@frozen
class RunnerLimits:
    """running_max: handlers at a time. waiting_max: those that wait for one to end; one more is dropped. time_s: a
    handler that runs for longer is killed, and all that it has started. output_bytes_max: what is kept of its output,
    and of what it says on stderr.
    """

    running_max: int = 4
    waiting_max: int = 256
    time_s: float = 30.0
    output_bytes_max: int = 8192


class Outcome(Struct, frozen=True):
    """How a run ended. error: "" when the command ended with 0."""

    output: bytes
    error: str


class Runner:
    """The handlers of one server that run or wait. spawn: starts a task; on_end: what became of a job."""

    def __init__(
        self,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        on_end: Callable[[Job, Outcome], None],
        limits: RunnerLimits | None = None,
    ) -> None:
        self.runs = 0
        self.failed = 0
        self.dropped = 0
        self._spawn = spawn
        self._on_end = on_end
        self._limits = limits or RunnerLimits()
        self._running = 0
        self._waiting: deque[Job] = deque()

    def submit(self, job: Job) -> None:
        """Run this as soon as there is a place."""
        if self._running < self._limits.running_max:
            self._running += 1
            self._spawn(self._work(job))
        elif len(self._waiting) < self._limits.waiting_max:
            self._waiting.append(job)
        else:
            self._drop(job)

    def status(self) -> dict[str, int]:
        """Counters, as plain data."""
        return {
            "running": self._running,
            "waiting": len(self._waiting),
            "runs": self.runs,
            "failed": self.failed,
            "dropped": self.dropped,
        }

    def _drop(self, job: Job) -> None:
        self.dropped += 1
        # The first one, the second, the fourth, ...: a flood of them is seen, and does not fill the log.
        if self.dropped & (self.dropped - 1) == 0:
            _log.warning(
                "event handler %s was not run: %d run and %d wait already (dropped so far: %d)",
                job.command[0],
                self._running,
                len(self._waiting),
                self.dropped,
            )
        self._on_end(job, Outcome(b"", "the server is busy with other event handlers"))

    async def _work(self, job: Job) -> None:
        """Run one job after the other until none waits."""
        try:
            outcome = await self._run(job)
            self._ended(job, outcome)
            while self._waiting:
                job = self._waiting.popleft()
                self._ended(job, await self._run(job))
        finally:
            self._running -= 1

    def _ended(self, job: Job, outcome: Outcome) -> None:
        self.runs += 1
        if outcome.error:
            self.failed += 1
            _log.warning("event handler %s: %s", job.command[0], outcome.error)
        self._on_end(job, outcome)

    async def _run(self, job: Job) -> Outcome:
        try:
            # A session of its own, so that all it starts can be ended with it.
            process = await asyncio.create_subprocess_exec(
                *job.command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=_environment(job.environment),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            return Outcome(b"", f"cannot be run: {error}")
        try:
            async with asyncio.timeout(self._limits.time_s):
                return await self._converse(process, job)
        except BaseException as error:
            # Its time is up, or this server stops. What it has started may hold its output, and goes with it.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            with suppress(TimeoutError):
                async with asyncio.timeout(_END_S):
                    # To the end of its pipes, which are closed then.
                    await process.communicate()
            if not isinstance(error, TimeoutError):
                raise
            return Outcome(b"", f"was killed after {self._limits.time_s:g} s")

    async def _converse(self, process: asyncio.subprocess.Process, job: Job) -> Outcome:
        assert process.stdout is not None, "it was made with a pipe"
        assert process.stderr is not None, "it was made with a pipe"
        output, said, _ = await asyncio.gather(
            self._read(process.stdout), self._read(process.stderr), _give(process, job.given)
        )
        code = await process.wait()
        if code == 0:
            return Outcome(output, "")
        why = said.decode(errors="replace").strip()[-200:]
        ended = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return Outcome(output, f"{ended}: {why}" if why else ended)

    async def _read(self, stream: asyncio.StreamReader) -> bytes:
        """The beginning of what comes; the rest is read so that the process does not wait, and dropped."""
        kept = b""
        while chunk := await stream.read(_CHUNK_BYTES):
            kept = (kept + chunk)[: self._limits.output_bytes_max]
        return kept


async def _give(process: asyncio.subprocess.Process, given: bytes) -> None:
    assert process.stdin is not None, "it was made with a pipe"
    # It need not read what it is given.
    with suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(given)
        await process.stdin.drain()
        process.stdin.close()
        await process.stdin.wait_closed()


def _environment(told: Mapping[str, str]) -> dict[str, str]:
    return {**os.environ, **told}
