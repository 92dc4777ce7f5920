"""Crashes and restarts of one actor: what survives, what is tried again, and what is set aside."""

from __future__ import annotations

import asyncio
import logging

import pytest

from actors.runtime.actor import Sender, handles
from actors.runtime.policy import RestartLimits
from tests.unit.runtime.stage import UNLIMITED, Note, Once, Player, Question, Stage
from tests.unit.runtime.virtual_time import story


class Forgiving(Player):
    """Crashes at a message only the first time."""

    @handles(Note)
    def hear(self, msg: Note, sender: Sender) -> None:
        """Note it; crash in the first incarnation if it says so."""
        self.note(msg.text)
        if msg.text.startswith("crash") and self.context.incarnation == 1:
            raise ValueError(msg.text)


@story
async def test_mail_survives_a_restart() -> None:
    """The mailbox is the runtime's: messages behind the one that crashed reach the next incarnation, in order."""
    async with Stage() as stage:
        await stage.play(("a", stage.cast(Forgiving)))

        stage.tell("a", Note("1"), Note("crash"), Note("2"), Note("3"))
        await stage.settle()

        assert stage.log == [
            "a@1 start", "a@1 1", "a@1 crash", "a@1 stop",
            "a@2 start", "a@2 crash", "a@2 2", "a@2 3",
        ]  # fmt: skip
        assert stage.letters() == []


@story
async def test_mail_told_while_an_actor_is_down_waits() -> None:
    """Between two incarnations senders notice nothing."""
    async with Stage() as stage:
        await stage.play(("a", stage.cast(Forgiving)), limits=RestartLimits(first_delay_s=5.0))
        stage.tell("a", Note("crash"))
        await stage.settle(0.1)
        assert stage.row("a")["state"] == "waiting"

        assert stage.tell("a", Note("meanwhile")) == [True]
        await stage.settle()

        assert stage.log[-1] == "a@2 meanwhile"


@story
async def test_poison_is_set_aside(caplog: pytest.LogCaptureFixture) -> None:
    """A message that crashes its handler twice never crash-loops an actor: it is reported, what follows is served."""
    async with Stage() as stage:
        await stage.play(("a", stage.cast(Player)), limits=UNLIMITED)

        stage.tell("a", Note("crash"), Note("2"))
        await stage.settle()

        assert stage.log == [
            "a@1 start", "a@1 crash", "a@1 stop",
            "a@2 start", "a@2 crash", "a@2 stop",
            "a@3 start", "a@3 2",
        ]  # fmt: skip
        assert stage.letters() == [("play.note", "a", "poison: it crashed its handler twice: ValueError: crash")]
        assert "a@2: play.note is poison" in caplog.text


@story
async def test_a_message_that_must_not_be_repeated_is_not() -> None:
    """`retry=False`: a proposal that may have been written is not proposed again behind the client's back."""
    async with Stage() as stage:
        await stage.play(("a", stage.cast(Player)), limits=UNLIMITED)

        stage.tell("a", Once("crash"), Note("2"))
        await stage.settle()

        assert stage.log[-3:] == ["a@1 stop", "a@2 start", "a@2 2"]
        assert stage.letters() == [("play.once", "a", "it crashed its handler: ValueError: crash")]


@story
async def test_a_crashed_coroutine_handler_is_a_crash() -> None:
    """With the same second chance for its message."""
    async with Stage() as stage:

        class Patient(Player):
            @handles(Note)
            async def hear(self, msg: Note, sender: Sender) -> None:
                self.note(msg.text)
                await asyncio.sleep(1)
                raise ValueError("tired")

        await stage.play(("a", stage.cast(Patient)), limits=UNLIMITED)
        stage.tell("a", Note("x"))
        await stage.settle()

        assert [line for line in stage.log if line.endswith(" x")] == ["a@1 x", "a@2 x"]
        assert stage.letters() == [("play.note", "a", "poison: it crashed its handler twice: ValueError: tired")]


