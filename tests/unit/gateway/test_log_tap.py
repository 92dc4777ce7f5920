"""Following a server's log: the last lines, then each, and finer than the server's own level without it noticing."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.config import NodeConfig
from actors.gateway.log_tap import LEASE_S, MESSAGE_CHARS_MAX, TRACEBACK_CHARS_MAX, LogTap
from actors.gateway.streams import KEPT_DEFAULT
from tests.unit.gateway.cast import Server
from tests.unit.runtime.virtual_time import story

CONFIG = NodeConfig(data_dir=Path("data"))
NAME = "tapped"


class Stderr(logging.Handler):
    """What the program's own handler gets."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.lines.append(record.getMessage())


@pytest.fixture
def stderr() -> Iterator[Stderr]:
    """The program logs from info on, to a handler of the root logger."""
    handler = Stderr()
    logging.getLogger().addHandler(handler)
    logging.getLogger(NAME).setLevel(logging.INFO)
    yield handler
    logging.getLogger().removeHandler(handler)


def log(level: int, text: str) -> None:
    """A part of the server logs."""
    logging.getLogger(f"{NAME}.part").log(level, text)


def texts(page: Any) -> list[str]:
    """The lines of a page."""
    return [entry["message"] for entry in page.entries]


def test_the_last_lines_come_first(stderr: Stderr) -> None:
    """512 of the level that is asked for, however many of others there were."""

    @story
    async def play() -> None:
        tap = LogTap("run", NAME)
        tap.open()
        log(logging.ERROR, "old")
        for number in range(KEPT_DEFAULT):
            log(logging.INFO, str(number))
        await asyncio.sleep(0.01)
        page = await tap.read("info", "", 0)
        lines = texts(page)
        while (page := await tap.read("info", page.cursor, 0)).entries:
            lines += texts(page)
        assert lines == [str(number) for number in range(KEPT_DEFAULT)]
        assert texts(await tap.read("error", "", 0)) == ["old"]
        tap.close()

    play()


def test_a_finer_level_lasts_as_long_as_somebody_asks(stderr: Stderr) -> None:
    """Two clients at once; the program's own handlers hear nothing more, and in the end all is as before."""

    @story
    async def play() -> None:
        logger = logging.getLogger(NAME)
        tap = LogTap("run", NAME)
        tap.open()
        log(logging.DEBUG, "unheard")
        page = await tap.read("debug", "", 1)
        assert page.entries == []
        log(logging.DEBUG, "fine")
        log(logging.INFO, "plain")
        page = await tap.read("debug", page.cursor, 1)
        assert texts(page) == ["fine", "plain"]
        assert texts(await tap.read("info", "", 0)) == ["plain"]
        assert stderr.lines == ["plain"]
        await asyncio.sleep(LEASE_S - 0.1)
        assert logger.level == logging.DEBUG
        await asyncio.sleep(2)
        assert (logger.level, logger.propagate, logger.handlers) == (logging.INFO, True, [tap])
        tap.close()
        assert logger.handlers == []

    play()


def test_two_servers_of_one_process_share_the_logger(stderr: Stderr) -> None:
    """Each may be followed at a finer level; the first to end takes nothing from the other."""

    @story
    async def play() -> None:
        one, two = LogTap("1", NAME), LogTap("2", NAME)
        one.open()
        two.open()
        await one.read("debug", "", 0)
        await two.read("debug", "", 0)
        one.close()
        log(logging.DEBUG, "fine")
        log(logging.INFO, "plain")
        assert texts(await two.read("debug", "", 1)) == ["fine", "plain"]
        assert stderr.lines == ["plain"]
        two.close()
        log(logging.INFO, "last")
        assert stderr.lines == ["plain", "last"]
        assert logging.getLogger(NAME).level == logging.INFO

    play()


def test_lines_from_other_threads_and_long_ones(stderr: Stderr) -> None:
    """A thread may log; a line is as long as it may be and no longer."""

    @story
    async def play() -> None:
        tap = LogTap("run", NAME)
        tap.open()
        thread = threading.Thread(target=log, args=(logging.INFO, "x" * 10_000))
        thread.start()
        thread.join()
        try:
            raise ValueError("y" * 20_000)
        except ValueError:
            logging.getLogger(NAME).exception("failed")
        await asyncio.sleep(0.01)
        first, second = (await tap.read("info", "", 0)).entries
        assert (len(first["message"]), first["logger"], first["level"]) == (MESSAGE_CHARS_MAX, f"{NAME}.part", "info")
        assert len(second["traceback"]) == TRACEBACK_CHARS_MAX
        tap.close()

    play()


@story
async def test_monitor_answers_with_lines_and_a_cursor() -> None:
    """What a client asks: from the beginning, then what came after, waiting for it as long as it says."""
    async with Server(CONFIG) as server:
        logging.getLogger("play.one").setLevel(logging.INFO)
        logging.getLogger("play.one.raft").info("leads")
        await asyncio.sleep(0.01)
        first = await server.value("monitor", {"level": "info"})
        later = asyncio.create_task(server.value("monitor", {"cursor": first["cursor"], "wait_s": 3.0}))
        await asyncio.sleep(1)
        logging.getLogger("play.one.raft").warning("steps down")

        assert [(entry["level"], entry["message"]) for entry in first["entries"]] == [("info", "leads")]
        assert [entry["message"] for entry in (await later)["entries"]] == ["steps down"]
        assert first["dropped"] == 0


@pytest.mark.parametrize("arguments", [{"level": "loud"}, {"wait_s": "long"}, {"cursor": 5}])
def test_monitor_is_asked_for_what_there_is(arguments: dict[str, Any]) -> None:
    """Anything else is refused in words."""

    @story
    async def play() -> None:
        async with Server(CONFIG) as server:
            assert (await server.request("monitor", arguments)).code == "bad_request"

    play()


@pytest.mark.parametrize("wait_s", [float("nan"), -1.0, float("-inf")])
def test_a_wait_that_is_none_does_not_wait(wait_s: float) -> None:
    """Nor does it disturb the clock of the others."""

    @story
    async def play() -> None:
        async with Server(CONFIG) as server:
            answer = await server.value("monitor", {"cursor": "run-0", "wait_s": wait_s})
            assert answer["entries"] == []

    play()
