"""Watches at the gateway: who asks what comes next is told each change once, in order, and owes the server nothing."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator

import pytest

from actors.gateway.effects import Answer
from actors.gateway.limits import GatewayLimits
from actors.gateway.watches import WATCH, Watches
from actors.raft.messages import Follow, Read
from actors.runtime.actor import Sender
from storage import history
from storage.kv import KeyValueStore
from storage.kv_protocol import Change, Changes, Failed, KvResult, decode_result, delete, put, put_many, watch
from transport.client.protocol import Code, Request, Response, decode_payload, encode_payload

FIRST_KEY = 1 << 40


class Desk:
    """The core between clients and a store that Raft's actor applies commands to; its mailbox is `mail`."""

    def __init__(self, **limits: float) -> None:
        self.now = 100.0
        self.watches = Watches(GatewayLimits(**limits), FIRST_KEY)  # type: ignore[arg-type]
        self.store = KeyValueStore()
        self.log: list[bytes] = []
        self.applied = 0
        self.mail: deque[Read | Follow] = deque()
        self.followed: int | None = None
        self.answers: dict[int, Response] = {}
        self.is_full = False
        self.divergence = b""
        """Why Raft's actor answers no read."""

    def ask(self, number: int, key: str, after: int, *, is_prefix: bool = True, timeout_s: float = 20.0) -> None:
        """A client's question."""
        payload = encode_payload(watch(key, after, is_prefix=is_prefix))
        sender = Sender("", "", "", number, b"client")
        self.watches.request(self.now, sender, Request(number, WATCH, payload, round(timeout_s * 1000)))
        self.flush()

    def apply(self, command: bytes) -> None:
        """An entry is committed, and applied here as all before it are."""
        self.log.append(command)
        self.catch_up()

    def catch_up(self, most: int = 1_000_000) -> None:
        """Apply so many of the entries that are committed and not applied here."""
        behind = self.log[self.applied : self.applied + most]
        for command in behind:
            self.store.apply(command)
        self.applied += len(behind)
        self._stir()

    def serve(self, most: int = 1_000_000) -> None:
        """Raft's actor takes its mail."""
        while self.mail and most:
            most -= 1
            message = self.mail.popleft()
            if isinstance(message, Follow):
                self.followed = message.applied
                self._stir()
                continue
            batch = [(key, "ok", self.store.read(query[1:])) for key, query, _ in message.batch]
            if self.divergence:
                batch = [(key, "diverged", self.divergence) for key, _, _ in message.batch]
            assert self.watches.results(batch) == []
            self.flush()

    def die(self, applied: int | None = None) -> None:
        """Raft's actor dies; what waits in its mailbox is for its successor, which may not have applied as much yet."""
        self.followed = None
        if applied is not None:
            self.store, self.applied = KeyValueStore(), 0
            self.catch_up(applied)
        self.watches.raft_died()
        self.flush()

    def pass_time(self, seconds: float) -> None:
        """Ticks."""
        self.now += seconds
        self.watches.tick(self.now)
        self.flush()

    def flush(self) -> None:
        """Carry out what the core wants."""
        for effect in self.watches.flush():
            if isinstance(effect, Answer):
                assert effect.response.id not in self.answers, "answered twice"
                self.answers[effect.response.id] = effect.response
            elif self.is_full:
                self.watches.refused(effect)
            else:
                self.mail.append(effect)

    def answer(self, number: int) -> KvResult | None:
        """What a question was answered, None for nothing yet."""
        response = self.answers.get(number)
        return None if response is None else decode_result(decode_payload(response.payload))

    def _stir(self) -> None:
        if self.followed is not None and self.applied > self.followed:
            self.followed = None
            self.watches.stirred(self.applied)
            self.flush()


def test_what_happened_is_told_at_once() -> None:
    """A watch from the past begins with it."""
    desk = Desk()
    desk.apply(put("a", b"1"))
    desk.ask(1, "a", 0)
    desk.serve()

    assert desk.answer(1) == Changes([Change("a", b"1", 1)], 1)


def test_what_happens_next_is_told_when_it_does() -> None:
    """By key and by prefix; what is about other keys is no answer."""
    desk = Desk()
    desk.ask(1, "a", 0, is_prefix=False)
    desk.ask(2, "a", 0)
    desk.ask(3, "", 0)
    desk.ask(4, "ab/c", 0)
    desk.serve()
    assert not desk.answers

    desk.apply(put("ab", b"1"))
    desk.serve()
    assert desk.answer(1) is None
    assert desk.answer(2) == desk.answer(3) == Changes([Change("ab", b"1", 1)], 1)
    desk.apply(put("a", b"2"))
    desk.serve()
    assert desk.answer(1) == Changes([Change("a", b"2", 2)], 2)
    assert desk.answer(4) is None
    assert desk.watches.count == 1


