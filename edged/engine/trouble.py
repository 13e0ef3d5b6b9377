"""Why inference does not run: kept for `health`, said once in the log, and over when there is a result again."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

MOST_SAID: Final = 20
_PID: Final = re.compile(r" \(pid \d+\)")


def without_pid(text: str) -> str:
    """A reason as it is the same for every worker."""
    return _PID.sub("", text)


class Trouble:
    """The trouble that inference has now."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._said: set[str] = set()  # what is in the log since the last result
        self.reason: str | None = None

    def is_that(self, error: Exception, pause: float) -> None:
        """Make it the reason, and log it unless it is the same trouble again. `pause`: seconds to the next start."""
        reason = str(error)  # text: an error kept, here or in a log record, keeps its frames and their memory
        trouble = without_pid(reason) + ("; too often" if pause else "")
        level = logging.DEBUG if trouble in self._said else logging.WARNING
        log.log(level, "inference: %s%s", reason, f"; next start in {pause:.0f} s" if pause else "")
        if len(self._said) < MOST_SAID:
            self._said.add(trouble)
        if reason != self.reason:
            self.reason = reason
            self._on_change()

    def is_over(self, restarts: int) -> None:
        """There is a result."""
        if self.reason is not None:
            log.info("inference runs again; restarts in all: %d", restarts)
            self.reason = None
            self._said.clear()
            self._on_change()
