"""The root of every error that ends a command, and the transport's own ones.

An error here is written for the person at the keyboard: its text is one line that says what failed, why, and what to
try, and its `exit_code` is the one the command ends with. Errors that never leave the process (a frame that does not
decode, a full mailbox) are not here: they live beside the code that raises them.
"""

from __future__ import annotations


class QuorateError(Exception):
    """Something failed that a user can act on. `exit_code` is the process's exit code when it ends a command."""

    exit_code = 1
    is_final = False
    """Whether the part of a server that met it would meet it again if it were started anew, and so is not."""


class LinkError(QuorateError):
    """A server's address cannot be served: it is in use, is not an address of this machine, or may not be exposed."""


class AddressError(QuorateError, ValueError):
    """A text is not an address of the form HOST:PORT."""

    exit_code = 2


class KeyFileError(QuorateError):
    """A key file cannot be read, or what it holds is not a key."""

    exit_code = 2


class KeySaveError(QuorateError):
    """A key file cannot be written."""


class UnreachableError(QuorateError):
    """No server answers at an address."""

    exit_code = 3
