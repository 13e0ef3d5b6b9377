"""Keys, while the screen is ours: what was typed is not shown, and comes without Enter."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_KEYS: Final = {
    b"q": "quit",
    b"\x1b[A": "up",
    b"k": "up",
    b"\x1b[B": "down",
    b"j": "down",
    b"\x1b[5~": "page up",
    b"\x1b[6~": "page down",
    b" ": "page down",
    b"g": "top",
}


class Keyboard:
    """What the user types. Without a terminal to type into there are no keys."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def key(self, seconds: float) -> str | None:
        """The next key that means something, within so many seconds."""
        if self._descriptor is None:
            time.sleep(seconds)
            return None
        readable, _, _ = select.select([self._descriptor], [], [], seconds)
        if not readable:
            return None
        typed = os.read(self._descriptor, 64)
        if not typed:  # the terminal is gone
            self._descriptor = None
        return _KEYS.get(typed)


@contextlib.contextmanager
def keyboard() -> Iterator[Keyboard]:
    """The keyboard, and the terminal as it was before in the end. Ctrl-C stays Ctrl-C."""
    if not sys.stdin.isatty() or os.tcgetpgrp(sys.stdin.fileno()) != os.getpgrp():
        yield Keyboard(None)
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    quiet = [*before[:3], before[3] & ~(termios.ECHO | termios.ICANON), *before[4:]]
    termios.tcsetattr(descriptor, termios.TCSADRAIN, quiet)
    try:
        yield Keyboard(descriptor)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
