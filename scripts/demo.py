"""The main job, shown: three servers, a killed leader, nothing acknowledged lost. Takes well under a minute.

What it does is what a user would do with `cluster up`, `kv put` and `kv get`: real processes, real disks, SIGKILL. It
leaves nothing behind.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import click

from actors.config import DEFAULT_PORT
from commands.cluster import cluster_view, rows
from commands.cluster_wait import LOOK_PERIOD_S, Look, wait_until_they_agree
from commands.local_cluster import LocalCluster, LocalServer, PortTakenError, Settings
from storage.kv_protocol import Found, decode_result, get, put
from transport.client.errors import ClientError
from transport.client.sync_client import SyncClient
from transport.errors import QuorateError

SERVERS = 3
FIRST_KEYS = 300
WRITE_BEFORE_KILL_S = 1.0
WRITE_AFTER_RECOVERY_S = 1.0
# How long one try of a write waits: short, so that the time without a leader is measured and not the patience.
TRY_TIMEOUT_S = 0.25
WAIT_TIMEOUT_S = 30.0
PORT_TRIES = 20
PORT_TRY_STEP = 100

look = Look(None)


class DemoError(QuorateError):
    """The demo did not show what it promises."""


def main() -> None:
    """Run the demo and exit with 0 when everything it claims was seen."""
    began = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="quorate-demo-") as folder, running_cluster(Path(folder)) as cluster:
            show(cluster)
        say(f"Done in {time.monotonic() - began:.0f} s. Try it by hand: python cli.py cluster up 3")
    except QuorateError as error:
        say(f"demo: {error}")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


def show(cluster: LocalCluster) -> None:
    """The story, from the first key to the last check."""
    follower = with_role(cluster.servers, "follower")
    step(f"2. Writing {FIRST_KEYS} keys to {follower.name}, a follower: it hands them to the leader")
    expected = {f"first-{number:04}": f"value {number}" for number in range(FIRST_KEYS)}
    took = timed(lambda: write_all(follower, expected))
    check(cluster.servers, expected)
    say(f"   {FIRST_KEYS} durable writes in {took:.1f} s, one after the other; every server has them all")

    leader = with_role(cluster.servers, "leader")
    step(f"3. Killing {leader.name}, the leader, with SIGKILL, while a client goes on writing")
    survivors = [server for server in cluster.servers if server is not leader]
    with Writer(survivors[0]) as writer:
        writer.write_for(WRITE_BEFORE_KILL_S)
        cluster.kill(leader)
        killed = time.monotonic()
        refused_s = writer.next_acknowledged(after=killed) - killed
        writer.write_for(WRITE_AFTER_RECOVERY_S)
    successor = with_role(survivors, "leader")
    say(f"   writes were refused for {refused_s:.2f} s; then {successor.name} led, and took them")

    expected |= writer.acknowledged
    step(f"4. Looking for every one of the {len(expected)} acknowledged keys")
    check(survivors, expected)
    say(f"   all there, on {' and on '.join(server.name for server in survivors)}")

    step(f"5. Starting {leader.name} again, with the line it was started with")
    took = timed(lambda: start_again(cluster))
    check([leader], expected, lambda client, query: client.read_stale(query).answer)
    say(f"   {took:.1f} s later it has caught up: all {len(expected)} keys are in its own copy")
    say(cluster_view(rows(cluster, look)))


@contextmanager
def running_cluster(folder: Path) -> Iterator[LocalCluster]:
    """Three servers on the first free ports, stopped at the end whatever happens."""
    step(f"1. Starting {SERVERS} servers, each a process of its own")
    with LocalCluster(folder).locked(create=True) as cluster:
        try:
            start_on_free_ports(cluster)
            took = timed(lambda: wait(cluster))
            say(f"   they found each other and elected a leader in {took:.1f} s")
            say(cluster_view(rows(cluster, look)))
            yield cluster
        finally:
            step("Stopping the servers and removing their files")
            cluster.down()


def start_on_free_ports(cluster: LocalCluster) -> None:
    """Start the servers; somebody may use the usual ports already."""
    for number in range(PORT_TRIES):
        try:
            cluster.up(SERVERS, Settings(DEFAULT_PORT + PORT_TRY_STEP * number))
        except PortTakenError as error:
            taken = error
        else:
            return
    raise taken


def start_again(cluster: LocalCluster) -> None:
    """Start what does not run, and wait until every server has applied what is committed."""
    cluster.up(SERVERS, cluster.settings)
    wait(cluster)
    goal = max(status(server)["commit_index"] for server in cluster.servers)
    deadline = time.monotonic() + WAIT_TIMEOUT_S
    while min(status(server)["applied_index"] for server in cluster.servers) < goal:
        if time.monotonic() > deadline:
            raise DemoError(f"a server has not caught up within {WAIT_TIMEOUT_S:g} s")
        time.sleep(LOOK_PERIOD_S)


class Writer:
    """A client in a thread that writes one key after the other, and notes which were acknowledged when."""

    def __init__(self, server: LocalServer) -> None:
        self.acknowledged: dict[str, str] = {}
        self._address = server.address
        self._changed = threading.Condition()
        self._last = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write, name="writer", daemon=True)

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def write_for(self, seconds: float) -> None:
        """Let it write for a while."""
        self._stop.wait(seconds)

    def next_acknowledged(self, after: float) -> float:
        """Wait for a write that was begun after this moment and acknowledged; when that was."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._last > after, WAIT_TIMEOUT_S):
                raise DemoError(f"no write was accepted within {WAIT_TIMEOUT_S:g} s of the leader's death")
            return self._last

    def _write(self) -> None:
        with SyncClient(self._address, timeout_s=TRY_TIMEOUT_S) as client:
            while not self._stop.is_set():
                number = len(self.acknowledged)
                key, value = f"second-{number:05}", f"value {number}"
                try:
                    client.propose(put(key, value.encode()))
                except ClientError:
                    # Refused, or nobody knows. To write the same value to the same key again does no harm.
                    continue
                with self._changed:
                    self.acknowledged[key] = value
                    self._last = time.monotonic()
                    self._changed.notify_all()


