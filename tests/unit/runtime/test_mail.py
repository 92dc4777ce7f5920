"""How messages reach an actor: order, lanes, bounds, fairness, and what becomes of those that cannot be delivered."""

from __future__ import annotations

import pytest

from actors.runtime.actor import Actor, Sender, handles
from actors.runtime.limits import SystemLimits
from tests.unit.runtime.stage import Note, Once, Player, Stage, Unheard, Urgent
from tests.unit.runtime.virtual_time import story
from transport.wire import PROTOCOL_VERSION, Header, Origin, encode_body, pack


class Batcher(Player):
    """Notes the end of every turn."""

    def on_turn_end(self) -> None:
        """Note it."""
        self.note("turn end")


class Echoer(Player):
    """Tells itself a note for each one it gets, until there are enough."""

    @handles(Note)
    def hear(self, msg: Note, sender: Sender) -> None:
        """Note it and go on."""
        self.note(msg.text)
        if len(self.stage.log) < 100:
            self.context.me.tell(msg)


@story
async def test_messages_arrive_in_the_order_they_were_told() -> None:
    """One sender's messages in one lane keep their order."""
    async with Stage() as stage:
        await stage.play(("a", stage.cast(Player)))

        told = stage.tell("a", *(Note(str(n)) for n in range(100)))
        await stage.settle()

        assert all(told)
        assert stage.log == ["a@1 start", *(f"a@1 {n}" for n in range(100))]


@story
async def test_urgent_messages_overtake() -> None:
    """The control lane goes ahead of data that already waits."""
    async with Stage() as stage:
        await stage.play(("a", stage.cast(Player)))

        stage.tell("a", Note("1"), Note("2"), Urgent("3"))
        await stage.settle()

        assert stage.log[1:] == ["a@1 3", "a@1 1", "a@1 2"]


@story
async def test_a_control_message_waits_for_one_small_batch_only() -> None:
    """What is taken out of a mailbox at once bounds how long a control message waits."""
    async with Stage(limits=SystemLimits(drain_frames=4)) as stage:

        class Alarmed(Player):
            @handles(Note)
            def hear(self, msg: Note, sender: Sender) -> None:
                self.note(msg.text)
                if msg.text == "0":
                    self.context.me.tell(Urgent("alarm"))

        await stage.play(("a", stage.cast(Alarmed)))
        stage.tell("a", *(Note(str(n)) for n in range(8)))
        await stage.settle()

        assert stage.log.index("a@1 alarm") == stage.log.index("a@1 3") + 1


@story
async def test_a_turn_ends_once_per_batch() -> None:
    """`on_turn_end` sees the whole batch: that is what lets Raft write once for many proposals."""
    async with Stage(limits=SystemLimits(turn_messages=3)) as stage:
        await stage.play(("a", stage.cast(Batcher)))

        stage.tell("a", *(Note(str(n)) for n in range(4)))
        await stage.settle()

        assert stage.log[1:] == ["a@1 0", "a@1 1", "a@1 2", "a@1 turn end", "a@1 3", "a@1 turn end"]


@story
async def test_actors_take_turns() -> None:
    """A long queue of one actor does not keep another from its first message."""
    async with Stage(limits=SystemLimits(turn_messages=2)) as stage:
        await stage.play(("a", stage.cast(Player)), ("b", stage.cast(Player)))

        stage.tell("a", *(Note(str(n)) for n in range(4)))
        stage.tell("b", Note("0"))
        await stage.settle()

        assert stage.log[2:] == ["a@1 0", "a@1 1", "b@1 0", "a@1 2", "a@1 3"]


@story
async def test_the_pump_lets_the_loop_breathe() -> None:
    """Two actors that keep each other busy for ever do not keep sockets and timers from being served."""
    async with Stage() as stage:

        class Busy(Actor):
            @handles(Note)
            def on_note(self, msg: Note, sender: Sender) -> None:
                self.context.ref("b" if self.context.name == "a" else "a").tell(msg)

        await stage.play(("a", Busy), ("b", Busy))
        stage.tell("a", Note("ball"))
        turns = []
        for _ in range(10):
            called = stage.loop.create_future()
            stage.loop.call_soon(called.set_result, None)
            await called
            turns.append(stage.row("a")["handled"])

        assert turns[-1] > turns[0]
        assert turns[-1] <= 11 * stage.system.limits.pump_turns


@story
async def test_an_actor_that_tells_itself_goes_on() -> None:
    """A message sent to oneself in a handler makes the actor ready again."""
    async with Stage() as stage:
        await stage.play(("a", stage.cast(Echoer)))

        stage.tell("a", Note("again"))
        await stage.settle()

        assert len(stage.log) == 100


