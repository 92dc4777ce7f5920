"""Sessions around a state machine: a command that is sent twice is applied once, and what expires is never guessed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest

from storage.envelope import EXPIRED, MALFORMED, OPEN, RAW, SESSION, wrap_queries
from storage.errors import BadSnapshotError
from storage.kv import KeyValueStore
from storage.kv_protocol import put
from storage.sessions import SessionLimits, SessionMachine
from storage.state_machine import SNAPSHOT_CHUNK_BYTES_MAX, StateMachine
from transport.client.session_protocol import (
    ANSWERED_BEFORE,
    NONCE_BYTES,
    NOT_NOW,
    Failure,
    Outcome,
    SessionCommands,
    decode_outcomes,
    encode_commands,
)

NONCE = bytes(NONCE_BYTES)


class Diary(StateMachine):
    """Writes down what is applied, and answers with how much that is."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def apply(self, command: bytes) -> bytes:
        """Write it down; b"raise" raises, with a text that differs between servers."""
        if command == b"raise":
            raise ValueError(f"at {id(self):x}")
        self.lines.append(command)
        return b"%d" % len(self.lines)

    def read(self, query: bytes) -> bytes:
        """A line by its number, or as many bytes as that."""
        return bytes(int(query[1:])) if query[:1] == b"x" else self.lines[int(query)]

    def snapshot(self) -> Iterable[bytes]:
        """A chunk a line."""
        return iter(list(self.lines))

    def restore(self, chunks: Iterable[bytes]) -> None:
        """b"bad" is no line."""
        lines = list(chunks)
        if b"bad" in lines:
            raise BadSnapshotError("a bad line")
        self.lines = lines


class Bench:
    """A machine with sessions around a diary."""

    def __init__(self, **limits: int) -> None:
        self.diary = Diary()
        self.machine = SessionMachine(self.diary, SessionLimits(**limits))

    def open(self, nonce: bytes = NONCE) -> bytes:
        """A new session."""
        result = self.machine.apply(OPEN + nonce)
        assert result[:1] == OPEN
        return result[1:]

    def send(self, session: bytes, first: int, *commands: bytes, acknowledged: int = 1) -> Sequence[Outcome] | None:
        """What becomes of commands; None: the session has expired."""
        result = self.machine.apply(envelope(session, first, *commands, acknowledged=acknowledged))
        if result == EXPIRED:
            return None
        assert result[:1] == SESSION
        return decode_outcomes(result[1:])

    def restored(self) -> Bench:
        """Another server, set to a snapshot of this one."""
        other = Bench()
        other.machine = SessionMachine(other.diary, self.machine._limits)
        other.machine.restore(list(self.machine.snapshot()))
        return other


def envelope(session: bytes, first: int, *commands: bytes, acknowledged: int = 1) -> bytes:
    """Commands as they are in the log."""
    return SESSION + encode_commands(SessionCommands(session, acknowledged, first, list(commands)))


def test_a_command_sent_twice_is_applied_once() -> None:
    """The second time it is answered with the first result, alone or among new ones."""
    bench = Bench()
    session = bench.open()
    assert bench.send(session, 1, b"a", b"b") == [b"1", b"2"]

    assert bench.send(session, 1, b"a", b"b") == [b"1", b"2"]
    assert bench.send(session, 2, b"b", b"c") == [b"2", b"3"]
    assert bench.diary.lines == [b"a", b"b", b"c"]


def test_commands_may_overtake_each_other() -> None:
    """Of two frames under way at once the later one may be first in the log."""
    bench = Bench()
    session = bench.open()

    assert bench.send(session, 3, b"c") == [b"1"]
    assert bench.send(session, 1, b"a", b"b", b"c") == [b"2", b"3", b"1"]
    assert bench.diary.lines == [b"c", b"a", b"b"]


def test_what_is_acknowledged_is_forgotten_and_never_applied_again() -> None:
    """Also what was not applied before: its caller has given up.  A later frame may say less than an earlier one."""
    bench = Bench()
    session = bench.open()
    bench.send(session, 1, b"a")
    bench.send(session, 3, b"c", acknowledged=3)

    assert bench.send(session, 1, b"a", b"b", b"c", acknowledged=1) == [ANSWERED_BEFORE, ANSWERED_BEFORE, b"2"]
    assert bench.diary.lines == [b"a", b"c"]
    assert bench.machine._size < bench.machine._limits.results_bytes_max


def test_an_absurd_acknowledgement_costs_nothing() -> None:
    """A number is a claim of the client's; what is forgotten is bounded by what is remembered."""
    bench = Bench()
    session = bench.open()
    bench.send(session, 1, b"a")

    assert bench.send(session, 1 << 62, b"b", acknowledged=1 << 62) == [b"2"]
    assert bench.send(session, 5, b"c") == [ANSWERED_BEFORE]


