"""Recorded frames at the speed at which they were taken."""

from __future__ import annotations

import time
from typing import Final

BEHIND_SECONDS: Final = 1.0  # a player that is later than this (slow decoder, machine asleep) goes on from where it is
AHEAD_SECONDS: Final = 60.0  # a frame that is due later than this comes after a jump in the recording's clock


class PlayClock:
    """Says when frames are due, by the times that they carry.

    Args:
        interval: seconds from a frame that carries no time to the next.
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._due: float | None = None  # the monotonic time of the last frame, and its time in the recording
        self._at = 0.0

    def begin_again(self, at: float) -> None:
        """The next frame, whose time is `at`, follows the last at the usual distance: the recording is looped."""
        self._at = at - self._interval

    def seconds_until(self, at: float | None) -> float:
        """How long the next frame, whose time is `at`, is to wait."""
        now = time.monotonic()
        if at is None:
            at = self._at + self._interval
        due = now if self._due is None else self._due + at - self._at
        if not -BEHIND_SECONDS <= due - now <= AHEAD_SECONDS:
            due = now
        self._due, self._at = due, at
        return max(0.0, due - now)
