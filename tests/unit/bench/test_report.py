"""Medians, ratios and loads of the comparison."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from bench.closed_loop import closed_loop
from bench.loads import LOADS, Kind, Load, parse_load
from bench.machine import Machine
from bench.pages import BEGIN, END, conditions, with_figures
from bench.report import LeftOut, Ratio, Result, ratio, ratios_of, rows_of, summary, tables
from bench.sample import Idle, Measured, Sample, SampleError, summarise


def measured(rate: float, *, rss_mb: float = 50.0) -> Measured:
    """A run with this rate."""
    sample = Sample(rate=rate, p50_ms=1000 / rate, p99_ms=2000 / rate, done=int(rate))
    return Measured(sample, servers_cpu_us=[100.0, 50.0, 60.0], client_cpu_us=70.0, servers_rss_mb=[rss_mb, 1.0, 2.0])


def test_ratios_are_taken_repeat_by_repeat() -> None:
    """A slow moment of the machine is in both rates of a repeat, and divides out."""
    ours, theirs = [measured(20), measured(200), measured(40)], [measured(10), measured(100), measured(10)]
    assert ratio(ours, theirs) == Ratio(median=2.0, least=2.0, most=4.0)


def test_the_fastest_configuration_stands_for_pysyncobj() -> None:
    """Under each load anew, by its median."""
    runs = {
        "Quorate": [measured(30)] * 3,
        "PySyncObj flush": [measured(rate) for rate in (10, 100, 11)],
        "PySyncObj batch": [measured(15)] * 3,
    }
    assert rows_of(runs)["PySyncObj"].system == "PySyncObj batch"
    assert ratios_of(runs)["PySyncObj"].median == 2.0


def test_memory_is_the_median_of_each_server_over_the_repeats() -> None:
    """The leader's first, as it was measured."""
    rows = rows_of({"etcd": [measured(1, rss_mb=memory) for memory in (80, 60, 70)]})
    assert rows["etcd"].rss_mb == [70, 1.0, 2.0]


LOADS_OF_THE_RESULT = [Load(Kind.PUT, 512), Load(Kind.PUT, 512, batch=16)]
RESULT = Result(
    began="2026-01-01T00:00:00+00:00",
    seconds=1.0,
    repeats=1,
    machine=Machine("cpu", 2, 8, "6.1", "ext4", 0.1, 0.0, "3.11", "0", "abc", "0.3.17"),
    etcd="3.4.23",
    idle_s=30.0,
    idle={"Quorate": Idle([1.0, 1.0, 1.0], [50.0, 50.0, 50.0])},
    labels={load.name: load.label for load in LOADS_OF_THE_RESULT},
    runs={load.name: {"Quorate": [measured(600)], "etcd": [measured(100)]} for load in LOADS_OF_THE_RESULT},
    run_again=["etcd, put-512"],
)


def test_a_result_is_shown_as_tables() -> None:
    """Every load and system is named, and batches are set beside etcd's single puts."""
    text = tables(RESULT)
    assert "| put, 512 in flight in batches of 16 | 600, 1.67, 3.33 | 100, 10.00, 20.00 | **6.00x**" in text
    assert "| put, 512 in flight | etcd | 100 | 50, 60 | 70 | 50 | 1.0, 2.0 |" in text
    assert "against etcd's single puts, both with 512 in flight: **6.00x** (6.00 to 6.00)." in text
    assert "| Quorate | 1.00 %, 1.00 %, 1.00 % | 50, 50, 50 |" in text


def test_the_readme_has_rates_and_idle_servers_of_one_run() -> None:
    """Quorate's beside etcd's; who wants to know what each call costs, or of PySyncObj's ticks, has the page."""
    idle = {system: Idle([1.0, 2.0, 1.0], [50.0, 40.0, 60.0]) for system in ("Quorate", "etcd", "PySyncObj 1 ms")}
    text = summary(msgspec.structs.replace(RESULT, idle=idle))
    assert text.startswith("| load | Quorate")
    assert "against etcd's single puts, both with 512 in flight: **6.00x** (6.00 to 6.00)." in text
    assert text.endswith(
        "| idle, over 30 s | CPU of a core, each server | memory in MB |\n|---|---|---|\n"
        "| Quorate | 1.00 %, 2.00 %, 1.00 % | 50, 40, 60 |\n| etcd | 1.00 %, 2.00 %, 1.00 % | 50, 40, 60 |"
    )


