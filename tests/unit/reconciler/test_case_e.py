"""Leadership that comes and goes (cases E), under the real reconciler actor with gossip and Raft played."""

from __future__ import annotations

from attrs import define, field

from actors.gossip.messages import MemberChanged, MembersRequest, MembersView
from actors.raft.configuration import SERVERS_MAX, ChangeRefusedError
from actors.raft.messages import Configure, LeaderChanged, RaftView, ViewRequest
from actors.reconciler.messages import Decided, ReconcilerStatusRequest, RemoveServer
from actors.reconciler.reconciler import ASK_TIMEOUT_S, PASS_EVERY_S, WAITING_PASS_S, Reconciler
from actors.runtime.actor import Actor, Context, Sender, handles
from tests.unit.reconciler.stage import LATER_S, LEADER, Stage, address_of, member, policy
from tests.unit.runtime.stage import Stage as System
from tests.unit.runtime.virtual_time import story
from transport.wire import Json


@define
class World:
    """What the two played actors say, and what was asked of them."""

    cluster: Stage
    leads: bool = True
    refuses: str = ""
    """Why Raft makes no change."""
    is_mute: bool = False
    """Raft does not answer."""
    asked: list[str] = field(factory=list)
    """Changes that Raft was asked for."""
    passes: int = 0
    told: list[str] = field(factory=list)
    """What watchers of events get."""


class Neighbour(Actor):
    """Gossip, Raft and events in one, under each name."""

    def __init__(self, context: Context, world: World) -> None:
        super().__init__(context)
        self.world = world

    @handles(MembersRequest)
    def _on_members(self, msg: MembersRequest, sender: Sender) -> MembersView:
        self.world.passes += 1
        return MembersView(list(self.world.cluster.members.values()), LEADER)

    @handles(ViewRequest)
    def _on_view(self, msg: ViewRequest, sender: Sender) -> RaftView | None:
        if self.world.is_mute:
            return None
        view = self.world.cluster.view()
        return view if self.world.leads else RaftView(LEADER, False, False, 7, 0, view.servers)

    @handles(Decided)
    def _on_decided(self, msg: Decided, sender: Sender) -> None:
        self.world.told.append(f"{msg.what} {msg.name}: {msg.reason}")

    @handles(Configure)
    def _on_configure(self, msg: Configure, sender: Sender) -> Json:
        self.world.asked.append(f"{msg.kind} {msg.id}")
        refusal = self.world.refuses
        try:
            if not refusal:
                self.world.cluster.make(msg)
        except ChangeRefusedError as refused:
            refusal = str(refused)
        return Json({"ok": not refusal, "reason": refusal})


async def played(system: System, world: World) -> None:
    """Start the actors."""
    await system.play(
        ("gossip", lambda context: Neighbour(context, world)),
        ("raft", lambda context: Neighbour(context, world)),
        ("events", lambda context: Neighbour(context, world)),
        ("reconciler", lambda context: Reconciler(context, policy=policy(stable_s=0.5))),
    )


def lead(system: System, *, ready: bool = True, is_me: bool = True) -> None:
    """Raft says who leads."""
    system.tell("reconciler", LeaderChanged(1, LEADER if is_me else "b", "", is_me, ready))


@story
async def test_e1_flaps_of_leadership_leave_one_set() -> None:
    """E1: gained, lost, gained again at once: the passes of either leadership come to the same configuration."""
    async with System() as system:
        world = World(Stage("a"))
        world.cluster.members |= {"b": member("b"), "c": member("c")}
        await played(system, world)
        for _ in range(5):
            lead(system)
            lead(system, is_me=False)
        await system.settle(0.01)
        lead(system)
        await system.settle()

        assert world.cluster.voting == "abc"


@story
async def test_e1_who_does_not_lead_changes_nothing() -> None:
    """E1, R6: neither events nor the timer make a pass on a follower."""
    async with System() as system:
        world = World(Stage("a"), leads=False)
        world.cluster.members["b"] = member("b")
        await played(system, world)
        lead(system, is_me=False)
        system.tell("reconciler", MemberChanged(member("b"), ""))
        await system.settle()

        assert (world.passes, world.asked) == (0, [])


