"""Slow handlers and the loop's lag."""

from __future__ import annotations

import logging
import threading

import pytest

from actors.runtime.actor import Sender, handles
from actors.runtime.watch import HandlerWatch
from tests.unit.runtime.stage import Note, Player, Stage
from tests.unit.runtime.virtual_time import story


class Sluggish(Player):
    """Takes its time, and lets the watch look meanwhile."""

    @handles(Note)
    def dawdle(self, msg: Note, sender: Sender) -> None:
        """Be busy for as many seconds as it says."""
        self.stage.loop.advance(float(msg.text))
        looker = threading.Thread(target=self.stage.system.handler_watch.look)
        looker.start()
        looker.join()


@story
async def test_a_slow_handler_is_logged_with_its_stack(caplog: pytest.LogCaptureFixture) -> None:
    """Who, at what, for how long, and where in the code; and once more when it is done."""
    async with Stage() as stage:
        await stage.play(("a", stage.cast(Sluggish)))
        stage.tell("a", Note("0.25"))
        await stage.settle(1)

        first, last = [record.message for record in caplog.records if record.name == "quorate.watch"]
        assert first.startswith("a@1 has been handling play.note for 250 ms, it is at\n")
        assert "in dawdle" in first
        assert last == "a@1 took 250 ms to handle play.note"


@story
async def test_a_quick_handler_is_not(caplog: pytest.LogCaptureFixture) -> None:
    """99 ms are not slow."""
    async with Stage() as stage:
        await stage.play(("a", stage.cast(Sluggish)))
        with caplog.at_level(logging.DEBUG, "quorate.watch"):
            stage.tell("a", Note("0.099"))
            await stage.settle(1)

        assert caplog.text == ""


@story
async def test_the_end_of_a_turn_is_watched_too(caplog: pytest.LogCaptureFixture) -> None:
    """That is where Raft writes."""
    async with Stage() as stage:

        class Flushing(Player):
            def on_turn_end(self) -> None:
                self.stage.loop.advance(0.3)

        await stage.play(("a", stage.cast(Flushing)))
        stage.tell("a", Note("x"))
        await stage.settle(1)

        assert "a@1 took 300 ms to handle on_turn_end" in caplog.text


def test_each_slow_handler_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    """However often the thread looks."""
    now = [0.0]
    watch = HandlerWatch(lambda: now[0], slow_s=0.1, period_s=0.1)
    watch.look()
    for began in (0.0, 1.0):
        now[0] = began
        watch.current = ("a@1", "play.note", began)
        for _ in range(5):
            now[0] += 0.05
            watch.look()
        watch.current = None

    assert [record.message.split(" for ")[1].split(",")[0] for record in caplog.records] == ["100 ms", "100 ms"]


def test_the_watching_thread_ends() -> None:
    """A system that is closed leaves no thread behind."""
    watch = HandlerWatch(lambda: 0.0, slow_s=60, period_s=60)
    before = threading.active_count()
    watch.start()
    assert threading.active_count() == before + 1

    watch.stop()

    assert threading.active_count() == before


@story
async def test_the_lag_of_a_loop_that_was_busy() -> None:
    """Seen at once, and forgotten after two seconds."""
    async with Stage() as stage:
        await stage.settle(3)
        assert stage.system.loop_lag_s() == pytest.approx(0, abs=1e-6)

        stage.loop.advance(1.4)
        assert stage.system.loop_lag_s() == pytest.approx(0.4, abs=1e-6)
        await stage.settle(1)
        assert stage.system.loop_lag_s() == pytest.approx(0.4, abs=1e-6)
        await stage.settle(2)
        assert stage.system.loop_lag_s() == pytest.approx(0, abs=1e-6)


class Beating(Player):
    """Has a timer, as Raft and gossip have."""

    async def on_start(self) -> None:
        """Begin."""
        self.context.every(0.1, Note("0"))

    @handles(Note)
    def beat(self, msg: Note, sender: Sender) -> None:
        """Be quick."""


@story
async def test_a_short_stall_is_seen_by_the_timers_that_it_delays() -> None:
    """It ends before the next measurement is due."""
    async with Stage() as stage:
        await stage.play(("a", stage.cast(Beating)))
        await stage.settle(2.35)
        assert stage.system.loop_lag_s() == pytest.approx(0, abs=1e-6)

        stage.loop.advance(0.3)
        await stage.settle(0.01)

        assert stage.system.loop_lag_s() == pytest.approx(0.25, abs=1e-6)
