"""Asking an actor: the answer, the four ways to get none, and what a death means for those who wait."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actors.runtime.actor import ActorDied, MailboxFull, RemoteError, Sender, Timeout, handles
from actors.runtime.asks import AskError
from actors.runtime.limits import SystemLimits
from tests.unit.runtime.stage import UNLIMITED, Answer, Note, Player, Question, Stage, Unheard
from tests.unit.runtime.virtual_time import story
from transport.wire import ErrorReply


class Slow(Player):
    """Answers after as many seconds as the question says; `never` is never answered."""

    @handles(Question)
    async def on_question(self, msg: Question, sender: Sender) -> Answer:
        """Wait, then answer."""
        self.note(f"begins {msg.text}")
        if msg.text == "never":
            await asyncio.Event().wait()
        await asyncio.sleep(float(msg.text))
        self.note(f"answers {msg.text}")
        return Answer(msg.text)


class Putting(Player):
    """Puts every question off until a Note comes, then answers it."""

    @handles(Question)
    def on_question(self, msg: Question, sender: Sender) -> None:
        """Keep who asked."""
        self.asked = sender

    @handles(Note)
    def hear(self, msg: Note, sender: Sender) -> None:
        """Answer what was asked."""
        if msg.text.startswith("crash"):
            raise ValueError(msg.text)
        self.context.reply(self.asked, Answer(msg.text))


@story
async def test_what_a_handler_returns_is_the_answer() -> None:
    """The simplest way to answer."""
    async with Stage() as stage:
        await stage.play(("a", stage.cast(Player)))

        assert await stage.ask("a", "hello") == "HELLO"
        assert len(stage.system.asks) == 0


@story
async def test_a_coroutine_handler_waits_beside_the_others() -> None:
    """Handlers that are coroutines run as tasks: a long one does not hold up a short one."""
    async with Stage() as stage:
        await stage.play(("a", stage.cast(Slow)))

        long, short = asyncio.ensure_future(stage.ask("a", "0.5")), asyncio.ensure_future(stage.ask("a", "0.1"))

        assert (await long, await short) == ("0.5", "0.1")
        assert stage.log[1:] == ["a@1 begins 0.5", "a@1 begins 0.1", "a@1 answers 0.1", "a@1 answers 0.5"]


@story
async def test_an_answer_may_be_put_off() -> None:
    """A handler that returns None keeps the sender and answers later, from another handler."""
    async with Stage() as stage:
        await stage.play(("a", stage.cast(Putting)))

        answer = asyncio.ensure_future(stage.ask("a", "what?"))
        await asyncio.sleep(0)
        stage.tell("a", Note("that"))

        assert await answer == "that"
        assert stage.letters() == []


@story
async def test_what_a_told_handler_returns_is_nobodys() -> None:
    """A tell expects no answer; that a handler has one is no mistake."""
    async with Stage() as stage:
        await stage.play(("a", stage.cast(Player)))

        stage.tell("a", Question("told"))
        await stage.settle()

        assert stage.letters() == []
        assert stage.row("a")["handled"] == 1


@story
async def test_no_answer_in_time() -> None:
    """Timeout says whom and what; the answer that comes too late is a dead letter, not somebody else's answer."""
    async with Stage() as stage:
        await stage.play(("a", stage.cast(Slow)))

        with pytest.raises(Timeout, match=r"a did not answer play\.question within 1 s"):
            await stage.ask("a", "2")
        await stage.settle()

        assert stage.letters() == [("play.answer", "s1", "nobody waits for this answer")]


@story
async def test_the_death_of_the_actor_ends_the_asks_in_progress() -> None:
    """Whoever was handed over learns of it at once; what still waits in the mailbox is answered by the next one."""
    async with Stage() as stage:
        await stage.play(("a", stage.cast(Slow)), limits=UNLIMITED)
        begun = asyncio.ensure_future(stage.ask("a", "never", timeout_s=50))
        await stage.settle(1)

        stage.tell("a", Note("crash"))
        waiting = asyncio.ensure_future(stage.ask("a", "0.1"))

        with pytest.raises(ActorDied, match=r"a@1 died: ValueError: crash"):
            await begun
        assert await waiting == "0.1"
        assert stage.loop.time() < 2


@story
async def test_an_ask_that_was_put_off_dies_with_the_actor() -> None:
    """The runtime knows who was not answered yet, however the actor keeps them."""
    async with Stage() as stage:
        await stage.play(("a", stage.cast(Putting)), limits=UNLIMITED)
        answer = asyncio.ensure_future(stage.ask("a", "what?"))
        await asyncio.sleep(0)

        stage.tell("a", Note("crash"))

        with pytest.raises(ActorDied):
            await answer


