"""What `start` prints: where everything of the server is, and the line that starts one more.

What lives here: text.  What does not: the server (node.py).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from itertools import chain
from shlex import quote
from typing import TYPE_CHECKING

from actors.config import CONSOLE_PORTS, HTTP_PORT_OFFSET
from actors.program import PROGRAM
from transport.address import PORT_MAX, Address, format_address, parse_address
from transport.links.port import why_not_free

if TYPE_CHECKING:
    from actors.config import NodeConfig
    from actors.identity import Identity

PORT_STEP = 10
"""The next server's distance: `cluster up` has the same."""

PORTS_TRIED_MAX = 64


def banner(config: NodeConfig, identity: Identity, remembered: Collection[str] = ()) -> str:
    """Where everything is, and the line that starts a second server, at the address of no remembered member."""
    joined = ("joining by " + ", ".join(config.peers)) if config.peers else f"cluster {identity.cluster_id}"
    lines = [
        f"server    {identity.name} ({identity.id[:8]}), {joined}",
        f"address   {identity.address}" + (" (encrypted)" if config.key_file else ""),
        f"http      {config.http_address or 'off'}",
        f"data      {config.data_dir.absolute()}",
    ]
    if config.monitor_port:
        lines.append(f"console   127.0.0.1:{config.monitor_port}")
    if config.fault_hooks:
        # One of a local cluster, which grows by 'cluster up'.
        return "\n".join(lines)
    host = parse_address(identity.address).host
    bind = format_address(host, second_port(config, ports_at(host, remembered)))
    key = f" --key {quote(str(config.key_file))}" if config.key_file else ""
    app = f" --app {config.app}" if config.app else ""
    lines.append(
        f"one more  {PROGRAM} start --bind {bind} --peer {identity.address} "
        f"--data-dir {quote(f'{config.data_dir}-2')}{key}{app}"
    )
    return "\n".join(lines)


def _is_free(port: int) -> bool:
    return why_not_free(Address("127.0.0.1", port)) is None


def ports_at(host: str, addresses: Iterable[str]) -> set[int]:
    """The ports of those addresses that are at this host, and the ones behind them, for HTTP."""
    here = [address.port for address in map(parse_address, addresses) if address.host == host]
    return {port + offset for port in here for offset in (0, HTTP_PORT_OFFSET)}


def second_port(config: NodeConfig, members: Collection[int] = (), is_free: Callable[[int], bool] = _is_free) -> int:
    """A port for one more server on this machine: nobody has it or the one behind it, which is for HTTP.

    members: ports of members, which may be down for the moment.
    Where that cannot be found within PORTS_TRIED_MAX, it is at least none of this server's.
    """
    own = parse_address(config.advertised).port
    used = {own, parse_address(config.bind).port, *members}
    if config.http_address is not None:
        used.add(parse_address(config.http_address).port)
    if config.monitor_port:
        used.update(range(config.monitor_port, config.monitor_port + CONSOLE_PORTS))
    upwards = range(own + PORT_STEP, PORT_MAX - HTTP_PORT_OFFSET + 1, PORT_STEP)
    downwards = range(own - PORT_STEP, 1024, -PORT_STEP)
    others = [port for port in chain(upwards, downwards) if used.isdisjoint((port, port + HTTP_PORT_OFFSET))]
    tried = others[:PORTS_TRIED_MAX]
    return next((port for port in tried if is_free(port) and is_free(port + HTTP_PORT_OFFSET)), others[0])
