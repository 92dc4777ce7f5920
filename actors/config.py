"""Everything a server can be told, with defaults, limits and formulas.

What lives here: one frozen class, the timing profiles of Raft, and the checks that give a bad setting one clear line.
What does not: where settings come from (the command line, the environment and TOML are the CLI's) and gossip's own
profiles (actors/gossip/config.py).
"""

from collections.abc import Iterable, Mapping
from itertools import combinations
from os import PathLike
from pathlib import Path
from types import NoneType
from typing import Any, cast

from attrs import Factory, field, fields, frozen
from attrs.converters import optional

from actors.events.handlers import HANDLERS_MAX, Handler, parse_handler
from actors.gossip.member import NAME_CHARS_MAX
from actors.gossip.tags import fault_of_tags
from transport.address import PORT_MAX, Address, parse_address
from transport.errors import QuorateError
from transport.text import is_utf8, shortened

DEFAULT_PORT = 7946
HTTP_PORT_OFFSET = 1
CONSOLE_PORTS = 3
"""Its telnet server, its web page, and a Python prompt that is off."""
PROFILES = ("lan", "wan", "local")
VOTERS_MAX_DEFAULT = 5
VOTERS_MIN_DEFAULT = 3
BOOTSTRAP_EXPECT_MAX = 64
DEAD_SERVER_TIMEOUT_DEFAULT_S = 72 * 3600.0
"""As long as gossip remembers a failed member (Consul's reconnect timeout): by then nobody looks for it any more."""


class ConfigError(QuorateError):
    """A setting that cannot work; the message names it and says what to try."""

    exit_code = 2


@frozen
class RaftTiming:
    """Raft's clock, in seconds.

    heartbeat_s: the leader's period: at least three in the smallest election timeout, so that one or two may be late.
    Links are TCP and lose none, and a dead process is found by its refused connection, so more of them would only cost
    idle CPU: each is two wake-ups in every server.
    election_min_s, election_max_s: a follower that hears no leader for a random time between the two asks for votes.
    Shorter ones elect for no reason on a busy machine; the spread keeps two followers from starting together.
    spread_s: after so long a lone entry goes also to those without whom it was committed; at 0 they need not wait
    (actors/raft/spread.py).
    snapshot_entries: applied entries since the last snapshot that make the next one due.
    tail_entries: entries kept behind a snapshot, so that a slow follower gets entries and not a snapshot.
    stable_s: how long a standby must have been healthy before it votes (autopilot's ServerStabilizationTime).
    lost_s: how long a voter must have failed before a standby takes its vote: as long, and at least a restart.
    """

    heartbeat_s: float = 0.15
    election_min_s: float = 0.5
    election_max_s: float = 1.0
    spread_s: float = 0.01
    snapshot_entries: int = 8_192
    snapshot_bytes: int = 64 * 1024 * 1024
    tail_entries: int = 1_024
    stable_s: float = 0.5
    lost_s: float = 2.0


RAFT_TIMING: Mapping[str, RaftTiming] = {
    "local": RaftTiming(),
    "lan": RaftTiming(stable_s=10.0, lost_s=10.0),
    "wan": RaftTiming(heartbeat_s=0.5, election_min_s=2.5, election_max_s=5.0, stable_s=10.0, lost_s=10.0),
}


def _texts(given: str | Iterable[str]) -> tuple[str, ...]:
    """One text or several: a text is not the list of its letters.  What is neither is left for `check` to name."""
    if isinstance(given, str):
        return (given,)
    try:
        return tuple(given)
    except TypeError:
        return cast("tuple[str, ...]", given)


def _path(given: str | PathLike[str]) -> Path:
    """The path; what can be none is left for `check` to name."""
    try:
        return Path(given)
    except TypeError:
        return cast("Path", given)


_TAKEN: Mapping[Any, tuple[str, tuple[type, ...]]] = {
    str: ("text", (str,)),
    bool: ("True or False", (bool,)),
    int: ("a whole number", (int,)),
    float: ("a number", (float, int)),
    Path: ("a path", (Path,)),
    Path | None: ("a path", (Path, NoneType)),
    tuple[str, ...]: ("texts", (tuple,)),
    Mapping[str, str]: ("a mapping of texts", (Mapping,)),
}
"""Of each type of a setting: what to call it, and what is one.  A program may have given anything."""


