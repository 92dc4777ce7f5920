"""Reads by what their answers have to be, and a server's word on who leads (transport/client/attestation.py).

What lives here: which queries are answered from the state as it is, and what a server may say of itself at the moment
it is asked.  What does not: the reads that wait for an index (reads.py), and the answers: those are the state
machine's.
"""

from __future__ import annotations

from actors.raft.applier import Applier, Query
from actors.raft.core import RaftCore
from actors.raft.messages import Read
from transport.client.attestation import Word, encode_word
from transport.client.protocol import ATTESTED, LINEARIZABLE


def sort_out(read: Read, core: RaftCore, applier: Applier) -> list[Query]:
    """Answer what needs no index, and what needs the leader's at most; returns the queries that need an index."""
    linearizable: list[Query] = []
    for key, query, consistency in read.batch:
        if consistency == LINEARIZABLE:
            linearizable.append((key, query))
        elif consistency == ATTESTED:
            _attest((key, query), core, applier)
        elif core.state.divergence.why:
            applier.refuse([key], "diverged", core.state.divergence.why.encode())
        else:
            applier.read_now((key, query))
    return linearizable


def _attest(query: Query, core: RaftCore, applier: Applier) -> None:
    """Say the term; a leader says its voters too, and answers at the index that it has committed at this moment."""
    state = core.state
    if core.leader.is_established:
        word = Word(state.self_id, state.engine.term, sorted(state.configuration.voters))
        applier.read_at(state.engine.commit, query, encode_word(word))
    else:
        applier.say(query[0], encode_word(Word(state.self_id, state.engine.term, [])))
