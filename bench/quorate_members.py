"""Quorate's servers, each a process that `cli.py start` started, as the comparison of membership needs them."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from bench.membership import START_TIMEOUT_S, Membership, StoryError, pause
from bench.ports import HOST
from transport.client.errors import ClientError
from transport.client.sync_client import SyncClient

ASK_TIMEOUT_S = 5.0
LEAVE_TIMEOUT_S = 20.0
EVENT_WAIT_S = 2.0
GOSSIP = "gossip"
_LOOK_PERIOD_S = 0.05
_CLI = Path(__file__).resolve().parents[1] / "cli.py"


class QuorateMembers(Membership):
    """The servers, LAN profile and defaults otherwise, each with a connection of a client's."""

    name = "Quorate"
    _clients: dict[int, SyncClient]
    _cursors: dict[int, str]

    def command(self, index: int) -> list[str]:
        """The command line of a server."""
        self._clients, self._cursors = {}, {}
        # One that joins nobody yet has a peer all the same, or it would start a cluster of its own.
        nobody = f"{HOST}:{self.port(self.size + 2)}"
        peers = [] if index == 0 else ["--peer", nobody if index == self.asked else self.address(0)]
        where = ["--bind", self.address(index), "--data-dir", str(self.folder / f"data-{index}")]
        return [sys.executable, str(_CLI), "start", "--name", self.member(index), *where, "--profile", "lan", *peers]

    def connect(self, index: int) -> None:
        """Wait until a server answers."""
        if index in self._clients:
            self._clients.pop(index).close()
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            client = SyncClient(self.address(index), timeout_s=ASK_TIMEOUT_S)
            try:
                client.call("members")
                self._clients[index] = client
                return
            except ClientError:
                client.close()
                self._fleet.process(index)
                if time.monotonic() > deadline:
                    raise
                time.sleep(_LOOK_PERIOD_S)

    def join(self, index: int) -> None:
        """Have a server join through server 0."""
        self._call(index, "join", {"peers": [self.address(0)]})

    def leave(self, index: int) -> None:
        """Have a server leave."""
        self._clients[index].call("leave", timeout_s=LEAVE_TIMEOUT_S)

    def statuses(self, index: int) -> dict[str, str]:
        """What a server knows of each member, by name."""
        return {row["name"]: row["status"] for row in self._call(index, "members")}

    def send_event(self, index: int, name: str) -> None:
        """Send a user event, which is not to be coalesced with others."""
        self._call(index, "event.send", {"name": name, "coalesce": False})

    def watch_events(self, index: int) -> None:
        """Begin to hear events at a server."""
        self._cursors[index] = self._call(index, "event.watch", {"cursor": "end"})["cursor"]

    def await_event(self, index: int, name: str, timeout_s: float) -> None:
        """Wait until a server that is watched has had an event."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            page = self._call(index, "event.watch", {"cursor": self._cursors[index], "wait_s": EVENT_WAIT_S})
            self._cursors[index] = page["cursor"]
            if any(entry.get("name") == name for entry in page["entries"]):
                return
        raise StoryError(f"server {index} has not had the event {name} after {timeout_s:g} s")

    def sent_bytes_per_s(self, seconds: float) -> list[float]:
        """What the links count of frames for the gossip of other servers, with their headers."""
        before = [self._gossip_bytes(index) for index in self.cluster]
        began = time.monotonic()
        pause(seconds)
        after = [self._gossip_bytes(index) for index in self.cluster]
        took_s = time.monotonic() - began
        return [(now - then) / took_s for now, then in zip(after, before, strict=True)]

    def stop(self) -> None:
        """End every server."""
        for client in self._clients.values():
            client.close()
        super().stop()

    def _gossip_bytes(self, index: int) -> int:
        return int(self._call(index, "links")["bytes_out_to"].get(GOSSIP, 0))

    def _call(self, index: int, op: str, arguments: Any = None) -> Any:
        return self._clients[index].call(op, arguments)