@frozen
class NodeConfig:
    """One server's settings; the names are those of the command line.

    data_dir: where raft.db and serf.db live.  app: the state machine as MODULE:CLASS, the same on every server; "" for
    the key-value store, or for what the Node is given.  bind: the address listened on.  advertise: the address told to
    others ("" takes ``bind``).  peers: servers to join; without one and with an empty data directory a new cluster
    starts.
    http: ``HOST:PORT``, ``off``, or "" for the base port + 1 on loopback.  http_tokens: the file of those who may
    use it; None for everybody.  monitor_port: the first of the console's
    three ports, 0 for none.  profile: ``lan``, ``wan``, ``local`` or "" for local on loopback, else lan.
    bootstrap_expect: so many servers, this one and its peers, start a cluster together; 0 to join one.
    max_voters: further servers stay standbys.  min_voters, dead_server_timeout: a server that has failed for so many
    seconds is removed, unless fewer would vote; 0 for never.  replay: a server that joins hears the latest
    user events too, not only those to come.  event_handlers: commands run on events, each FILTER=COMMAND.  fault_hooks:
    cut links and crash actors on request;
    only a local cluster or a test sets it.
    """

    data_dir: Path = field(converter=_path)
    name: str = ""
    bind: str = f"127.0.0.1:{DEFAULT_PORT}"
    advertise: str = ""
    peers: tuple[str, ...] = field(default=(), converter=_texts)
    key_file: Path | None = field(default=None, converter=optional(_path))
    insecure: bool = False
    http: str = ""
    http_tokens: Path | None = field(default=None, converter=optional(_path))
    monitor_port: int = 0
    tags: Mapping[str, str] = Factory(dict)
    profile: str = ""
    bootstrap_expect: int = 0
    max_voters: int = VOTERS_MAX_DEFAULT
    min_voters: int = VOTERS_MIN_DEFAULT
    dead_server_timeout: float = DEAD_SERVER_TIMEOUT_DEFAULT_S
    log_level: str = "info"
    log_format: str = "text"
    replay: bool = False
    event_handlers: tuple[str, ...] = field(default=(), converter=_texts)
    app: str = ""
    fault_hooks: bool = False

    @property
    def advertised(self) -> str:
        """The address that others reach this server at."""
        return self.advertise or self.bind

    @property
    def timing_profile(self) -> str:
        """``profile``, or what the bind address suggests."""
        if self.profile:
            return self.profile
        return "local" if parse_address(self.bind).is_loopback else "lan"

    @property
    def handlers(self) -> tuple[Handler, ...]:
        """The event handlers, understood.  Raises HandlerError."""
        return tuple(map(parse_handler, self.event_handlers))

    @property
    def raft_timing(self) -> RaftTiming:
        """Raft's clock for this server's profile."""
        return RAFT_TIMING[self.timing_profile]

    @property
    def http_address(self) -> str | None:
        """Where HTTP listens, or None when it is off."""
        if self.http == "off":
            return None
        return self.http or f"127.0.0.1:{parse_address(self.bind).port + HTTP_PORT_OFFSET}"

    @property
    def knows_only_itself(self) -> bool:
        """Whether there are peers, and every one is this server."""
        return bool(self.peers) and all(self._is_own(parse_address(peer)) for peer in self.peers)

    def _is_own(self, peer: Address) -> bool:
        host = _numeric(peer.host)
        for own in (parse_address(self.bind), parse_address(self.advertised)):
            if own.port == peer.port and (_numeric(own.host) == host or (own.is_wildcard and peer.is_loopback)):
                return True
        return False

    def check(self) -> None:
        """Raise ConfigError with one clear line for the first setting that cannot work."""
        self._check_types()
        self._check_names()
        for option, address in (("--bind", self.bind), ("--advertise", self.advertised)):
            _check_address(option, address)
        for peer in self.peers:
            _check_address("--peer", peer)
        if self.http not in ("", "off"):
            _check_address("--http", self.http)
        if not self.http and parse_address(self.bind).port + HTTP_PORT_OFFSET > PORT_MAX:
            raise ConfigError(
                f"--bind {self.bind} leaves no port for HTTP behind it: give --http HOST:PORT or --http off"
            )
        if parse_address(self.advertised).is_wildcard:
            raise ConfigError(
                f"cannot advertise {self.advertised}: no other server can reach a wildcard address; "
                "give --advertise HOST:PORT"
            )
        if self.profile and self.profile not in PROFILES:
            raise ConfigError(f"unknown profile {self.profile!r}: use one of {', '.join(PROFILES)}")
        if self.monitor_port and not 0 < self.monitor_port <= PORT_MAX - CONSOLE_PORTS + 1:
            raise ConfigError(
                f"--monitor-port {self.monitor_port}: the console needs three ports from there on, up to {PORT_MAX}"
            )
        self._check_ports()
        self._check_exposure()
        self._check_bootstrap()
        if len(self.handlers) > HANDLERS_MAX:
            raise ConfigError(f"{len(self.handlers)} event handlers are given: at most {HANDLERS_MAX} are allowed")
        self._check_voters()
        if not self.dead_server_timeout >= 0:
            raise ConfigError(f"--dead-server-timeout must be 0 (never) or more, not {self.dead_server_timeout:g}")

    def _check_types(self) -> None:
        """Refuse what is of another type than its setting, before anything is made of it."""
        for setting in fields(NodeConfig):
            what, types = _TAKEN[setting.type]
            value = getattr(self, setting.name)
            parts = (value,)
            if tuple in types and isinstance(value, tuple):
                parts, types = value, (str,)
            for part in parts:
                # True is an int, and no number of servers.
                if not isinstance(part, types) or (isinstance(part, bool) and bool not in types):
                    raise ConfigError(f"NodeConfig: {setting.name} takes {what}, not {type(part).__name__}")

    def _check_voters(self) -> None:
        """Refuse limits that leave nothing between them."""
        if self.max_voters < 1:
            raise ConfigError(f"--max-voters must be at least 1, not {self.max_voters}")
        if self.min_voters < 1:
            raise ConfigError(f"--min-voters must be at least 1, not {self.min_voters}")
        # Whoever lowers --max-voters alone has not asked for the default to be kept up.
        if self.min_voters > self.max_voters and self.min_voters != VOTERS_MIN_DEFAULT:
            raise ConfigError(
                f"--min-voters {self.min_voters} is above --max-voters {self.max_voters}: no "
                "dead server would ever be removed"
            )

    def _check_bootstrap(self) -> None:
        """Refuse what could never start a cluster: every server of it has to be named."""
        expect = self.bootstrap_expect
        if not 0 <= expect <= BOOTSTRAP_EXPECT_MAX:
            raise ConfigError(f"--bootstrap-expect must be 0 to {BOOTSTRAP_EXPECT_MAX}, not {expect}")
        peers = map(parse_address, self.peers)
        others = {Address(_numeric(peer.host), peer.port) for peer in peers if not self._is_own(peer)}
        if expect == 1 and others:
            raise ConfigError("--bootstrap-expect 1 starts a cluster of this server alone: leave --peer out")
        if expect > 1 and len(others) < expect - 1:
            raise ConfigError(
                f"--bootstrap-expect {expect} needs a --peer for each of the other {expect - 1} servers, not for "
                f"{len(others)}: they start one cluster only when all of them have answered each other"
            )

    def _check_names(self) -> None:
        """Refuse what the other servers would: it is shown on their terminals and in their logs."""
        if len(self.name) > NAME_CHARS_MAX:
            raise ConfigError(
                f"--name {shortened(self.name)} has {len(self.name)} characters: at most {NAME_CHARS_MAX} are allowed"
            )
        if not self.name.isprintable():
            raise ConfigError(f"--name {shortened(self.name)} has characters that cannot be printed: leave them out")
        fault = fault_of_tags(self.tags)
        if fault:
            raise ConfigError(f"--tag: {fault}")
        if not is_utf8(str(self.data_dir)):
            raise ConfigError(f"--data-dir {shortened(str(self.data_dir))} is not UTF-8 text: choose another name")

    def _check_ports(self) -> None:
        """Refuse two uses of one port, which would be found taken by this server itself."""
        uses = [("--bind", parse_address(self.bind))]
        if self.http_address is not None:
            uses.append(("HTTP", parse_address(self.http_address)))
        if self.monitor_port:
            ports = range(self.monitor_port, self.monitor_port + CONSOLE_PORTS)
            uses.extend(("the console", Address("127.0.0.1", port)) for port in ports)
        for (one, first), (other, second) in combinations(uses, 2):
            same_host = _numeric(first.host) == _numeric(second.host) or first.is_wildcard or second.is_wildcard
            if first.port == second.port and same_host:
                raise ConfigError(
                    f"port {first.port} is for {one} and for {other} as well: choose another for one of them"
                )

    def _check_exposure(self) -> None:
        """Refuse what would open a door that nobody asked to be open."""
        http = self.http_address
        if http is not None and not (self.insecure or self.http_tokens or parse_address(http).is_loopback):
            raise ConfigError(
                f"refusing to serve HTTP on {http}: it knows no keys, so whoever reaches it may read and write; "
                "give --http-tokens FILE (`tokens generate` makes one), or --insecure if that is what you want"
            )
        if parse_address(self.bind).is_loopback:
            return
        if self.fault_hooks:
            raise ConfigError(f"fault hooks are for a cluster on this machine alone: not with --bind {self.bind}")
        if self.key_file is None and not self.insecure:
            raise ConfigError(
                f"refusing to listen on {self.bind} without a key: whoever reaches it could command the cluster; "
                "give --key FILE (`keys generate` makes one), or --insecure if that is what you want"
            )


def _numeric(host: str) -> str:
    return "127.0.0.1" if host.lower() == "localhost" else host.lower()


def _check_address(option: str, address: str) -> None:
    try:
        port = parse_address(address).port
    except ValueError as error:
        raise ConfigError(f"{option} {address}: {error}") from None
    if not port:
        raise ConfigError(f"{option} {address}: with port 0 nobody would know where to reach it; name a port")
