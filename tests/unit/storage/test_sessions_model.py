"""Exactly once under everything a network and a failing cluster do to a client's frames, against a simple model.

A client numbers commands, sends frames, sends them again in other cuts, acknowledges; the log gets the frames late,
twice and in any order, and between them other clients' sessions push old ones out, and the server is replaced by one
that was restored from its snapshot.  Every command is its own name, and the application lists those that were applied.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from storage.envelope import EXPIRED, OPEN, SESSION
from storage.sessions import SessionMachine
from tests.unit.storage.test_sessions import Bench, envelope
from transport.client.session_protocol import ANSWERED_BEFORE, NONCE_BYTES, NOT_NOW, decode_outcomes

SESSIONS_MAX = 3
SEQUENCES_MAX = 6


class ClientModel:
    """One session's client: which commands it made, and what it has been told."""

    def __init__(self, session: bytes, name: int) -> None:
        self.session = session
        self.name = name
        self.next = 1
        self.acknowledged = 1
        self.results: dict[int, bytes] = {}

    def command(self, sequence: int) -> bytes:
        """A command's bytes say whose it is."""
        return b"%d/%d" % (self.name, sequence)


class SessionLife(RuleBasedStateMachine):
    """Frames are put on a heap and delivered by chance; two servers apply the same log."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(sessions_max=SESSIONS_MAX, sequences_max=SEQUENCES_MAX)
        self.replica = Bench(sessions_max=SESSIONS_MAX, sequences_max=SEQUENCES_MAX)
        self.clients: list[ClientModel] = []
        self.order: list[bytes] = []
        """Sessions that live, the least recently used first."""
        self.frames: list[tuple[ClientModel, int, int, int]] = []
        """Client, acknowledged, first sequence, number of commands."""

    def log(self, entry: bytes) -> bytes:
        """Both servers must say the same."""
        result = self.bench.machine.apply(entry)
        assert self.replica.machine.apply(entry) == result
        return result

    @rule()
    def open(self) -> None:
        result = self.log(OPEN + bytes(NONCE_BYTES))
        client = ClientModel(result[1:], len(self.clients))
        assert client.session not in [other.session for other in self.clients]
        self.clients.append(client)
        self.order = [*self.order, client.session][-SESSIONS_MAX:]

    @precondition(lambda self: self.clients)
    @rule(data=st.data(), count=st.integers(1, 3))
    def send_new(self, data: st.DataObject, count: int) -> None:
        client = data.draw(st.sampled_from(self.clients[-4:]))
        self.frames.append((client, client.acknowledged, client.next, count))
        client.next += count

    @precondition(lambda self: any(client.next > client.acknowledged for client in self.clients[-4:]))
    @rule(data=st.data())
    def send_again(self, data: st.DataObject) -> None:
        """In another cut: some of the commands without an acknowledged answer."""
        client = data.draw(st.sampled_from([one for one in self.clients[-4:] if one.next > one.acknowledged]))
        first = data.draw(st.integers(client.acknowledged, client.next - 1))
        count = data.draw(st.integers(1, client.next - first))
        self.frames.append((client, client.acknowledged, first, count))

    @precondition(lambda self: self.clients)
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        """The client has answers, or its callers have given up."""
        client = data.draw(st.sampled_from(self.clients[-4:]))
        client.acknowledged = data.draw(st.just(client.next) | st.integers(client.acknowledged, client.next))
        self.submit(client, client.acknowledged, client.next, 1)
        client.next += 1

    @precondition(lambda self: self.frames)
    @rule(data=st.data(), twice=st.booleans())
    def deliver(self, data: st.DataObject, twice: bool) -> None:
        at = data.draw(st.integers(0, len(self.frames) - 1))
        self.submit(*(self.frames[at] if twice else self.frames.pop(at)))

    def submit(self, client: ClientModel, acknowledged: int, first: int, count: int) -> None:
        """The log gets a frame; what must hold of its outcomes."""
        before = list(self.bench.diary.lines)
        commands = [client.command(sequence) for sequence in range(first, first + count)]
        result = self.log(envelope(client.session, first, *commands, acknowledged=acknowledged))

        if client.session not in self.order:
            assert result == EXPIRED
            assert self.bench.diary.lines == before
            return
        self.order.remove(client.session)
        self.order.append(client.session)
        assert result[:1] == SESSION
        for sequence, outcome in enumerate(decode_outcomes(result[1:]), first):
            applied = client.command(sequence) in self.bench.diary.lines
            if isinstance(outcome, bytes):
                assert outcome == client.results.setdefault(sequence, outcome), "the first result, every time"
                assert self.bench.diary.lines[int(outcome) - 1] == client.command(sequence)
            elif outcome == NOT_NOW:
                assert not applied, "refused is not applied"
            else:
                assert outcome == ANSWERED_BEFORE
                assert sequence < client.acknowledged, "nobody waits for it"

    @rule()
    def replace_by_a_snapshot(self) -> None:
        """One of the two servers is restored from the other's snapshot."""
        chunks = list(self.bench.machine.snapshot())
        assert chunks == list(self.replica.machine.snapshot())
        self.replica = Bench()
        self.replica.machine = SessionMachine(self.replica.diary, self.bench.machine._limits)
        self.replica.machine.restore(chunks)
        self.bench, self.replica = self.replica, self.bench

    @invariant()
    def applied_once(self) -> None:
        lines = self.bench.diary.lines
        assert len(set(lines)) == len(lines), f"applied twice: {lines}"
        assert self.replica.diary.lines == lines
        assert self.bench.machine.session_count == len(self.order)


TestSessionLife = SessionLife.TestCase
TestSessionLife.settings = settings(max_examples=150, stateful_step_count=40, deadline=None, print_blob=True)
