"""What the page says of a cluster that is well, that has lost servers, and of a server that is gone itself."""

from __future__ import annotations

from typing import Any

import pytest

from tests.page.browser import Browser
from tests.support.cluster import Cluster
from tests.support.server import Server
from tests.support.waiting import wait_until

UNNAMED = """
    const named = (e) => e.labels?.length || e.textContent.trim() || e.ariaLabel || e.getAttribute("aria-labelledby");
    return [...document.querySelectorAll("button, input, [tabindex]")].filter((e) => !named(e)).map((e) => e.id);
"""
NONE = "\N{EN DASH}"

pytestmark = [pytest.mark.page, pytest.mark.cluster, pytest.mark.timeout(180)]


def statuses(seen: dict[str, list[list[str]]]) -> dict[str, str]:
    """Name -> gossip's status, of the table of servers."""
    return {row[0].split("\n")[0].split()[0]: row[1].split("\n")[0] for row in seen["servers"] if len(row) > 1}


def events(server: Server) -> list[dict[str, Any]]:
    """What a server has kept of what happened."""
    page: dict[str, Any] = server.ask("event.watch", {"recent": True})
    return [event for event in page["entries"] if "member" in event]


def test_a_healthy_cluster(browser: Browser, shared: Cluster) -> None:
    """Every server's page has all servers with their roles, the actors, and a calm verdict; the browser is content."""
    for server in shared.servers:
        browser.open(server)
        seen = browser.wait("a healthy cluster", lambda seen: seen["title"] == "Healthy")

        assert statuses(seen) == {"s0": "alive", "s1": "alive", "s2": "alive"}
        assert sorted(row[2] for row in seen["servers"]) == ["follower", "follower", "leader"]
        assert [row[0].count("this server") for row in seen["servers"]] == [int(s is server) for s in shared.servers]
        assert f"{shared.leader().name} leads in term" in seen["verdict"]
        assert "1 further voter may fail" in seen["verdict"]
        assert {"gossip", "raft", "reconciler", "persistence"} <= {row[0] for row in seen["actors"]}
        assert {row[1] for row in seen["actors"]} == {"running"}
        # On a busy machine a server may find itself unhealthy for a moment, and says so with a 503.
        assert [line for line in browser.log() if "/health" not in line] == []


def test_the_tables_are_tables(browser: Browser, shared: Cluster) -> None:
    """Captions and scopes, for those who hear the page; one heading of the first level, and a language."""
    browser.open(shared.servers[0])
    browser.wait("the servers", lambda seen: len(seen["servers"]) == 3)

    captions = browser.run("return [...document.querySelectorAll('table')].map((t) => t.caption?.textContent)")
    assert captions == ["Servers", "Actors of this server", "Keys, as this server has them"]
    assert browser.run("return [...document.querySelectorAll('th')].filter((th) => !th.scope).length") == 0
    assert browser.run("return [document.querySelectorAll('h1').length, document.documentElement.lang]") == [1, "en"]
    assert browser.run(UNNAMED) == []


