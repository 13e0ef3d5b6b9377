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

WIDEST: Final = 480
"""Pixels of live pictures; a 1080p JPEG is decoded at half its size for them, which takes a third of the time."""
STILL: Final = 1280
"""Pixels of a picture that is asked for by itself."""
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
        self._made: dict[tuple[str, int], tuple[Frame, asyncio.Future[Jpeg]]] = {}
        self.encoded = 0

    async def of(self, camera: str, frame: Frame, widest: int = WIDEST) -> Jpeg:
        """The picture of a frame, so many pixels wide at most. Raises BadImageError where it is damaged."""
        known = self._made.get((camera, widest))
        if known is None or known[0] is not frame or known[1].cancelled():
            self.encoded += 1
            making = asyncio.get_running_loop().run_in_executor(self._thread, partial(encode, camera, frame, widest))
            known = self._made[camera, widest] = (frame, making)
        return await asyncio.shield(known[1])

    def forget(self, cameras: set[str]) -> None:
        """These are gone."""
        self._made = {key: made for key, made in self._made.items() if key[0] not in cameras}

    def close(self) -> None:
        """Does not wait."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def encode(camera: str, frame: Frame, widest: int) -> Jpeg:
    """The whole picture, upright and masked as every other part sees it, `widest` pixels wide at most."""
    size = frame.picture.size
    if size.width > widest:
        size = Size(widest, max(1, round(size.height * widest / size.width)))
    pixels = np.ascontiguousarray(as_pixels(frame.picture.render(size)))
    return Jpeg(camera, frame.number, bytes(simplejpeg.encode_jpeg(pixels, QUALITY, "RGB", "420", fastdct=True)))
