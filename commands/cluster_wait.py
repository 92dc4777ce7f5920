"""Waiting until the servers of a local cluster agree, with what is missing shown meanwhile.

What lives here: asking each server for its status, the wait, its progress line. What does not: what it means that they
agree (agreement.py).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

import click

from commands.agreement import missing
from commands.local_cluster import LocalCluster, LocalClusterError, LocalServer, last_lines
from transport.client.errors import ClientError, TurnedAway
from transport.client.sync_client import SyncClient
from transport.keys import ClusterKey

LOOK_PERIOD_S = 0.05
LOOK_TIMEOUT_S = 1.0


class Look:
    """Asks servers for their status, with the cluster's key, and keeps why one that runs has not answered."""

    def __init__(self, key: ClusterKey | None) -> None:
        self._key = key
        self.troubles: dict[str, ClientError] = {}
        """By the server's name; what answers now has none."""

    def __call__(self, server: LocalServer) -> Mapping[str, Any] | None:
        """What the server answers, or None when it does not."""
        self.troubles.pop(server.name, None)
        if server.state != "running":
            return None
        try:
            with SyncClient(server.address, key=self._key, timeout_s=LOOK_TIMEOUT_S) as client:
                status: Mapping[str, Any] = client.call("status")
                return status
        except ClientError as error:
            self.troubles[server.name] = error
            return None


def wait_until_they_agree(cluster: LocalCluster, look: Look, voters: int, timeout_s: float) -> None:
    """Wait until all servers of the cluster agree, telling on stderr what is missing.

    Raises LocalClusterError when a server ends meanwhile, with the last lines of its log, or when time runs out, and
    TurnedAway as soon as one refuses the handshake.
    """
    progress = Progress()
    deadline = time.monotonic() + timeout_s
    try:
        while reason := _missing(cluster, look, voters):
            if time.monotonic() > deadline:
                raise LocalClusterError(
                    f"the servers do not agree after {timeout_s:g} s: {reason}{_why(look)}; they go on trying, "
                    f"and their logs are in {cluster.folder}"
                )
            progress.say(reason)
            time.sleep(LOOK_PERIOD_S)
    finally:
        progress.end()


class Progress:
    """What is being waited for, on stderr: one line that is written over on a terminal, one line a change elsewhere."""

    def __init__(self) -> None:
        self._last = ""
        self._terminal = sys.stderr.isatty()

    def say(self, text: str) -> None:
        """Show what is missing now."""
        if text == self._last:
            return
        self._last = text
        start, end = ("\r", "\x1b[K") if self._terminal else ("", "\n")
        click.echo(f"{start}waiting: {text}{end}", nl=False, err=True)

    def end(self) -> None:
        """Leave the line clean for what comes next."""
        if self._terminal and self._last:
            click.echo("\r\x1b[K", nl=False, err=True)


def _missing(cluster: LocalCluster, look: Look, voters: int) -> str:
    """What keeps the servers from agreeing. Raises what no waiting cures."""
    for server in cluster.servers:
        if server.state == "stopped":
            said = last_lines(cluster.log(server), server.log_from)
            raise LocalClusterError(f"{server.name} ended; its log says:\n{said}")
    return missing([_status(cluster, look, server) for server in cluster.servers], voters)


def _status(cluster: LocalCluster, look: Look, server: LocalServer) -> Mapping[str, Any] | None:
    status = look(server)
    trouble = look.troubles.get(server.name)
    if isinstance(trouble, TurnedAway):
        # The key on record is that of the last 'up'; a rotation tells the servers alone.
        again = f"'cluster down', then 'cluster up {len(cluster.servers)} --key FILE' with the servers' key"
        raise TurnedAway(f"{server.name}: {trouble}; try {again}")
    return status


def _why(look: Look) -> str:
    """Why the first of those that do not answer does not."""
    return next((f" ({name}: {trouble})" for name, trouble in look.troubles.items()), "")
