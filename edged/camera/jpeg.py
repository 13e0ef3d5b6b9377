"""JPEG bytes as a picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from math import ceil
from typing import Final

import simplejpeg

from edged.camera.geometry import WHOLE, Polygon, Region, Size
from edged.camera.picture import PackedPicture
from edged.camera.pixels import Pixels, as_pixels, check_size
from edged.errors import BadImageError

_HARMLESS: Final = "extraneous bytes before marker"  # many cameras pad; the picture is whole


@dataclass(frozen=True)
class JpegPicture:
    """A JPEG file's bytes, decoded when somebody looks, in no more detail than is asked for.

    The decoder scales down while it decodes, but only while the picture stays at least twice the wanted size on both
    sides, so that bilinear scaling still has the last word.
    """

    data: bytes = field(repr=False)
    name: str = "the picture"  # for errors

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
        return Size(width, height)

    def render(self, size: Size, region: Region = WHOLE, out: Pixels | None = None) -> Pixels:
        """See `Picture.render`.

        Raises:
            BadImageError: the JPEG is damaged or ends too early.
        """
        wanted = Size(ceil(2 * size.width / region.width), ceil(2 * size.height / region.height))
        if wanted.width >= self.size.width or wanted.height >= self.size.height:
            wanted = self.size
        return self._decoded(wanted).render(size, region, out)

    def masked(self, polygons: tuple[Polygon, ...]) -> PackedPicture:
        """See `Picture.masked`. Decoded in full: the hidden parts must not survive in compressed form."""
        return self._decoded(self.size).masked(polygons)

    @cached_property
    def _cache(self) -> dict[Size, PackedPicture]:
        return {}  # the last decoded: the models of one package ask for the same frame

    def _decoded(self, least: Size) -> PackedPicture:
        picture = self._cache.get(least)
        if picture is None:
            picture = PackedPicture(self._decode(least))
            self._cache.clear()
            self._cache[least] = picture
        return picture

    def _decode(self, least: Size, *, strict: bool = True) -> Pixels:
        try:
            return as_pixels(
                simplejpeg.decode_jpeg(self.data, min_height=least.height, min_width=least.width, strict=strict)
            )
        except ValueError as error:
            if strict and _HARMLESS in str(error):
                return self._decode(least, strict=False)
            raise BadImageError(f"{self.name}: damaged JPEG ({error}); copy the file anew") from error
