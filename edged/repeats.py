"""Keeps the log from saying the same thing for ever: a camera that comes and goes every second for years.

Each part already says its own trouble once, its repeats at debug level, and its end. What comes and goes is new each
time; so a sentence is said a few times, then held back for a while, and the next one says how many were.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

MOST: Final = 10  # times that a sentence is said within a period
FIRST_PERIOD_SECONDS: Final = 600.0
LONGEST_PERIOD_SECONDS: Final = 86_400.0
LONGER: Final = 6.0  # so many times as long is the period after one in which a sentence was held back
REMEMBERED: Final = 500  # sentences
NUMBER: Final = re.compile(r"\d+(\.\d+)?")


@dataclass(slots=True)
class _Sentence:
    """How often one has been said in its present period."""

    ends: float
    seconds: float = FIRST_PERIOD_SECONDS
    said: int = 0
    held_back: int = 0


class Repeats(logging.Filter):
    """Lets through what is new, and little of what is not. For several threads.

    Two sentences are the same when they differ in numbers alone: process ids, durations, counts.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._known: dict[tuple[str, int, str], _Sentence] = {}
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to say it; where earlier ones were held back, it says how many."""
        message = record.getMessage()
        key = (record.name, record.levelno, NUMBER.sub("#", message))
        with self._lock:
            held_back = self._count(key)
        if held_back is None:
            return False
        if held_back:
            record.msg, record.args = f"{message} (and {held_back} times more, which were not said)", ()
        return True

    def _count(self, key: tuple[str, int, str]) -> int | None:
        """How many were held back before this one, which may be said; None: it may not."""
        now = self._clock()
        sentence = self._known.pop(key, None) or _Sentence(now + FIRST_PERIOD_SECONDS)
        self._known[key] = sentence  # the last one said is last; the one that was silent for longest is forgotten first
        if len(self._known) > REMEMBERED:
            del self._known[next(iter(self._known))]
        held_back = 0
        if now >= sentence.ends:
            held_back, sentence.held_back = sentence.held_back, 0
            longer = min(sentence.seconds * LONGER, LONGEST_PERIOD_SECONDS)
            sentence.seconds = longer if held_back else FIRST_PERIOD_SECONDS
            sentence.ends, sentence.said = now + sentence.seconds, 0
        if sentence.said >= MOST:
            sentence.held_back += 1
            return None
        sentence.said += 1
        return held_back
