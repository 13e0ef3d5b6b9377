"""SIGTERM, SIGINT and SIGHUP, for a daemon that has to end in order and in time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final

from edged.errors import EdgedError

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

STOP_SECONDS: Final = 4.5
HEARD: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@contextlib.contextmanager
def stop_signals(stopping: asyncio.Event, reloading: asyncio.Event | None) -> Iterator[None]:
    """The first SIGTERM or SIGINT sets `stopping`; the second, or a stop that takes too long, ends the process.

    SIGHUP sets `reloading`. Where that is None, or the terminal that this was started from is gone, it stops too.

    Plain handlers, not the loop's: they run even while its thread is stuck, in a log line that nobody reads, say. For
    the same reason the forced end says nothing. A signal that is ignored at the start (nohup) stays ignored.
    """
    loop = asyncio.get_running_loop()
    at_terminal = _is_terminal()
    asked: SimpleQueue[int] = SimpleQueue()  # whose `put` may interrupt itself
    ended = threading.Event()
    first: int | None = None

    def last_resort() -> None:
        asked.get()
        if not ended.wait(STOP_SECONDS):
            os._exit(EdgedError.exit_code)

    # Waits from the start on: when it is needed there may be no thread to be had.
    threading.Thread(target=last_resort, name="last resort", daemon=True).start()

    def stop(number: int) -> None:
        stopping.set()
        log.info("%s: stopping", signal.Signals(number).name)

    def handle(number: int, _: object) -> None:
        if number == signal.SIGHUP and reloading is not None and at_terminal == _is_terminal():
            loop.call_soon_threadsafe(reloading.set)
            return
        nonlocal first
        if first is not None:
            os._exit(128 + number)
        first = number
        asked.put(number)
        loop.call_soon_threadsafe(stop, number)  # not here: this may interrupt a log line that is being written

    heard = [number for number in HEARD if signal.getsignal(number) is not signal.SIG_IGN]
    for number in heard:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, signal.SIG_DFL)  # nothing is left to tidy up
        ended.set()
        asked.put(0)  # it has nothing to wait for any more


def _is_terminal() -> bool:
    """Whether stderr is a terminal that still is there."""
    try:
        return os.isatty(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
