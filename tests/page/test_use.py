"""The page under somebody's hands: by keyboard, light and dark, narrow, and with what hostile people put into it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

from tests.page.browser import NARROW, WIDE, Browser
from tests.support.cluster import Cluster
from tests.support.command import run

pytestmark = [pytest.mark.page, pytest.mark.cluster, pytest.mark.timeout(120)]

HOSTILE = "<img src=x onerror='window.taken=1'><script>window.taken=1</script>"

CONTRASTS = """
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const rgba = (colour) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const luminance = (colour) => {
        const linear = (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
        const [r, g, b] = rgba(colour).map((v) => linear(v / 255));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const colour = getComputedStyle(at).backgroundColor;
            if (rgba(colour)[3] === 255) return colour;
        }
        return getComputedStyle(document.body).backgroundColor;
    };
    const low = [];
    for (const element of document.querySelectorAll("body *")) {
        const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
        if (!own || !element.checkVisibility() || element.closest(":disabled, .unseen, .skip, noscript")) continue;
        const style = getComputedStyle(element);
        const [one, other] = [luminance(element.closest("svg") ? style.fill : style.color), luminance(ground(element))];
        const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
        if (contrast < 4.5) low.push([element.textContent.trim().slice(0, 40), contrast]);
    }
    return low;
"""

PLACES = """
    const place = (element) => Math.round(element.getBoundingClientRect().top + scrollY);
    return [...document.querySelectorAll("main > *, .panel, .notice")].map(place);
"""

CLIPPED = """
    const cells = [...document.querySelectorAll("#servers-table :is(td, th)")];
    return cells.filter((cell) => cell.scrollWidth > cell.clientWidth + 1).map((cell) => cell.textContent);
"""

KEYS_SAID = "return document.getElementById('keys-said').textContent"

STOP = """
    const focus = document.activeElement;
    const shown = focus.name === "theme" ? focus.nextElementSibling : focus;
    const name = focus.id || focus.name || focus.ariaLabel || focus.textContent;
    return [name, getComputedStyle(shown).outlineStyle, focus.className];
