"""One real server process: started with a command line, signalled, asked, and looked at when it has ended."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from storage.kv_protocol import (
    Changed,
    Found,
    Page,
    decode_result,
    delete,
    get,
    list_keys,
    put,
)
from tests.support.command import PROGRAM, Outcome, environment, run
from tests.support.waiting import wait_until
from transport.client.errors import NotFound, OutcomeUnknown
from transport.client.stale import Stale
from transport.client.sync_client import SyncClient
from transport.errors import QuorateError
from transport.keys import load

HOST = "127.0.0.1"
ASK_TIMEOUT_S = 5.0
END_TIMEOUT_S = 20.0
PAGE = 1_000
LEADER_LINE = re.compile(r"quorate\.raft: term (\d+): (\S+) leads")


class Server:
    """A server with its own folder under `folder`; `options` are further options of `start`.

    `start` uses the same command line each time. Everything the process prints goes to `log`, start after start.
    """

    def __init__(self, folder: Path, name: str, port: int, *options: str, key: Path | None = None) -> None:
        self.name = name
        self.port = port
        self.address = f"{HOST}:{port}"
        self.http = f"{HOST}:{port + 1}"
        self.data_dir = folder / name
        self.log = folder / f"{name}.log"
        self.key = key
        self.options = options
        self._process: subprocess.Popen[bytes] | None = None

    def __repr__(self) -> str:
        return self.name

    # --- the process ------------------------------------------------------------------------------------------------

    @property
    def command(self) -> list[str]:
        """The command line, as a user would type it."""
        line = ["start", "--name", self.name, "--bind", self.address, "--data-dir", str(self.data_dir), *self.options]
        return [*line, "--key", str(self.key)] if self.key else line

    @property
    def is_running(self) -> bool:
        """Whether the process lives (a paused one does)."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The id of the process that was started last."""
        assert self._process is not None, f"{self} was never started"
        return self._process.pid

    def start(self) -> None:
        """Start the process; returns at once."""
        assert not self.is_running, f"{self} runs already"
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [*PROGRAM, *self.command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment({"QUORATE_FAULT_HOOKS": "1"}),
                start_new_session=True,
            )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self._process is not None, f"{self} was never started"
        self._process.send_signal(number)

    def kill(self) -> None:
        """End the process as a power cut would, and return when it is gone."""
        self.signal(signal.SIGKILL)
        self.wait_exit()

    def pause(self) -> None:
        """Stop the process, so that it is there and does nothing."""
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused process go on."""
        self.signal(signal.SIGCONT)

    def stop(self) -> int:
        """Ask the process to end, as Ctrl-C would; returns its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait_exit()

    def wait_exit(self, timeout_s: float = END_TIMEOUT_S) -> int:
        """The exit code, once the process has ended. Raises AssertionError when it does not end in time."""
        assert self._process is not None, f"{self} was never started"
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self} has not ended within {timeout_s:g} s") from None

    def clean_up(self) -> None:
        """End the process, whatever state it is in; never raises."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    # --- what it says -----------------------------------------------------------------------------------------------

    def client(self, timeout_s: float = ASK_TIMEOUT_S) -> SyncClient:
        """A client of this very server, to be used in a `with`."""
        return SyncClient(self.address, key=load(self.key) if self.key else None, timeout_s=timeout_s)

    def ask(self, op: str, arguments: Mapping[str, Any] | None = None, *, timeout_s: float = ASK_TIMEOUT_S) -> Any:
        """The answer of this very server to one operation."""
        with self.client(timeout_s) as client:
            return client.call(op, arguments)

    def status(self) -> dict[str, Any]:
        """What this server says of itself."""
        status: dict[str, Any] = self.ask("status", timeout_s=1.0)
        return status

    def look(self) -> dict[str, Any] | None:
        """What this server says of itself, or None when it says nothing."""
        try:
            return self.status()
        except QuorateError:
            return None

    def wait_status(self, what: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait until something holds of what this server says of itself; returns what it said."""

        def seen() -> dict[str, Any] | None:
            status = self.status()
            return status if holds(status) else None

        return wait_until(f"{self}: {what}", seen)

    def wait_member(self, other: Server, *statuses: str) -> None:
        """Wait until this server sees another in one of these statuses; "gone" stands for not at all."""

        def seen() -> bool:
            rows = [row["status"] for row in self.ask("members") if row["name"] == other.name]
            return bool(rows and rows[0] in statuses) or (not rows and "gone" in statuses)

        wait_until(f"{self} sees {other} as {' or '.join(statuses)}", seen)

    def cli(self, *arguments: str, stdin: bytes = b"") -> Outcome:
        """A command of the command line, for this server."""
        key = ["--key", str(self.key)] if self.key else []
        return run(*arguments, "--address", self.address, *key, stdin=stdin)

    def log_text(self) -> str:
        """Everything the process has printed."""
        return self.log.read_text("utf-8", "replace") if self.log.exists() else ""

    def wait_log(self, pattern: str) -> re.Match[str]:
        """Wait until the log has a line that matches."""
        return wait_until(f"{self} logs {pattern!r}", lambda: re.search(pattern, self.log_text()))

    def leaders_logged(self) -> set[tuple[int, str]]:
        """The leaders this server has seen, as (term, name or the beginning of an id)."""
        found = LEADER_LINE.findall(self.log_text())
        return {(int(term), leader) for term, leader in found if leader != "nobody"}

    def actor(self, name: str) -> dict[str, Any]:
        """One row of `actors list`. Raises NotFound for an actor that a server has not started yet."""
        rows: dict[str, dict[str, Any]] = {row["name"]: row for row in self.ask("actors.list")}
        if name not in rows:
            raise NotFound(f"{self} has no actor {name} yet")
        return rows[name]

    def crash(self, actor: str) -> None:
        """Make an actor fail, by the fault hook."""
        # What the crash takes down with it may be what would have answered.
        with suppress(OutcomeUnknown):
            self.ask("fault.crash", {"actor": actor})

    # --- its store --------------------------------------------------------------------------------------------------

    def put(self, key: str, value: str | bytes) -> int:
        """Set a key through this server; returns the revision."""
        with self.client() as client:
            result = decode_result(client.propose(put(key, value.encode() if isinstance(value, str) else value)))
        assert isinstance(result, Changed), result
        return result.revision

    def get(self, key: str) -> bytes | None:
        """A key's value through this server, or None."""
        with self.client() as client:
            return _value(client.read(get(key)))

    def get_stale(self, key: str) -> Stale[bytes | None]:
        """A key's value in this server's own copy, or None, with its age."""
        with self.client() as client:
            stale = client.read_stale(get(key))
        return Stale(_value(stale.answer), stale.age_s)

    def delete(self, key: str) -> None:
        """Remove a key through this server."""
        with self.client() as client:
            result = decode_result(client.propose(delete(key)))
        assert isinstance(result, Changed), result

    def state(self) -> dict[str, tuple[bytes, int]]:
        """Everything in this server's own copy: key to value and revision."""
        found: dict[str, tuple[bytes, int]] = {}
        start = ""
        with self.client() as client:
            while True:
                page = decode_result(client.read_stale(list_keys("", start, PAGE)).answer)
                assert isinstance(page, Page), page
                found |= {item.key: (item.value, item.revision) for item in page.items}
                if not page.next:
                    return found
                start = page.next


def _value(encoded: bytes) -> bytes | None:
    result = decode_result(encoded)
    return result.value if isinstance(result, Found) else None
