"""A cluster on this machine, one process a server: which servers there are, and starting, signalling and stopping them.

What lives here: the state file `cluster.json` of a local cluster and what can be done to its processes. What does not:
options and tables (commands/cluster.py), waiting for the servers to agree (commands/agreement.py) and single processes
(commands/server_process.py).

Server i uses port P + 10·i, HTTP one above it, its console (when asked for) the three above that. Counting starts at 0,
so that server 0 has the base port itself and every command finds it with no `--address`.
"""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import msgspec

from actors.config import CONSOLE_PORTS, DEFAULT_PORT, VOTERS_MAX_DEFAULT
from commands.server_process import Process, spawn_server
from transport.address import PORT_MAX, Address
from transport.errors import QuorateError
from transport.links.port import why_not_free
from transport.text import counted

HOST = "127.0.0.1"
PORT_STEP = 10
SERVERS_MAX = 64
STOP_TIMEOUT_S = 10.0
FAULT_HOOKS = {"QUORATE_FAULT_HOOKS": "1"}

_STATE_FILE = "cluster.json"
_LOCK_FILE = "cluster.lock"


class LocalClusterError(QuorateError):
    """A local cluster cannot do what was asked; the message says why and what to try."""


class PortTakenError(LocalClusterError):
    """A port that a server needs cannot be used. No server was started."""


class LocalServer(msgspec.Struct):
    """One server of a local cluster. `process` is None when it was never started or was stopped.

    `log_from` is where in its log its present run begins, in bytes.
    """

    index: int
    port: int
    process: Process | None = None
    log_from: int = 0

    @property
    def name(self) -> str:
        """The server's name in the cluster."""
        return f"server-{self.index}"

    @property
    def address(self) -> str:
        """Where servers and clients reach it."""
        return f"{HOST}:{self.port}"

    @property
    def http(self) -> str:
        """Where it speaks HTTP."""
        return f"{HOST}:{self.port + 1}"

    @property
    def monitor_port(self) -> int:
        """The first of its console's three ports."""
        return self.port + 2

    @property
    def state(self) -> str:
        """running, paused or stopped."""
        if self.process is None or not self.process.is_alive():
            return "stopped"
        return "paused" if self.process.is_paused() else "running"


class Settings(msgspec.Struct, frozen=True):
    """What every server of a local cluster is started with. `key` is the path of the cluster key, "" for none."""

    base_port: int = DEFAULT_PORT
    monitor: bool = False
    key: str = ""
    max_voters: int = VOTERS_MAX_DEFAULT
    log_level: str = "info"
    app: str = ""

    def arguments(self) -> list[str]:
        """The options of `start` that are the same for every server."""
        arguments = ["--max-voters", str(self.max_voters), "--log-level", self.log_level]
        given = {"--key": self.key, "--app": self.app}
        return [*arguments, *(word for option in given.items() if option[1] for word in option)]


class _State(msgspec.Struct):
    settings: Settings
    servers: list[LocalServer]