def test_what_was_left_out_is_told_below_the_rates() -> None:
    """Another configuration stands for PySyncObj there; where all of them failed, its cell says so."""
    died = LeftOut(6, "IndexError: list index out of range")
    runs = RESULT.runs | {"put-512": RESULT.runs["put-512"] | {"PySyncObj 5 ms": [measured(300)]}}
    left_out = {"put-512": {"PySyncObj 1 ms": died}, "put-512x16": {"PySyncObj 1 ms": died, "PySyncObj 5 ms": died}}
    text = tables(msgspec.structs.replace(RESULT, runs=runs, left_out=left_out))
    assert "| 300, 3.33, 6.67 (5 ms) | **2.00x** (2.00 to 2.00) |\n" in text
    assert "| 100, 10.00, 20.00 | **6.00x** (6.00 to 6.00) | failed | - |\n" in text
    assert (
        "\nPySyncObj 1 ms is left out of put, 512 in flight: it failed 6 times, "
        "at last with `IndexError: list index out of range`.\n"
    ) in text
    assert "\nPySyncObj 5 ms is left out of put, 512 in flight in batches of 16: it failed 6 times" in text


def test_the_conditions_are_told() -> None:
    """The machine, the releases, the repeats, and what went wrong."""
    text = conditions(RESULT)
    assert "etcd 3.4.23, PySyncObj 0.3.17" in text
    assert "Medians of 1 repeats of 1 s" in text
    assert "made again: etcd, put-512." in text


def test_figures_are_put_in_place_of_those_before() -> None:
    """Nothing else of a page changes, however often they are made."""
    page = f"above\n{BEGIN}\nold\n{END}\nbelow\n"
    once = with_figures(page, "new")
    assert once == f"above\n{BEGIN}\nnew\n{END}\nbelow\n"
    assert with_figures(once, "new") == once
    with pytest.raises(ValueError, match="no place for figures"):
        with_figures(f"{BEGIN}\n", "new")


@pytest.mark.parametrize("load", LOADS, ids=lambda load: load.name)
def test_a_load_is_found_by_its_name(load: Load) -> None:
    """Names are what goes over a client's command line."""
    assert parse_load(load.name) == load


@pytest.mark.parametrize("name", ["put", "put-x", "put-10x3", "put-0", "scan-1", "get-64x8"])
def test_a_name_of_no_load_is_refused(name: str) -> None:
    """With a ValueError, which argparse turns into a usage line."""
    with pytest.raises(ValueError):  # noqa: PT011 - the texts are those of int(), Kind and parse_load()
        parse_load(name)


def test_a_batch_counts_as_many_puts_and_one_wait() -> None:
    """The rate is of puts, the latency of the batch."""
    sample = summarise([0.010, 0.020], 0.5, batch=16, warm_up_calls=3)
    assert sample == Sample(rate=64.0, p50_ms=20.0, p99_ms=20.0, done=80)


def test_no_answer_in_time_is_no_figure() -> None:
    """Rather than a division by zero, or a rate of 0 that looks like a measurement."""
    with pytest.raises(SampleError):
        summarise([], 1.0, batch=1, warm_up_calls=0)


async def test_a_closed_loop_keeps_so_many_calls_going() -> None:
    """Each caller calls again only when it has its answer."""
    going, most, numbers = 0, 0, set[int]()

    async def call(number: int) -> None:
        nonlocal going, most
        going += 1
        most = max(most, going)
        numbers.add(number)
        await asyncio.sleep(0)
        going -= 1

    latencies_s, elapsed_s = await closed_loop(call, callers=5, seconds=0.01)
    assert (most, going, numbers) == (5, 0, set(range(5)))
    assert len(latencies_s) >= 5
    assert elapsed_s >= 0.01
