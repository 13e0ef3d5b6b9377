"""JPEGs of cameras: made when somebody looks and not before, one for all who look, in a thread of their own."""

from __future__ import annotations

import asyncio
import base64
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Final

import numpy as np
import simplejpeg

from edged.camera.geometry import Size
from edged.camera.pixels import as_pixels

if TYPE_CHECKING:
    from edged.camera.frame import Frame

WIDEST: Final = 640
"""Pixels; a page on a phone has fewer, and labels are made from fewer still."""
QUALITY: Final = 75


@dataclass(frozen=True)
class Jpeg:
    """A camera's picture.

    Attributes:
        camera: which.
        frame: the number of the frame that it shows.
        data: the file.
    """

    camera: str
    frame: int
    data: bytes

    @cached_property
    def text(self) -> str:
        """The same in base64, for what takes only text; made once for all."""
        return base64.b64encode(self.data).decode("ascii")


class Pictures:
    """For the page's thread. Whoever asks for a frame that is being encoded gets the same picture."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "page pictures")
        self._made: dict[str, tuple[Frame, asyncio.Future[Jpeg]]] = {}
        self.encoded = 0

    async def of(self, camera: str, frame: Frame) -> Jpeg:
        """The picture of a frame. Raises BadImageError where it is damaged."""
        known = self._made.get(camera)
        if known is None or known[0] is not frame or known[1].cancelled():
            self.encoded += 1
            making = asyncio.get_running_loop().run_in_executor(self._thread, partial(encode, camera, frame))
            known = self._made[camera] = (frame, making)
        return await asyncio.shield(known[1])

    def forget(self, cameras: set[str]) -> None:
        """These are gone."""
        for camera in cameras & self._made.keys():
            del self._made[camera]

    def close(self) -> None:
        """Does not wait."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def encode(camera: str, frame: Frame) -> Jpeg:
    """The whole picture, upright and masked as every other part sees it, `WIDEST` pixels wide at most."""
    size = frame.picture.size
    if size.width > WIDEST:
        size = Size(WIDEST, max(1, round(size.height * WIDEST / size.width)))
    pixels = np.ascontiguousarray(as_pixels(frame.picture.render(size)))
    return Jpeg(camera, frame.number, bytes(simplejpeg.encode_jpeg(pixels, QUALITY, "RGB", "420", fastdct=True)))
