"""Who this server is, as every frame and every actor sees it.

What lives here: the stable id, the name, the one address, the boot count and the cluster id, in one object that the
actors of a server share.  What does not: how these are kept (serf.db and raft.db do) and what others think of us
(gossip does).

The cluster id is the only part that changes in a run: a server that joins has none until a member of the cluster has
answered it.  It is set once and never replaced, because two clusters never merge.
"""

from collections.abc import Callable, Mapping

from attrs import define, field


@define
class Identity:
    """One server's identity.

    id: random and stable over restarts (64 bits in hex).  boot: how often this server has been started on its data
    directory; it tells frames of two runs apart.  address: the advertised ``HOST:PORT``.  app: what the state machine
    is called (actors/app.py), which is the same on every server of a cluster.
    """

    id: str
    name: str
    address: str
    boot: int
    tags: Mapping[str, str] = field(factory=dict)
    cluster_id: str = ""
    app: str = ""
    _listeners: list[Callable[[str], None]] = field(factory=list, init=False, repr=False)

    def adopt_cluster(self, cluster_id: str) -> bool:
        """Take the cluster's id when this server has none yet.  Returns whether the ids agree afterwards."""
        if not self.cluster_id and cluster_id:
            self.cluster_id = cluster_id
            for listener in self._listeners:
                listener(cluster_id)
        return self.cluster_id == cluster_id

    def on_cluster(self, listener: Callable[[str], None]) -> None:
        """Call ``listener(cluster_id)`` when a cluster is adopted (not if one is known already)."""
        self._listeners.append(listener)