class LocalCluster:
    """The servers recorded in a folder. Every change is made under a lock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._state: _State | None = None

    @contextmanager
    def locked(self, *, create: bool = False) -> Iterator[LocalCluster]:
        """Hold the cluster to change it. Raises LocalClusterError when there is none, or another command has it."""
        if not create:
            self.read()
        with self._open_lock() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise LocalClusterError(
                    f"another command is changing the cluster in {self.folder}: wait for it"
                ) from None
            self._load()
            yield self

    def _open_lock(self) -> IO[str]:
        with self._explained():
            self.folder.mkdir(parents=True, exist_ok=True)
            return (self.folder / _LOCK_FILE).open("w")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """What goes wrong with the folder, in words."""
        try:
            yield
        except OSError as error:
            raise LocalClusterError(
                f"cannot use the folder {self.folder}: {error.strerror}; name another with --data-dir"
            ) from None

    def read(self) -> LocalCluster:
        """Look without holding it. Raises LocalClusterError when there is no cluster in the folder."""
        self._load()
        if self._state is None:
            raise LocalClusterError(
                f"no local cluster in {self.folder}: start one with 'cluster up 3', or name its folder with --data-dir"
            )
        return self

    @property
    def servers(self) -> list[LocalServer]:
        """The servers in order; empty before the first `up`."""
        return self._state.servers if self._state else []

    @property
    def settings(self) -> Settings:
        """What the servers are started with; the defaults before the first `up`."""
        return self._state.settings if self._state else Settings()

    def running(self) -> list[LocalServer]:
        """The servers whose processes live and are not paused."""
        return [server for server in self.servers if server.state == "running"]

    def server(self, text: str) -> LocalServer:
        """The server a user means by its number or its name."""
        for server in self.servers:
            if text in (str(server.index), server.name):
                return server
        known = ", ".join(str(server.index) for server in self.servers)
        raise LocalClusterError(f"no server {text!r} in this cluster: the servers are {known}")

    def data_dir(self, server: LocalServer) -> Path:
        """The folder of a server's files."""
        return self.folder / server.name

    def log(self, server: LocalServer) -> Path:
        """The file that takes what a server prints."""
        return self.folder / f"{server.name}.log"

    def up(self, count: int, settings: Settings) -> list[LocalServer]:
        """Start the servers 0 to `count` - 1 that do not run, and return those started.

        Raises LocalClusterError, with no server started, when a port is taken (PortTakenError) or the cluster has other
        settings.
        """
        planned = self._plan(count, settings)
        stopped = [server for server in planned.servers if server.state == "stopped"]
        for server in stopped:
            _check_ports(server, monitor=settings.monitor)
        self._state = planned
        self._save()
        for server in stopped:
            server.log_from = _size(self.log(server))
            server.process = spawn_server(self._arguments(server), self.log(server), FAULT_HOOKS)
            self._save()
        return stopped

    def signal(self, server: LocalServer, number: signal.Signals) -> None:
        """Signal one server. Raises LocalClusterError when it does not run."""
        if server.process is None or not server.process.send_signal(number):
            raise LocalClusterError(f"{server.name} is not running: 'cluster up {len(self.servers)}' starts it again")

    def kill(self, server: LocalServer) -> None:
        """End one server as a power cut would, and return when its process is gone."""
        self.signal(server, signal.SIGKILL)
        self._await_end(server)

    def down(self) -> list[LocalServer]:
        """Stop and return the servers that run, and nothing else. One that ignores SIGTERM is killed."""
        stopping = [server for server in self.servers if server.state != "stopped"]
        for server in stopping:
            assert server.process is not None, "a server that runs has a process"
            server.process.send_signal(signal.SIGTERM)
            server.process.send_signal(signal.SIGCONT)
        for server in stopping:
            self._await_end(server)
        for server in self.servers:
            server.process = None
        self._save()
        return stopping

    def _await_end(self, server: LocalServer) -> None:
        process = server.process
        assert process is not None, "only a server that runs is stopped"
        if not process.wait(STOP_TIMEOUT_S):
            process.send_signal(signal.SIGKILL)
            process.wait(STOP_TIMEOUT_S)

    def _plan(self, count: int, settings: Settings) -> _State:
        """Which servers there are to be. Nothing is changed yet."""
        ports = [settings.base_port + PORT_STEP * index for index in range(count)]
        if ports[-1] + 1 + CONSOLE_PORTS > PORT_MAX:
            raise LocalClusterError(
                f"{counted(count, 'server')} from port {ports[0]} on would go past {PORT_MAX}: use a lower --base-port"
            )
        if settings != self.settings and any(server.state != "stopped" for server in self.servers):
            raise LocalClusterError(
                f"the cluster in {self.folder} runs with other options: 'cluster down' first, or leave them out"
            )
        if self.servers and settings.base_port != self.settings.base_port:
            raise LocalClusterError(
                f"the cluster in {self.folder} is at port {self.settings.base_port}: leave --base-port as it was, "
                "or use another --data-dir"
            )
        if count < len(self.servers):
            raise LocalClusterError(
                f"the cluster in {self.folder} has {counted(len(self.servers), 'server')}: ask for at least as many, "
                "or use another --data-dir"
            )
        added = [LocalServer(index, ports[index]) for index in range(len(self.servers), count)]
        return _State(settings, [*self.servers, *added])

    def _arguments(self, server: LocalServer) -> Sequence[str]:
        assert self._state is not None, "a server is started from a recorded cluster"
        settings = self._state.settings
        data_dir = str(self.data_dir(server))
        arguments = ["--name", server.name, "--bind", server.address, "--http", server.http, "--data-dir", data_dir]
        # Server 0 starts the cluster; with data in its folder it finds the others by what it knows of them.
        arguments += [part for other in self.servers[:1] if other is not server for part in ("--peer", other.address)]
        if settings.monitor:
            arguments += ["--monitor-port", str(server.monitor_port)]
        return [*arguments, *settings.arguments()]

    def _load(self) -> None:
        path = self.folder / _STATE_FILE
        if not path.is_file():
            return
        with self._explained():
            recorded = path.read_bytes()
        try:
            self._state = msgspec.json.decode(recorded, type=_State)
        except msgspec.MsgspecError as error:
            raise LocalClusterError(
                f"{path} cannot be read ({error}): stop its servers by hand and remove the file"
            ) from None

    def _save(self) -> None:
        path = self.folder / _STATE_FILE
        fresh = path.with_suffix(".new")
        with self._explained():
            fresh.write_bytes(msgspec.json.format(msgspec.json.encode(self._state)))
            os.replace(fresh, path)


def _check_ports(server: LocalServer, *, monitor: bool) -> None:
    for port in range(server.port, server.port + 2 + (CONSOLE_PORTS if monitor else 0)):
        error = why_not_free(Address(HOST, port))
        if error is not None:
            raise PortTakenError(
                f"port {HOST}:{port}, which {server.name} needs, cannot be used ({error.strerror}): "
                "stop what uses it, or choose other ports with --base-port P"
            )


def _size(log: Path) -> int:
    try:
        return log.stat().st_size
    except OSError:
        return 0


def last_lines(log: Path, start: int, count: int = 5) -> str:
    """The end of a server's log, for an error message, from the byte `start` on: what an earlier run said is over."""
    with suppress(OSError), log.open("rb") as file:
        file.seek(start)
        return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-count:])
    return ""
