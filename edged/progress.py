"""Whether the daemon's parts still get on, each judged by its own patience: what the watchdog is told by."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass


@dataclass(slots=True)
class _Part:
    limit: float
    last: float


class Progress:
    """The last sign of life of each part. Every method may be called from any thread.

    A part beats when it has got something done, or has looked for work and found none: never from a timer of its own,
    which would go on while the part hangs. Times are `time.monotonic()`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._parts: dict[str, _Part] = {}

    def expect(self, name: str, limit: float, now: float | None = None) -> None:
        """From now on `name` has to beat at least every `limit` seconds; a limit it had is replaced."""
        if limit <= 0:
            raise ValueError(f"the limit of {name} is {limit} (more than 0 seconds)")
        with self._lock:
            self._parts[name] = _Part(limit, _or_now(now))

    def beat(self, name: str, now: float | None = None) -> None:
        """`name` has got on. Nothing for one that is not expected: it may beat once more while it ends."""
        with self._lock:
            part = self._parts.get(name)
            if part is not None:
                part.last = max(part.last, _or_now(now))

    def forget(self, name: str) -> None:
        """`name` has ended in order and owes no sign of life."""
        with self._lock:
            self._parts.pop(name, None)

    def stuck(self, now: float | None = None) -> list[str]:
        """Those whose last beat is longer ago than their limit, by name. Empty: the watchdog may be told."""
        moment = _or_now(now)
        with self._lock:
            return sorted(name for name, part in self._parts.items() if moment - part.last > part.limit)


def _or_now(moment: float | None) -> float:
    return time.monotonic() if moment is None else moment