def test_the_least_recently_used_session_expires() -> None:
    """By the number of sessions; a session is used by its commands.  Its commands are not applied, ever."""
    bench = Bench(sessions_max=2)
    first, second = bench.open(), bench.open()
    bench.send(first, 1, b"a")
    third = bench.open()

    assert bench.send(second, 1, b"b") is None
    assert bench.send(first, 1, b"a") == [b"1"]
    assert bench.send(third, 1, b"c") == [b"2"]
    assert bench.machine.session_count == 2


def test_results_that_are_remembered_are_bounded() -> None:
    """The least recently used session goes when the results of all are too many; the last one stays."""
    bench = Bench(results_bytes_max=1_000)
    sessions = [bench.open() for _ in range(3)]
    for session in sessions:
        assert bench.send(session, 1, *[b"x"] * 7) is not None

    assert [bench.send(session, 1, b"x") is None for session in sessions] == [True, False, False]


def test_a_session_that_acknowledges_nothing_takes_no_more() -> None:
    """By number and by bytes; what is refused was not applied, and is taken once there is room."""
    bench = Bench(sequences_max=2)
    session = bench.open()
    assert bench.send(session, 1, b"a", b"b", b"c") == [b"1", b"2", NOT_NOW]
    assert bench.send(session, 3, b"c", acknowledged=2) == [b"3"]

    small = Bench(session_bytes_max=100)
    session = small.open()
    assert small.send(session, 1, b"a", b"b", b"c") == [b"1", b"2", NOT_NOW]
    assert small.send(session, 3, b"c", acknowledged=3) == [b"3"]


def test_sessions_are_told_apart_for_ever() -> None:
    """Opened twice with the same message, two sessions; an expired one never comes back, not even as another's."""
    bench = Bench(sessions_max=1)
    first = bench.open()
    second = bench.open()

    assert first != second
    assert bench.send(first, 1, b"a") is None
    # A client of a cluster that was begun anew: its number is somebody else's now, its nonce is not.
    assert bench.send(second[:-1] + b"x", 1, b"a") is None
    assert bench.diary.lines == []


def test_a_failure_of_the_state_machine_is_an_outcome() -> None:
    """It is remembered like a result, in words that are the same on every server; those beside it are applied."""
    bench, other = Bench(), Bench()
    session, other_session = bench.open(), other.open()
    first = bench.send(session, 1, b"a", b"raise", b"b")
    again = bench.send(session, 1, b"a", b"raise", b"b")

    assert first == [b"1", Failure(f"the state machine raised ValueError: at {id(bench.diary):x}"), b"2"]
    assert again == [b"1", Failure("the state machine raised ValueError"), b"2"]
    other.send(other_session, 1, b"a", b"raise", b"b")
    assert list(bench.machine.snapshot()) == list(other.machine.snapshot())
    assert bench.restored().diary.lines == [b"a", b"b"]


def test_what_is_not_bytes_is_a_failure_and_is_not_kept() -> None:
    """An application's method that forgets its answer: kept, it would make a snapshot that no server can start from."""
    bench = Bench()
    session = bench.open()
    bench.diary.apply = lambda command: None  # type: ignore[method-assign, assignment, return-value]
    bench.diary.read = lambda query: "text"  # type: ignore[method-assign, assignment, return-value]

    answered_with_none = "the state machine raised TypeError: the state machine answered with NoneType, not with bytes"
    assert bench.send(session, 1, b"a") == [Failure(answered_with_none)]
    with pytest.raises(TypeError, match="answered with NoneType, not with bytes"):
        bench.machine.apply(RAW + b"a")
    with pytest.raises(TypeError, match="answered with str, not with bytes"):
        bench.machine.read(RAW + b"0")
    (answer,) = decode_outcomes(bench.machine.read(wrap_queries([b"0"])))
    assert answer == Failure("the state machine raised TypeError: the state machine answered with str, not with bytes")
    assert bench.restored().diary.lines == []
    bench.diary.snapshot = lambda: ["text"]  # type: ignore[method-assign, list-item]
    with pytest.raises(TypeError, match="answered with str"):
        list(bench.machine.snapshot())


def test_a_chunk_that_no_link_would_carry_is_refused() -> None:
    """Kept, it would be a snapshot that no other server could ever be sent."""
    bench = Bench()
    bench.diary.lines = [bytes(256 << 10)]
    assert bench.restored().diary.lines == bench.diary.lines

    bench.diary.lines = [bytes((256 << 10) + 1)]
    with pytest.raises(ValueError, match="a chunk of its snapshot has 262145 bytes, at most 262144 are allowed"):
        list(bench.machine.snapshot())


@pytest.mark.parametrize("command", [b"", b"\x77x", OPEN + b"short", SESSION, SESSION + b"\x94", MALFORMED, EXPIRED])
def test_what_is_in_no_envelope_is_answered_and_not_applied(command: bytes) -> None:
    """It can only come from a server of another release, and must not stop this one."""
    bench = Bench()

    assert bench.machine.apply(command)[:1] == MALFORMED
    assert bench.diary.lines == []


