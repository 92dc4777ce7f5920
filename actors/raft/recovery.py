"""Recovering a cluster that has lost its majority for good: what a surviving server's log becomes.

What lives here: the new configuration, cluster id and term, worked out from what raft.db holds.  What does not: files
(storage/recovery.py), and whether to do it at all, which only an operator can know (commands/recover.py).

1. The log is kept whole, and one entry is added: the new configuration.  So whatever of the log was not committed is
   committed by the recovery (as with Consul's RecoverCluster).
2. The cluster id is another one.  The servers that are not named may be alive after all, and a majority: under the old
   id they would go on with another history.  So they cannot meet.  It is made of the old id and the new configuration,
   so that several survivors, recovered one by one with the same names, come to the same one; with other names they
   come to different clusters, and never to one with two histories.
3. The entry's term is above every term that anybody can have reached, and in the order of the last entries: of
   several survivors the one whose log is furthest is elected, as if there had been an election among them before.
"""

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from actors.raft.configuration import ChangeRefusedError, Configuration, ConfigurationLog, Server, checked
from actors.raft.entries import encode_configuration
from storage.raft_messages import RaftLoaded
from transport.errors import QuorateError

TERMS: Final = 1_000_000
"""More elections than any cluster holds between two recoveries."""
_ID_BYTES: Final = 8


class RecoveryError(QuorateError):
    """There is nothing to recover, or not like this."""

    exit_code = 2


class Recovery(Struct, frozen=True):
    """What is to be written.  ``lost``: servers of the old configuration that are in the new one no more."""

    cluster_id: str
    term: int
    entry: bytes
    configuration: Configuration
    lost: tuple[Server, ...]


def plan_recovery(loaded: RaftLoaded, own_id: str, survivors: Mapping[str, str]) -> Recovery:
    """The recovery by these servers: name to new address, "" for the old one; without any, by this server alone.

    Raises RecoveryError.
    """
    configuration = _configuration(loaded)
    own = configuration.get(own_id)
    if own is None:
        known = ", ".join(server.name for server in configuration.servers) or "nobody"
        raise RecoveryError(
            f"this server is not in the Raft configuration that its log holds ({known}): recover one that is"
        )
    survivors = survivors or {own.name: ""}
    if own.name not in survivors:
        raise RecoveryError(
            f"this is the directory of {own.name}: name it among the servers, or run this in another one's"
        )
    new = Configuration(_chosen(configuration, survivors))
    encoded = new.encode()
    last_term = loaded.entries[-1][2] if loaded.entries else loaded.anchor_term
    return Recovery(
        cluster_id=blake2b(loaded.cluster_id.encode() + encoded, digest_size=_ID_BYTES).hexdigest(),
        term=(loaded.hard_state.term // TERMS + 1) * TERMS + last_term,
        entry=encode_configuration(encoded),
        configuration=new,
        lost=tuple(server for server in configuration.servers if new.get(server.id) is None),
    )


def _configuration(loaded: RaftLoaded) -> Configuration:
    log = ConfigurationLog()
    if loaded.snapshot is not None:
        log.restart(loaded.snapshot.index, Configuration.decode(loaded.snapshot.configuration))
    log.append(loaded.entries)
    return log.latest


def _chosen(configuration: Configuration, survivors: Mapping[str, str]) -> tuple[Server, ...]:
    unknown = [name for name in survivors if configuration.named(name) is None]
    if unknown:
        known = ", ".join(server.name for server in configuration.servers)
        raise RecoveryError(
            f"there is no server named {', '.join(unknown)} in the configuration ({known}); a new server joins later"
        )
    try:
        return checked([_server(configuration, name, address) for name, address in survivors.items()])
    except ChangeRefusedError as error:
        raise RecoveryError(f"these servers make no cluster: {error}") from None


def _server(configuration: Configuration, name: str, address: str) -> Server:
    server = configuration.named(name)
    assert server is not None
    return replace(server, voter=True, address=address or server.address)


def names(servers: Iterable[Server]) -> str:
    """For people, in the order of their names."""
    return ", ".join(sorted(f"{server.name} ({server.address})" for server in servers)) or "none"
