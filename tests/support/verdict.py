"""What must hold after anything that was done to a cluster under load.

1. Every acknowledged write is there, on every server.
2. A write that was said to be certainly not applied is on none.
3. Nothing is there that nobody wrote.
4. No linearizable read missed a write that had been acknowledged before.
5. No term had two leaders.
6. All servers end with the same state, and the cluster takes writes.
"""

from __future__ import annotations

from tests.support.cluster import Cluster, State
from tests.support.load import Load
from tests.support.witness import Witness

SHOWN = 5


def check(cluster: Cluster, load: Load, witness: Witness) -> None:
    """Stop the load, wait until all servers that run agree, and raise AssertionError for what does not hold."""
    load.serves_again()
    load.stop()
    cluster.agree()
    state = cluster.same_state()
    print(
        f"{load.writes} writes acknowledged, {load.reads} read back, "
        f"{sum(map(len, load.unknown.values()))} unknown, {sum(map(len, load.refused.values()))} refused "
        f"({dict(load.errors)}); {len(witness.leaders)} terms seen"
    )
    check_state(state, load)
    for source, leaders in (("witnessed", witness.leaders), ("logged", cluster.leaders_logged())):
        twice = {term: ids for term, ids in leaders.items() if len(ids) > 1}
        assert not twice, f"terms with more than one leader, as {source}: {twice}"
    assert witness.sights, "the witness saw nothing"


def check_state(state: State, load: Load) -> None:
    """Hold what is stored against what the clients were told."""
    lost, invented, undead = [], [], []
    for key, value in load.acknowledged.items():
        if key not in state or state[key][0] not in {value} | load.unknown.get(key, set()):
            lost.append(f"{key} = {value!r} is {state.get(key)}")
    for key, (value, _) in state.items():
        if value in load.refused.get(key, ()):
            undead.append(f"{key} = {value!r}")
        elif value != load.acknowledged.get(key) and value not in load.unknown.get(key, ()):
            invented.append(f"{key} = {value!r}")
    assert not lost, f"{len(lost)} acknowledged writes lost: {lost[:SHOWN]}"
    assert not undead, f"{len(undead)} writes applied that were refused: {undead[:SHOWN]}"
    assert not invented, f"{len(invented)} values that nobody wrote: {invented[:SHOWN]}"
    assert not load.wrong, f"{len(load.wrong)} reads missed what was acknowledged: {load.wrong[:SHOWN]}"