def test_a_transaction_is_one_answer() -> None:
    """Atomic: no answer holds half of what one command did."""
    desk = Desk()
    desk.ask(1, "", 0)
    desk.serve()
    desk.apply(put_many({"a": b"1", "b": b"2"}))
    desk.serve()

    assert desk.answer(1) == Changes([Change("a", b"1", 1), Change("b", b"2", 1)], 1)


def test_a_deadline_is_answered_with_how_far_nothing_happened() -> None:
    """A bookmark: who comes again need not be told of what was not for it."""
    desk = Desk()
    desk.ask(1, "a", 0, timeout_s=5.0)
    desk.serve()
    for _ in range(7):
        desk.apply(put("other", b""))
        desk.serve()
    desk.pass_time(5.1)

    assert desk.answer(1) == Changes([], 7)
    assert desk.watches.count == 0


def test_who_has_seen_more_than_this_server_waits() -> None:
    """It was told by another server, which was ahead."""
    desk = Desk()
    desk.ask(1, "a", 2)
    desk.serve()
    for number in range(1, 4):
        desk.apply(put("a", b"%d" % number))
        desk.serve()

    assert desk.answer(1) == Changes([Change("a", b"3", 3)], 3)


def test_one_who_has_seen_more_than_this_server_hides_nothing_from_others() -> None:
    """Two come from servers that died, one of which was ahead: what only that one knows is told to the other."""
    desk = Desk()
    desk.ask(1, "a", 2)
    desk.serve()
    desk.ask(2, "a", 1)
    desk.serve()
    for number in range(1, 4):
        desk.apply(put("a", b"%d" % number))
        desk.serve()

    assert desk.answer(1) == Changes([Change("a", b"3", 3)], 3)
    assert desk.answer(2) == Changes([Change("a", b"2", 2)], 2)


def test_a_reader_that_goes_back_forgets_what_it_has_asked() -> None:
    """Its question of a moment ago was for what comes after a later revision."""
    desk = Desk()
    desk.ask(1, "a", 2)
    desk.ask(2, "a", 0)
    desk.serve(1)
    desk.serve(1)
    for number in range(1, 4):
        desk.apply(put("a", b"%d" % number))
    desk.serve()

    assert desk.answer(1) == Changes([Change("a", b"3", 3)], 3)
    assert desk.answer(2) == Changes([Change("a", b"%d" % number, number) for number in range(1, 4)], 3)


def test_a_bookmark_of_a_server_that_is_behind_promises_nothing() -> None:
    """Its deadline comes before the change does: who asks again after the answer is told of it."""
    desk = Desk()
    desk.ask(1, "a", 7)
    desk.ask(2, "a", 1, timeout_s=5.0)
    desk.serve()
    desk.pass_time(5.1)

    assert desk.answer(2) == Changes([], 1)


def test_who_is_too_slow_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never a silent gap: from where on everything is known."""
    monkeypatch.setattr(history, "CHANGES_MAX", 8)
    desk = Desk()
    for number in range(20):
        desk.apply(put("a", b"%d" % number))
    desk.ask(1, "a", 2)
    desk.serve()

    answer = desk.answer(1)
    assert isinstance(answer, Failed)
    assert answer.code == "compacted"
    assert answer.revision > 2


def test_a_reader_that_fell_behind_tears_no_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    """So much happened in one turn that the server's own reader missed some: each watch is asked anew for itself."""
    monkeypatch.setattr(history, "CHANGES_MAX", 8)
    desk = Desk()
    desk.ask(1, "a", 0)
    desk.ask(2, "a", 15)
    desk.serve()
    desk.is_full = True
    for number in range(20):
        desk.apply(put("a", b"%d" % number))
    desk.is_full = False
    desk.pass_time(0.05)
    desk.serve()

    gone, told = desk.answer(1), desk.answer(2)
    assert isinstance(gone, Failed)
    assert isinstance(told, Changes)
    assert [one.revision for one in told.changes] == [16, 17, 18, 19, 20]


def test_a_server_that_has_diverged_tells_nothing_more() -> None:
    """Who waits is sent elsewhere as soon as Raft's actor says that something is different, and so is who comes."""
    desk = Desk()
    desk.apply(put("a", b"1"))
    desk.ask(1, "a", 1)
    desk.ask(2, "b", 0, is_prefix=False)
    desk.serve()
    assert not desk.answers

    desk.divergence = b"entry 3 is another one"
    desk.watches.stirred(desk.applied)
    desk.flush()
    desk.serve()
    desk.ask(3, "a", 0)
    desk.serve()

    assert {(answer.code, answer.message) for answer in desk.answers.values()} == {
        ("diverged", "entry 3 is another one")
    }
    assert (len(desk.answers), desk.watches.count) == (3, 0)
    desk.pass_time(100.0)
    assert not desk.mail, "nobody waits, so nobody reads"