def test_an_applications_bytes_are_its_own() -> None:
    """A raw command that looks like an envelope is a command."""
    bench = Bench()
    session = bench.open()
    looks_like_one = envelope(session, 1, b"a")

    assert bench.machine.apply(RAW + looks_like_one) == RAW + b"1"
    assert bench.diary.lines == [looks_like_one]


def test_queries_together() -> None:
    """One outcome each; a failure is its own.  What does not fit into the answer is asked for again."""
    bench = Bench()
    bench.machine.apply(RAW + b"line")
    big = b"x%d" % (3 << 20)

    assert bench.machine.read(RAW + b"0") == b"line"
    answers = decode_outcomes(bench.machine.read(wrap_queries([b"0", b"9", big, big, b"0"])))

    assert answers[0] == b"line"
    assert isinstance(answers[1], Failure)
    assert [len(answer) if isinstance(answer, bytes) else answer for answer in answers[2:]] == [3 << 20] * 2 + [NOT_NOW]


def test_sessions_are_in_the_snapshot() -> None:
    """A server that was restored knows what was applied, what expires next, and which ids were given."""
    bench = Bench(sessions_max=2)
    first, second = bench.open(), bench.open()
    bench.send(second, 1, b"a", b"b")
    bench.send(first, 1, b"c", acknowledged=1)
    other = bench.restored()

    assert other.diary.lines == [b"a", b"b", b"c"]
    assert other.send(first, 1, b"c") == [b"3"]
    assert other.open() == bench.open()
    assert other.send(second, 2, b"b") is None
    assert other.machine._size == sum(session.size for session in other.machine._sessions.values())


def test_a_snapshot_is_as_of_its_call() -> None:
    """Its chunks are taken while commands go on; each is small, and the application's begin with one of their own."""
    bench = Bench()
    session = bench.open()
    bench.send(session, 1, *[b"command"] * 4_000)
    for number in range(2_000):
        bench.open(number.to_bytes(NONCE_BYTES, "big"))
    before = list(bench.machine.snapshot())
    view = iter(bench.machine.snapshot())
    first = next(view)
    bench.send(session, 4_001, b"late", acknowledged=4_000)

    assert [first, *view] == before
    assert max(map(len, before)) <= SNAPSHOT_CHUNK_BYTES_MAX


def test_many_results_make_many_chunks() -> None:
    """More than a chunk's worth of sessions is put together again, wherever the cuts fall."""
    machine = SessionMachine(_Echo())
    sessions = [machine.apply(OPEN + NONCE)[1:] for _ in range(5)]
    for session in sessions:
        machine.apply(envelope(session, 1, bytes(100_000), bytes(SNAPSHOT_CHUNK_BYTES_MAX), b"last"))
    chunks = list(machine.snapshot())
    assert len(chunks) > 5
    assert max(map(len, chunks)) <= SNAPSHOT_CHUNK_BYTES_MAX
    other = SessionMachine(_Echo())

    other.restore(chunks)

    result = other.apply(envelope(sessions[2], 1, b"", b"", b""))
    assert decode_outcomes(result[1:]) == [bytes(100_000), bytes(SNAPSHOT_CHUNK_BYTES_MAX), b"last"]


class _Echo(StateMachine):
    """Answers with the command."""

    def apply(self, command: bytes) -> bytes:
        """The command."""
        return command

    def read(self, query: bytes) -> bytes:
        """The query."""
        return query

    def snapshot(self) -> Iterable[bytes]:
        """Nothing."""
        return ()

    def restore(self, chunks: Iterable[bytes]) -> None:
        """Nothing."""
        assert not list(chunks)


def test_what_is_no_snapshot_changes_nothing() -> None:
    """A flipped byte, a missing end, the application's own refusal: an error, and the state as before."""
    bench = Bench()
    session = bench.open()
    bench.send(session, 1, b"a")
    (head, *rest) = list(bench.machine.snapshot())
    damaged = [head[:at] + bytes([head[at] ^ 1]) + head[at + 1 :] for at in range(len(head))]

    for chunks in ([], [head[:-1], *rest], [head + b"x", *rest], [head, b"bad"], *([one, *rest] for one in damaged)):
        with pytest.raises(BadSnapshotError):
            bench.machine.restore(chunks)

    assert bench.send(session, 1, b"a") == [b"1"]
    assert bench.diary.lines == [b"a"]


def test_the_key_value_store_of_another_release_is_told_apart() -> None:
    """A snapshot without sessions at its head is refused with a clear word."""
    store = KeyValueStore()
    store.apply(put("a", b"1"))

    with pytest.raises(BadSnapshotError, match="another release"):
        SessionMachine(KeyValueStore()).restore(store.snapshot())
