"""Consensus: Raft's log, elections and reads. PySyncObj is the engine, and all that reaches it passes a guard.

- the actor, and the order in which it draws consequences: raft.py, turn.py
- the one door to the core, for what happened and for what is to be done: core.py
- what its parts share, what servers say, what people see: state.py, messages.py, status.py
- PySyncObj, with every private name of it: engine.py

Leading and following:

- who leads, and handing it over; whose term counts: election.py, transfer.py, terms.py
- the two sides of the log, and who may wait for an entry: leader.py, follower.py, spread.py
- linearizable reads, a server's word for a client, the age of a stale read: reads.py, attesting.py, freshness.py
- who takes part, and whether that may be changed now: configuration.py, changes.py
- committed entries that a leader contradicts: divergence.py

The log and the state:

- what clients propose, until it is an entry: proposals.py
- what an entry is, the log with what of it is not on disk, its way there: entries.py, journal.py, disk.py
- from committed entries to answers; what time it is by the log: applier.py, log_clock.py
- a snapshot of this server's state, and back: snapshotting.py, restoring.py
- snapshots between servers: snapshots.py, chunk_post.py
- what a surviving log becomes when a majority is lost for good: recovery.py
"""
