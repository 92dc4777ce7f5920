"""Timers: messages to oneself, behind what already waits."""

from __future__ import annotations

import asyncio

from actors.runtime.actor import Sender, Timer, handles
from actors.runtime.limits import SystemLimits
from tests.unit.runtime.stage import UNLIMITED, Note, Once, Player, Stage, Urgent
from tests.unit.runtime.virtual_time import story


class Timed(Player):
    """Starts a timer for `after SECONDS TEXT` and `every SECONDS TEXT`, stops the last one for `cancel`."""

    timer: Timer | None = None

    @handles(Note)
    def hear(self, msg: Note, sender: Sender) -> None:
        """Do what it says, and note the time."""
        words = msg.text.split()
        if words[0] == "after":
            self.timer = self.context.after(float(words[1]), Note(words[2]))
        elif words[0] == "every":
            self.timer = self.context.every(float(words[1]), Note(words[2]))
        elif words[0] == "cancel" and self.timer is not None:
            self.timer.cancel()
        elif words[0] == "busy":
            self.stage.loop.advance(float(words[1]))
        else:
            self.note(f"{msg.text} {self.context.now():g}")


async def timed(stage: Stage, *texts: str, seconds: float = 10.0) -> list[str]:
    """What an actor that was told these notes has noted after some seconds."""
    if not stage.system.actors():
        await stage.play(("a", stage.cast(Timed)), limits=UNLIMITED)
    stage.tell("a", *(Note(text) for text in texts))
    await stage.settle(seconds)
    return [line.removeprefix("a@1 ") for line in stage.log if "start" not in line]


@story
async def test_a_timer_delivers_once() -> None:
    """After its delay, and never again."""
    async with Stage() as stage:
        assert await timed(stage, "after 2 ping") == ["ping 2"]
        assert stage.row("a")["timers"] == 0


@story
async def test_a_periodic_timer_keeps_its_beat() -> None:
    """Delays of one tick do not shift the next."""
    async with Stage() as stage:
        assert await timed(stage, "every 2 ping", seconds=7) == ["ping 2", "ping 4", "ping 6"]


@story
async def test_missed_ticks_are_skipped() -> None:
    """A server that was stopped for a minute does not catch up on a minute of probes."""
    async with Stage() as stage:
        noted = await timed(stage, "every 2 ping", "busy 61", seconds=65)

        assert noted == ["ping 61", "ping 62", "ping 64"]


@story
async def test_a_tick_that_comes_a_trifle_early_comes_once() -> None:
    """The loop calls what is due within its clock's resolution; a tick is not due again for being so early."""
    async with Stage() as stage:
        assert await timed(stage, "every 2 ping", "busy 1.9999999999", seconds=5) == ["ping 2", "ping 4"]


@story
async def test_queued_input_comes_before_a_due_timer() -> None:
    """A timer's message goes to the tail: a heartbeat that waits is seen before its absence is acted on."""
    async with Stage() as stage:
        await timed(stage, "after 1 timeout", seconds=0.5)
        # The loop is kept busy until the timer is overdue, with input waiting when it fires.
        stage.loop.advance(2)
        stage.tell("a", Note("heartbeat"))
        await stage.settle()

        assert [line.split()[1] for line in stage.log[1:]] == ["heartbeat", "timeout"]


@story
async def test_a_cancelled_timer_stays_silent() -> None:
    """Before it is due, and also when its message already waits in the mailbox."""
    async with Stage() as stage:
        assert await timed(stage, "after 1 ping", "cancel") == []
        # Due while the handler is busy; its message waits behind the cancellation.
        assert await timed(stage, "after 1 ping", "busy 2", "cancel") == []
        assert await timed(stage, "every 1 ping", "cancel") == []


@story
async def test_ticks_do_not_pile_up() -> None:
    """A tick that waits in the mailbox is not joined by a second one."""
    async with Stage() as stage:

        class Stuck(Timed):
            async def on_start(self) -> None:
                self.context.every(1, Urgent("tick"))
                await asyncio.sleep(5.5)

        await stage.play(("a", stage.cast(Stuck)))
        await stage.settle(0.1)

        assert stage.log == ["a@1 tick"]


@story
async def test_timers_die_with_their_incarnation() -> None:
    """The next one starts its own."""
    async with Stage() as stage:
        await stage.play(("a", stage.cast(Timed)), limits=UNLIMITED)

        stage.tell("a", Note("after 1 ping"), Note("busy 2"), Once("crash"))
        await stage.settle()

        assert not [line for line in stage.log if "ping" in line]
        assert stage.row("a")["timers"] == 0
        assert stage.letters() == [("play.once", "a", "it crashed its handler: ValueError: crash")]


@story
async def test_a_timer_outlasts_a_full_mailbox() -> None:
    """It may be all that keeps its actor going, so it tries again until it gets in."""
    async with Stage(limits=SystemLimits(mailbox_frames=2)) as stage:
        await timed(stage, "after 1 ping", seconds=0.5)
        stage.loop.call_at(0.9, stage.tell, "a", Note("x"), Note("y"))
        stage.loop.advance(1)
        await stage.settle()

        assert [line.split()[1] for line in stage.log[1:]] == ["x", "y", "ping"]


@story
async def test_timers_are_bounded() -> None:
    """An actor that starts timers without end fails, rather than the server's memory."""
    async with Stage(limits=SystemLimits(timers_per_actor=2)) as stage:
        await timed(stage, "after 50 x", "after 50 x", "after 50 x")

        assert stage.row("a")["last_error"] == "RuntimeError: a@1 has 2 timers, which is the limit"


@story
async def test_a_timers_message_may_crash_its_handler() -> None:
    """It is not handled again: it was the dead incarnation's."""
    async with Stage() as stage:

        class Fusing(Player):
            async def on_start(self) -> None:
                if self.context.incarnation == 1:
                    self.context.after(1, Note("crash"))

        await stage.play(("a", stage.cast(Fusing)))
        await stage.settle()

        assert stage.log == ["a@1 crash", "a@1 stop"]
        assert stage.row("a")["incarnation"] == 2
