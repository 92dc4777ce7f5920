"""A stage for stories: a few servers, and a post that the test itself opens.

Nothing moves by itself: the test passes time, picks which letters arrive, which are lost, and which disks are slow.
The judge looks on here too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count
from typing import TypeVar

from attrs import define, field, frozen

from actors.config import RaftTiming
from actors.raft.configuration import Configuration, Server
from actors.raft.entries import encode_commands
from actors.raft.messages import Configure, SnapshotChunk
from actors.raft.state import RaftState
from storage.raft_messages import SnapshotSave
from storage.state_machine import StateMachine
from tests.simulation.disk import SimDisk
from tests.simulation.judge import Judge
from tests.simulation.ledger import Effect
from tests.simulation.server import SimServer, filled

ROUNDS_MAX = 10_000
APPLY_MAX = 1_000

T = TypeVar("T")


@frozen
class Letter:
    """A message on its way."""

    source: str
    target: str
    message: object


def server(id_: str, *, voter: bool = True) -> Server:
    """An entry of a configuration."""
    return Server(id_, f"name-{id_}", f"10.0.0.{id_[1:]}:7946", voter)


def configuration(voters: Iterable[str], standbys: Iterable[str] = ()) -> Configuration:
    """A configuration of these servers."""
    all_ = [server(id_) for id_ in voters] + [server(id_, voter=False) for id_ in standbys]
    return Configuration(tuple(sorted(all_, key=lambda s: s.id)))


VALUES_PER_CHUNK = 3


class Values(StateMachine):
    """Commands are values, kept in a list."""

    def __init__(self, effects: list[Effect]) -> None:
        self.values: list[bytes] = []
        self._effects = effects

    def apply(self, command: bytes) -> bytes:
        """Keep it; the result is how many there are."""
        self.values.append(command)
        result = b"%d" % len(self.values)
        self._effects.append((command, result))
        return result

    def read(self, query: bytes) -> bytes:
        """The last one."""
        return self.values[-1] if self.values else b""

    def snapshot(self) -> list[bytes]:
        """A few values a chunk."""
        parts = [self.values[i : i + VALUES_PER_CHUNK] for i in range(0, len(self.values), VALUES_PER_CHUNK)]
        return [b",".join(part) for part in parts] or [b""]

    def restore(self, chunks: Iterable[bytes]) -> None:
        """Nothing but these."""
        self.values = [value for chunk in chunks if chunk for value in chunk.split(b",")]


@define
class Proposal:
    """A client's command that waits for its entry."""

    key: int
    value: bytes


@define(eq=False)
class StageServer(SimServer):
    """A server whose clients are on the stage too."""

    proposals: dict[int, Proposal] = field(factory=dict)
    """By index: commands without an answer."""
    reads: set[int] = field(factory=set)
    """Keys of queries without an answer."""
    reads_failed: int = 0
    reads_answered: int = 0
    _due: list[tuple[str, SnapshotChunk]] = field(factory=list)
    _last_key: int = 0
    _indexes: dict[int, int] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        self.fetch = lambda peer, chunk: self._due.append((peer, chunk))

    @property
    def values(self) -> list[bytes]:
        """What the state machine holds."""
        assert isinstance(self.applier.machine, Values)
        return self.applier.machine.values

    def propose(self, now: float, value: bytes) -> bool:
        """A client's command, at once; returns whether it was taken."""
        appended = self.core.propose(self.clock(now), encode_commands([value]))
        if appended is None:
            return False
        self._last_key += 1
        self._indexes[self._last_key] = appended[0]
        self.proposals[appended[0]] = Proposal(self._last_key, value)
        self.applier.expect(*appended, [self._last_key])
        return True

    def query(self, now: float) -> None:
        """A client's linearizable read."""
        self._last_key += 1
        self.reads.add(self._last_key)
        self.read(now, [(self._last_key, b"")])

    def act(self, now: float, entries_max: int) -> list[tuple[str, object]]:
        """A turn, and what the clients make of it."""
        messages = self.turn(now, entries_max)
        messages += [(peer, filled(chunk, data)) for peer, chunk in self._due if (data := self._read_chunk(chunk))]
        self._due.clear()
        for key, code, _ in self.take_answers():
            if key in self.reads:
                self.reads.remove(key)
                self.reads_answered += code == "ok"
                self.reads_failed += code != "ok"
                continue
            self._end(key, code)
        return messages

    def _read_chunk(self, chunk: SnapshotChunk) -> bytes | None:
        chunks = self.disk.chunks(chunk.index)
        return chunks[chunk.offset] if chunk.offset < len(chunks) else None

    def _end(self, key: int, code: str) -> None:
        index = self._indexes.pop(key)
        proposal = self.proposals[index]
        if proposal.key != key:
            return  # replaced, its outcome unknown
        del self.proposals[index]
        if code == "ok":
            self.judge.ledger.acknowledge(proposal.value)
        elif code == "not_leader":
            self.judge.ledger.reject(proposal.value)


