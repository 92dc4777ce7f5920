"""Supervisors: OTP's rules, played through with real mailboxes in virtual time."""

from __future__ import annotations

import asyncio
from typing import ClassVar

import pytest

from actors.runtime.actor import Actor, Context
from actors.runtime.policy import RestartLimits, Strategy
from actors.runtime.supervisor import GaveUp
from tests.unit.runtime.stage import Note, Once, Player, Stage
from tests.unit.runtime.virtual_time import story

NAMES = ("a", "b", "c")


class Stubborn(Player):
    """Cannot be started in the incarnations named here."""

    failing: ClassVar[set[int]] = {2}

    async def on_start(self) -> None:
        """Note it and fail, or not."""
        self.note("start")
        if self.context.incarnation in self.failing:
            raise OSError("port taken")


@story
async def test_children_start_in_order_and_stop_in_reverse() -> None:
    """Each child may rely on those before it, from its first moment to its last."""
    async with Stage() as stage:
        supervisor = await stage.play(*((name, stage.cast(Player)) for name in NAMES))

        await supervisor.stop()

        assert stage.log == ["a@1 start", "b@1 start", "c@1 start", "c@1 stop", "b@1 stop", "a@1 stop"]
        assert {row["state"] for row in stage.system.actors()} == {"closed"}


@story
async def test_on_start_is_awaited() -> None:
    """The next child starts when the one before it is ready, however long that takes."""
    async with Stage() as stage:

        class Loading(Player):
            async def on_start(self) -> None:
                await asyncio.sleep(3)
                self.note("loaded")

        await stage.play(("a", stage.cast(Loading)), ("b", stage.cast(Player)))

        assert stage.log == ["a@1 loaded", "b@1 start"]


@story
async def test_the_first_ones_may_be_started_before_the_rest() -> None:
    """Mail for those to come is kept; a second start goes on behind the first, and disturbs nobody."""
    async with Stage() as stage:
        supervisor = await stage.play(*((name, stage.cast(Player)) for name in NAMES), through="b")
        stage.tell("c", Note("early"))
        await stage.settle()
        assert stage.log == ["a@1 start", "b@1 start"]

        await supervisor.start()
        await stage.settle()

        assert stage.log == ["a@1 start", "b@1 start", "c@1 start", "c@1 early"]


@story
async def test_a_crash_between_the_two_starts_starts_nobody_early() -> None:
    """Who was not asked for yet is not brought up by another's restart."""
    async with Stage() as stage:
        cast = [(name, stage.cast(Player)) for name in NAMES]
        supervisor = await stage.play(*cast, strategy=Strategy.REST_FOR_ONE, through="b")
        stage.tell("a", Once("crash"))
        await stage.settle()
        assert stage.log[3:] == ["b@1 stop", "a@1 stop", "a@2 start", "b@2 start"]

        await supervisor.start()

        assert stage.log[7:] == ["c@1 start"]
        assert [row["state"] for row in stage.system.actors()] == ["running"] * 3


@story
async def test_a_second_start_that_fails_while_a_crash_is_mended() -> None:
    """Its error is the caller's, and nobody else hears of it."""
    async with Stage() as stage:

        class Failing(Stubborn):
            failing: ClassVar[set[int]] = {1}

        cast = [("a", stage.cast(Player)), ("b", stage.cast(Failing))]
        supervisor = await stage.play(*cast, limits=RestartLimits(first_delay_s=1.0), through="a")
        stage.tell("a", Once("crash"))
        await stage.settle(0.1)

        with pytest.raises(OSError, match="port taken"):
            await supervisor.start()

        assert stage.escalations == []
        assert {row["state"] for row in stage.system.actors()} == {"closed"}


@story
async def test_a_second_start_in_the_moment_a_crash_is_mended() -> None:
    """Whoever comes between the end of the restarts and what follows from it is not forgotten."""
    async with Stage() as stage:
        later: list[asyncio.Task[None]] = []

        class Watched(Player):
            async def on_start(self) -> None:
                if self.context.incarnation == 2:
                    later.append(asyncio.ensure_future(start_when_mended()))

        async def start_when_mended() -> None:
            (mending,) = (task for task in asyncio.all_tasks() if task.get_name() == f"supervisor {supervisor.name}")
            # Not told by a callback: that would come after the supervisor's own.
            while not mending.done():  # noqa: ASYNC110
                await asyncio.sleep(0)
            await supervisor.start()

        supervisor = await stage.play(("a", stage.cast(Watched)), ("b", stage.cast(Player)), through="a")
        stage.tell("a", Once("crash"))
        await stage.settle()

        await later[0]
        assert stage.log[-1] == "b@1 start"


