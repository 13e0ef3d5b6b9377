"""What gives pictures."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Literal, Protocol

from edged.errors import EdgedError

if TYPE_CHECKING:
    from edged.camera.geometry import Size
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


class WantedSize:
    """The least size of a whole picture, as the sensor gives it, that the model loses nothing by.

    It is known once the model is loaded: what scales in hardware waits for it a moment.
    """

    def __init__(self, size: Size | None = None) -> None:
        self._size = size
        self._known = threading.Event()
        if size is not None:
            self._known.set()

    def set(self, size: Size) -> None:
        """Say it."""
        self._size = size
        self._known.set()

    def wait(self, timeout: float) -> Size | None:
        """The size; None when it is not known in time."""
        self._known.wait(timeout)
        return self._size


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """The part of a camera's configuration that sources look at.

    Attributes:
        loop: a folder or file begins again at its end.
        order: of a folder's photos.
        realtime: a video plays at its own speed.
        fps: frames per second that will be used at most; a camera that can be asked for a rate is asked for this one.
        stall: seconds without a picture that are too many; opening has no longer bound of its own than this and 10 s.
        wanted: see `WantedSize`.
    """

    loop: bool = True
    order: Literal["name", "time", "random"] = "name"
    realtime: bool = True
    fps: float = 5.0
    stall: float = 10.0
    wanted: WantedSize = field(default_factory=WantedSize, compare=False)
