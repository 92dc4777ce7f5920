"""One run: a cluster, clients, a nemesis, and the judgement of everything that was answered.

What must hold, whatever happened:

1. The history of every register is linearizable, reads through each server in the end included.
2. So is that of what was written once: an acknowledged write is there in the end.
3. The cluster is whole again once the nemesis stops: one leader, all alive, the same state everywhere.
4. No term had two leaders, and no server ended by itself.
"""

from __future__ import annotations

import random
import shutil
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

from attrs import field, frozen

from tests.chaos.batches import BATCH
from tests.chaos.doors import Consistency, is_not_done
from tests.chaos.nemesis import Nemesis
from tests.chaos.registers import KEYS, ONCE, Clients
from tests.linearizability.checker import Answer, Verdict, check
from tests.linearizability.history import History
from tests.linearizability.models import Register
from tests.linearizability.operation import Outcome
from tests.linearizability.recorder import Recorder
from tests.linearizability.report import report
from tests.support.cluster import Cluster
from tests.support.server import Server
from tests.support.waiting import wait_until

HISTORY_FILE = "history.jsonl"
"""`python -m tests.linearizability` judges it again."""

FAULTS_FILE = "faults.txt"
VERDICT_FILE = "verdict.txt"


@frozen
class Plan:
    """What a run does. folder: for the servers' files and the report; it stays if the run fails."""

    seed: int
    servers: int
    seconds: float
    folder: Path
    reads: Consistency = "linearizable"


@frozen
class Account:
    """What came of a run. silence_s: the longest time in which no change was acknowledged. late_s: the longest for
    which the machine itself stood still. trouble: why the history does not tell the whole; "" if all went as it should.
    """

    plan: Plan
    outcomes: Counter[Outcome]
    strikes: Counter[str]
    silence_s: float
    late_s: float
    answer: Answer
    check_s: float
    trouble: str = field(default="")

    @property
    def held(self) -> bool:
        """Whether all that must hold did."""
        return self.answer is Answer.YES and not self.trouble

    def __str__(self) -> str:
        """One line."""
        told = {outcome: self.outcomes[outcome] for outcome in Outcome}
        struck = ", ".join(f"{count} {kind}" for kind, count in sorted(self.strikes.items()))
        asked = ", ".join(f"{count} {outcome.value}" for outcome, count in told.items())
        verdict = f"{self.answer.value}, checked in {self.check_s:.1f} s"
        head = (
            f"seed {self.plan.seed}, {self.plan.servers} servers: {sum(told.values())} operations ({asked}); {struck}; "
            f"no write for {self.silence_s:.1f} s at most, the machine {self.late_s:.1f} s late"
        )
        if self.held:
            return f"{head}; {verdict}"
        trouble = f"; {self.trouble}" if self.trouble else ""
        return f"{head}; {verdict.upper()}{trouble}; see {self.plan.folder}"


def run(plan: Plan) -> Account:
    """Tell the story, and judge it."""
    plan.folder.mkdir(parents=True)
    began = time.monotonic()

    def clock() -> float:
        return time.monotonic() - began

    cluster = Cluster(plan.folder / "cluster")
    nemesis = Nemesis(cluster, random.Random(plan.seed), clock)
    recorder = Recorder(clock, failed=is_not_done)
    trouble = ""
    try:
        _tell(plan, cluster, nemesis, recorder)
    except Exception as error:  # the runs after this one go on, and what was recorded is judged all the same
        trouble = " ".join(f"{type(error).__name__}: {error}".split())
    finally:
        cluster.close()
    history = recorder.history()
    checking = time.monotonic()
    verdict = check(history, Register())
    outcomes = Counter(operation.outcome for operation in history)
    check_s = time.monotonic() - checking
    account = Account(
        plan, outcomes, nemesis.strikes, _silence_s(history), nemesis.late_s, verdict.answer, check_s, trouble
    )
    if account.held:
        shutil.rmtree(plan.folder)
    else:
        _keep(account, nemesis, history, verdict)
    return account


def _silence_s(history: History) -> float:
    """Between two changes that were acknowledged, the longest time."""
    told = sorted(one.returned_s for one in history if one.is_definite and one.function != "read")
    return max((later - earlier for earlier, later in pairwise(told)), default=0.0)


def _tell(plan: Plan, cluster: Cluster, nemesis: Nemesis, recorder: Recorder) -> None:
    cluster.form(plan.servers)
    with Clients(cluster.servers, plan.seed, recorder, plan.reads):
        nemesis.run(plan.seconds)
        nemesis.end()
    cluster.agree()
    _read_all(cluster, recorder)
    cluster.same_state()
    twice = {term: leaders for term, leaders in cluster.leaders_logged().items() if len(leaders) > 1}
    assert not twice, f"terms with more than one leader: {twice}"


def _read_all(cluster: Cluster, recorder: Recorder) -> None:
    """Every register through every server, and what was written once through one."""
    keys = sorted(key for key in recorder.history().by_key() if key.startswith(ONCE))
    reads = [(server, key) for server in cluster.servers for key in (*KEYS, *BATCH)]
    reads += [(cluster.servers[number % len(cluster.servers)], key) for number, key in enumerate(keys)]
    for server, key in reads:
        with recorder.operation(f"last-{server}", key, "read") as operation:
            operation.result = _read(server, key)


def _read(server: Server, key: str) -> str | None:
    def value() -> tuple[bytes | None]:
        return (server.get(key),)  # in a tuple, so that nothing is an answer too

    (found,) = wait_until(f"{key} is read through {server}", value)
    return None if found is None else found.decode()


def _keep(account: Account, nemesis: Nemesis, history: History, verdict: Verdict) -> None:
    """Leave a report beside the servers' logs and data."""
    folder = account.plan.folder
    history.save(folder / HISTORY_FILE)
    (folder / FAULTS_FILE).write_text("\n".join([*nemesis.story, ""]), "utf-8")
    (folder / VERDICT_FILE).write_text(f"{account}\n\n{report(history, Register(), verdict)}\n", "utf-8")
