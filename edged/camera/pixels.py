"""What every kind of picture is made of: arrays of pixels, cut, scaled and blanked with OpenCV."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edged.camera.geometry import WHOLE, Polygon, Region, Size
from edged.errors import BadImageError

Pixels = NDArray[np.uint8]

MAX_PIXELS: Final = 120_000_000  # 360 MB as RGB: the most that one picture may cost

_FINER: Final = 4
_BORDER: Final = 2
_CORNER_BITS: Final = 4  # corners of masks are exact to 1/16 pixel

# One frame is prepared in a fraction of a millisecond; threads of OpenCV's own would only take cores from inference.
cv2.setNumThreads(1)


def check_size(size: Size, name: str) -> None:
    """Raise BadImageError where a picture is too large to be decoded."""
    if size.width * size.height > MAX_PIXELS:
        raise BadImageError(
            f"{name}: {size.width}x{size.height} pixels; {MAX_PIXELS // 10**6} megapixels is the most,"
            " give a smaller copy"
        )


def as_pixels(array: object) -> Pixels:
    """OpenCV's arrays, typed: every call here gives uint8 for uint8."""
    assert isinstance(array, np.ndarray)  # noqa: S101  for the type checker
    return array


def cut(plane: Pixels, region: Region) -> Pixels:
    """The region's part of a plane: a view, no copy."""
    if region is WHOLE:
        return plane
    left, top, right, bottom = region.pixels(Size(plane.shape[1], plane.shape[0]))
    return plane[top:bottom, left:right]


def scale(plane: Pixels, size: Size, out: Pixels | None = None) -> Pixels:
    """Plain bilinear scaling, in `out` where given."""
    if plane.strides[0] < 0:  # stored from the bottom up, as BMP files are: OpenCV would copy it whole
        return as_pixels(cv2.flip(scale(plane[::-1], size), 0, dst=out))
    return as_pixels(cv2.resize(plane, (size.width, size.height), dst=out, interpolation=cv2.INTER_LINEAR))


def mean(plane: Pixels, size: Size) -> Pixels:
    """Each pixel the mean of its part of the plane; of 16 points of it, where the plane is large.

    To read every pixel of a 1080p plane takes as long as to label it.
    """
    height, width = plane.shape[:2]
    fine = Size(min(width, _FINER * size.width), min(height, _FINER * size.height))
    points = plane if fine == Size(width, height) else scale(plane, fine)
    return as_pixels(cv2.resize(points, (size.width, size.height), interpolation=cv2.INTER_AREA))


def blanked(plane: Pixels, polygons: tuple[Polygon, ...], colour: int) -> Pixels:
    """A copy with polygons (fractions of the plane) filled, and every pixel or sample that they touch."""
    blank = np.full(plane.shape, colour, np.uint8)
    return as_pixels(cv2.copyTo(plane, _seen(polygons, Size(plane.shape[1], plane.shape[0])), blank))


@lru_cache(maxsize=64)  # a camera's masks and the sizes of its planes stay the same
def _seen(polygons: tuple[Polygon, ...], size: Size) -> Pixels:
    """0 where a polygon lies, and a pixel beyond; else 255.

    A chroma sample covers four pixels and a polygon's edge cuts pixels: none may carry what lies under the edge.
    """
    # Drawn with a border: a corner on the picture's edge rounds to a pixel outside it, whose neighbour is inside.
    seen = np.full((size.height + 2 * _BORDER, size.width + 2 * _BORDER), 255, np.uint8)
    for polygon in polygons:
        corners = np.array(polygon) * (size.width, size.height) - 0.5 + _BORDER  # OpenCV counts from middles
        cv2.fillPoly(seen, [np.rint(corners * 2**_CORNER_BITS).astype(np.int32)], 0, shift=_CORNER_BITS)
    seen = as_pixels(cv2.erode(seen, np.ones((3, 3), np.uint8)))
    return np.ascontiguousarray(seen[_BORDER:-_BORDER, _BORDER:-_BORDER])
