"""Pictures of HTTP cameras: one a request, or one after the other in an endless answer."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from edged.camera.http_client import Page, get
from edged.camera.image_file import parse_picture
from edged.camera.jpeg import JpegPicture
from edged.camera.multipart import parts
from edged.camera.source import Pace, Shot
from edged.errors import BadImageError, SourceError

if TYPE_CHECKING:
    from edged.camera.stream_address import StreamAddress

log = logging.getLogger(__name__)

MOST_BYTES: Final = 32 * 2**20  # of one picture; a camera's JPEG of 100 megapixels has less
AGAIN_SECONDS: Final = 0.2  # after a damaged picture


class HttpStills:
    """An address that gives one picture a request, asked anew for each.

    Args:
        address: of the picture.
        page: the first answer, whose body is still to be read.
    """

    pace = Pace.ON_DEMAND

    def __init__(self, address: StreamAddress, page: Page) -> None:
        self._address = address
        self._first: Page | None = page

    def read(self, timeout: float) -> Shot:
        """See `Source.read`. A damaged picture is asked for again."""
        until = time.monotonic() + timeout
        damaged = 0
        while time.monotonic() < until:
            try:
                return Shot(parse_picture(self._fetch(until), name=str(self._address)))
            except BadImageError as error:
                damaged += 1
                log.debug("a picture left out (%s)", error)
            except SourceError:
                if time.monotonic() < until:
                    raise
            time.sleep(max(0.0, min(AGAIN_SECONDS, until - time.monotonic())))
        raise _nothing(self._address, timeout, damaged)

    def close(self) -> None:
        """Close the first answer, where nobody has read it."""
        if self._first is not None:
            self._first.close()
            self._first = None

    def _fetch(self, until: float) -> bytes:
        page, self._first = self._first or get(self._address, until), None
        try:
            page.allow(until)
            return page.read_all(MOST_BYTES)
        finally:
            page.close()


class HttpMotion:
    """An answer that goes on for ever, each part a JPEG; none is decoded before somebody looks at it."""

    pace = Pace.LIVE

    def __init__(self, address: StreamAddress, page: Page) -> None:
        self._address = address
        self._page = page
        self._parts = parts(page.read_some, page.boundary, MOST_BYTES)

    def read(self, timeout: float) -> Shot:
        """See `Source.read`."""
        until = time.monotonic() + timeout
        self._page.allow(until)
        damaged = 0
        while time.monotonic() < until:
            try:
                data = next(self._parts, None)
            except BadImageError as error:
                raise SourceError(f"{self._address}: nothing that is a picture ({error})") from error
            except SourceError:
                if time.monotonic() < until:
                    raise
                break
            if data is None:
                raise SourceError(f"{self._address}: the server has ended the stream")
            try:
                picture = JpegPicture(data, str(self._address))
                _ = picture.size
            except BadImageError as error:
                damaged += 1
                log.debug("a picture left out (%s)", error)
            else:
                return Shot(picture)
        raise _nothing(self._address, timeout, damaged)

    def close(self) -> None:
        """Cut the connection."""
        self._parts.close()
        self._page.close()


def _nothing(address: StreamAddress, timeout: float, damaged: int) -> SourceError:
    if damaged:
        return SourceError(f"{address}: garbage: no picture for {timeout:g} s among {damaged} that came")
    return SourceError(f"{address}: no picture for {timeout:g} s")
