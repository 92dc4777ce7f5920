"""Event handlers: how one is written, what it is told, and how it is run: several at a time, none for long."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from actors.events.handlers import (
    HandlerError,
    Job,
    answers,
    member_job,
    parse_handler,
    query_job,
    self_environment,
    user_job,
)
from actors.events.member_events import MemberEvent
from actors.events.runner import Outcome, Runner, RunnerLimits
from actors.gossip.dispatches import Query, UserEvent
from actors.gossip.member import Member

LIMIT_S = 20.0
"""For a busy machine; no run here needs more than a moment."""


@pytest.mark.parametrize(
    ("text", "wanted", "unwanted"),
    [
        ("*=run", ["member-join", "user deploy", "query load"], []),
        ("run --all", ["member-join", "user deploy", "query load"], []),
        ("member-failed=run", ["member-failed"], ["member-join", "user member-failed"]),
        ("user=run", ["user deploy", "user x"], ["query deploy"]),
        ("user:deploy=run", ["user deploy"], ["user x", "query deploy"]),
        ("query:load, member-leave=run", ["query load", "member-leave"], ["query x", "member-join"]),
        ("user:a:b=run", ["user a:b"], ["user a"]),
    ],
)
def test_filters(text: str, wanted: list[str], unwanted: list[str]) -> None:
    """Serf's, with commas between."""
    handler = parse_handler(text)

    for event in wanted:
        assert handler.wants(*event.split())
    for event in unwanted:
        assert not handler.wants(*event.split())


def test_a_command_is_split_as_a_shell_would_and_no_shell_runs_it() -> None:
    """Quotes hold words together; everything behind the first = is the command."""
    assert parse_handler("user:x=sh -c 'echo $A=b | cat'").command == ("sh", "-c", "echo $A=b | cat")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("member-joined=run", "'member-joined' is no event"),
        ("user:=run", "no event"),
        ("member-join:x=run", "no event"),
        ("user:x=", "no command"),
        ("user:x=sh 'a", "not understood"),
        ("PATH=/bin run", "'PATH' is no event"),
    ],
)
def test_what_makes_no_sense_is_said(text: str, why: str) -> None:
    """Before the server starts, with the words that are known."""
    with pytest.raises(HandlerError, match=why):
        parse_handler(text)


def test_what_a_handler_is_told() -> None:
    """Serf's variables with another prefix, and its lines for members, with the id behind."""
    handler = parse_handler("*=run it")
    one = Member("id-a", "a", "10.0.0.1:7946", "failed", {"role": "db", "zone": "b"}, 1, 1)
    failed = member_job(handler, MemberEvent.FAILED, [one, Member("id-b", "b", "b:1", "failed", {}, 1, 1)])
    deploy = user_job(handler, UserEvent(7, "deploy", b"v2"))
    load = query_job(handler, Query(8, 99, "id-x", "load", b"1m", 1.0))

    assert failed.given == b"a\t10.0.0.1:7946\tdb\trole=db,zone=b\tid-a\nb\tb:1\t\t\tid-b\n"
    assert failed.environment == {"QUORATE_EVENT": "member-failed"}
    assert (deploy.given, deploy.query) == (b"v2", 0)
    assert deploy.environment == {
        "QUORATE_EVENT": "user",
        "QUORATE_USER_EVENT": "deploy",
        "QUORATE_USER_LTIME": "7",
    }
    assert (load.given, load.query) == (b"1m", 99)
    assert load.environment == {"QUORATE_EVENT": "query", "QUORATE_QUERY_NAME": "load", "QUORATE_QUERY_LTIME": "8"}
    assert self_environment("a", "h:1", Path("/k"), {"role": "db", "my-zone.x": "b"}) == {
        "QUORATE_KEY": "/k",
        "QUORATE_SELF_NAME": "a",
        "QUORATE_SELF_ROLE": "db",
        "QUORATE_ADDRESS": "h:1",
        "QUORATE_TAG_ROLE": "db",
        "QUORATE_TAG_MY_ZONE_X": "b",
    }


def test_who_answers_queries() -> None:
    """What a member says in its acknowledgement."""
    handlers = [parse_handler("user=run"), parse_handler("query:load=run")]

    assert answers(handlers, "load")
    assert not answers(handlers, "other")


# --- running ----------------------------------------------------------------------------------------------------------


