"""When something that failed is tried again: soon, then less and less often, for ever."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

FIRST_SECONDS = 1.0
LONGEST_SECONDS = 300.0
WELL_SECONDS = 10.0
SHORTENED_SECONDS = 10.0


@dataclass(slots=True)
class Patience:
    """Pauses of 1 s, 2 s, 4 s … 300 s, each shortened by up to a quarter at random.

    What served for ten seconds before it failed begins anew. Pure: every method takes the monotonic time.
    """

    _failures: int = 0
    _not_before: float = 0.0
    _random: random.Random = field(default_factory=random.Random)

    def failed(self, now: float, served: float) -> bool:
        """A try has failed, after `served` seconds of service. Returns whether those count as well."""
        well = served >= WELL_SECONDS
        if well:
            self._failures = 0
        pause = min(FIRST_SECONDS * 2.0 ** min(self._failures, 16), LONGEST_SECONDS)
        self._failures += 1
        self._not_before = now + pause * self._random.uniform(0.75, 1.0)
        return well

    @property
    def failures(self) -> int:
        """Since the last forgetting, or the last good service."""
        return self._failures

    def forget(self) -> None:
        """Something has changed: the next try is due now."""
        self._failures = 0
        self._not_before = 0.0

    def shorten(self, now: float) -> None:
        """Something may have changed: the next try is due in ten seconds at the latest."""
        self._not_before = min(self._not_before, now + SHORTENED_SECONDS)

    def is_over(self, now: float) -> bool:
        """Whether the next try is due."""
        return now >= self._not_before
