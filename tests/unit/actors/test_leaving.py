"""Leaving (actors/leaving.py): whom a server asks whether it is out of Raft, and what it says when it is not."""

from __future__ import annotations

import pytest

from actors import leaving
from actors.gossip.messages import LeaveRequest
from actors.identity import Identity
from actors.leaving import LeaveError, Leaving
from actors.raft.messages import RaftStatusRequest, RaftView, ServerView, ViewRequest
from actors.reconciler.messages import ReconcilerStatusRequest
from actors.runtime.actor import Actor, Context, Sender, handles
from tests.unit.runtime.stage import Stage, linked
from tests.unit.runtime.virtual_time import story
from transport.wire import Json

ADDRESSES = {name: f"{name}:1" for name in ("me", "b", "c")}


class Raft(Actor):
    """Follows nobody, or leads a configuration; which servers are in it is the stage's business."""

    def __init__(self, context: Context, *, leader: str, leads: bool, servers: tuple[str, ...]) -> None:
        super().__init__(context)
        self._leader = leader
        self._leads = leads
        self._servers = servers

    @handles(RaftStatusRequest)
    def _on_status(self, msg: RaftStatusRequest, sender: Sender) -> Json:
        peers = [{"id": name, "address": address} for name, address in ADDRESSES.items()]
        role = "leader" if self._leads else "follower"
        return Json({"role": role, "leader_address": self._leader, "quorum": bool(self._leader), "peers": peers})

    @handles(ViewRequest)
    def _on_view(self, msg: ViewRequest, sender: Sender) -> RaftView:
        servers = [
            ServerView(name, name, ADDRESSES[name], voter=True, match_index=1, heard_s_ago=0.0)
            for name in self._servers
        ]
        return RaftView("", self._leads, True, 1, 1, servers)


class Reconciler(Actor):
    """Has decided what the stage says."""

    def __init__(self, context: Context, *, reasons: dict[str, str]) -> None:
        super().__init__(context)
        self._reasons = reasons

    @handles(ReconcilerStatusRequest)
    def _on_status(self, msg: ReconcilerStatusRequest, sender: Sender) -> Json:
        return Json(self._reasons)


class Gossip(Actor):
    """Everybody hears a leave."""

    @handles(LeaveRequest)
    def _on_leave(self, msg: LeaveRequest, sender: Sender) -> Json:
        return Json({"ok": True, "phase": msg.phase, "acknowledged": ["b", "c"], "missing": []})


async def leave(*, known_leader: str, still_in: bool, reasons: dict[str, str] | None = None) -> dict[str, object]:
    """Leave a cluster of three in which c leads now; `reasons`: of c's reconciler, None if it does not answer."""
    servers = ("me", "b", "c") if still_in else ("b", "c")
    async with Stage(address=ADDRESSES["me"]) as me, Stage(address=ADDRESSES["c"]) as c:
        linked({ADDRESSES["me"]: me, ADDRESSES["c"]: c})
        await me.play(
            ("raft", lambda context: Raft(context, leader=known_leader, leads=False, servers=())),
            ("gossip", Gossip),
        )
        await c.play(("raft", lambda context: Raft(context, leader=ADDRESSES["c"], leads=True, servers=servers)))
        if reasons is not None:
            await c.play(("reconciler", lambda context: Reconciler(context, reasons=reasons)))
        return await Leaving(me.system, Identity("me", "me", ADDRESSES["me"], 1)).leave()


@story
async def test_a_server_that_hears_of_no_leader_any_more_asks_all() -> None:
    """The leader that took it out has left too, and the next one has nothing to tell it: many leave at once."""
    answer = await leave(known_leader="", still_in=False)

    assert (answer["left"], answer["acknowledged"]) == (True, ["b", "c"])


@story
async def test_a_server_that_knows_the_leader_asks_it() -> None:
    """The usual way."""
    assert (await leave(known_leader=ADDRESSES["c"], still_in=False))["left"]


@pytest.mark.parametrize(
    ("known_leader", "reasons", "why"),
    [
        ("", {"me": "refused: it is asked of nobody"}, r"no leader took {out}; .* when the cluster has a quorum"),
        (
            ADDRESSES["c"],
            {"me": "refused: only 1 of the 2 voters left would be up", "b": "waiting"},
            r"the leader at c:1 did not take {out} \(refused: only 1 of the 2 voters .* be up\); see `raft peers`",
        ),
        (ADDRESSES["c"], {}, r"the leader at c:1 did not take {out}; see `raft peers`"),
        (ADDRESSES["c"], None, r"no leader took {out}, and why is not known \(there is no actor reconciler\)"),
    ],
)
def test_a_server_that_is_not_taken_out_stays(
    known_leader: str, reasons: dict[str, str] | None, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so, in time, and for what reason: that a quorum is missing it cannot know where there is a leader."""
    monkeypatch.setattr(leaving, "STEP_TIMEOUT_S", 0.2)
    text = "cannot leave: " + why.format(out=r"me out of the Raft configuration within 0\.2 s")

    @story
    async def refused() -> None:
        with pytest.raises(LeaveError, match=text):
            await leave(known_leader=known_leader, still_in=True, reasons=reasons)

    refused()
