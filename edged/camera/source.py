"""What gives pictures, and how its address chooses it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from edged.errors import EdgedError, SourceError

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


def open_source(address: str, options: SourceOptions) -> Source:
    """Open the source at an address: so far a folder of photos, a photo or a video file.

    Raises:
        SourceError: it is not there, or no source of this version has such an address.
    """
    scheme = address.partition(":")[0]
    if "://" in address or scheme in ("picamera", "v4l2"):
        raise SourceError(
            f"this version has no source for '{scheme}:' addresses; it knows: a folder, a photo, a video file"
        )
    from edged.camera.folder import FolderSource, is_photo  # noqa: PLC0415  Pillow: a daemon of cameras does without

    path = Path(address)
    if os.path.isdir(path) or (os.path.isfile(path) and is_photo(path.name)):  # noqa: PTH112, PTH113  these never raise
        return FolderSource(path, loop=options.loop, order=options.order)
    if os.path.isfile(path):  # noqa: PTH113
        from edged.camera.video import VideoSource  # noqa: PLC0415  FFmpeg takes 20 MB

        return VideoSource(path, loop=options.loop, realtime=options.realtime)
    raise SourceError(f"{path} is neither a folder nor a file" if os.path.exists(path) else f"{path} is not there")  # noqa: PTH110