def shell(script: str, given: bytes = b"", **environment: str) -> Job:
    """A job for a shell."""
    return Job(("sh", "-c", script), environment, given)


class Stage:
    """A runner, and what became of its jobs."""

    def __init__(self, **limits: Any) -> None:
        self.outcomes: dict[str, Outcome] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.runner = Runner(self._spawn, self._ended, RunnerLimits(**limits))

    def _spawn(self, coro: Coroutine[Any, Any, None]) -> None:
        self.tasks.add(asyncio.get_running_loop().create_task(coro))

    def _ended(self, job: Job, outcome: Outcome) -> None:
        self.outcomes[job.command[-1]] = outcome

    async def until_done(self) -> None:
        """Wait for all that runs."""
        async with asyncio.timeout(LIMIT_S):
            await asyncio.gather(*self.tasks)


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something that another process does."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < LIMIT_S, "it does not happen"
        await asyncio.sleep(0.01)


def has_ended(pid: Path) -> bool:
    """Whether the process whose id is in a file runs no more."""
    status = Path(f"/proc/{pid.read_text().strip()}/stat")
    try:
        return status.read_text().split()[2] == "Z"
    except FileNotFoundError:
        return True


async def outcome_of(job: Job, **limits: Any) -> Outcome:
    """Run one job."""
    stage = Stage(**limits)
    stage.runner.submit(job)
    await stage.until_done()
    return stage.outcomes[job.command[-1]]


@pytest.mark.asyncio
async def test_a_handler_gets_its_input_and_its_environment() -> None:
    """And what the server's own environment has; its output is kept."""
    done = await outcome_of(shell('cat; echo " $QUORATE_EVENT $HOME"', b"given", QUORATE_EVENT="user"))

    assert done == Outcome(f"given user {os.environ['HOME']}\n".encode(), "")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("job", "why"),
    [
        (shell("echo broken >&2; exit 3"), "ended with exit code 3: broken"),
        (shell("kill -9 $$"), "ended by signal 9"),
        (Job(("/no/such/command",), {}, b""), "cannot be run"),
        (shell("exit 0", b"x" * 1_000_000), ""),
    ],
)
async def test_how_a_handler_may_end(job: Job, why: str) -> None:
    """Whatever it does, the server is told; one that does not read its input has done nothing wrong."""
    done = await outcome_of(job)

    assert (why in done.error) if why else not done.error


@pytest.mark.asyncio
async def test_only_so_much_output_is_kept() -> None:
    """The rest is read and dropped, so that the handler comes to its end."""
    done = await outcome_of(shell("head -c 3000000 /dev/zero"), output_bytes_max=1000)

    assert (len(done.output), done.error) == (1000, "")


@pytest.mark.asyncio
async def test_a_handler_that_runs_for_long_is_killed_with_all_it_started(tmp_path: Path) -> None:
    """Also when what it left behind in the background holds its output."""
    began = time.monotonic()
    pid = tmp_path / "pid"
    done = await outcome_of(shell(f"sleep 300 & echo $! > {pid}; exit 0"), time_s=1.0)

    assert done.error == "was killed after 1 s"
    assert time.monotonic() - began < LIMIT_S
    await until(lambda: has_ended(pid))


@pytest.mark.asyncio
async def test_several_run_at_once_the_others_wait_and_the_rest_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    """Two at a time and three that wait: what comes then is not run, which is counted and logged at a falling rate."""
    stage = Stage(running_max=2, waiting_max=3)
    for number in range(12):
        stage.runner.submit(shell(f"exit 0 # {number}"))
    assert stage.runner.status() == {"running": 2, "waiting": 3, "runs": 0, "failed": 0, "dropped": 7}
    await stage.until_done()

    assert stage.runner.status() == {"running": 0, "waiting": 0, "runs": 5, "failed": 0, "dropped": 7}
    assert sum(bool(outcome.error) for outcome in stage.outcomes.values()) == 7
    assert len([record for record in caplog.records if "was not run" in record.message]) == 3


@pytest.mark.asyncio
async def test_a_runner_that_is_stopped_leaves_no_process(tmp_path: Path) -> None:
    """The actor's end cancels its tasks: what runs is killed."""
    stage = Stage()
    pid = tmp_path / "pid"
    stage.runner.submit(shell(f"echo $$ > {pid}.new; mv {pid}.new {pid}; sleep 300"))
    await until(pid.exists)
    (task,) = stage.tasks
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: has_ended(pid))