class Stage:
    """``voters`` share a first configuration; ``strangers`` run and are in none.  ``mail`` is what is on its way."""

    def __init__(self, voters: int = 3, standbys: int = 0, strangers: int = 0, spread_s: float = 0.0) -> None:
        self.timing = RaftTiming(spread_s=spread_s)
        self.now = 100.0
        self.mail: list[Letter] = []
        self.slow_disks: set[str] = set()
        self.cut_off: set[str] = set()
        self.judge = Judge()
        self._values = count(1)
        ids = [f"s{number}" for number in range(voters + standbys + strangers)]
        first = configuration(ids[:voters], ids[voters : voters + standbys])
        self.servers = {id_: StageServer(id_, SimDisk(id_), self.judge, self.timing, Values) for id_ in ids}
        self.judge.disks = {one.id: one.disk for one in self.servers.values()}
        for id_ in ids[: voters + standbys]:
            self.servers[id_].disk.snapshot = SnapshotSave(1, 0, first.encode(), [], 1, 0, discard_log=False)
        for seed, one in enumerate(self.servers.values()):
            one.start(self.now, seed)

    def __getitem__(self, id_: str) -> StageServer:
        return self.servers[id_]

    def state(self, id_: str) -> RaftState:
        """The Raft state of a server."""
        return self.servers[id_].core.state

    # --- what a server does ---------------------------------------------------------------------------------------

    def step(self, id_: str) -> None:
        """One or more turns of a server, until it has nothing more to do; a disk that is not slow writes at once."""
        one = self.servers[id_]
        for _ in range(ROUNDS_MAX):
            self._post(one, one.act(self.now, APPLY_MAX))
            if one.disk.on_its_way and id_ not in self.slow_disks:
                self.write(id_)
            elif not one.has_more:
                return
        raise AssertionError(f"{id_} never comes to rest")

    def write(self, id_: str) -> None:
        """The oldest write of a server reaches its disk."""
        one = self.servers[id_]
        one.written(self.now, one.disk.complete())

    def catch_up_disk(self, id_: str) -> None:
        """A slow disk does everything at last."""
        self.slow_disks.discard(id_)
        self.step(id_)

    def restart(self, id_: str) -> None:
        """Lose everything that is not on disk, and start again."""
        one = self.servers[id_]
        one.disk.crash(kept=0)
        one.stop()
        one.start(self.now, seed=100 + one.incarnation)

    # --- the post -------------------------------------------------------------------------------------------------

    def deliver(self, wanted: Callable[[Letter], bool] = lambda _: True) -> int:
        """Hand over what is on its way now and wanted, in order; returns how many letters that was."""
        letters = [letter for letter in self.mail if wanted(letter)]
        self.mail = [letter for letter in self.mail if not wanted(letter)]
        for letter in letters:
            self.hand(letter)
        return len(letters)

    def hand(self, letter: Letter) -> None:
        """Hand over one letter, which need not come from the post."""
        if {letter.source, letter.target} & self.cut_off:
            return
        one = self.servers[letter.target]
        one.core.receive(self.now, letter.source, letter.message)
        self.step(letter.target)

    def settle(self) -> None:
        """Deliver until nothing is on its way."""
        for _ in range(ROUNDS_MAX):
            if not self.deliver():
                return
        raise AssertionError("the servers never stop talking")

    def lose(self, wanted: Callable[[Letter], bool] = lambda _: True) -> int:
        """Lose what is on its way and wanted; returns how much that was."""
        before = len(self.mail)
        self.mail = [letter for letter in self.mail if not wanted(letter)]
        return before - len(self.mail)

    def letters(self, kind: type[T], source: str = "", target: str = "") -> list[T]:
        """Messages of a kind that are on their way."""
        return [
            letter.message
            for letter in self.mail
            if isinstance(letter.message, kind) and source in ("", letter.source) and target in ("", letter.target)
        ]

    def _post(self, one: StageServer, messages: list[tuple[str, object]]) -> None:
        self.mail.extend(Letter(one.id, peer, message) for peer, message in messages if peer in self.servers)

    # --- time -----------------------------------------------------------------------------------------------------

    def tick(self, *ids: str) -> None:
        """Let the timers of these servers (all of them by default) act that are due."""
        for id_ in ids or self.servers:
            self.servers[id_].core.tick(self.now)
            self.step(id_)

    def pass_time(self, seconds: float, step_s: float = 0.05) -> None:
        """Let time pass for all, with a perfect network."""
        end = self.now + seconds
        while self.now < end - 1e-9:
            self.now += step_s
            self.tick()
            self.settle()

    # --- shortcuts ------------------------------------------------------------------------------------------------

    def call_election(self, id_: str) -> None:
        """A server's election timer is due, and it asks for pre-votes; nobody has heard a leader for a while."""
        self.now += self.timing.election_min_s
        self.servers[id_].core.election.hurry()
        self.tick(id_)

    def elect(self, id_: str) -> None:
        """Make a server leader, and let everybody know."""
        self.call_election(id_)
        self.settle()
        self.beat(id_)
        self.settle()
        assert self.servers[id_].leads

    def beat(self, id_: str) -> None:
        """The leader's heartbeat is due."""
        self.now += self.timing.heartbeat_s
        self.tick(id_)

    def propose(self, id_: str, times: int = 1) -> None:
        """Clients propose, each in a turn of its own; nothing is delivered."""
        for _ in range(times):
            assert self.servers[id_].propose(self.now, b"v%d" % next(self._values))
            self.step(id_)

    def change(self, id_: str, kind: str, target: str) -> str:
        """Ask a server to change the configuration; returns why it does not."""
        one = server(target)
        base = self.state(id_).configurations.latest_index
        reason = self.servers[id_].core.configure(self.now, Configure(kind, base, one.id, one.name, one.address))
        self.step(id_)
        return reason

    def read(self, id_: str) -> None:
        """A client reads; nothing is delivered."""
        self.servers[id_].query(self.now)
        self.step(id_)

    def last_index(self, id_: str) -> int:
        """The last index of a server's log."""
        return self.state(id_).journal.last_index

    def commit(self, id_: str) -> int:
        """The commit index of a server."""
        return self.state(id_).engine.commit

    def term(self, id_: str) -> int:
        """The current term of a server."""
        return self.state(id_).engine.term
