"""A real Chromium without a window, and the status page in it, as a person sees it and types at it.

What lives here: looking and typing.  What does not: what should be seen (the tests).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.remote.command import Command

from tests.page.needs import missing
from tests.support.server import Server
from tests.support.waiting import wait_until

WIDE: Final = (1280, 1000)
NARROW: Final = (400, 900)
COLOURS: Final = 200

ARGUMENTS: Final = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

_SEEN: Final = """
    const shown = (element) => element.offsetParent !== null;
    const text = (element) => shown(element) ? element.innerText.trim() : "";
    const rows = (id) => [...document.getElementById(id).tBodies[0].rows].map((row) => [...row.cells].map(text));
    return {
        state: document.body.dataset.state,
        level: document.getElementById("notice").dataset.level,
        title: text(document.getElementById("verdict-title")),
        verdict: text(document.getElementById("verdict-text")),
        since: text(document.getElementById("since")),
        servers: rows("servers-table"),
        actors: rows("actors-table"),
        keys: rows("keys-table"),
        events: [...document.getElementById("events-list").children].map(text),
        chosen: text(document.getElementById("value-key")),
        about: text(document.getElementById("value-about")),
        value: text(document.getElementById("value-text")),
        focus: document.activeElement.id || text(document.activeElement),
    };
"""


class Browser:
    """One Chromium with a profile of its own in `folder`."""

    def __init__(self, folder: Path) -> None:
        assert not missing(), missing()
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium") or ""
        for argument in (*ARGUMENTS, f"--user-data-dir={folder}"):
            options.add_argument(argument)
        if os.geteuid() == 0:
            options.add_argument("--no-sandbox")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self._driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))

    def close(self) -> None:
        """End it."""
        self._driver.quit()

    # --- the page ---

    def open(self, server: Server, *, size: tuple[int, int] = WIDE, dark: bool = False) -> None:
        """The page of a server, in a window of this size on a system with light or dark colours."""
        self.resize(size)
        self.prefer(dark=dark)
        self._driver.get(f"http://{server.http}/")
        self.log()

    def reload(self) -> None:
        """Load the page again."""
        self._driver.refresh()

    def resize(self, size: tuple[int, int]) -> None:
        """The window is this wide and high."""
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def prefer(self, *, dark: bool) -> None:
        """The system has light or dark colours."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})

    def run(self, script: str) -> Any:
        """What a script in the page returns."""
        return self._driver.execute_script(script)

    def forget(self) -> None:
        """What earlier tests left in the browser is gone."""
        self.run("localStorage.clear(); sessionStorage.clear();")

    # --- a person ---

    def press(self, *keys: str) -> None:
        """Type at whatever has the focus."""
        for key in keys:
            ActionChains(self._driver).send_keys(key).perform()

    def seen(self) -> dict[str, Any]:
        """What is on the page now."""
        found: dict[str, Any] = self.run(_SEEN)
        return found

    def wait(self, what: str, look: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """Wait until what is seen on the page is so, and return that; it is in the report when it does not come."""
        last: dict[str, Any] = {}

        def holds() -> bool:
            last.clear()
            last.update(self.seen())
            return bool(look(last))

        try:
            wait_until(f"the page shows {what}", holds)
        except AssertionError as error:
            raise AssertionError(f"{error}; on the page: {last}; in its log: {self.log()}") from None
        return last

    # --- what it says of the page ---

    def log(self) -> list[str]:
        """What the browser has complained about since the last look."""
        return [str(entry["message"]) for entry in self._driver.execute(Command.GET_LOG, {"type": "browser"})["value"]]

    def faults(self) -> list[str]:
        """The complaints that are the page's fault: broken policy, errors of scripts; not that a server was away."""
        return [line for line in self.log() if "Failed to load resource" not in line]

    def save(self, path: Path) -> None:
        """A picture of the whole page, in few colours: it has few, and is looked at by way of the net."""
        height = int(self.run("return document.documentElement.scrollHeight"))
        width = int(self.run("return innerWidth"))
        self.resize((width, height))
        picture = Image.open(BytesIO(self._driver.get_screenshot_as_png()))
        picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
