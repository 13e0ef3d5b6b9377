"""Which source an address means."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from edged.errors import SourceError

if TYPE_CHECKING:
    from edged.camera.source import Source, SourceOptions


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