@story
async def test_a_full_mailbox_refuses_at_once() -> None:
    """The sender learns of it, and the message is a dead letter; what was accepted arrives."""
    async with Stage(limits=SystemLimits(mailbox_frames=2)) as stage:
        await stage.play(("a", stage.cast(Player)))

        told = stage.tell("a", Note("1"), Note("2"), Note("3"), Urgent("4"))
        await stage.settle()

        assert told == [True, True, False, True]
        assert stage.log[1:] == ["a@1 4", "a@1 1", "a@1 2"]
        assert stage.letters() == [("play.note", "a", "the mailbox is full")]


@story
async def test_a_message_to_nobody_is_a_dead_letter() -> None:
    """No such actor, no handler, no decodable body: refused or set aside, counted, and no crash."""
    async with Stage() as stage:
        await stage.play(("a", stage.cast(Player)))
        garbled = pack(Header(PROTOCOL_VERSION, "a", "play.note", "", 0, 0, Origin("s1")), b"\xff")

        assert stage.tell("b", Note("1")) == [False]
        assert stage.tell("a", Unheard()) == [True]
        assert stage.system.post("a", garbled, urgent=False)
        assert stage.system.post("a", b"no frame", urgent=False)
        await stage.settle()

        assert {letter[:2] for letter in stage.letters()} == {
            ("play.note", "b"),
            ("play.unheard", "a"),
            ("play.note", "a"),
            ("", "a"),
        }
        assert stage.row("a")["restarts"] == 0


@story
async def test_mail_waits_for_an_actor_that_has_not_started() -> None:
    """A mailbox is there before its actor, so servers may start their actors in any order they like."""
    async with Stage() as stage:

        class Early(Player):
            async def on_start(self) -> None:
                self.context.ref("late").tell(Note("from early"))

        await stage.play(("early", stage.cast(Early)), ("late", stage.cast(Player)))
        await stage.settle()

        assert stage.log == ["late@1 start", "late@1 from early"]


@story
async def test_mail_of_a_stopped_actor_becomes_dead_letters() -> None:
    """Nothing vanishes without a word, not even at the end."""
    async with Stage() as stage:
        supervisor = await stage.play(("a", stage.cast(Player)))
        stage.tell("a", Note("too late"))

        await supervisor.stop()

        assert stage.letters() == [("play.note", "a", "the actor has stopped")]
        assert stage.tell("a", Note("later still")) == [False]


@story
async def test_what_is_no_message_cannot_be_told() -> None:
    """A mistake of the sender's is the sender's exception, not the receiver's crash."""
    async with Stage() as stage:
        await stage.play(("a", stage.cast(Player)))

        with pytest.raises(TypeError, match="not a registered message"):
            stage.tell("a", "text")


def test_a_message_class_must_be_frozen() -> None:
    """What two actors hold at the same time must not change."""

    class Loose:
        __hash__ = None  # type: ignore[assignment]

    with pytest.raises(TypeError, match="not frozen"):

        class Careless(Actor):
            @handles(Loose)
            def on_loose(self, msg: Loose, sender: Sender) -> None: ...


def test_handlers_are_inherited() -> None:
    """From every base; an overriding method handles what the overridden one did."""

    class Noting:
        @handles(Note)
        def take(self, msg: Note, sender: Sender) -> None: ...

    class Both(Player, Noting):
        def on_note(self, msg: Note | Urgent | Once, sender: Sender) -> None: ...

    assert Both.handlers[Note] == "on_note"
    assert Both.handlers[Once] == "on_note"


def test_one_message_class_has_one_handler() -> None:
    """Two handlers of one class in one actor are a mistake; a subclass may override."""
    with pytest.raises(TypeError, match="handles Note twice"):

        class Torn(Actor):
            @handles(Note)
            def first(self, msg: Note, sender: Sender) -> None: ...

            @handles(Note)
            def second(self, msg: Note, sender: Sender) -> None: ...

    assert (Echoer.handlers[Note], Echoer.handlers[Once]) == ("hear", "on_note")
    assert set(Echoer.handlers) == set(Player.handlers)


def test_a_frame_is_the_same_with_a_remembered_head() -> None:
    """The head that a ref packs once, and the body, make the frame that packing both at once would."""
    header = Header(PROTOCOL_VERSION, "a", "play.once", "", 0, 0, Origin("s1"))
    body = encode_body(Once("x"))

    assert pack(header, b"") + body == pack(header, body)
