"""What Ctrl-C does: it ends the process, as it ends any C program's, or it raises KeyboardInterrupt."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def interrupt_ends_process() -> None:
    """For the time of imports, where an exception gets lost or becomes a traceback. Ignored (nohup) stays ignored."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Within, Ctrl-C raises: there are processes to end and folders to take away."""
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