@story
async def test_who_gave_up_between_the_two_starts_starts_nobody() -> None:
    """The second start ends as the first one would have."""
    async with Stage() as stage:
        cast = [(name, stage.cast(Player)) for name in NAMES]
        supervisor = await stage.play(*cast, limits=RestartLimits(intensity=0), through="b")
        stage.tell("a", Note("crash"))
        await stage.settle()
        assert stage.escalations

        with pytest.raises(GaveUp, match="the last one of a: ValueError: crash"):
            await supervisor.start()
        assert not any(line.startswith("c@") for line in stage.log)


@story
async def test_one_for_one_leaves_the_others_alone() -> None:
    """The edge: a gateway that crashes is nobody else's business."""
    async with Stage() as stage:
        await stage.play(*((name, stage.cast(Player)) for name in NAMES), strategy=Strategy.ONE_FOR_ONE)

        stage.tell("b", Once("crash"))
        await stage.settle()

        assert stage.log[4:] == ["b@1 stop", "b@2 start"]


@story
async def test_rest_for_one_restarts_what_came_after() -> None:
    """The core: what was started after the crashed child relied on it, and starts anew, in order."""
    async with Stage() as stage:
        await stage.play(*((name, stage.cast(Player)) for name in NAMES), strategy=Strategy.REST_FOR_ONE)

        stage.tell("b", Once("crash"))
        await stage.settle()

        assert stage.log[4:] == ["c@1 stop", "b@1 stop", "b@2 start", "c@2 start"]


@story
async def test_mail_of_restarted_siblings_survives() -> None:
    """Being restarted for another's fault loses no mail."""
    async with Stage() as stage:
        await stage.play(*((name, stage.cast(Player)) for name in NAMES), strategy=Strategy.REST_FOR_ONE)

        stage.tell("a", Once("crash"))
        stage.tell("c", Note("1"))
        await stage.settle(0.001)
        stage.tell("c", Note("2"))
        await stage.settle()

        assert [line for line in stage.log if line.startswith("c@") and line[-1] in "12"] == ["c@1 1", "c@2 2"]


@story
async def test_a_first_start_that_fails_is_the_callers_error() -> None:
    """A taken port is no case for restarts: what was started is stopped, and the error comes as it is."""
    async with Stage() as stage:

        class Failing(Stubborn):
            failing: ClassVar[set[int]] = {1}

        with pytest.raises(OSError, match="port taken"):
            await stage.play(("a", stage.cast(Player)), ("b", stage.cast(Failing)), ("c", stage.cast(Player)))

        assert stage.log == ["a@1 start", "b@1 start", "b@1 stop", "a@1 stop"]
        assert stage.escalations == []


@story
async def test_a_constructor_that_fails_is_a_start_that_fails() -> None:
    """There is nothing to stop then."""
    async with Stage() as stage:

        def unmade(context: Context) -> Actor:
            raise OSError("no memory")

        with pytest.raises(OSError, match="no memory"):
            await stage.play(("a", unmade))


@story
async def test_a_restart_that_fails_counts_as_a_crash() -> None:
    """And is tried again, later."""
    async with Stage() as stage:
        await stage.play(("a", stage.cast(Stubborn)))

        stage.tell("a", Once("crash"))
        await stage.settle()

        assert stage.log[2:] == ["a@1 stop", "a@2 start", "a@2 stop", "a@3 start"]
        assert stage.row("a")["state"] == "running"
        assert stage.escalations == []


@story
async def test_a_start_has_a_time_limit() -> None:
    """An actor that never gets ready is one that failed to start."""
    async with Stage() as stage:

        class Hanging(Player):
            async def on_start(self) -> None:
                await asyncio.Event().wait()

        with pytest.raises(TimeoutError, match="a@1 did not start within 2 s"):
            await stage.play(("a", stage.cast(Hanging)), start_timeout_s=2)


