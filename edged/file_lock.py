"""A lock on an open file, waited for no longer than is said. The kernel lets go of it when the process ends."""

from __future__ import annotations

import fcntl
import time
from typing import Final

_PAUSE_SECONDS: Final = 0.05


def take(file: int, seconds: float) -> bool:
    """Lock an open file for this process alone; False: another one held it all the time.

    Raises:
        OSError: its file system has no locks (a network's).
    """
    until = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                return False
            time.sleep(_PAUSE_SECONDS)
        else:
            return True
