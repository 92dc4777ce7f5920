"""The state machine of a server, by its name: `start --app MODULE:CLASS`, and what a cluster knows it by.

What lives here: importing the class, and trying whether it is a state machine, with one clear line when it is none.
What does not: running it (actors/raft), and turning servers of another app away (actors/gossip/admission.py).

An app is known by the name of its class alone, so that it may move to another module, and a program that embeds a
server is of one cluster with servers that were started by `start --app`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module
from traceback import extract_tb
from typing import Any, Final

from storage.state_machine import StateMachine
from transport.errors import QuorateError
from transport.text import escaped, shortened

STORE: Final = "KeyValueStore"
"""What a cluster knows the key-value store by, which is there when nothing else is wanted."""

METHODS: Final = ("apply", "read", "snapshot", "restore")


class AppError(QuorateError):
    """What was given as an app is no state machine; the message says why, and what to try."""

    exit_code = 2


def load_app(name: str) -> Callable[[], StateMachine]:
    """The class called MODULE:CLASS, from the current directory or what is installed.  Raises AppError."""
    module_name, colon, class_name = name.partition(":")
    parts = [*module_name.split("."), *class_name.split(".")]
    if not colon or not all(part.isidentifier() for part in parts):
        raise AppError(f"--app {shortened(name)} names no class: write MODULE:CLASS, as in examples.counter:Counter")
    found: Any = _module(module_name)
    for part in class_name.split("."):
        if not hasattr(found, part):
            near = get_close_matches(part, dir(found), n=1)
            hint = f": did you mean {near[0]}?" if near else ""
            raise AppError(f"--app {name}: {module_name} has no {class_name}{hint}")
        found = getattr(found, part)
    if not callable(found):
        raise AppError(f"--app {name}: {class_name} is no class, it is of type {type(found).__name__}")
    app_name(found)
    machine: Callable[[], StateMachine] = found
    return machine


def app_name(machine: Callable[[], StateMachine]) -> str:
    """What a cluster knows the app by; one is made to see whether it can be.  Raises AppError."""
    try:
        made = machine()
    except Exception as error:
        raise AppError(f"the app {_called(machine)} cannot be made: {_shown(error)}") from error
    name = type(made).__name__
    missing = [method for method in METHODS if not callable(getattr(made, method, None))]
    if missing:
        raise AppError(
            f"{name} is no state machine, it lacks {', '.join(missing)}: see quorate.StateMachine, "
            "or examples/counter.py for a whole one"
        )
    return name


def _module(name: str) -> Any:
    # Where a person looks for it first.  `python cli.py` and an installed command have their own folder there instead.
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        return import_module(name)
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and error.name and f"{name}.".startswith(f"{error.name}."):
            raise AppError(
                f"--app: there is no module {error.name} in {os.getcwd()}, nor installed for {sys.executable}"
            ) from None
        raise AppError(f"--app: the module {name} cannot be imported: {_shown(error)}") from error


def _called(machine: Callable[[], StateMachine]) -> str:
    return getattr(machine, "__name__", type(machine).__name__)


def _shown(error: BaseException) -> str:
    """One line, with the place where it was raised, or which is no Python."""
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {escaped(error.msg)} ({error.filename}, line {error.lineno})"
    at = extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {escaped(str(error))} ({at.filename}, line {at.lineno})"
