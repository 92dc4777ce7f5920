"""The status page's files: what is served, under which policy, and that nothing in them needs more than it allows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from actors.gateway.http.page_files import FOLDER, TYPES
from tests.unit.gateway.http.play import Http

CONTENTS = {path.name: path.read_text("utf-8") for path in FOLDER.iterdir()}
FILES = sorted(path for path in FOLDER.iterdir() if path.suffix in TYPES)
SCRIPTS = [path for path in FILES if path.suffix == ".js"]
INDEX = (FOLDER / "index.html").read_text("utf-8")


def url_of(path: Path) -> str:
    """Where a file is served."""
    return "/" if path.name == "index.html" else f"/page/{path.name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
async def test_a_file_of_the_page_is_served_under_the_policy(http: Http, path: Path) -> None:
    """As it is, with its type, and with headers that let in nothing else."""
    assert await http.text(url_of(path)) == (200, CONTENTS[path.name])
    headers = await http.headers("GET", url_of(path))

    assert headers["Content-Type"].partition(";")[0] == TYPES[path.suffix]
    policy = headers["Content-Security-Policy"].split("; ")
    assert {"default-src 'self'", "base-uri 'none'", "frame-ancestors 'none'", "object-src 'none'"} <= set(policy)
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert (headers["X-Content-Type-Options"], headers["X-Frame-Options"]) == ("nosniff", "DENY")


async def test_what_a_browser_has_is_not_sent_again(http: Http) -> None:
    """It asks each time, and gets a file only when it is another one."""
    etag = (await http.headers("GET", "/page/page.js"))["Etag"]

    assert await http.status("/page/page.js", {"If-None-Match": etag}) == 304
    assert await http.status("/page/page.js", {"If-None-Match": '"older"'}) == 200


@pytest.mark.parametrize(
    "path", ["/page/", "/page/none.js", "/page/../http.py", "/page/..%2fhttp.py", "/page/%2e%2e/http.py"]
)
async def test_nothing_else_is_served(http: Http, path: str) -> None:
    """Files are named when the server starts; a path of a request never reaches the disk."""
    assert (await http.raw("GET", path))[0] == 404


def test_every_file_is_a_part_of_the_page() -> None:
    """Nothing lies around that is served to nobody."""
    assert sorted(path.name for path in FOLDER.iterdir()) == [path.name for path in FILES]


def test_the_page_has_no_inline_code() -> None:
    """The policy would stop it, and the page would not work."""
    assert re.findall(r"<script(?![^>]* src=)", INDEX) == []
    assert re.findall(r"<style|\sstyle=|\son[a-z]+=|javascript:", INDEX) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nothing_comes_from_elsewhere(path: Path) -> None:
    """A cluster without the internet has its page."""
    links = re.findall(r"(?:https?:)?//[a-z][\w.]*\.[a-z]+\S*", path.read_text("utf-8"))

    assert [link for link in links if not link.startswith("http://www.w3.org/2000/svg")] == []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_what_others_chose_goes_in_as_text(path: Path) -> None:
    """Names, tags, keys and values are hostile: there is no way for them to become markup or code."""
    dangerous = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|setHTML|eval\(|new Function|srcdoc"

    assert re.findall(dangerous, path.read_text("utf-8")) == []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_what_a_script_names_is_there(path: Path) -> None:
    """Modules it imports, names it imports from them, and ids it looks for in the page."""
    script = path.read_text("utf-8")
    for names, module in re.findall(r'import \{([^}]+)\} from "\./([\w.]+)"', script):
        exported = set(
            re.findall(
                r"^export (?:async )?(?:const|class|function\*?) (\w+)", (FOLDER / module).read_text("utf-8"), re.M
            )
        )
        imported = {name.split(" as ")[0].strip() for name in names.split(",")}
        assert imported <= exported, module
        assert [name for name in names.split(",") if script.count(name.split(" as ")[-1].strip()) < 2] == []
    ids = set(re.findall(r'\sid="([^"]+)"', INDEX))
    assert set(re.findall(r'byId\("([^"]+)"\)', script)) <= ids


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.suffix in (".js", ".css", ".html")], ids=lambda path: path.name
)
def test_a_file_of_the_page_holds_one_noun(path: Path) -> None:
    """As for the rest of the sources: no file grows past the length one sitting can read."""
    assert path.read_text("utf-8").count("\n") <= 400
