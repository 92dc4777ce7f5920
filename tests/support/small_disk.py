"""Servers on a disk that a test can really fill, and empty again.

Two ways, as the kernel has them:
- `tmpfs`: a small file system of the server's own, in a mount namespace of its own; no space is ENOSPC. It needs
  `unshare` with user namespaces, or root, and ends with the process.
- `limit`: a limit on the size of files (RLIMIT_FSIZE), moved while the server runs; writing is EFBIG then, as with a
  quota. It works everywhere.
"""

from __future__ import annotations

import resource
import subprocess
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Literal

from tests.support.cluster import Cluster
from tests.support.command import PROGRAM, environment
from tests.support.server import Server

Way = Literal["tmpfs", "limit"]

DISK_KIB = 16 << 10
_MOUNT = 'mount -t tmpfs -o size="$1"k quorate "$2" && shift 2 && exec "$@"'
_NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", _MOUNT, "sh")


@cache
def ways() -> tuple[Way, ...]:
    """What this machine allows."""
    probe = [*_NAMESPACE, "64", "/tmp", "true"]
    try:
        done = subprocess.run(probe, capture_output=True, check=False)
    except OSError:
        return ("limit",)
    return ("tmpfs", "limit") if done.returncode == 0 else ("limit",)


class CrampedServer(Server):
    """A server whose disk is full after `fill` and not after `free`."""

    def __init__(self, folder: Path, name: str, port: int, *options: str, way: Way, disk_kib: int = DISK_KIB) -> None:
        super().__init__(folder, name, port, *options)
        self._way = way
        self._disk_kib = disk_kib

    def start(self) -> None:
        """Start the process, on a disk of its own if that is the way."""
        if self._way == "limit":
            super().start()
            return
        self.data_dir.mkdir(exist_ok=True)
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [*_NAMESPACE, str(self._disk_kib), str(self.data_dir), *PROGRAM, *self.command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment({"QUORATE_FAULT_HOOKS": "1"}),
                start_new_session=True,
            )

    @property
    def _ballast(self) -> Path:
        """A file on the server's disk, seen through its own mount namespace."""
        return Path(f"/proc/{self.pid}/root{self.data_dir}") / "ballast"

    def fill(self) -> None:
        """Leave no room for anything."""
        if self._way == "limit":
            self._limit(0)
            return
        with suppress(OSError), self._ballast.open("ab", buffering=0) as ballast:
            while ballast.write(bytes(4096)):
                """Until there is no space."""

    def free(self) -> None:
        """Have room again."""
        if self._way == "limit":
            self._limit(resource.RLIM_INFINITY)
        else:
            self._ballast.unlink()

    def _limit(self, size: int) -> None:
        _, hard = resource.prlimit(self.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (size, hard))


def cramped(cluster: Cluster, count: int, way: Way) -> list[CrampedServer]:
    """A cluster of such servers, once they agree."""
    servers = []
    for index in range(count):
        peers = ["--peer", cluster.servers[0].address] if cluster.servers else []
        server = CrampedServer(cluster.folder, f"s{index}", cluster.port(index), *peers, way=way)
        servers.append(server)
        cluster.servers.append(server)
        server.start()
    cluster.agree()
    return servers


def full_partition(folder: Path, port: int) -> CrampedServer:
    """A server that has no room from the start on."""
    way = ways()[0]
    server = CrampedServer(folder, "full", port, way=way, disk_kib=16)
    if way == "limit":
        # Inherited by the process; Python takes a write beyond it as an error.
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
        try:
            server.start()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    else:
        server.start()
    return server
