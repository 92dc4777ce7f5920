"""A rotation in virtual time: members with real rings, that die, come back, do not answer; and who reaches whom."""

from __future__ import annotations

import random
from typing import Any

import pytest

from actors.keyring.messages import report_of
from actors.keyring.rotation import PATIENCE_S, Done, Look, Rotation, Tell
from tests.unit.keyring.made import INSTALLED, NEW, OLD, OTHER, SETTLED_NEW, SETTLED_OLD, USING
from transport.errors import KeyFileError
from transport.keys import ClusterKey
from transport.ring import Ring, Stage, starting_ring

SEEDS = range(60)


class World:
    """Members by name with their rings, which they keep over a death, and an entry that passes steps on."""

    def __init__(self, rings: dict[str, Ring], seed: int = 0) -> None:
        self.rng = random.Random(seed)
        self.now = 0.0
        self.rings = dict(rings)
        self.off: set[str] = set()
        self.silent: set[str] = set()
        self.refuse: dict[str, str] = {}
        self.told: list[tuple[str, str]] = []
        self.loss = 0.0
        self.may_die = False

    def rows(self) -> list[dict[str, Any]]:
        """What `keys list` has."""
        return [self._row(name) for name in sorted(self.rings)]

    def _row(self, name: str) -> dict[str, Any]:
        speaks = name not in self.off | self.silent
        report = report_of(self.rings[name] if speaks else None, applied=True)
        return {
            "id": name,
            "name": name,
            "status": "failed" if name in self.off else "alive",
            "holds": report.holds,
            "uses": report.holds[0] if report.holds else "",
            "stage": report.stage,
            "applied": report.applied,
            "error": "" if speaks else "it does not answer",
        }

    def run(self, goal: Stage = Stage.USING, *, force: bool = False, interrupted_after: int = 10_000) -> Done | None:
        """Drive one rotation to its end, or until it is interrupted."""
        rotation = Rotation(NEW.fingerprint, goal, self.now, force=force)
        for _ in range(interrupted_after):
            action = rotation.next(self.now)
            if isinstance(action, Done):
                return action
            if isinstance(action, Look):
                self._look(rotation)
            elif isinstance(action, Tell):
                self._tell(rotation, action)
            else:
                self.now += action.wait_s
            self.check()
        return None

    def _look(self, rotation: Rotation) -> None:
        self.now += 0.01
        if self.rng.random() < self.loss:
            rotation.failed(self.now, "the entry does not answer")
        else:
            rotation.seen(self.now, self.rows())

    def _tell(self, rotation: Rotation, step: Tell) -> None:
        self.now += 0.01
        if self.may_die:
            self._fate()
        name = step.member
        if name in self.refuse:
            rotation.refused(name, self.refuse[name])
        elif name in self.off | self.silent or self.rng.random() < self.loss:
            rotation.failed(self.now, f"{name} does not answer")
        else:
            entry = next(ring for other, ring in self.rings.items() if other not in self.off)
            self.rings[name] = self.rings[name].joined(entry.at(NEW, step.stage))
            self.told.append((name, step.stage))
            if self.rng.random() < self.loss:
                rotation.failed(self.now, "the answer was lost")
            else:
                rotation.told(self.now)

    def _fate(self) -> None:
        """Somebody dies, or comes back with either file and is offered the ring of one who is there."""
        if self.off and self.rng.random() < 0.5:
            self.back(self.rng.choice(sorted(self.off)), self.rng.choice((OLD, NEW)))
        elif len(self.off) + 1 < len(self.rings) / 2 and self.rng.random() < 0.2:
            self.off.add(self.rng.choice(sorted(self.rings.keys() - self.off)))

    def back(self, name: str, file: ClusterKey) -> None:
        """A member starts again, with what it kept, and is offered the rings of those who know more."""
        live = [self.rings[other] for other in sorted(self.rings.keys() - self.off)]
        ring = starting_ring(file, self.rings[name])
        if not any(set(ring.accepted) & set(other.accepted) for other in live):
            return  # the new file comes too early or the old one too late: it waits outside
        self.rings[name] = ring
        for other in live:
            if other.stage is not Stage.SETTLED or other.retired:
                self.rings[name] = self.rings[name].joined(other)
        self.off.discard(name)

    def check(self) -> None:
        """Whoever dials is let in, with the key it tries first or, where one was off, the other."""
        live = [self.rings[name] for name in self.rings.keys() - self.off]
        for dialer in live:
            for other in live:
                assert set(dialer.accepted) & set(other.accepted), f"at {self.now}: {dialer} cannot reach {other}"
                if not self.may_die:
                    assert dialer.used in other.accepted, f"at {self.now}: {dialer} is turned away by {other}"


