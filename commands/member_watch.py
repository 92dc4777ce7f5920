"""`members --watch`: the table kept up to date on a terminal, a line a change in a pipe, an object a change as JSON.

What lives here: telling two lists of members apart, and showing it.  What does not: who is chosen (members.py).

The server is asked twice a second.  What comes and goes between two questions is not seen; `event watch` and `members
--why` have it.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import click

from actors.views import Row
from commands.follow import Follower
from commands.options import Remote, to_json
from transport.client.errors import Overloaded, RequestFailed
from transport.text import escaped

PERIOD_S: Final = 0.5
FAILURES_MAX: Final = 10
_SHOWN: Final = ("name", "address", "tags", "role", "incarnation")
"""What makes a member changed when its status is the same.  Ages and round trips change all the time."""

_HOME: Final = "\x1b[H"
_CLEAR_TO_LINE_END: Final = "\x1b[K"
_CLEAR_TO_END: Final = "\x1b[J"
_CLEAR: Final = "\x1b[2J"

Choose = Callable[[Sequence[Row]], list[Row]]
Change = dict[str, Any]


def watch(remote: Remote, choose: Choose, view: Callable[[list[Row]], str]) -> None:
    """Show until interrupted, or until the server is gone, which is an error."""
    on_screen = remote.form == "table" and sys.stdout.isatty()
    if on_screen:
        click.echo(_CLEAR, nl=False)
    before: list[Row] | None = None
    failures = 0
    with Follower(remote) as follower:
        while True:
            try:
                rows, failures = choose(follower.ask("members")), 0
            except (Overloaded, RequestFailed):
                # An actor that is being restarted is no reason to end.
                failures += 1
                if failures > FAILURES_MAX:
                    raise
                time.sleep(PERIOD_S)
                continue
            if on_screen:
                click.echo(_screen(view(rows), shutil.get_terminal_size()), nl=False)
            else:
                for change in changes(before, rows):
                    click.echo(_line(change) if remote.form == "table" else to_json(change))
            before = rows
            time.sleep(PERIOD_S)


def changes(before: Sequence[Row] | None, after: Sequence[Row]) -> Iterator[Change]:
    """What is new of each member, under the key `change`; before the first list nothing was known.

    present: it was there at the start.  joined, gone: it came into, or left, what is chosen.  status: `was` says from
    which.  updated: its address, tags, role or the like.
    """
    known = {row["id"]: row for row in before or ()}
    for row in after:
        old = known.pop(row["id"], None)
        if old is None:
            yield {"change": "present" if before is None else "joined", **row}
        elif old["status"] != row["status"]:
            yield {"change": "status", "was": old["status"], **row}
        elif any(old.get(key) != row.get(key) for key in _SHOWN):
            yield {"change": "updated", **row}
    for row in known.values():
        yield {"change": "gone", **row}


def _line(change: Change) -> str:
    was = f" (was {change['was']})" if "was" in change else ""
    what = f"{change['status']}{was}" if change["change"] == "status" else f"{change['change']}, {change['status']}"
    tags = "".join(f" {key}={value}" for key, value in sorted(change["tags"].items()))
    clock = datetime.now().astimezone().strftime("%H:%M:%S")
    return f"{clock}  {escaped(change['name'])} at {change['address']}: {what}, {change['role']}{escaped(tags)}"


def _screen(text: str, size: Any) -> str:
    """The text over what was there before, cut to the terminal."""
    lines = [line[: size.columns] for line in text.split("\n")]
    if len(lines) > size.lines - 1:
        hidden = len(lines) - (size.lines - 2)
        lines = [*lines[: size.lines - 2], f"... and {hidden} more"]
    return _HOME + "".join(f"{line}{_CLEAR_TO_LINE_END}\n" for line in lines) + _CLEAR_TO_END