@story
async def test_what_was_at_work_when_the_actor_died_is_a_dead_letter() -> None:
    """A tell whose coroutine is cut short by another message's crash does not vanish without a word."""
    async with Stage() as stage:

        class Mixed(Player):
            @handles(Question)
            async def on_question(self, msg: Question, sender: Sender) -> None:
                await asyncio.Event().wait()

        await stage.play(("a", stage.cast(Mixed)), limits=UNLIMITED)
        stage.tell("a", Question("at work"), Once("crash"))
        await stage.settle()

        assert ("play.question", "a", "the actor ended while it handled this") in stage.letters()


@story
async def test_a_crashed_task_is_the_actors_crash() -> None:
    """A spawned task that fails takes its actor with it, and a death takes the tasks with it."""
    async with Stage() as stage:
        ends: list[str] = []

        class Spawning(Player):
            async def on_start(self) -> None:
                self.context.spawn(self.background())

            async def background(self) -> None:
                try:
                    await asyncio.sleep(1000)
                finally:
                    ends.append(self.context.name)

            @handles(Note)
            def hear(self, msg: Note, sender: Sender) -> None:
                self.context.spawn(self.fail())

            async def fail(self) -> None:
                raise OSError("disk")

        await stage.play(("a", stage.cast(Spawning)), limits=UNLIMITED)
        stage.tell("a", Note("x"))
        await stage.settle()

        assert ends == ["a"]
        assert stage.row("a")["restarts"] == 1
        assert stage.row("a")["last_error"] == "OSError: disk"


@story
async def test_a_crash_at_the_end_of_a_turn() -> None:
    """`on_turn_end` is the actor's code like any other."""
    async with Stage() as stage:

        class Flushing(Player):
            def on_turn_end(self) -> None:
                if self.context.incarnation == 1:
                    raise OSError("flush")

        await stage.play(("a", stage.cast(Flushing)), limits=UNLIMITED)
        stage.tell("a", Note("1"))
        await stage.settle()

        assert stage.row("a")["last_error"] == "OSError: flush"
        assert stage.row("a")["state"] == "running"


@story
async def test_an_ended_incarnation_starts_nothing_more() -> None:
    """A dead incarnation's code that still runs gets errors, not tasks and timers."""
    async with Stage() as stage:
        refused: list[str] = []

        class Clinging(Player):
            async def on_stop(self) -> None:
                for start in (lambda: self.context.spawn(asyncio.sleep(1)), lambda: self.context.after(1, Note("x"))):
                    try:
                        start()
                    except RuntimeError as error:
                        refused.append(str(error))

        await stage.play(("a", stage.cast(Clinging)), limits=UNLIMITED)
        stage.tell("a", Once("crash"))
        await stage.settle()

        assert refused == ["a@1 has ended"] * 2


@story
async def test_each_incarnation_has_its_own_random_numbers() -> None:
    """Seeded from the system's: a run can be played again, and two incarnations do not draw the same."""

    class Drawing(Player):
        async def on_start(self) -> None:
            self.note(str(self.context.rng.random()))

    logs: list[list[str]] = []
    for _ in range(2):
        async with Stage() as stage:
            await stage.play(("a", stage.cast(Drawing)), limits=UNLIMITED)
            stage.tell("a", Once("crash"))
            await stage.settle()
        logs.append(stage.log)

    assert logs[0] == logs[1]
    assert logs[0][0].removeprefix("a@1") != logs[0][-2].removeprefix("a@2")


@story
async def test_a_crash_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    """One line says what crashed, why, and what happens next; the traceback follows."""
    async with Stage() as stage:
        await stage.play(("a", stage.cast(Player)))
        with caplog.at_level(logging.ERROR, "quorate.supervisor"):
            stage.tell("a", Once("crash"))
            await stage.settle()

        (record,) = [record for record in caplog.records if record.name == "quorate.supervisor"]
        assert "actor a@1 crashed (1 in 30 s, 4 are too many): ValueError: crash; starting again" in record.message
        assert record.exc_info is not None
