"""What `pip install` gives: one package called quorate, the same from a wheel and from a source archive, and it works.

The fresh environments here see the test run's own dependencies by path, so that nothing is downloaded; the checkout is
not on that path.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from hatch_build import MOVED, UnmovableImportError, rewrite
from tests.ports import free_ports
from tests.unit.project import running
from tests.unit.project.sources import ROOT

BUILD_TIMEOUT_S = 60


def run(*command: str | Path, cwd: Path) -> str:
    """What a command prints away from the checkout."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "QUORATE_"))}
    return running.run(*command, cwd=cwd, env=environment, timeout_s=BUILD_TIMEOUT_S)


def build(checkout: Path, target: str, folder: Path) -> Path:
    """Build the wheel or the source archive of a checkout with the test run's own hatchling, offline."""
    run(sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", folder, cwd=checkout)
    (product,) = folder.glob("*.whl" if target == "wheel" else "*.tar.gz")
    return product


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    return build(ROOT, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a fresh environment that has the wheel and its dependencies, and not the checkout."""
    home = tmp_path_factory.mktemp("installed")
    venv.create(home, with_pip=True)
    python = home / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel, cwd=home)
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=home).strip()
    # A plain path, not an environment: the .pth file of an editable install in there is not followed.
    Path(site, "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def contents(wheel: Path) -> dict[str, bytes]:
    """The files of a wheel, the list of their hashes left out."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("RECORD")}


def test_the_wheel_holds_quorate_and_nothing_else(wheel: Path) -> None:
    """A top-level `storage` in site-packages would overwrite another package's, and be overwritten by it."""
    assert {name.split("/")[0].split("-")[0] for name in contents(wheel)} == {"quorate"}
    assert {"quorate/py.typed", "quorate/cli.py", "quorate/actors/config.py"} <= contents(wheel).keys()
    page = {f"quorate/{path.relative_to(ROOT)}" for path in (ROOT / "actors/gateway/http/page").iterdir()}
    assert page <= contents(wheel).keys()


def test_a_source_archive_gives_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    """What is built from the published sources is what is built from the checkout."""
    archive = build(ROOT, "sdist", tmp_path / "sdist")
    # By tar: Python 3.11.2, Debian's, knows none of the filters that later ones ask for.
    running.run("tar", "-xf", archive, cwd=tmp_path, env=os.environ)
    (checkout,) = tmp_path.glob("quorate-*")

    again = build(checkout, "wheel", tmp_path / "wheel")

    assert contents(again) == contents(wheel)


def test_the_checkouts_names_do_not_leak(installed: Path, tmp_path: Path) -> None:
    """After an install only `quorate` is importable; actors, storage, transport and cli are not."""
    ask = f"from importlib.util import find_spec; print([name for name in {MOVED} if find_spec(name)])"

    leaked = run(installed, "-c", ask, cwd=tmp_path)

    assert leaked == "[]\n"


def test_the_installed_command_runs_a_server(installed: Path, tmp_path: Path) -> None:
    """The wheel alone starts a server, stores a value, gives it back and stops when it is told to."""
    quorate = installed.parent / "quorate"
    address = f"127.0.0.1:{free_ports(1)}"
    start: list[str | Path] = [quorate, "start", "--bind", address, "--http", "off", "--data-dir", tmp_path / "data"]
    with subprocess.Popen(start, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        try:
            assert server.stdout is not None
            banner = next((line for line in server.stdout if address in line), None)
            assert banner, "the server ended before it said where it listens"
            assert any(line.startswith("one more  quorate start ") for line in server.stdout)
            run(quorate, "kv", "put", "greeting", "hello", "--address", address, cwd=tmp_path)
            assert run(quorate, "kv", "get", "greeting", "--address", address, cwd=tmp_path) == "hello"
            server.send_signal(signal.SIGTERM)
            assert server.wait(BUILD_TIMEOUT_S) == 0
        finally:
            server.kill()


def test_the_installed_command_runs_an_app_of_the_folder(installed: Path, tmp_path: Path) -> None:
    """From where it was started, though an installed command has another folder first; its names are its own."""
    quorate, port = installed.parent / "quorate", free_ports(2)
    (tmp_path / "storage.py").write_text((ROOT / "examples" / "counter.py").read_text("utf-8"))
    ask = f"from quorate import SyncClient\nwith SyncClient('127.0.0.1:{port}') as client: print(client.propose(b'7'))"
    run(quorate, "cluster", "up", "1", "--base-port", str(port), "--app", "storage:Counter", cwd=tmp_path)
    said = run(installed, "-c", ask, cwd=tmp_path)
    run(quorate, "cluster", "down", cwd=tmp_path)

    assert said == "b'7'\n"


def test_the_installed_command_starts_a_local_cluster(installed: Path, tmp_path: Path) -> None:
    """Its servers are processes of the installed package, whatever lies in the folder they are started from."""
    quorate = installed.parent / "quorate"
    (tmp_path / "quorate.py").write_text("raise SystemExit('the wrong quorate')")
    run(quorate, "cluster", "up", "1", "--base-port", str(free_ports(2)), cwd=tmp_path)

    status = run(quorate, "cluster", "status", "--format", "json", cwd=tmp_path)
    run(quorate, "cluster", "down", cwd=tmp_path)

    assert [row["role"] for row in json.loads(status)] == ["leader"]


@pytest.mark.parametrize(
    ("source", "moved"),
    [
        ("from actors.node import Node\n", "from quorate.actors.node import Node\n"),
        ("def f():\n    from storage import kv\n", "def f():\n    from quorate.storage import kv\n"),
        ("from  cli import main; x = 1\n", "from quorate.cli import main; x = 1\n"),
        ("from transport.wire import (\n    pack,\n)\n", "from quorate.transport.wire import (\n    pack,\n)\n"),
        ("from cli import a; from cli import b\n", "from quorate.cli import a; from quorate.cli import b\n"),
        ("from actors_of_mine import x\n", "from actors_of_mine import x\n"),
        ("from .actors import x\n", "from .actors import x\n"),
        ("text = 'from actors import x'\n", "text = 'from actors import x'\n"),
    ],
)
def test_imports_are_moved_and_nothing_else(source: str, moved: str) -> None:
    """The hook reads the code's syntax: strings, relative imports and names that only look alike stay as they are."""
    assert rewrite(source, "module.py") == moved


def test_an_import_that_cannot_be_moved_stops_the_build() -> None:
    """`import storage.kv` binds the name `storage`; under quorate it would bind another one."""
    with pytest.raises(UnmovableImportError, match=r"module\.py:1: .*storage\.kv"):
        rewrite("import storage.kv\n", "module.py")
