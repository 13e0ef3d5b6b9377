"""What gives pictures."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Literal, Protocol

from edged.errors import EdgedError

if TYPE_CHECKING:
    from edged.camera.picture import Picture


class Pace(Enum):
    """Who sets the speed of a source."""

    LIVE = "live"  # frames come by their own clock: read all the time, the newest counts
    ON_DEMAND = "on demand"  # read when the camera's `fps` says so: a folder of photos
    LOCK_STEP = "lock step"  # read when the frame before has been labelled: a video, as fast as it goes


@dataclass(frozen=True, slots=True)
class Shot:
    """A picture from a source; `origin` is the file it came from, where that says something."""

    picture: Picture
    origin: str | None = None


class SourceEndedError(EdgedError):
    """The source has given all it has, and is not to start again."""


class Source(Protocol):
    """An open source of pictures. Used and closed by one thread."""

    @property
    def pace(self) -> Pace:
        """Who sets the speed."""

    def read(self, timeout: float) -> Shot:
        """Wait for the next picture, at most `timeout` seconds.

        Raises:
            SourceError: it failed or gave nothing in time: close it, open it again.
            SourceEndedError: it is over.
        """

    def close(self) -> None:
        """Give everything back."""


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """The part of a camera's configuration that sources look at."""

    loop: bool = True
    order: Literal["name", "time", "random"] = "name"
    realtime: bool = True