@story
async def test_e2_nothing_before_an_entry_of_the_term_is_committed() -> None:
    """E2: a leader that is not ready makes no pass, however long that lasts; ready, it makes one at once."""
    async with System() as system:
        world = World(Stage("a"))
        world.cluster.members["b"] = member("b")
        await played(system, world)
        lead(system, ready=False)
        await system.settle(60.0)
        assert world.passes == 0

        lead(system)
        await system.settle(0.5)
        assert world.cluster.changes[0] == "add_standby b"


@story
async def test_e3_a_change_that_raft_refuses_is_tried_again() -> None:
    """E3: the next pass, a few seconds later, looks again."""
    async with System() as system:
        world = World(Stage("a"), refuses="another change is not committed yet")
        world.cluster.members["b"] = member("b")
        await played(system, world)
        lead(system)
        await system.settle(PASS_EVERY_S)
        assert world.asked
        world.refuses = ""
        await system.settle(2 * PASS_EVERY_S)

        assert world.cluster.voting == "ab"


def full_cluster() -> Stage:
    """A configuration that holds no more, of which ``c`` has been lost, and one member beside it."""
    others = "".join(chr(ord("d") + number) for number in range(SERVERS_MAX - 3))
    stage = Stage("abc", others)
    stage.become("failed", "c")
    stage.members["Z"] = member("Z")
    stage.wait(LATER_S)
    return stage


FULL = f"refused: a configuration holds at most {SERVERS_MAX} servers"


def test_e3_a_change_that_raft_refuses_holds_up_no_other() -> None:
    """E3: whoever finds no room in the configuration is told so, and a lost voter is replaced all the same."""
    stage = full_cluster()

    assert stage.step() == "refused: add_standby Z"
    assert [stage.step() for _ in range(4)] == ["demote c", "promote d", "promote e", "promote f"]
    assert stage.reasons["Z"] == FULL
    assert stage.step() == "refused: add_standby Z", "it is tried again when there is nothing else to do"
    assert not stage.plan().look_again, "and not all the time"


def test_e3_a_change_that_was_refused_is_made_once_it_can_be() -> None:
    """E3: somebody leaves, and the next passes take him out and the newcomer in."""
    stage = full_cluster()
    for _ in range(10):
        stage.step()
    stage.become("left", "z")

    assert [stage.step() for _ in range(2)] == ["remove z", "add_standby Z"]


def test_e3_refused_changes_take_turns() -> None:
    """E3: of two that are refused neither keeps the other from being tried."""
    stage = full_cluster()
    stage.become("alive", "c")
    stage.members["Y"] = member("Y")

    assert [stage.step() for _ in range(2)] == ["refused: add_standby Y", "refused: add_standby Z"]
    assert [stage.step() for _ in range(2)] == ["promote d", "promote e"]
    assert [stage.step() for _ in range(4)] == ["refused: add_standby Y", "refused: add_standby Z"] * 2
    assert stage.reasons["Y"] == stage.reasons["Z"] == FULL


@story
async def test_e3_a_change_that_raft_refuses_is_told_once() -> None:
    """E3, R8: among the changes that are made meanwhile, each with the reason it is made for."""
    async with System() as system:
        world = World(full_cluster())
        await played(system, world)
        lead(system)
        await system.settle(60.0)
        world.cluster.become("left", "z")
        await system.settle(10.0)

        assert world.told == [
            f"refused n-Z: {FULL}",
            "demote n-c: demoting: it has failed, and n-d can take its vote",
            *(f"promote n-{standby}: promoting: healthy and stable" for standby in "def"),
            "remove n-z: removing: it has left",
            "add_standby n-Z: joined: adding as standby",
        ]


