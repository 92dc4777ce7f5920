"""The command line with a server that is played: what a command asks, and how its answer is printed."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from click.testing import CliRunner, Result

from commands.root import root
from storage.kv import KeyValueStore
from transport.client.stale import Stale


class PlayedClient:
    """In place of SyncClient: notes what it is asked, and answers what the test has laid out."""

    def __init__(self, play: Play, address: str, timeout_s: float) -> None:
        self._play = play
        play.addresses.append(address)
        play.timeouts.append(timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def call(self, op: str, arguments: Any = None, *, timeout_s: float | None = None) -> Any:
        """The laid-out answer."""
        self._play.asked.append((op, {} if arguments is None else arguments))
        self._play.fail_if_told()
        return self._play.answers[op]

    def propose(self, command: bytes) -> bytes:
        """Applied to a real store."""
        self._play.fail_if_told()
        return self._play.store.apply(command)

    def read(self, query: bytes) -> bytes:
        """Asked of a real store."""
        self._play.fail_if_told()
        return self._play.store.read(query)

    def read_stale(self, query: bytes) -> Stale[bytes]:
        """The same, of the age that the test has laid out."""
        self._play.fail_if_told()
        return Stale(self._play.store.read(query), self._play.age_s)


class Play:
    """A server, and a person at the keyboard."""

    def __init__(self) -> None:
        self.store = KeyValueStore()
        self.answers: dict[str, Any] = {}
        self.failure: BaseException | None = None
        self.failures: list[BaseException | None] = []
        """What the next calls end with, one each; None for an answer."""
        self.asked: list[tuple[str, Any]] = []
        self.addresses: list[str] = []
        self.timeouts: list[float] = []
        self.age_s: float | None = 0.25

    def fail_if_told(self) -> None:
        """Raise what the test wants raised."""
        failure = self.failures.pop(0) if self.failures else self.failure
        if failure is not None:
            raise failure

    def run(self, *arguments: str, stdin: bytes = b"", env: dict[str, str] | None = None) -> Result:
        """Type a command."""
        return CliRunner().invoke(root, list(arguments), input=stdin, env=env)

    def text(self, *arguments: str, stdin: bytes = b"") -> str:
        """What a command that succeeds prints."""
        result = self.run(*arguments, stdin=stdin)
        assert result.exit_code == 0, result.output
        return result.stdout
