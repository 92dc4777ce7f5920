"""`python cli.py`: the command line of Quorate.  The commands are in commands/, one file a group."""

from __future__ import annotations

import gc
import os
import signal
import sys
from importlib.util import find_spec

EXIT_INTERRUPTED = 130
GC_THRESHOLDS = 10_000, 50, 100


def main() -> None:
    """Run the command line and end the process.  Ctrl-C while it is still being imported ends it without a word."""
    # Little of what a server or a command makes is in cycles: with the collector's own thresholds imports take 5 %
    # longer, and puts are 2 to 8 % slower.
    gc.set_threshold(*GC_THRESHOLDS)
    # Whoever started it may have had Ctrl-C ignored, which is to stay so.
    is_heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_heard:
        signal.signal(signal.SIGINT, lambda *_: os._exit(EXIT_INTERRUPTED))
    try:
        from commands.root import main as run

        if is_heard:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        run()
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if find_spec(package) is not None:
            raise
        is_installed = __name__.startswith("quorate.")
        advice = "install quorate again" if is_installed else "run 'make setup', then '. .venv/bin/activate'"
        sys.exit(f"error: the package {package} is not installed for {sys.executable}: {advice}")


if __name__ == "__main__":
    main()
