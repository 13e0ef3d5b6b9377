"""When a worker that died may be started again: at once, until it has died too often without doing any work."""

from __future__ import annotations

from dataclasses import dataclass, field

RESTARTS = 5
WINDOW_SECONDS = 60.0
CLEAR_AFTER_SECONDS = 10.0
SLOWEST_SECONDS = 60.0


@dataclass(slots=True)
class RestartBudget:
    """Five restarts without a result in 60 s are free; from then on each waits longer (5 s, 10 s, … 60 s), for ever.

    Only a start that gave no result counts, and ten seconds of results clear everything (INTERFACES, "Restart budget").
    Pure: every method takes the monotonic time.
    """

    _failures: list[float] = field(default_factory=list)
    _over: int = 0
    _not_before: float = 0.0
    _results_since: float | None = None

    def died(self, now: float) -> None:
        """A worker ended that should not have."""
        fruitful = self._results_since is not None
        self._results_since = None
        if fruitful:
            return
        self._failures = [when for when in self._failures if now - when < WINDOW_SECONDS] + [now]
        if len(self._failures) > RESTARTS:
            self._over += 1
            self._not_before = now + min(5.0 * 2 ** (self._over - 1), SLOWEST_SECONDS)

    def gave_result(self, now: float) -> None:
        """A worker labelled a frame."""
        if self._results_since is None:
            self._results_since = now
        elif self._failures and now - self._results_since >= CLEAR_AFTER_SECONDS:
            self._failures = []
            self._over = 0

    def wait(self, now: float) -> float:
        """Seconds until a start is allowed; 0 when it is."""
        return max(0.0, self._not_before - now)
