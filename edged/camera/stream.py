"""A network camera: RTSP, or HTTP in any of the ways in which cameras give pictures over it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from edged.camera.stream_address import StreamAddress
from edged.errors import SourceError

if TYPE_CHECKING:
    from edged.camera.source import Pace, Shot, Source, SourceOptions

OPEN_SECONDS: Final = 10.0
_JPEG: Final = b"\xff\xd8\xff"


class StreamSource:
    """The newest pictures of a network camera.

    An end of the stream is a failure, as every other: cameras do not end. Errors name the camera without its user,
    password and query.

    Args:
        address: `rtsp://`, `rtsps://`, `http://` or `https://`, with user and password where the camera wants them.
        options: `stall` bounds every wait, and opening with it.

    Raises:
        SourceError: it cannot be opened, for a reason that the text says.
    """

    def __init__(self, address: str, options: SourceOptions) -> None:
        until = time.monotonic() + min(options.stall, OPEN_SECONDS)
        where = StreamAddress.parse(address)
        self._source = (_open_http if where.scheme.startswith("http") else _open_video)(where, options.stall, until)

    @property
    def pace(self) -> Pace:
        """LIVE, or ON_DEMAND where each picture has to be asked for."""
        return self._source.pace

    def read(self, timeout: float) -> Shot:
        """See `Source.read`. Over RTSP it may take `options.stall`, where that is longer."""
        return self._source.read(timeout)

    def close(self) -> None:
        """Close the connection."""
        self._source.close()


# Imports are where they are needed: a camera over HTTP does without FFmpeg (20 MB), one over RTSP without Pillow.


def _open_video(address: StreamAddress, stall: float, until: float, *, recorded: bool = False) -> Source:
    from edged.camera.libav_stream import LibavStream  # noqa: PLC0415

    return LibavStream(address, stall, until, recorded=recorded)


def _open_http(address: StreamAddress, stall: float, until: float) -> Source:
    """What the server says that it gives decides who reads it; what it gives, where it says nothing."""
    from edged.camera.http_client import get  # noqa: PLC0415
    from edged.camera.http_pictures import HttpMotion, HttpStills  # noqa: PLC0415

    page = get(address, until)
    kind, _, detail = page.kind.partition("/")
    try:
        if kind == "multipart":
            return HttpMotion(address, page)
        if kind == "image" or (kind != "video" and page.peek().startswith(_JPEG)):
            return HttpStills(address, page)
    except SourceError:
        page.close()
        raise
    page.close()
    if detail == "html":
        raise SourceError(f"{address}: a web page, not a picture; the camera's manual has the address of its stream")
    return _open_video(address, stall, until, recorded=page.length is not None)
