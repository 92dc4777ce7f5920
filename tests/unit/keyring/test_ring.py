"""Rings: they only go forward, in any order of messages, and two that do not belong together change nothing."""

from __future__ import annotations

from itertools import permutations, product

import pytest

from tests.unit.keyring.made import CAME_WITH_NEW, INSTALLED, NEW, OLD, OTHER, SETTLED_NEW, SETTLED_OLD, USING, made
from transport.errors import KeyFileError
from transport.keys import client_only, parse
from transport.ring import RETIRED_MAX, Ring, RingConflictError, Stage, decode_ring, encode_ring, starting_ring

ORDER = [SETTLED_OLD, INSTALLED, USING, SETTLED_NEW]
ALL = [*ORDER, CAME_WITH_NEW]


@pytest.mark.parametrize(("one", "other"), list(product(ORDER, ORDER)))
def test_the_further_of_two_rings(one: Ring, other: Ring) -> None:
    """Whoever missed stages catches up with one message, and nothing ever goes back."""
    assert one.joined(other) == max(one, other, key=ORDER.index)


@pytest.mark.parametrize("told", list(permutations(ORDER, 3)))
def test_the_order_of_messages_does_not_matter(told: tuple[Ring, ...]) -> None:
    """Late and repeated messages lead to the same ring."""
    ring = told[0]
    for other in told[1:] + told:
        ring = ring.joined(other)
    assert ring == max(told, key=ORDER.index)


@pytest.mark.parametrize("other", [INSTALLED, USING])
def test_a_server_with_the_new_file_alone_serves_old_clients_too(other: Ring) -> None:
    """It was off when the rotation began: while the others accept the old key, so does it."""
    assert CAME_WITH_NEW.joined(other) == other
    assert other.joined(CAME_WITH_NEW) == other


def test_a_server_that_was_there_at_the_end_does_not_take_the_old_key_back() -> None:
    """One that missed the end offers both keys; a retired one is not accepted again."""
    assert SETTLED_NEW.joined(USING) == SETTLED_NEW
    assert USING.joined(SETTLED_NEW) == SETTLED_NEW


@pytest.mark.parametrize("ring", ALL)
def test_a_key_of_another_cluster_changes_nothing(ring: Ring) -> None:
    """Neither the ring of a foreign cluster nor of a rotation to a third key can be gone along with."""
    for foreign in (Ring(OTHER), Ring(OTHER).at(made("fourth"), Stage.USING)):
        with pytest.raises(RingConflictError):
            ring.joined(foreign)


@pytest.mark.parametrize("ring", [INSTALLED, USING])
def test_one_rotation_at_a_time(ring: Ring) -> None:
    """A second one is refused until the first has ended, and says which is under way."""
    with pytest.raises(RingConflictError, match=f"rotating from key {OLD.fingerprint} to {NEW.fingerprint}"):
        ring.installed(OTHER)
    with pytest.raises(RingConflictError):
        INSTALLED.joined(SETTLED_OLD.at(OTHER, Stage.INSTALLED))


def test_what_a_server_accepts_and_uses() -> None:
    """The old key opens and dials until the new one is used, and opens until the end."""
    assert (SETTLED_OLD.accepted, SETTLED_OLD.used, SETTLED_OLD.spare) == ((OLD,), OLD, None)
    assert (INSTALLED.accepted, INSTALLED.used, INSTALLED.spare) == ((OLD, NEW), OLD, NEW)
    assert (USING.accepted, USING.used, USING.spare) == ((NEW, OLD), NEW, OLD)
    assert (SETTLED_NEW.accepted, SETTLED_NEW.used, SETTLED_NEW.spare) == ((NEW,), NEW, None)


def test_keys_that_cannot_be_rotated_to() -> None:
    """A client's file, a retired key, and a file that has been put together of two."""
    with pytest.raises(KeyFileError, match="a client's file"):
        SETTLED_OLD.installed(parse(client_only(NEW).encode(), "client"))
    with pytest.raises(KeyFileError, match="was retired"):
        SETTLED_NEW.installed(OLD)
    mixed = type(NEW)(OLD.server_public, OTHER.client, OLD.server)
    with pytest.raises(KeyFileError, match="has the fingerprint of the old one"):
        SETTLED_OLD.installed(mixed)
    for ring in (INSTALLED, USING):
        with pytest.raises(RingConflictError, match="being replaced"):
            ring.at(OLD, Stage.SETTLED)  # S43: the key in use is not removed
    assert SETTLED_NEW.installed(NEW) == SETTLED_NEW, "what is over is not begun again"


@pytest.mark.parametrize(
    ("file", "kept", "begins"),
    [
        (OLD, None, SETTLED_OLD),
        (OLD, USING, USING),
        (NEW, USING, USING),
        (OLD, SETTLED_NEW, SETTLED_NEW),
        (NEW, SETTLED_NEW, SETTLED_NEW),
        (OTHER, USING, Ring(OTHER)),
    ],
)
def test_what_a_server_starts_with(file: object, kept: Ring | None, begins: Ring) -> None:
    """The old file does not lock out a server that was there in the rotation; a third one is somebody's decision."""
    assert starting_ring(file, kept) == begins  # type: ignore[arg-type]


@pytest.mark.parametrize("ring", ALL)
def test_a_ring_is_read_as_it_was_written(ring: Ring) -> None:
    """Secrets included; and none of them shows in its text or its `repr`."""
    assert decode_ring(encode_ring(ring), "test") == ring
    for key in ring.accepted:
        for pair in (key.client, key.server):
            assert pair is not None
            assert pair.secret.decode() not in f"{ring} {ring!r}"


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"\xff",
        b"[]",
        b'{"key": "", "new": "", "stage": "settled", "retired": []}',
        encode_ring(USING).replace(b"using", b"settled"),
        encode_ring(SETTLED_OLD).replace(b"settled", b"using"),
        encode_ring(SETTLED_OLD).replace(b"secret", b"secrets"),
        encode_ring(Ring(parse(client_only(OLD).encode(), "client"))),
    ],
)
def test_what_is_no_ring_is_refused_without_its_secrets(damage: bytes) -> None:
    """A damaged file or message has one line that names it, and shows nothing of what is in it."""
    with pytest.raises(KeyFileError, match="the file") as caught:
        decode_ring(damage, "the file")
    assert OLD.client.secret.decode() not in str(caught.value)


def test_retired_keys_are_remembered_up_to_a_limit() -> None:
    """The latest ones: the oldest would need a server that was off for sixteen rotations."""
    ring = Ring(OLD, retired=tuple(f"{number:016x}" for number in range(RETIRED_MAX)))
    after = ring.at(NEW, Stage.SETTLED)
    assert len(after.retired) == RETIRED_MAX
    assert after.retired[-1] == OLD.fingerprint
