"""How long something took, counted in buckets, as Prometheus's histograms have it."""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

BOUNDS: Final = (0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Seconds. From an Edge TPU's few milliseconds to `inference.deadline`."""


class Durations:
    """By camera. One thread counts, any other may look."""

    def __init__(self) -> None:
        self._counts: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}

    def observe(self, camera: str, seconds: float) -> None:
        """One more."""
        counts = self._counts.get(camera)
        if counts is None:
            counts = [0] * (len(BOUNDS) + 1)
            self._counts = {**self._counts, camera: counts}
        counts[bisect_left(BOUNDS, seconds)] += 1
        self._sums[camera] = self._sums.get(camera, 0.0) + seconds

    def buckets(self) -> dict[str, tuple[list[tuple[str, float]], float]]:
        """By camera: how many took at most so long (`+Inf` is the last), and the sum of all seconds."""
        found = {}
        for camera, counts in self._counts.items():
            rising, total = [], 0
            for bound, count in zip((*map(str, BOUNDS), "+Inf"), list(counts), strict=True):
                total += count
                rising.append((bound, float(total)))
            found[camera] = (rising, self._sums.get(camera, 0.0))
        return found
