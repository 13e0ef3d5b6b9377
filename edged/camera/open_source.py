"""Which source an address means."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from edged.errors import SourceError

if TYPE_CHECKING:
    from edged.camera.source import Source, SourceOptions

KNOWN = "picamera[:N], v4l2:/dev/video0, rtsp://…, http(s)://…, a folder, a photo, a video file"

# Every import is inside its branch: a daemon pays only for the kinds of source that it has (FFmpeg takes 20 MB).


def open_source(address: str, options: SourceOptions) -> Source:
    """Open the source at an address.

    Raises:
        SourceError: it is not there or cannot be opened, or there is no such kind of source.
    """
    scheme, colon, rest = address.partition(":")
    if scheme == "picamera" and rest.isdecimal() == bool(colon):
        from edged.camera.picamera import PicameraSource  # noqa: PLC0415

        return PicameraSource(int(rest or 0), options)
    if scheme == "v4l2" and rest:
        from edged.camera.v4l2 import V4l2Source  # noqa: PLC0415

        return V4l2Source(rest, options)
    if scheme in {"rtsp", "rtsps", "http", "https"} and rest.startswith("//"):
        from edged.camera.stream import StreamSource  # noqa: PLC0415

        return StreamSource(address, options)
    if "://" in address:
        raise SourceError(f"no source has an address such as '{scheme}://'; known are: {KNOWN}")
    return _open_path(Path(address), options)


def _open_path(path: Path, options: SourceOptions) -> Source:
    from edged.camera.folder import FolderSource, is_photo  # noqa: PLC0415

    if os.path.isdir(path) or (os.path.isfile(path) and is_photo(path.name)):  # noqa: PTH112, PTH113  these never raise
        return FolderSource(path, loop=options.loop, order=options.order)
    if os.path.isfile(path):  # noqa: PTH113
        from edged.camera.video import VideoSource  # noqa: PLC0415

        return VideoSource(path, loop=options.loop, realtime=options.realtime)
    raise SourceError(f"{path} is neither a folder nor a file" if os.path.exists(path) else f"{path} is not there")  # noqa: PTH110