def write_all(server: LocalServer, pairs: dict[str, str]) -> None:
    """Write every pair, each after the one before it was acknowledged."""
    with SyncClient(server.address) as client:
        for key, value in pairs.items():
            client.propose(put(key, value.encode()))


def check(
    servers: Iterable[LocalServer],
    expected: dict[str, str],
    read: Callable[[SyncClient, bytes], bytes] = SyncClient.read,
) -> None:
    """Raise DemoError unless each server answers every key with its value."""
    for server in servers:
        with SyncClient(server.address) as client:
            for key, value in expected.items():
                found = decode_result(read(client, get(key)))
                if not isinstance(found, Found) or found.value != value.encode():
                    raise DemoError(f"{server.name} answers {found} for {key}, acknowledged as {value!r}")


def status(server: LocalServer) -> Mapping[str, Any]:
    """What a server says of itself. Raises DemoError when it does not answer."""
    said = look(server)
    if said is None:
        raise DemoError(f"{server.name} does not answer")
    return said


def with_role(servers: Iterable[LocalServer], role: str) -> LocalServer:
    """The first of the servers that has this role."""
    return next(server for server in servers if status(server)["role"] == role)


def wait(cluster: LocalCluster) -> None:
    """Wait until all servers agree."""
    wait_until_they_agree(cluster, look, SERVERS, WAIT_TIMEOUT_S)


def timed(work: Callable[[], object]) -> float:
    """How many seconds the work took."""
    began = time.monotonic()
    work()
    return time.monotonic() - began


def step(text: str) -> None:
    """Announce the next part of the story."""
    click.echo()
    click.secho(text, bold=True)


def say(text: str) -> None:
    """Print a line of the story."""
    click.echo(text)


if __name__ == "__main__":
    main()