def test_a_killed_server_and_a_lost_quorum(browser: Browser, cluster: Cluster) -> None:
    """One of three killed: degraded, failed, when, and why; two: no quorum, and the keys still there; back: healthy."""
    cluster.form(3)
    cluster.leader().put("k", "v")
    cluster.same_state()
    watched = cluster.leader()
    one, two = cluster.followers()
    browser.open(watched)
    browser.wait("a healthy cluster", lambda seen: seen["title"] == "Healthy")

    one.kill()
    seen = browser.wait("the killed server as failed", lambda seen: seen["title"] == "Degraded")
    assert (statuses(seen)[one.name], seen["level"]) == ("failed", "warn")
    assert f"{one.name} is failed" in seen["verdict"]
    assert "No further voter may fail" in seen["verdict"]
    browser.wait("the event", lambda seen: [e for e in seen["events"] if f"member-failed {one.name}" in e])
    [seen_at] = [e["time"] for e in events(watched) if (e["event"], e["member"]["name"]) == ("member-failed", one.name)]
    clock = browser.run(f"return new Date('{seen_at}').toLocaleTimeString('en-GB')")
    browser.reload()
    seen = browser.wait("the old event", lambda seen: [e for e in seen["events"] if f"member-failed {one.name}" in e])
    assert [e.split()[0] for e in seen["events"] if f"member-failed {one.name}" in e] == [clock]
    browser.run(f"""document.querySelector('button[aria-label^="Why is {one.name}"]').click()""")
    browser.wait("why", lambda seen: [row for row in seen["servers"] if len(row) == 1 and "failed" in row[0]])

    two.kill()
    seen = browser.wait("no quorum", lambda seen: seen["title"] == "No quorum" and statuses(seen)[two.name] == "failed")
    assert seen["level"] == "bad"
    browser.wait("how many live", lambda seen: "1 of 3 voters is alive, 2 must be" in seen["verdict"])
    assert [row[:2] for row in seen["keys"]] == [["k", "v"]]

    one.start()
    two.start()
    browser.wait("a healthy cluster again", lambda seen: seen["title"] == "Healthy")
    assert set(statuses(browser.seen()).values()) == {"alive"}


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_the_server_of_the_page_is_gone(browser: Browser, cluster: Cluster, how: str) -> None:
    """The page says that nobody answers and since when, keeps what it had, and recovers by itself."""
    (server,) = cluster.form(1).servers
    server.put("k", "v")
    browser.open(server)
    before = browser.wait("a healthy cluster", lambda seen: seen["title"] == "Healthy" and seen["keys"])

    server.kill() if how == "killed" else server.pause()
    seen = browser.wait("that nobody answers", lambda seen: seen["state"] == "gone")
    assert seen["title"] == f"No answer from {server.name}"
    assert seen["verdict"].startswith("since ")
    assert seen["servers"] == before["servers"]
    browser.wait("for how long", lambda seen: seen["since"] == "4 s so far.")
    assert float(browser.run("return getComputedStyle(document.querySelector('main')).opacity")) < 1
    assert browser.run("return document.title").startswith("No answer")

    server.start() if how == "killed" else server.resume()
    seen = browser.wait("that it is back", lambda seen: seen["title"] == "Healthy")
    assert (seen["state"], seen["since"]) == ("live", "")
    assert f"{server.name} answers again after" in seen["events"][0] + seen["events"][1] + seen["events"][2]
    assert seen["keys"] == before["keys"]


def test_an_actor_that_was_restarted(browser: Browser, cluster: Cluster) -> None:
    """Its row counts the restart and says what the error was, and it runs again."""
    (server,) = cluster.form(1).servers
    browser.open(server)
    browser.wait("a healthy cluster", lambda seen: seen["title"] == "Healthy")
    server.crash("reconciler")

    def restarted(seen: dict[str, list[list[str]]]) -> bool:
        state, restarts = next(row[1:3] for row in seen["actors"] if row[0] == "reconciler")
        return state.startswith("running\n") and restarts == "1"

    browser.wait("the restart", restarted)


def test_throughput_and_latency(browser: Browser, shared: Cluster) -> None:
    """Writes through this server show as such, with their time; those through another as entries of the log."""
    here, there, _ = shared.servers
    browser.open(here)
    browser.wait("a healthy cluster", lambda seen: seen["title"] == "Healthy")

    def shown(through: Server) -> list[str]:
        """The times of writes, once what is put through a server shows in the curves that it belongs to."""
        through.put("page/written", through.name)
        writes, _, entries, *times = browser.run(
            "return [...document.querySelectorAll('.figure')].map((e) => e.textContent)"
        )
        belong = (writes, entries) if through is here else (entries,)
        return times if all(figure not in ("0", NONE) for figure in belong) else []

    latency = wait_until("writes are shown", lambda: shown(here))
    assert latency[0].endswith(" ms")
    assert latency[0] != "0 ms"
    wait_until("entries are shown", lambda: shown(there))
    assert browser.run("return document.querySelector('#throughput .line-0').getAttribute('d')").startswith("M")
    assert "Throughput: writes here" in browser.run("return document.querySelector('#throughput svg').ariaLabel")
