"""Every part of the guard, switched off one at a time.

What lives here: the table of mutations.  What does not: running them (tests/simulation/mutate.py).
"""

from tests.simulation.mutations import clients, disks, elections, log, membership, snapshots
from tests.simulation.mutations.table import Mutation

ALL: tuple[Mutation, ...] = tuple(
    sorted(
        (one for module in (log, elections, membership, snapshots, clients, disks) for one in module.MUTATIONS),
        key=lambda one: (one.row, one.name),
    )
)
