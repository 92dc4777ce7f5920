"""The public import of Quorate."""

from quorate.version import __version__

__all__ = ["__version__"]