"""


def well(seen: dict[str, Any]) -> bool:
    """Whether everything is there."""
    return seen["title"] == "Healthy" and len(seen["servers"]) == 3 and len(seen["actors"]) > 5


def test_every_control_is_reached_in_order(browser: Browser, shared: Cluster) -> None:
    """Tab goes from the head to the foot as one reads, stops at the keys once, and always shows where it is."""
    server = shared.servers[0]
    for number in range(3):
        server.put(f"page/tab/{number}", "v")
    browser.open(server)
    browser.wait("the keys", lambda seen: well(seen) and len(seen["keys"]) >= 3)
    stops: list[str] = []
    for _ in range(11):
        browser.press(Keys.TAB)
        name, outline, kind = browser.run(STOP)
        assert outline == "solid" or kind == "skip", f"the focus on {name} is not seen"
        stops.append(name)

    whys = [f"Why is {name} alive?" for name in ("s0", "s1", "s2")]
    assert stops[:3] == ["Skip to the servers", "pause", "theme"]
    assert stops[3] == "checks-title"
    assert stops[4:7] == whys
    assert stops[7:10] == ["Actors of this server", "events-list", "prefix"]
    assert stops[10] == browser.seen()["keys"][0][0]
    browser.press(Keys.TAB)
    assert browser.run("return document.activeElement === document.body"), "the next stop is the browser's own"


def test_the_keys_by_keyboard(browser: Browser, shared: Cluster) -> None:
    """A prefix typed, arrows through what it has, Enter for the value, Escape back; and the pages of many keys."""
    server = shared.servers[1]
    # Before all others, so that it is seen when the prefix that is typed has taken effect.
    server.put(" ", "v")
    for number in range(60):
        server.put(f"page/keys/{number:02}", f"value {number}\nsecond line")
    browser.open(server)
    browser.wait("the keys", well)
    browser.run("document.getElementById('prefix').focus()")
    browser.press("page/keys/")
    browser.wait(
        "the first page", lambda seen: [row[0] for row in seen["keys"]] == [f"page/keys/{n:02}" for n in range(50)]
    )

    browser.press(Keys.ARROW_DOWN, Keys.HOME, Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_UP, Keys.ENTER)
    seen = browser.wait("the value", lambda seen: seen["chosen"] == "page/keys/01" and seen["value"])
    assert seen["value"] == "value 1\nsecond line"
    assert seen["about"].startswith("19 bytes · revision ")
    assert seen["focus"] == "page/keys/01"

    browser.press(Keys.PAGE_DOWN)
    seen = browser.wait("the second page", lambda seen: len(seen["keys"]) == 10)
    assert seen["focus"] == seen["keys"][0][0] == "page/keys/50"
    browser.press(Keys.END)
    assert browser.seen()["focus"] == "page/keys/59"
    browser.press(Keys.ESCAPE)
    assert browser.seen()["focus"] == "prefix"


def test_the_keys_follow_the_store(browser: Browser, shared: Cluster) -> None:
    """A key put, changed and deleted through another server is so on the page, and the focus stays where it was."""
    here, there, _ = shared.servers
    here.put("page/live/a", "1")
    browser.open(here)
    browser.run("document.getElementById('prefix').focus()")
    browser.press("page/live/")
    browser.wait("the key", lambda seen: [row[:2] for row in seen["keys"]] == [["page/live/a", "1"]])
    browser.press(Keys.ARROW_DOWN, Keys.ENTER)
    there.put("page/live/a", "2")
    there.put("page/live/0", "first")
    seen = browser.wait("what was put", lambda seen: [row[1] for row in seen["keys"]] == ["first", "2"])
    assert seen["focus"] == "page/live/a"
    browser.wait("the value", lambda seen: seen["value"] == "2")
    there.delete("page/live/a")
    browser.wait("that it is gone", lambda seen: seen["about"] == "There is no such key any more.")


def test_what_hostile_people_chose_stays_text(browser: Browser, shared: Cluster) -> None:
    """Keys, values, tags and events that are markup, or turn the reading direction, are shown as what they are."""
    server = shared.servers[2]
    server.put(f"page/hostile/{HOSTILE}", HOSTILE)
    server.put("page/hostile/\u202e\x1b[2J", "x\u202ey")
    server.put("page/hostile/..", "dots")
    server.ask("tags", {"put": {"hostile": HOSTILE}, "remove": []})
    try:
        browser.open(server)
        server.ask("event.send", {"name": HOSTILE, "payload": HOSTILE.encode()})
        browser.run("document.getElementById('prefix').focus()")
        browser.press("page/hostile/")
        seen = browser.wait("the keys", lambda seen: len(seen["keys"]) == 3)
        assert seen["keys"][1][:2] == [f"page/hostile/{HOSTILE}", HOSTILE]
        assert seen["keys"][2][:2] == ["page/hostile/\\u{202e}\\u{1b}[2J", "x\\u{202e}y"]
        browser.press(Keys.ARROW_DOWN, Keys.HOME, Keys.ARROW_DOWN, Keys.ENTER)
        browser.wait("the value", lambda seen: seen["value"] == HOSTILE)
        browser.press(Keys.ARROW_UP, Keys.ENTER)
        browser.wait("the value of dots", lambda seen: seen["value"] == "dots")
        browser.wait("the tag", lambda seen: any(f"hostile={HOSTILE}" in row[0] for row in seen["servers"]))
        browser.wait("the event", lambda seen: any(f"user {HOSTILE} {HOSTILE}" in event for event in seen["events"]))
    finally:
        server.ask("tags", {"put": {}, "remove": ["hostile"]})
    assert browser.run("return [window.taken ?? null, document.querySelectorAll('main img, main script').length]") == [
        None,
        0,
    ]


def test_a_token(browser: Browser, cluster: Cluster, tmp_path: Path) -> None:
    """Where a server asks for a token, so does the page; a wrong one is refused, one for a prefix shows its keys."""
    tokens = tmp_path / "tokens"
    token = run("tokens", "generate", str(tokens), "--name", "shop", "--prefix", "shop/").out.strip()
    server = cluster.add("--http-tokens", str(tokens))
    server.start()
    cluster.agree()
    server.put("shop/a", "1")
    server.put("bank/b", "2")
    browser.open(server)
    seen = browser.wait("that it needs a token", lambda seen: seen["title"] == "A token is needed")
    assert (seen["servers"], seen["keys"]) == ([], [])

    browser.run("document.getElementById('token').focus()")
    browser.press("wrong", Keys.ENTER)
    browser.wait("that it is the wrong one", lambda seen: "does not know the bearer token" in seen["verdict"])
    browser.run("document.getElementById('token').focus()")
    browser.press(token, Keys.ENTER)
    browser.wait("a healthy cluster", lambda seen: seen["title"] == "Healthy")
    browser.wait("its server", lambda seen: len(seen["servers"]) == 1)
    browser.wait("why there are no keys", lambda _: "keys that begin with 'shop/'" in browser.run(KEYS_SAID))
    browser.run("document.getElementById('prefix').focus()")
    browser.press("shop/")
    browser.wait("the keys of the token", lambda seen: [row[0] for row in seen["keys"]] == ["shop/a"])
    server.put("shop/c", "3")
    browser.wait("one more", lambda seen: [row[0] for row in seen["keys"]] == ["shop/a", "shop/c"])


def test_light_and_dark(browser: Browser, shared: Cluster) -> None:
    """As the system has it, until somebody says otherwise by keyboard; that stands when the page is loaded again."""

    def is_dark() -> bool:
        red, *_ = browser.run("return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
        return bool(red < 128)

    browser.open(shared.servers[0], dark=True)
    browser.forget()
    browser.reload()
    assert is_dark()
    browser.prefer(dark=False)
    assert not is_dark()
    browser.run("document.querySelector('input[name=theme]').focus()")
    browser.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert is_dark()
    browser.reload()
    assert is_dark()
    browser.prefer(dark=True)
    browser.run("document.querySelector('input[value=light]').click()")
    assert not is_dark()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_everything_can_be_read(browser: Browser, shared: Cluster, dark: bool) -> None:
    """Every text has the contrast that WCAG 2.2 asks for (1.4.3: 4.5 to 1)."""
    browser.open(shared.servers[0], dark=dark)
    browser.wait("everything", well)

    assert browser.run(CONTRASTS) == []


def test_a_narrow_window(browser: Browser, shared: Cluster) -> None:
    """At 400 px nothing sticks out to the side, and the servers, their status and their role are there."""
    browser.open(shared.servers[0], size=NARROW)
    seen = browser.wait("everything", well)

    assert browser.run("return document.documentElement.scrollWidth") <= NARROW[0]
    assert [row[1].split("\n")[0] for row in seen["servers"]] == ["alive"] * 3
    assert sorted(row[2] for row in seen["servers"]) == ["follower", "follower", "leader"]
    assert browser.run(CLIPPED) == []
    browser.run("document.querySelector('#servers-table button').click()")
    browser.wait("why", lambda seen: [row for row in seen["servers"] if len(row) == 1 and "alive" in row[0]])
    assert browser.run(CLIPPED) == []


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_nothing_jumps(browser: Browser, cluster: Cluster, size: tuple[int, int]) -> None:
    """Answer after answer, and through a failure: every part of the page stays where it is."""
    cluster.form(3)
    watched = cluster.leader()
    other = cluster.followers()[0]
    browser.open(watched, size=size)
    browser.wait("everything", well)
    places = browser.run(PLACES)

    other.kill()
    browser.wait("the failure", lambda seen: seen["title"] == "Degraded")
    assert browser.run(PLACES) == places
    watched.kill()
    browser.wait("that nobody answers", lambda seen: seen["state"] == "gone")
    assert browser.run(PLACES) == places


def test_the_page_can_be_held_still(browser: Browser, shared: Cluster) -> None:
    """WCAG 2.2.2: what updates by itself can be paused, and goes on."""
    browser.open(shared.servers[0])
    browser.wait("everything", well)
    uptime = "return document.querySelector('[data-of=uptime]').textContent"
    browser.run("document.getElementById('pause').click()")
    browser.wait("the button", lambda _: browser.run("return document.getElementById('pause').textContent") == "Go on")
    still = browser.run(uptime)
    asked = browser.run("return performance.getEntriesByType('resource').length")
    browser.run("return new Promise((resolve) => setTimeout(resolve, 2500))")
    # One look may have been under way when the button was pressed.
    assert browser.run("return performance.getEntriesByType('resource').length") <= asked + 10
    browser.run("document.getElementById('pause').click()")
    browser.wait("that it goes on", lambda _: browser.run(uptime) != still)