@story
async def test_an_ask_that_crashes_its_handler_is_not_handled_again() -> None:
    """The asker has been told: a second handling would be one it does not know of."""
    async with Stage() as stage:
        await stage.play(("a", stage.cast(Player)), limits=UNLIMITED)

        with pytest.raises(ActorDied, match="ValueError: crash"):
            await stage.ask("a", "crash")
        await stage.settle()

        assert stage.log == ["a@1 start", "a@1 crash", "a@1 stop", "a@2 start"]
        assert stage.letters() == [("play.question", "a", "it crashed its handler: ValueError: crash")]


@story
async def test_an_error_reply_is_the_askers_exception() -> None:
    """A refusal is an answer, not a crash."""
    async with Stage() as stage:

        class Refusing(Player):
            @handles(Question)
            def on_question(self, msg: Question, sender: Sender) -> ErrorReply:
                return ErrorReply("NotLeader", "ask s2")

        await stage.play(("a", stage.cast(Refusing)))

        with pytest.raises(RemoteError, match="NotLeader: ask s2") as caught:
            await stage.ask("a", "x")
        assert (caught.value.type, caught.value.text) == ("NotLeader", "ask s2")
        assert stage.row("a")["restarts"] == 0


@story
async def test_refused_at_once() -> None:
    """A full mailbox, no such actor, no handler, too many asks: no waiting for a timeout."""
    async with Stage(limits=SystemLimits(mailbox_frames=4, open_asks=2)) as stage:
        await stage.play(("a", stage.cast(Player)))

        with pytest.raises(ActorDied, match="there is no actor b"):
            await stage.ask("b", "x")
        with pytest.raises(RemoteError, match="a has no handler"):
            await stage.system.ref("a").ask(Unheard(), timeout_s=1)
        stage.tell("a", *[Note("fills the mailbox")] * 4)
        with pytest.raises(MailboxFull, match="the mailbox of a is full"):
            await stage.ask("a", "x")
        await stage.settle()
        asks = [asyncio.ensure_future(stage.ask("a", "x")) for _ in range(3)]
        results = await asyncio.gather(*asks, return_exceptions=True)

        assert isinstance(results[2], MailboxFull)
        assert stage.loop.time() < 11


@story
async def test_an_actor_does_not_ask_itself() -> None:
    """It would wait for the end of what it is doing."""
    async with Stage() as stage:
        seen: list[BaseException] = []

        class Narcissus(Player):
            @handles(Note)
            async def hear(self, msg: Note, sender: Sender) -> None:
                try:
                    await self.context.me.ask(Question("me?"), timeout_s=1)
                except RuntimeError as error:
                    seen.append(error)

        await stage.play(("a", stage.cast(Narcissus)))
        stage.tell("a", Note("look"))
        await stage.settle()

        assert [str(error) for error in seen] == ["actor a asks itself"]


@story
async def test_an_answer_that_is_no_message_is_a_crash() -> None:
    """It could not travel to another server, so it does not travel at all."""
    async with Stage() as stage:

        class Careless(Player):
            @handles(Question)
            def on_question(self, msg: Question, sender: Sender) -> Any:
                return {"not": "a message"}

        await stage.play(("a", stage.cast(Careless)), limits=UNLIMITED)

        with pytest.raises(ActorDied, match="dict is not a registered message"):
            await stage.ask("a", "x")


@story
async def test_an_asker_that_is_cancelled_leaves_nothing_behind() -> None:
    """The table of open asks does not leak."""
    async with Stage() as stage:
        await stage.play(("a", stage.cast(Slow)))
        asking = asyncio.ensure_future(stage.ask("a", "never"))
        await stage.settle(0.5)

        asking.cancel()
        await stage.settle(0.1)

        assert len(stage.system.asks) == 0


@story
async def test_handlers_at_work_are_bounded() -> None:
    """Past the limit mail waits in the mailbox, where it is counted and refused in the end."""
    async with Stage(limits=SystemLimits(coroutines_per_actor=2)) as stage:
        await stage.play(("a", stage.cast(Slow)))
        asks = [asyncio.ensure_future(stage.ask("a", "0.1", timeout_s=5)) for _ in range(5)]
        await stage.settle(0.05)

        assert stage.row("a")["tasks"] == 2
        assert stage.row("a")["mailbox"] == 3
        assert await asyncio.gather(*asks) == ["0.1"] * 5


def test_the_four_ways_have_one_root() -> None:
    """Whoever does not care why catches AskError."""
    assert all(issubclass(error, AskError) for error in (Timeout, MailboxFull, ActorDied, RemoteError))
