"""Where `edged` begins: with Ctrl-C, before anything is imported that takes its time. And where it ends."""

from __future__ import annotations

import os
import threading

from edged.cli.interrupt import interrupt_ends_process


def main() -> int:
    """Run the command line. Returns the exit code, unless a thread was left behind: then the process ends here."""
    interrupt_ends_process()
    from edged.cli.main import main as run  # noqa: PLC0415  not before the line above

    code = run()
    if any(thread.daemon for thread in threading.enumerate()):
        # A thread that Python ends inside a C++ library (OpenCV's, for one) takes the process down with SIGABRT, before
        # Python 3.14. What there was to close is closed, what there was to say is written.
        os._exit(code)
    return code
