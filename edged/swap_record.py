"""Which frames were given and which labelled, and when, during a swap and between two: for the figures of hot swap."""

from __future__ import annotations

import contextlib
import statistics
import threading
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

REACH_SECONDS: Final = 0.2
"""Beyond both ends of a swap: the result before it and the one after it bound its first and its last gap."""


class SwapRecord:
    """Written by the camera's thread and the pipeline's; read in between.

    Attributes:
        gaps: the longest seconds between two results of each swap at a steady rate.
        gaps_between: likewise of the times in which nothing was swapped.
        lost: frames that were given during swaps at a steady rate and have no labels.
        lost_between: likewise.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._given: dict[int, float] = {}
        self._labelled: dict[int, float] = {}
        self._intervals: list[float] = []
        self.gaps: list[float] = []
        self.gaps_between: list[float] = []
        self.lost = 0
        self.lost_between = 0

    def given(self, frame: int) -> None:
        """The camera has given this frame."""
        with self._lock:
            self._given[frame] = time.monotonic()

    def result(self, frame: int) -> None:
        """This frame has labels."""
        with self._lock:
            self._labelled[frame] = time.monotonic()

    def usual(self) -> float:
        """Median seconds between two results when nothing is swapped."""
        return statistics.median(self._intervals)

    @contextlib.contextmanager
    def swapping(self, *, paced: bool) -> Iterator[None]:
        """Within, there is a swap. `paced`: at a steady rate, so that times between results mean something."""
        began = self._begin()
        yield
        intervals, lost = self._end(began)
        if paced:
            self.gaps.append(max(intervals))
            self.lost += lost

    @contextlib.contextmanager
    def between(self) -> Iterator[None]:
        """Within, nothing is swapped."""
        began = self._begin()
        yield
        intervals, lost = self._end(began)
        self._intervals += intervals
        self.gaps_between.append(max(intervals))
        self.lost_between += lost

    def _begin(self) -> float:
        """Forget what was long ago. Returns when it begins."""
        began = time.monotonic()
        with self._lock:
            for known in (self._given, self._labelled):
                for frame in [frame for frame, when in known.items() if when < began - REACH_SECONDS]:
                    del known[frame]
        return began

    def _end(self, began: float) -> tuple[list[float], int]:
        """Seconds between each two results, from the last one before it to the first one after, and frames lost."""
        ended = time.monotonic()
        time.sleep(REACH_SECONDS)  # the frames that were given last are labelled
        with self._lock:
            given, labelled = dict(self._given), dict(self._labelled)
        times = sorted(labelled.values())
        intervals = [after - before for before, after in pairwise(times) if after > began and before < ended]
        if times and times[-1] < ended:
            intervals.append(time.monotonic() - times[-1])  # none has come since
        lost = sum(began <= when <= ended and frame not in labelled for frame, when in given.items())
        return intervals or [time.monotonic() - began], lost
