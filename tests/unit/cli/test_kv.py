"""`kv`: values in and out byte for byte, JSON shapes, and exit codes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from commands.kv import TXN_TEXT_BYTES_MAX
from storage.kv_protocol import KEY_BYTES_MAX, VALUE_BYTES_MAX, put
from tests.unit.cli.play import Play


def test_put_and_get(play: Play) -> None:
    """The plain form of `get` is the value alone: no newline is added to what is piped."""
    assert play.text("kv", "put", "a", "hello") == "revision 1\n"

    assert play.text("kv", "get", "a") == "hello"
    assert json.loads(play.text("kv", "get", "a", "--format", "json")) == {"key": "a", "value": "hello", "revision": 1}


def test_bytes_that_are_no_text(play: Play) -> None:
    """From stdin by `-`, out as they were; JSON has them as value_base64."""
    play.text("kv", "put", "a", "-", stdin=b"\xff\x00\n")

    assert play.run("kv", "get", "a").stdout_bytes == b"\xff\x00\n"
    assert json.loads(play.text("kv", "get", "a", "--format", "json")) == {
        "key": "a",
        "value_base64": "/wAK",
        "revision": 1,
    }


def test_a_missing_key_is_exit_code_1(play: Play) -> None:
    """For get and delete alike; stdout stays empty."""
    for command in ("get", "delete"):
        result = play.run("kv", command, "nope")
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr == "error: key 'nope' does not exist\n"


def test_delete(play: Play) -> None:
    """It says which change it was."""
    play.text("kv", "put", "a", "1")

    assert play.text("kv", "delete", "a") == "revision 2\n"


def test_compare_and_set(play: Play) -> None:
    """The right OLD changes the key, a wrong one is exit code 1; --absent is for keys that do not exist."""
    assert play.text("kv", "cas", "--absent", "a", "1") == "revision 1\n"
    assert play.text("kv", "cas", "a", "1", "2") == "revision 2\n"
    lost = play.run("kv", "cas", "a", "1", "3")
    assert (lost.exit_code, "another" in lost.stderr) == (1, True)
    there = play.run("kv", "cas", "--absent", "a", "4")
    assert (there.exit_code, "it exists already" in there.stderr) == (1, True)
    assert play.text("kv", "get", "a") == "2"


@pytest.mark.parametrize("arguments", [("a", "1"), ("a", "1", "2", "3"), ("--absent", "a", "1", "2"), ("a",)])
def test_compare_and_set_takes_two_values(play: Play, arguments: tuple[str, ...]) -> None:
    """Anything else is wrong usage."""
    assert play.run("kv", "cas", *arguments).exit_code == 2


def test_list(play: Play) -> None:
    """In order; `next` leads on; jsonl is one key a line; the hint at more goes to stderr."""
    for key in ("b", "a1", "a2"):
        play.text("kv", "put", key, "v")
    result = play.run("kv", "list", "a", "--limit", "1", "--format", "json")
    assert json.loads(result.stdout) == {
        "items": [{"key": "a1", "value": "v", "revision": 2}],
        "next": "a2",
        "revision": 3,
    }
    assert result.stderr == "there are more: --start a2 shows them\n"

    lines = play.text("kv", "list", "--format", "jsonl").splitlines()
    assert [json.loads(line)["key"] for line in lines] == ["a1", "a2", "b"]
    assert play.text("kv", "list", "a", "--start", "a2") == "KEY  REVISION  VALUE\na2   3         v\n"
    assert play.text("kv", "list", "zzz") == "no keys\n"


STALE = ("--consistency", "stale")


def test_a_stale_read_shows_its_age(play: Play) -> None:
    """In the JSON, and on stderr: the value alone stays on stdout. A linearizable read has none."""
    play.text("kv", "put", "a", "1")
    said = "stale: up to date 0.25 s ago, as far as the server knows\n"

    plain = play.run("kv", "get", "a", *STALE)
    got = play.run("kv", "get", "a", *STALE, "--format", "json")
    listed = play.run("kv", "list", *STALE, "--format", "json")

    assert (plain.stdout, plain.stderr) == ("1", said)
    assert json.loads(got.stdout) == {"key": "a", "value": "1", "revision": 1, "age_s": 0.25}
    assert json.loads(listed.stdout)["age_s"] == 0.25
    assert listed.stderr == said
    assert "age_s" not in play.text("kv", "get", "a", "--format", "json")
    assert "age_s" not in play.text("kv", "list", "--format", "json")


def test_a_stale_read_of_no_known_age_says_so(play: Play) -> None:
    """A server that was started a moment ago has heard nobody; and what is not there may only not be there yet."""
    play.age_s = None

    missing = play.run("kv", "get", "a", *STALE, "--format", "json")

    assert missing.exit_code == 1
    assert missing.stderr.startswith("stale: the server has heard no leader since it was started\nerror: ")
    assert json.loads(play.text("kv", "list", *STALE, "--format", "json"))["age_s"] is None


def test_an_oversized_value_is_refused_before_it_travels(play: Play) -> None:
    """One line with the limit; stdin is not read for ever."""
    result = play.run("kv", "put", "a", "-", stdin=bytes(VALUE_BYTES_MAX + 10))

    assert result.exit_code == 2
    assert str(VALUE_BYTES_MAX) in result.stderr
    assert play.store.revision == 0


def test_values_cannot_draw_on_the_terminal(play: Play) -> None:
    """A table shows control characters instead of obeying them, and shortens what is long."""
    play.text("kv", "put", "a", "-", stdin=b"\x1b[2J" + b"x" * 100)

    listed = play.text("kv", "list")

    assert "\x1b" not in listed
    assert "..." in listed


@pytest.mark.parametrize("following", ["b c", "it's", "b\x1b[2J", "b\nc", "ü\x85", "back\\slash\n'"])
def test_the_hint_at_more_can_be_pasted(play: Play, following: str) -> None:
    """Whatever the next key is, a shell makes one word of it again."""
    play.store.apply(put("a", b""))
    play.store.apply(put(following, b""))
    hint = play.run("kv", "list", "--limit", "1").stderr

    word = hint.removeprefix("there are more: --start ").removesuffix(" shows them\n")
    assert word.isprintable()
    assert (
        subprocess.run(["bash", "-c", f"printf %s {word}"], capture_output=True, check=True).stdout.decode()
        == following
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("put", "", "v"),
        ("get", ""),
        ("put", "k" * (KEY_BYTES_MAX + 1), "v"),
        ("delete", "ü" * (KEY_BYTES_MAX // 2 + 1)),
        ("put", "\udcff", "v"),
        ("get", "\udcff"),
        ("delete", "a\udcff"),
        ("list", "\udcff"),
        ("list", "--start", "\udcff"),
        ("cas", "\udcff", "a", "b"),
    ],
    ids=lambda arguments: f"{arguments[0]} {len(arguments[1])}",
)
def test_a_key_that_cannot_be_is_wrong_usage(play: Play, arguments: tuple[str, ...]) -> None:
    """Too short, too long or no text: one line says so, the key in it is shortened, and no server is asked."""
    result = play.run("kv", *arguments)

    assert result.exit_code == 2, result.output
    said = result.stderr.splitlines()[-1]
    assert "key" in said or r"\xff" in said
    assert len(said) < 160
    assert not play.addresses


def test_a_value_need_not_be_text(play: Play) -> None:
    """Bytes of the command line that are no UTF-8 are stored as they are."""
    play.text("kv", "put", "a", "\udcff")

    assert play.run("kv", "get", "a").stdout_bytes == b"\xff"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "holds no transaction: it is empty"),
        (b'{"then": [', "holds no transaction: Input data was truncated"),
        (b'{"then": []}' + b" " * TXN_TEXT_BYTES_MAX, f"is larger than {TXN_TEXT_BYTES_MAX} bytes, the limit"),
    ],
    ids=["empty", "cut off", "too large"],
)
def test_a_file_that_holds_no_transaction(play: Play, tmp_path: Path, text: bytes, words: str) -> None:
    """What is wrong with it is said of the whole file, not of the part that was read; no server is asked."""
    file = tmp_path / "txn.json"
    file.write_bytes(text)

    result = play.run("kv", "txn", str(file))

    assert result.exit_code == 2
    assert words in result.stderr
    assert not play.addresses


def test_a_transaction_as_large_as_may_be(play: Play) -> None:
    """The limit itself is within it."""
    text = b'{"then": [{"op": "put", "key": "k", "value": "v"}]}'

    assert "the comparisons held" in play.text("kv", "txn", "-", stdin=text.ljust(TXN_TEXT_BYTES_MAX))
