"""Kills, escalations and death notices: what an operator, a service manager and other actors see of crashes."""

from __future__ import annotations

import pytest

from actors.runtime.actor import Died, Sender, handles
from actors.runtime.policy import RestartLimits
from actors.runtime.supervisor import GaveUp
from tests.unit.runtime.stage import Note, Once, Player, Stage
from tests.unit.runtime.virtual_time import story
from transport.errors import QuorateError


class Broken(Player):
    """Starts once and never again."""

    async def on_start(self) -> None:
        """Fail, but for the first time."""
        if self.context.incarnation > 1:
            raise OSError("port taken")


@story
async def test_the_fourth_crash_in_thirty_seconds_escalates() -> None:
    """Three restarts, then one clear line; a fault that restarts do not cure must not be hidden by them."""
    async with Stage() as stage:
        await stage.play(("a", stage.cast(Player)))
        for _ in range(3):
            stage.tell("a", Once("crash"))
            await stage.settle(5)
        assert stage.escalations == []

        stage.tell("a", Once("crash"))
        await stage.settle(5)

        assert stage.escalations == [
            "supervisor supervisor1 gave up: 4 crashes within 30 s, the last one of a: ValueError: crash"
        ]
        assert stage.row("a")["state"] == "failed"
        assert stage.tell("a", Note("hello?")) == [False]
        assert stage.log[-1] == "a@4 stop"


@story
async def test_crashes_further_apart_do_not_escalate() -> None:
    """Three in thirty seconds is what a supervisor puts up with, for ever."""
    async with Stage() as stage:
        await stage.play(("a", stage.cast(Player)))

        for _ in range(20):
            stage.tell("a", Once("crash"))
            await stage.settle(11)

        assert stage.escalations == []
        assert stage.row("a")["incarnation"] == 21


@story
async def test_kills_by_an_operator_never_count() -> None:
    """An operator may kill as often as it pleases; the restart is immediate."""
    async with Stage() as stage:
        await stage.play(("a", stage.cast(Player)))

        for incarnation in range(1, 11):
            said = stage.system.kill("a", incarnation)
            await stage.settle(0.001)
            assert said == f"killed a@{incarnation}; its supervisor starts a@{incarnation + 1}"

        assert stage.escalations == []
        assert stage.row("a")["incarnation"] == 11
        assert stage.row("a")["last_error"] == "OperatorKill: killed by an operator"


@story
async def test_a_kill_names_an_incarnation() -> None:
    """Said twice, it kills once: Enter on an empty line repeats a console's last command."""
    async with Stage() as stage:
        await stage.play(("raft", stage.cast(Player)))

        stage.system.kill("raft", 1)
        with pytest.raises(ValueError, match="raft@1 is being killed already: nothing done"):
            stage.system.kill("raft", 1)
        await stage.settle()
        with pytest.raises(ValueError, match=r"^raft is now incarnation 2, not 1: nothing done$"):
            stage.system.kill("raft", 1)
        with pytest.raises(ValueError, match="there is no actor rift, only raft"):
            stage.system.kill("rift", 1)

        assert stage.row("raft")["restarts"] == 1


@story
async def test_an_actor_that_is_down_cannot_be_killed() -> None:
    """It is said, rather than counted as a success."""
    async with Stage() as stage:
        await stage.play(("a", stage.cast(Player)), limits=RestartLimits(first_delay_s=5.0))
        stage.tell("a", Once("crash"))
        await stage.settle(0.1)

        with pytest.raises(ValueError, match="a@1 is waiting: nothing done"):
            stage.system.kill("a", 1)
        with pytest.raises(ValueError, match="a@1 is waiting: nothing done"):
            stage.system.crash("a")


@story
async def test_an_actor_that_asks_for_its_own_kill_finishes_what_it_does() -> None:
    """The gateway carries out `actors kill gateway@1` itself, and the client is to get its answer."""
    async with Stage() as stage:

        class Suicidal(Player):
            @handles(Note)
            def hear(self, msg: Note, sender: Sender) -> None:
                self.stage.system.kill("a", self.context.incarnation)
                self.note("last words")

        await stage.play(("a", stage.cast(Suicidal)))
        stage.tell("a", Note("x"))
        await stage.settle()

        assert stage.log == ["a@1 start", "a@1 last words", "a@1 stop", "a@2 start"]


@story
async def test_the_fault_hook_is_a_real_crash() -> None:
    """Unlike a kill it counts."""
    async with Stage() as stage:
        await stage.play(("a", stage.cast(Player)))

        for _ in range(4):
            stage.system.crash("a")
            await stage.settle(1)

        assert len(stage.escalations) == 1
        assert "InjectedFault: crashed by the fault hook" in stage.escalations[0]


@story
async def test_restarts_that_always_fail_escalate() -> None:
    """An actor that cannot be started again is a dead server, and says so."""
    async with Stage() as stage:
        await stage.play(("a", stage.cast(Broken)))
        stage.tell("a", Once("crash"))
        await stage.settle()

        assert stage.escalations == [
            "supervisor supervisor1 gave up: 4 crashes within 30 s, the last one of a: OSError: port taken"
        ]


class GoneError(QuorateError):
    """What no restart brings back."""

    is_final = True


@story
async def test_what_no_restart_mends_escalates_at_once(caplog: pytest.LogCaptureFixture) -> None:
    """One line, and not four incarnations with a traceback each: the error was made for people, and says it all."""
    async with Stage() as stage:

        class Bereft(Player):
            @handles(Once)
            def hear(self, msg: Once, sender: Sender) -> None:
                raise GoneError("the file was removed: put it back")

        await stage.play(("a", stage.cast(Bereft)))
        stage.tell("a", Once("write"))
        await stage.settle()

        assert stage.escalations == ["supervisor supervisor1 gave up: a: the file was removed: put it back"]
        assert stage.row("a") | {"incarnation": 1, "state": "failed"} == stage.row("a")
    assert [record for record in caplog.records if record.exc_info] == []


@story
async def test_a_death_is_told_to_those_who_watch() -> None:
    """A crash and an orderly stop alike; and at once to whoever starts to watch the dead."""
    async with Stage() as stage:
        heard: list[tuple[str, int, str]] = []

        class Watching(Player):
            async def on_start(self) -> None:
                self.context.watch("a")
                self.context.watch("nobody")

            @handles(Died)
            def on_died(self, msg: Died, sender: Sender) -> None:
                heard.append((msg.actor, msg.incarnation, msg.reason))

        supervisor = await stage.play(("a", stage.cast(Player)))
        await stage.play(("w", stage.cast(Watching)))
        stage.tell("a", Once("crash"))
        await stage.settle()
        await supervisor.stop()
        await stage.settle()

        assert heard == [
            ("nobody", 0, "it is not alive"),
            ("a", 1, "ValueError: crash"),
            ("a", 2, "it was stopped"),
        ]


def test_giving_up_ends_the_process_with_70() -> None:
    """The exit code a service manager is to see."""
    assert issubclass(GaveUp, QuorateError)
    assert GaveUp("x").exit_code == 70
