"""JPEG bytes as a picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from math import ceil
from typing import Final, Literal

import simplejpeg

from edged.camera.geometry import WHOLE, Polygon, Region, Size
from edged.camera.picture import Order, PackedPicture
from edged.camera.pixels import Pixels, as_pixels, check_size
from edged.errors import BadImageError

_HARMLESS: Final = "extraneous bytes before marker"  # many cameras pad; the picture is whole


_SCAN: Final = b"\xff\xda"  # the marker that begins a scan (ITU-T T.81, B.1.1.3); a thumbnail within counts too
MOST_KEPT: Final = 2  # decoded pictures of one frame, for models of different sizes
MOST_SCANS: Final = 64  # programs write about ten; each further one costs the decoder a walk over the whole picture
A_FRAME: Final = "the picture"  # that has no name, as it comes from a camera


@dataclass(frozen=True)
class JpegPicture:
    """A JPEG file's bytes, decoded when somebody looks, in no more detail than is asked for.

    The decoder scales down while it decodes, but only while the picture stays at least twice the wanted size on both
    sides, so that bilinear scaling still has the last word.
    """

    data: bytes = field(repr=False)
    name: str = A_FRAME  # a file's, for errors

    @cached_property
    def size(self) -> Size:
        """Width and height in pixels, as stored.

        Raises:
            BadImageError: the bytes do not begin as a JPEG does, or it is larger than 120 megapixels.
        """
        try:
            height, width, _, _ = simplejpeg.decode_jpeg_header(self.data)
        except ValueError as error:
            raise BadImageError(f"{self.name}: not a JPEG that can be read ({error})") from error
        check_size(Size(width, height), self.name)
        if self.data.count(_SCAN) > MOST_SCANS:
            raise BadImageError(f"{self.name}: a JPEG of more scans than any camera or program makes")
        return Size(width, height)

    def render(self, size: Size, region: Region = WHOLE, out: Pixels | None = None) -> Pixels:
        """See `Picture.render`.

        Raises:
            BadImageError: the JPEG is damaged or ends too early.
        """
        return self._decoded(self._least(size, region)).render(size, region, out)

    def luma(self, size: Size, region: Region = WHOLE) -> Pixels:
        """See `Picture.luma`. Colours are not decoded, and as a rule an eighth of the lines and columns.

        Raises:
            BadImageError: the JPEG is damaged or ends too early.
        """
        grey = self._decode(self._least(size, region), "GRAY")
        return PackedPicture(grey[:, :, 0], Order.GREY).luma(size, region)

    def masked(self, polygons: tuple[Polygon, ...]) -> PackedPicture:
        """See `Picture.masked`. Decoded in full: the hidden parts must not survive in compressed form."""
        return self._decoded(self.size).masked(polygons)

    def _least(self, size: Size, region: Region) -> Size:
        """How large the whole must be decoded for the region to be twice as large as `size`; in full if need be."""
        least = Size(ceil(2 * size.width / region.width), ceil(2 * size.height / region.height))
        return self.size if least.width >= self.size.width or least.height >= self.size.height else least

    @cached_property
    def _cache(self) -> dict[Size, PackedPicture]:
        return {}  # what was asked for last: the models of one package ask for the same frame

    def _decoded(self, least: Size) -> PackedPicture:
        for known, picture in tuple(self._cache.items()):
            # The decoder gives the least of its sizes that is large enough: the same one for all from `known` to it.
            if known.width <= least.width <= picture.size.width and known.height <= least.height <= picture.size.height:
                return picture
        picture = PackedPicture(self._decode(least, "RGB"))
        for known, kept in tuple(self._cache.items()):  # a copy: several threads may look at one picture
            if kept.size == picture.size:
                self._cache.pop(known, None)  # `least` is less than it, and serves for both
        if len(self._cache) >= MOST_KEPT:
            self._cache.clear()
        self._cache[least] = picture
        return picture

    def _decode(self, least: Size, colours: Literal["RGB", "GRAY"], *, strict: bool = True) -> Pixels:
        try:
            return as_pixels(
                simplejpeg.decode_jpeg(
                    self.data, colours, min_height=least.height, min_width=least.width, strict=strict
                )
            )
        except ValueError as error:
            if strict and _HARMLESS in str(error):
                return self._decode(least, colours, strict=False)
            cure = "" if self.name == A_FRAME else "; copy the file anew"
            raise BadImageError(f"{self.name}: damaged JPEG ({error}){cure}") from error
