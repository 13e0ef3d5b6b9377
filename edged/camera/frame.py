"""A frame: one moment of one camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from edged.camera.picture import Picture


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture, and when it was taken.

    Attributes:
        picture: its pixels, upright, masked: nothing else of the daemon ever sees what a mask hides.
        number: counts the camera's frames from 1.
        captured: `time.monotonic()` of its arrival; for deadlines and delays.
        time: the same moment in UTC, for people.
        origin: the photo's file name, where it comes from a folder.
    """

    picture: Picture
    number: int
    captured: float
    time: datetime
    origin: str | None = None