def three(ring: Ring = SETTLED_OLD) -> World:
    """Three members with one ring."""
    return World(dict.fromkeys(("a", "b", "c"), ring))


def test_all_accept_before_one_uses() -> None:
    """Install on all, then use on all, one member at a time, each told once; the old key still opens (S27)."""
    world = three()
    assert world.run() == Done("")
    assert world.told == [(name, stage) for stage in ("installed", "using") for name in "abc"]
    assert set(world.rings.values()) == {USING}

    assert world.run(Stage.SETTLED) == Done("")
    assert set(world.rings.values()) == {SETTLED_NEW}


def test_a_rotation_that_is_over_tells_nobody() -> None:
    """The same command again changes nothing."""
    for ring, goal in ((USING, Stage.USING), (SETTLED_NEW, Stage.USING), (SETTLED_NEW, Stage.SETTLED)):
        world = three(ring)
        assert world.run(goal) == Done("")
        assert world.told == []


@pytest.mark.parametrize("steps", range(1, 24))
def test_an_interrupted_rotation_is_taken_up(steps: int) -> None:
    """Wherever it is cut, the next run goes on from what the members say, and tells nobody twice."""
    world = three()
    world.run(interrupted_after=steps)
    assert world.run() == Done("")
    assert set(world.rings.values()) == {USING}
    assert len(world.told) == len(set(world.told)) == 6


@pytest.mark.parametrize("file", [OLD, NEW], ids=["old", "new"])
def test_a_member_that_was_off_all_the_time(file: ClusterKey) -> None:
    """It is passed over and named, gets in with either file, and has the keys then (serf#579)."""
    world = three()
    world.off.add("b")
    assert world.run() == Done("", ("b",))
    assert world.rings["b"] == SETTLED_OLD

    world.back("b", file)
    world.check()
    assert world.rings["b"] == USING
    assert world.run(Stage.SETTLED) == Done("")


def test_the_old_key_is_not_forgotten_while_a_member_may_need_it() -> None:
    """`--finish` stops before anybody is locked out, unless forced; the new file lets the member in even then."""
    world = three(USING)
    world.rings["c"] = SETTLED_OLD
    world.off.add("c")
    done = world.run(Stage.SETTLED)
    assert done is not None
    assert "c may have the old key only" in done.trouble
    assert world.rings["a"] == USING

    assert world.run(Stage.SETTLED, force=True) == Done("", ("c",))
    world.back("c", NEW)
    world.check()
    assert set(world.rings.values()) == {SETTLED_NEW}


def test_a_silent_member_stops_the_rotation_after_its_patience() -> None:
    """Nobody takes the next step before all have taken this one; the end names who and why."""
    world = three()
    world.silent.add("b")
    done = world.run()
    assert done is not None
    assert "no answer from b (it does not answer)" in done.trouble
    assert PATIENCE_S <= world.now < PATIENCE_S + 2
    assert {ring.stage for ring in world.rings.values()} <= {Stage.SETTLED, Stage.INSTALLED}

    world.silent.clear()
    assert world.run() == Done("")


def test_a_refusal_ends_the_rotation_at_once() -> None:
    """A full disk, another rotation under way: named, nothing more is done, and all still reach each other."""
    world = three()
    world.refuse["b"] = "keyring cannot be written (No space left on device): the keys are as before"
    assert world.run() == Done("b refused: " + world.refuse["b"])
    assert world.now < 5
    assert world.rings == {"a": INSTALLED, "b": SETTLED_OLD, "c": SETTLED_OLD}

    world.refuse.clear()
    assert world.run() == Done("")


def test_a_rotation_to_a_third_key_is_not_begun_beside_another() -> None:
    """The entry knows of the one under way."""
    with pytest.raises(KeyFileError, match="finish one rotation first"):
        INSTALLED.at(OTHER, Stage.INSTALLED)


@pytest.mark.parametrize("seed", SEEDS)
def test_any_weather(seed: int) -> None:
    """Lost answers, deaths, returns with either file and interruptions: always a key in common, and an end."""
    world = World(dict.fromkeys("abcde", SETTLED_OLD), seed)
    world.loss, world.may_die = 0.2, True
    for goal in (Stage.USING, Stage.SETTLED):
        for _ in range(world.rng.randrange(4)):
            world.run(goal, interrupted_after=world.rng.randrange(40))
        world.loss, world.may_die = 0.0, False
        for name in sorted(world.off):
            world.back(name, world.rng.choice((OLD, NEW)) if goal is Stage.USING else NEW)
        assert world.run(goal) == Done(""), f"seed {seed}"
        world.loss, world.may_die = 0.2, True
    assert set(world.rings.values()) == {SETTLED_NEW}, f"seed {seed}"