@story
async def test_a_stop_has_a_time_limit(caplog: pytest.LogCaptureFixture) -> None:
    """An actor that does not stop does not keep a server from stopping."""
    async with Stage() as stage:

        class Clinging(Player):
            async def on_stop(self) -> None:
                await asyncio.Event().wait()

        supervisor = await stage.play(("a", stage.cast(Clinging)), ("b", stage.cast(Player)), stop_timeout_s=2)
        before = stage.loop.time()
        await supervisor.stop()

        assert stage.loop.time() - before == pytest.approx(2)
        assert "a@1 did not stop within 2 s" in caplog.text


@story
async def test_an_on_stop_that_fails_is_only_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The end of an incarnation is no place for a second crash."""
    async with Stage() as stage:

        class Clumsy(Player):
            async def on_stop(self) -> None:
                raise OSError("stuck")

        await stage.play(("a", stage.cast(Clumsy)))
        stage.tell("a", Once("crash"))
        await stage.settle()

        assert stage.row("a")["state"] == "running"
        assert "a@1 failed while it stopped: OSError: stuck" in caplog.text


@story
async def test_a_crash_during_a_back_off_takes_its_own_rest_down() -> None:
    """While c waits for its restart a crashes: everything starts again, in order, and c only once."""
    async with Stage() as stage:
        await stage.play(
            *((name, stage.cast(Player)) for name in NAMES),
            strategy=Strategy.REST_FOR_ONE,
            limits=RestartLimits(first_delay_s=4.0),
        )
        stage.tell("c", Once("crash"))
        await stage.settle(0.1)

        stage.tell("a", Once("crash"))
        await stage.settle(10)

        assert stage.log[3:] == [
            "c@1 crash", "c@1 stop",
            "a@1 crash", "b@1 stop", "a@1 stop",
            "a@2 start", "b@2 start", "c@2 start",
        ]  # fmt: skip


@story
async def test_a_crash_while_a_later_sibling_starts() -> None:
    """The start is broken off, because it may be waiting for the one that crashed; that is no crash of its own."""
    async with Stage() as stage:

        class Loading(Player):
            async def on_start(self) -> None:
                self.note("loads")
                await asyncio.sleep(3)

        await stage.play(
            ("a", stage.cast(Player)),
            ("b", stage.cast(Loading)),
            strategy=Strategy.REST_FOR_ONE,
            limits=RestartLimits(intensity=2),
        )
        stage.tell("b", Once("crash"))
        await stage.settle(1)
        assert stage.row("b")["state"] == "starting"

        stage.tell("a", Once("crash"))
        await stage.settle(0.5)

        assert stage.log[-6:] == ["b@2 loads", "a@1 crash", "b@2 stop", "a@1 stop", "a@2 start", "b@3 loads"]
        assert stage.escalations == []


@story
async def test_stopping_during_a_back_off() -> None:
    """A server that is told to stop does not wait for a restart first."""
    async with Stage() as stage:
        supervisor = await stage.play(
            ("a", stage.cast(Player)), ("b", stage.cast(Player)), limits=RestartLimits(first_delay_s=5.0)
        )
        stage.tell("b", Once("crash"))
        await stage.settle(0.1)

        await supervisor.stop()
        await stage.settle()

        assert stage.loop.time() < 11
        assert stage.log[2:] == ["b@1 crash", "b@1 stop", "a@1 stop"]
        assert {row["state"] for row in stage.system.actors()} == {"closed"}


@story
async def test_stopping_while_a_child_stops_for_a_restart() -> None:
    """`on_stop` runs once per incarnation, whoever wants it to end."""
    async with Stage() as stage:

        class Saving(Player):
            async def on_stop(self) -> None:
                self.note("saves")
                await asyncio.sleep(1)
                self.note("saved")

        supervisor = await stage.play(("a", stage.cast(Saving)))
        stage.tell("a", Once("crash"))
        await stage.settle(0.5)

        await supervisor.stop()

        assert stage.log == ["a@1 start", "a@1 crash", "a@1 saves", "a@1 saved"]
