"""Who takes part in Raft: the configuration, its one-step changes, and its history in the log.

What lives here: pure data.  A configuration is a function of the snapshot and the log and of nothing else: it takes
effect when its entry is appended, falls back when the entry is truncated, and *applying* its entry changes nothing
(docs/design.md, row 13).  What does not: whether a change may be made now (changes.py) and which is wanted
(actors/reconciler).

An entry holds the whole configuration, not the change: no replay order can make two servers disagree about it.
"""

from collections.abc import Iterable, Sequence

import msgspec
from attrs import define, field
from msgspec import Struct
from msgspec.structs import replace

from actors.raft.entries import configuration_of, is_configuration
from storage.log_table import Entry

SERVERS_MAX = 64


class ChangeRefusedError(Exception):
    """A change that would leave a configuration nobody can use; the message is the reason."""


class Server(Struct, frozen=True):
    """One server in the configuration; ``voter`` or standby."""

    id: str
    name: str
    address: str
    voter: bool


class Configuration(Struct, frozen=True):
    """The servers of a cluster, ordered by id."""

    servers: tuple[Server, ...] = ()

    @property
    def voters(self) -> frozenset[str]:
        """Ids of the servers whose votes and acknowledgements count."""
        return frozenset(s.id for s in self.servers if s.voter)

    def get(self, server_id: str) -> Server | None:
        """The server with this id."""
        return next((s for s in self.servers if s.id == server_id), None)

    def name_of(self, server_id: str) -> str:
        """The name of the server with this id; the id for one that is not in it."""
        server = self.get(server_id)
        return server.name if server else server_id

    def named(self, name: str) -> Server | None:
        """The server with this name."""
        return next((s for s in self.servers if s.name == name), None)

    def is_quorum(self, ids: Iterable[str]) -> bool:
        """Whether the voters among ``ids`` are a majority."""
        voters = self.voters
        return len(voters.intersection(ids)) * 2 > len(voters)

    def encode(self) -> bytes:
        """As msgpack."""
        return _encoder.encode(self)

    @classmethod
    def decode(cls, data: bytes) -> "Configuration":
        """From ``encode``'s bytes; b"" is the empty configuration."""
        return _decoder.decode(data) if data else cls()

    def changed(self, kind: str, server: Server) -> "Configuration":
        """This configuration after one change; raises ChangeRefusedError.

        kind: ``add_standby``, ``promote``, ``demote``, ``remove`` or ``update`` (new name or address; whoever has that
        address gets the old one, since of servers that have swapped theirs one has to be first).
        """
        known = self.get(server.id)
        if kind == "add_standby":
            if known is not None:
                raise ChangeRefusedError(f"{server.name} is in the configuration already")
            new = [*self.servers, replace(server, voter=False)]
        elif known is None:
            raise ChangeRefusedError(f"{server.name or server.id} is not in the configuration")
        elif kind == "remove":
            new = [s for s in self.servers if s.id != server.id]
        elif kind in ("promote", "demote"):
            new = self._replaced(replace(known, voter=kind == "promote"))
        elif kind == "update":
            new = [self._updated(known, server, other) for other in self.servers]
        else:
            raise ChangeRefusedError(f"unknown change {kind!r}")
        return Configuration(checked(new))

    def _replaced(self, server: Server) -> list[Server]:
        return [server if s.id == server.id else s for s in self.servers]

    @staticmethod
    def _updated(known: Server, server: Server, other: Server) -> Server:
        if other is known:
            return replace(known, name=server.name, address=server.address)
        return replace(other, address=known.address) if other.address == server.address else other


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Configuration)


def checked(servers: Sequence[Server]) -> tuple[Server, ...]:
    """These servers in their order, if they make a configuration; raises ChangeRefusedError."""
    if len(servers) > SERVERS_MAX:
        raise ChangeRefusedError(f"a configuration holds at most {SERVERS_MAX} servers")
    if not any(s.voter for s in servers):
        raise ChangeRefusedError("a configuration needs at least one voter")
    addresses = [s.address for s in servers]
    for server in servers:
        if not server.id or not server.address:
            raise ChangeRefusedError("a server needs an id and an address")
        if addresses.count(server.address) > 1:
            raise ChangeRefusedError(f"two servers with the address {server.address}")
    return tuple(sorted(servers, key=lambda s: s.id))


@define
class ConfigurationLog:
    """Every configuration that the snapshot and the log still hold, oldest first, as (index, configuration)."""

    _history: list[tuple[int, Configuration]] = field(factory=lambda: [(0, Configuration())])

    @property
    def latest(self) -> Configuration:
        """The one in force: the newest appended, committed or not (Raft §6)."""
        return self._history[-1][1]

    @property
    def latest_index(self) -> int:
        """The index of the entry that holds ``latest``."""
        return self._history[-1][0]

    def at(self, index: int) -> Configuration:
        """The configuration in force at ``index``: what a snapshot of that index must carry."""
        return next((c for i, c in reversed(self._history) if i <= index), self._history[0][1])

    def append(self, entries: Iterable[Entry]) -> bool:
        """Note the configurations among appended entries; returns whether there was one."""
        found = [
            (index, Configuration.decode(configuration_of(data)))
            for data, index, _ in entries
            if is_configuration(data)
        ]
        self._history.extend(found)
        return bool(found)

    def truncate_from(self, index: int) -> bool:
        """Forget configurations at ``index`` and later; returns whether one was in force."""
        kept = [item for item in self._history if item[0] < index]
        fell_back = len(kept) < len(self._history)
        self._history = kept
        return fell_back

    def compact(self, index: int) -> None:
        """Keep only what is needed for ``at(i)`` with i >= index."""
        base = self.at(index)
        base_index = next((i for i, c in reversed(self._history) if i <= index), index)
        self._history = [(base_index, base)] + [item for item in self._history if item[0] > index]

    def restart(self, index: int, configuration: Configuration) -> None:
        """Begin anew at a snapshot."""
        self._history = [(index, configuration)]