@story
async def test_e4_losing_a_leadership_three_times_does_no_harm() -> None:
    """E4: the same news again and again; afterwards no reason of the old leadership is shown."""
    async with System() as system:
        world = World(Stage("ab"))
        await played(system, world)
        lead(system)
        await system.settle(1.0)
        shown: Json = await system.system.ref("reconciler").ask(ReconcilerStatusRequest(), timeout_s=1.0)
        assert set(shown.value) == {"a", "b"}
        for _ in range(3):
            lead(system, is_me=False)
        await system.settle(1.0)

        shown = await system.system.ref("reconciler").ask(ReconcilerStatusRequest(), timeout_s=1.0)
        assert shown.value == {}


@story
async def test_e6_a_pass_that_fails_loses_no_event() -> None:
    """E6: Raft does not answer, a member leaves meanwhile: the next pass sees it, without another event."""
    async with System() as system:
        world = World(Stage("abc"), is_mute=True)
        await played(system, world)
        lead(system)
        await system.settle(0.1)
        world.cluster.become("left", "c")
        system.tell("reconciler", MemberChanged(member("c", "left"), "alive"))
        await system.settle(ASK_TIMEOUT_S + 0.1)
        world.is_mute = False
        await system.settle(2 * PASS_EVERY_S)

        assert world.cluster.changes == ["remove c"]


@story
async def test_j13_a_thousand_events_are_one_look() -> None:
    """J13: events only wake it, so none can be lost and none can be too many."""
    async with System() as system:
        world = World(Stage("a"))
        await played(system, world)
        lead(system)
        await system.settle(1.0)
        before = world.passes
        system.tell("reconciler", *[MemberChanged(member("b"), "")] * 1_000)
        await system.settle(1.0)

        assert world.passes - before < 20


@story
async def test_j13_whatever_wakes_it_while_something_waits_is_one_look() -> None:
    """J13: while an address waits for its owner to go it looks ten times a second, and not more with each event."""
    async with System() as system:
        world = World(Stage("ab"))
        world.cluster.become("failed", "b")
        world.cluster.members["d"] = member("d", address=address_of("b"))
        await played(system, world)
        lead(system)
        for _ in range(60):
            system.tell("reconciler", MemberChanged(member("d"), ""))
            await system.settle(1.0)
        before = world.passes
        await system.settle(10.0)

        assert world.passes - before <= 10.0 / WAITING_PASS_S + 10.0 / PASS_EVERY_S


@story
async def test_r8_every_decision_is_told_once() -> None:
    """R8: changes with their reasons, and a refusal when it is new, not with every pass."""
    async with System() as system:
        world = World(Stage("abc"))
        world.cluster.members["d"] = member("d")
        world.cluster.become("left", "c")
        world.cluster.members["b"] = member("b", "suspect")
        await played(system, world)
        lead(system)
        await system.settle(10.0)
        world.cluster.become("alive", "b")
        await system.settle(10.0)

        assert world.told == [
            "refused n-c: refused: only 1 of the 3 voters are up",
            "add_standby n-d: joined: adding as standby",
            "refused n-d: refused: only 2 of the 4 voters would be up",
            "remove n-c: removing: it has left",
            "promote n-d: promoting: healthy and stable",
        ]


@story
async def test_a_removal_by_hand_keeps_to_the_same_rules() -> None:
    """`raft remove`: what the plan refuses is refused with the same words; what is alive is to leave by itself."""
    async with System() as system:
        world = World(Stage("abc"))
        world.cluster.become("failed", "b", "c")
        await played(system, world)
        lead(system)

        async def remove(name: str) -> tuple[bool, str]:
            answer = await system.system.ref("reconciler").ask(RemoveServer(name), timeout_s=1.0)
            return answer.value["ok"], answer.value["reason"]

        assert await remove("n-b") == (False, "refused: only 1 of the 3 voters are up")
        assert await remove("n-a") == (False, "n-a is alive and would be added again: run leave on it instead")
        assert await remove("n-x") == (False, "there is no server named n-x in the Raft configuration")
        world.cluster.become("alive", "c")
        assert await remove("n-b") == (True, "")
        assert world.asked == ["remove b"]
