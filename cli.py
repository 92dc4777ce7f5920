"""`python cli.py`: the command line of Quorate.  The commands are in commands/, one file a group."""

from __future__ import annotations

import os
import signal

EXIT_INTERRUPTED = 130


def main() -> None:
    """Run the command line and end the process.  Ctrl-C while it is still being imported ends it without a word."""
    # Whoever started it may have had Ctrl-C ignored, which is to stay so.
    is_heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_heard:
        signal.signal(signal.SIGINT, lambda *_: os._exit(EXIT_INTERRUPTED))
    from commands.root import main as run

    if is_heard:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


if __name__ == "__main__":
    main()
