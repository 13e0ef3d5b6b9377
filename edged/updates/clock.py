"""Whether this machine's clock can be believed: a Raspberry Pi has none that runs without power.

It counts as set when it is later than what has certainly passed: the day this version was made, and the last moment
at which signed metadata was found valid. What the system says of synchronisation only informs. Nothing but signed
metadata raises that moment: it was not expired then, so a clock that once was years ahead cannot have set it so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from edged.camera.regular_file import read_regular_file
from edged.models.durable import replace_file, writing

BUILT: Final = datetime(2026, 11, 20, tzinfo=UTC)
"""No later than the day on which this version was made; raised at each release."""

_FILE: Final = "last-known-time"
_SYNCHRONISED: Final = Path("/run/systemd/timesync/synchronized")
_RARELY: Final = timedelta(days=1)  # memory cards wear
_MAX_BYTES: Final = 64


@dataclass(frozen=True, slots=True)
class Reading:
    """What the clock says.

    Attributes:
        now: UTC.
        floor: what has certainly passed.
        synchronised: whether the system's time service says that it has asked others; None where it says nothing.
    """

    now: datetime
    floor: datetime
    synchronised: bool | None = None

    @property
    def is_set(self) -> bool:
        """Whether it can be believed."""
        return self.now >= self.floor

    @property
    def why_not(self) -> str | None:
        """Why it cannot be believed, in words; None where it can."""
        if self.is_set:
            return None
        return (
            f"the clock is not set: it says {self.now:%Y-%m-%d %H:%M} UTC, and {self.floor:%Y-%m-%d %H:%M} has passed;"
            " updates wait for it (does this machine reach a time server? timedatectl)"
        )


class Clock:
    """This machine's clock.

    Args:
        folder: where the last known time is kept; it need not exist.
        built: the day on which this version was made.
    """

    def __init__(self, folder: Path, built: datetime = BUILT) -> None:
        self._path = folder / _FILE
        self._kept = max(built, _read(self._path) or built)
        self._floor = self._kept

    def read(self) -> Reading:
        """What it says now."""
        return Reading(datetime.now(UTC), self._floor, True if _SYNCHRONISED.exists() else None)

    def trust(self, moment: datetime) -> None:
        """Take note that signed metadata was valid then. Kept on disk at most once a day.

        Raises:
            PermissionDeniedError, CannotWriteError: it cannot be written.
        """
        self._floor = max(self._floor, moment)
        if self._floor - self._kept >= _RARELY:
            with writing(self._path):
                self._path.parent.mkdir(parents=True, exist_ok=True)
                scratch = self._path.with_name(f".{_FILE}")
                scratch.unlink(missing_ok=True)
                replace_file(self._path, self._floor.isoformat().encode(), scratch)
            self._kept = self._floor


def _read(path: Path) -> datetime | None:
    """The last known time; None where there is none, or it is torn."""
    try:
        moment = datetime.fromisoformat(read_regular_file(path, _MAX_BYTES).decode())
    except (OSError, ValueError):
        return None
    return moment if moment.tzinfo is not None else None
