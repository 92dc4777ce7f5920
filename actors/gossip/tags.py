"""A server's own tags: what they may be, how they are changed, and which ones stand after a restart.

What lives here: pure functions on tags.  What does not: telling others (own.py) and keeping them (keeper.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from actors.gossip.member import TAG_CHARS_MAX
from transport.errors import QuorateError
from transport.text import shortened

Tags = dict[str, str]


class TagsError(QuorateError):
    """Tags that cannot be, or a change that cannot be made; one line says why."""

    exit_code = 2


def fault_of_tags(tags: Mapping[Any, Any]) -> str:
    """Why these cannot be a server's tags, or "": a program may have given anything."""
    for key, value in tags.items():
        tag = shortened(f"{key}={value}")
        if not (isinstance(key, str) and isinstance(value, str)):
            return f"tag {tag} is not made of two texts: both KEY and VALUE are str"
        if not key or "=" in key:
            return f"tag {tag} has no proper name: write KEY=VALUE"
        if not (key.isprintable() and value.isprintable()):
            return f"tag {tag} has characters that cannot be printed: leave them out"
    chars = sum(len(key) + len(value) for key, value in tags.items())
    return f"the tags have {chars} characters together: at most {TAG_CHARS_MAX} are allowed" * (chars > TAG_CHARS_MAX)


def changed(tags: Mapping[str, str], put: Mapping[str, str], remove: Iterable[str]) -> Tags:
    """The tags, by name, with some set and some removed: all of it, or TagsError and nothing."""
    after = {**tags, **put}
    for key in remove:
        if key not in after:
            known = f"it has {', '.join(sorted(tags))}" if tags else "it has none"
            raise TagsError(f"there is no tag {shortened(key)} ({known}); nothing was changed")
        del after[key]
    fault = fault_of_tags(after)
    if fault:
        raise TagsError(f"{fault}; nothing was changed")
    return dict(sorted(after.items()))


def tags_at_start(kept: Mapping[str, str], given_before: Mapping[str, str], given: Mapping[str, str]) -> Tags:
    """The tags of a server that is started again: of each, the latest word.

    What was set or unset while the server ran stands, as long as it is started with the same tags as before: the same
    command line is right for every start.  A tag that is given anew, with another value, or no longer, is a later word.
    """
    after = dict(kept)
    for key in given.keys() | given_before.keys():
        if given.get(key) == given_before.get(key):
            continue
        if key in given:
            after[key] = given[key]
        else:
            after.pop(key, None)
    return after