def test_what_makes_no_sense_is_refused() -> None:
    """And what is too much."""
    desk = Desk(watches_max=1)
    for number, payload in enumerate((b"", b"\xc1", encode_payload(b""), encode_payload(put("a", b"")), b"\x93\x01")):
        desk.watches.request(desk.now, Sender("", "", "", number, b"c"), Request(number, WATCH, payload, 1_000))
    desk.ask(10, "a", -1)
    assert {response.code for response in desk.answers.values()} == {Code.BAD_REQUEST}
    desk.ask(11, "a", 0)
    desk.ask(12, "a", 0)
    assert desk.answers[12].code == Code.OVERLOADED


def test_deadlines_of_what_is_answered_are_forgotten() -> None:
    """A busy key is asked about again and again, each time with a deadline far away."""
    desk = Desk()
    for number in range(5_000):
        desk.ask(number, "a", number)
        desk.apply(put("a", b""))
        desk.serve()

    assert len(desk.answers) == 5_000
    assert len(desk.watches._deadlines) < 2_000


class Client:
    """A watcher: asks again with each answer."""

    def __init__(self, desk: Desk, key: str, numbers: Iterator[int], *, is_prefix: bool) -> None:
        self.desk, self.key, self.is_prefix = desk, key, is_prefix
        self.seen: list[Change] = []
        self.after = 0
        self._numbers = numbers
        self._asked = 0

    def is_about(self, key: str) -> bool:
        """Whether it watches this key."""
        return key.startswith(self.key) if self.is_prefix else key == self.key

    def come_again(self, rng: random.Random) -> None:
        """Take the answer, if there is one, and ask for what comes after it."""
        if self._asked:
            answer = self.desk.answer(self._asked)
            if answer is None:
                return
            assert isinstance(answer, Changes)
            self.seen += answer.changes
            assert answer.revision >= self.after
            self.after = answer.revision
        self._asked = next(self._numbers)
        self.desk.ask(self._asked, self.key, self.after, is_prefix=self.is_prefix, timeout_s=rng.choice([0.1, 1.0, 20]))


@pytest.mark.parametrize("case", range(60))
def test_each_watcher_is_told_everything_once_and_in_order(seed: int, case: int) -> None:
    """Whatever comes between: slow mail, a Raft actor that dies or is behind, a full mailbox, deadlines."""
    rng = random.Random(seed + case)
    desk, truth, numbers = Desk(), KeyValueStore(), iter(range(1, 1_000_000))
    keys = ["a", "ab", "b", "ba/1", "c"]
    clients = [Client(desk, rng.choice(["", *keys]), numbers, is_prefix=rng.random() < 0.6) for _ in range(6)]
    expected: list[Change] = []

    def change() -> None:
        chosen = rng.sample(keys, rng.randint(1, 3))
        before = truth.revision
        new: dict[str, bytes | None] = dict.fromkeys(chosen, b"%d" % before)
        command = put_many(dict.fromkeys(chosen, b"%d" % before))
        if len(chosen) == 1 and rng.random() < 0.3:
            new, command = {chosen[0]: None}, delete(chosen[0])
        truth.apply(command)
        if truth.revision > before:
            expected.extend(Change(key, value, truth.revision) for key, value in new.items())
        desk.log.append(command)
        if rng.random() < 0.8:
            desk.catch_up()

    steps: list[Callable[[], None]] = [
        change,
        lambda: desk.serve(rng.randint(1, 3)),
        lambda: rng.choice(clients).come_again(rng),
        lambda: desk.pass_time(rng.choice([0.05, 0.3])),
        lambda: setattr(desk, "is_full", rng.random() < 0.2),
        desk.die,
        lambda: desk.die(rng.randint(0, desk.applied)),
        lambda: desk.catch_up(rng.randint(1, 3)),
    ]
    for _ in range(400):
        rng.choices(steps, weights=[4, 6, 8, 3, 0.5, 0.3, 0.3, 2])[0]()
    desk.is_full = False
    desk.catch_up()
    for _ in range(3):
        for client in clients:
            client.come_again(rng)
        desk.serve()
        desk.pass_time(0.05)
        desk.serve()
    for client in clients:
        client.come_again(rng)
        wanted = [
            one for one in expected if one.key == client.key or (client.is_prefix and one.key.startswith(client.key))
        ]
        assert client.seen == wanted
