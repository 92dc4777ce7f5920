"""No message vanishes: whatever crashes and is killed, each one is handled once or is a dead letter."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from actors.runtime.policy import Strategy
from tests.unit.runtime.stage import UNLIMITED, Note, Once, Player, Stage, Urgent
from tests.unit.runtime.virtual_time import story

LANES = {Note: "data", Once: "data", Urgent: "control"}
RUNS_BEFORE_SET_ASIDE = {Note: 2, Urgent: 2, Once: 1}


class Step(Struct, frozen=True):
    """One thing that happens: a message to an actor, or its kill, or its crash by the fault hook; then a pause."""

    what: str
    actor: str
    message: type[Note] | type[Once] | type[Urgent]
    crashes: bool
    pause_s: float


steps = st.builds(
    Step,
    what=st.sampled_from(["tell", "tell", "tell", "tell", "kill", "crash"]),
    actor=st.sampled_from("abc"),
    message=st.sampled_from([Note, Once, Urgent]),
    crashes=st.sampled_from([False, False, False, True]),
    pause_s=st.sampled_from([0.0, 0.0, 0.001, 0.05, 1.0]),
)


@given(plan=st.lists(steps, max_size=40), strategy=st.sampled_from(Strategy))
def test_no_message_vanishes(plan: list[Step], strategy: Strategy) -> None:
    """In any schedule: good ones are handled exactly once, in order within a lane; bad ones end as dead letters."""
    play(plan, strategy)


@story
async def play(plan: list[Step], strategy: Strategy) -> None:
    """Carry the plan out, wait until all is over, and look."""
    async with Stage() as stage:
        await stage.play(*((name, stage.cast(Player)) for name in "abc"), strategy=strategy, limits=UNLIMITED)
        for number, step in enumerate(plan):
            carry_out(stage, number, step)
            await stage.settle(step.pause_s)
        await stage.settle()
        while not is_over(stage):
            await stage.settle()

        tells = [(number, step) for number, step in enumerate(plan) if step.what == "tell"]
        for actor in "abc":
            seen = [line.split()[-1] for line in stage.log if line.startswith(f"{actor}@")]
            runs = Counter(seen)
            for number, step in tells:
                if step.actor == actor:
                    assert runs[str(number)] == (RUNS_BEFORE_SET_ASIDE[step.message] if step.crashes else 1)
            for lane in ("data", "control"):
                good = [str(n) for n, s in tells if s.actor == actor and not s.crashes and LANES[s.message] == lane]
                assert [text for text in seen if text in good] == good
        assert stage.system.dead_letters()["total"] == sum(step.crashes for _, step in tells)


def carry_out(stage: Stage, number: int, step: Step) -> None:
    """Do one step; an actor that is down can be neither killed nor crashed."""
    if step.what == "tell":
        stage.tell(step.actor, step.message(f"crash {number}" if step.crashes else f"note {number}"))
    elif stage.row(step.actor)["state"] != "running":
        return
    elif step.what == "kill":
        with suppress(ValueError):  # one kill may be under way already
            stage.system.kill(step.actor, stage.row(step.actor)["incarnation"])
    else:
        stage.system.crash(step.actor)


def is_over(stage: Stage) -> bool:
    """Whether nothing more is going to happen."""
    return all(row["state"] == "running" and not row["mailbox"] for row in stage.system.actors())
