"""Claims about one server come in any order, any number of times, and lead to the same belief."""

from __future__ import annotations

from functools import reduce
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.msgpack import Decoder, Encoder

from actors.gossip.member import (
    ACCUSERS_MAX,
    Accusation,
    Claim,
    Intent,
    Liveness,
    Status,
    add_accusers,
    fault_of,
    merge,
)
from tests.unit.gossip.lone import DEAD, LEAVING, LEFT, SUSPECT, claim


def claims() -> st.SearchStrategy[Claim]:
    """Claims about one server; what it says of itself depends on its incarnation alone, as it should."""
    return st.builds(
        lambda incarnation, liveness, lamport, intent, accusers: claim(
            "a",
            incarnation,
            liveness=liveness,
            lamport=lamport,
            intent=intent,
            accusers=tuple(accusers) if liveness else (),
            address=f"host{incarnation}:1",
        ),
        st.integers(0, 3),
        st.sampled_from(Liveness),
        st.integers(0, 3),
        st.sampled_from(Intent),
        st.lists(st.sampled_from("bcd"), max_size=3, unique=True),
    )


def belief(said: Claim) -> tuple[object, ...]:
    """What a claim amounts to; who accused the dead is history."""
    accusers = frozenset(accusation.by for accusation in said.accusers if said.liveness is SUSPECT)
    return said.incarnation, said.address, said.liveness, said.lamport, said.intent, accusers


@given(st.lists(claims(), min_size=1, max_size=4))
def test_order_does_not_matter(said: list[Claim]) -> None:
    """The merge is commutative and associative, so all members come to believe the same."""
    beliefs = {belief(reduce(merge, order)) for order in permutations(said)}

    assert len(beliefs) == 1


@given(claims(), claims())
def test_a_claim_heard_twice_changes_nothing(first: Claim, second: Claim) -> None:
    """The merge is idempotent: this is what ends every rumour."""
    merged = merge(first, second)

    assert merge(merged, second) == merged
    assert merge(merged, merged) == merged


@given(claims(), claims())
def test_nothing_goes_back(first: Claim, second: Claim) -> None:
    """Neither incarnation nor Lamport time is ever lowered."""
    merged = merge(first, second)

    assert merged.incarnation == max(first.incarnation, second.incarnation)
    assert merged.lamport == max(first.lamport, second.lamport)


@given(claims())
def test_a_claim_survives_the_wire(said: Claim) -> None:
    """It is the same after encoding and decoding."""
    assert Decoder(Claim).decode(Encoder().encode(said)) == said
    assert fault_of(said) == ""


def test_statuses() -> None:
    """Every pair of liveness and intent, as it is shown: a leaver is never shown as failed."""
    shown = {
        (liveness, intent): claim("a", liveness=liveness, intent=intent).status
        for liveness in Liveness
        for intent in Intent
    }

    assert shown == {
        (Liveness.ALIVE, Intent.JOIN): Status.ALIVE,
        (SUSPECT, Intent.JOIN): Status.SUSPECT,
        (DEAD, Intent.JOIN): Status.FAILED,
        (Liveness.ALIVE, LEAVING): Status.LEAVING,
        (SUSPECT, LEAVING): Status.LEAVING,
        (DEAD, LEAVING): Status.LEFT,
        (Liveness.ALIVE, LEFT): Status.LEFT,
        (SUSPECT, LEFT): Status.LEFT,
        (DEAD, LEFT): Status.LEFT,
        (Liveness.ALIVE, Intent.PRUNED): Status.LEFT,
        (SUSPECT, Intent.PRUNED): Status.LEFT,
        (DEAD, Intent.PRUNED): Status.LEFT,
    }


def test_accusers_are_bounded_and_better_evidence_replaces() -> None:
    """One accuser counts once; a refused connection says more than silence; the list ends somewhere."""
    silent, refused = Accusation("b", "no answer to a probe"), Accusation("b", "connection refused")
    assert add_accusers((silent,), (refused,)) == (refused,)
    assert add_accusers((refused,), (silent,)) == (refused,)

    many = tuple(Accusation(f"a{number}", "x") for number in range(100))
    assert len(add_accusers((), many)) == ACCUSERS_MAX


def test_limits() -> None:
    """Each limit of a claim, by its line."""
    broken = [
        claim(""),
        claim("x" * 129),
        claim("a", address="h" * 256),
        claim("a", tags={"k": "v" * 512}),
        claim("a", 2**60),
        claim("a", lamport=-1),
        claim("a", accusers=tuple("bcdefghij")),
        claim("a", accusers=("b",), evidence="e" * 300),
        claim("a", age_s=-1),
        claim("a", tags={"k": "v\nw"}),
        claim("a", address="h\x1b[2J:1"),
    ]

    assert {fault_of(said) for said in broken} == {
        "id or name has a wrong length",
        "the address has a wrong length",
        "the tags have more than 512 characters",
        "a counter is out of range",
        "the accusers are too many, too long or not printable",
        "the name, the address or a tag has characters that cannot be printed",
        "the age is out of range",
    }
