"""Pixels as a camera or a file gives them, which render themselves at a wanted size without detours.

Every kind renders RGB with plain bilinear scaling (OpenCV's INTER_LINEAR, not antialiased), as ML Kit, the TFLite Task
Library and libcoral do; on small models the resampling decides the winner.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from math import ceil
from typing import Final, Protocol

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from edged.camera.geometry import WHOLE, Polygon, Region, Rotation, Size, point_before_turn
from edged.errors import BadImageError

Pixels = NDArray[np.uint8]

# One frame is prepared in a fraction of a millisecond; threads of OpenCV's own would only take cores from inference.
cv2.setNumThreads(1)


class Picture(Protocol):
    """Pixels of one moment."""

    @property
    def size(self) -> Size:
        """Width and height as seen, in pixels."""

    def render(self, size: Size, region: Region = WHOLE, out: Pixels | None = None) -> Pixels:
        """The region, stretched bilinearly to `size`: uint8 RGB of shape (height, width, 3), in `out` where given."""

    def masked(self, polygons: tuple[Polygon, ...]) -> Picture:
        """This picture with the polygons (fractions of it) black. What they hide cannot be had from the new one."""


class Order(Enum):
    """What the last axis of packed pixels means."""

    RGB = "RGB"
    BGR = "BGR"
    GREY = "GREY"


@dataclass(frozen=True, slots=True)
class PackedPicture:
    """Pixels in one array, uint8: (height, width, 3) in RGB or BGR order, or (height, width) grey.

    Rows may be strided.
    """

    data: Pixels
    order: Order = Order.RGB

    def __post_init__(self) -> None:
        wanted = 2 if self.order is Order.GREY else 3
        if self.data.dtype != np.uint8 or self.data.ndim != wanted or 0 in self.data.shape:
            raise BadImageError(f"{self.order.value} pixels cannot be {self.data.dtype} of shape {self.data.shape}")
        if wanted == 3 and self.data.shape[2] != 3:  # noqa: PLR2004  channels
            raise BadImageError(f"{self.order.value} pixels have 3 channels, not {self.data.shape[2]}")

    @property
    def size(self) -> Size:
        """Width and height in pixels."""
        return Size(self.data.shape[1], self.data.shape[0])

    def render(self, size: Size, region: Region = WHOLE, out: Pixels | None = None) -> Pixels:
        """See `Picture.render`."""
        scaled = _scale(_cut(self.data, region), size, out if self.order is Order.RGB else None)
        if self.order is Order.RGB:
            return scaled
        code = cv2.COLOR_BGR2RGB if self.order is Order.BGR else cv2.COLOR_GRAY2RGB
        return _pixels(cv2.cvtColor(scaled, code, dst=out))

    def masked(self, polygons: tuple[Polygon, ...]) -> PackedPicture:
        """See `Picture.masked`."""
        data = self.data.copy()
        _blank(data, polygons, (0, 0, 0))
        return PackedPicture(data, self.order)


class Matrix(Enum):
    """Which luma weights made the YUV values (Kr, Kb): ITU-R BT.601 (SD, JPEG) or BT.709 (HD)."""

    BT601 = (0.299, 0.114)
    BT709 = (0.2126, 0.0722)


@dataclass(frozen=True, slots=True)
class YuvPicture:
    """Planes of 8-bit 4:2:0 (or other) YUV, never turned into a full-size RGB picture.

    Attributes:
        y: (height, width) luma; rows may be strided, as in every plane.
        u, v: chroma planes of any smaller size; for interleaved chroma, `u` is (h, w, 2) and `v` is None.
        matrix: the luma weights.
        full_range: 0 to 255 (JPEG, most webcams) instead of 16 to 235.
        v_first: interleaved chroma is V, U (NV21) instead of U, V (NV12).
    """

    y: Pixels
    u: Pixels
    v: Pixels | None = None
    matrix: Matrix = Matrix.BT601
    full_range: bool = False
    v_first: bool = False

    @property
    def size(self) -> Size:
        """Width and height in pixels."""
        return Size(self.y.shape[1], self.y.shape[0])

    def render(self, size: Size, region: Region = WHOLE, out: Pixels | None = None) -> Pixels:
        """See `Picture.render`. The planes are scaled first and turned into RGB at the wanted size."""
        planes = [_scale(_cut(self.y, region), size), _scale(_cut(self.u, region), size)]
        if self.v is not None:
            planes.append(_scale(_cut(self.v, region), size))
        return _pixels(
            cv2.transform(cv2.merge(planes), _yuv_to_rgb(self.matrix, self.full_range, self.v_first), dst=out)
        )

    def masked(self, polygons: tuple[Polygon, ...]) -> YuvPicture:
        """See `Picture.masked`."""
        y, u = self.y.copy(), self.u.copy()
        v = None if self.v is None else self.v.copy()
        _blank(y, polygons, (0 if self.full_range else 16,))
        _blank(u, polygons, (128, 128))
        if v is not None:
            _blank(v, polygons, (128,))
        return YuvPicture(y, u, v, self.matrix, self.full_range, self.v_first)


@dataclass(frozen=True)
class JpegPicture:
    """A JPEG file's bytes, decoded when somebody looks, in no more detail than is asked for.

    The decoder scales down while it decodes, but only while the picture stays at least twice the wanted size on both
    sides, so that bilinear scaling still has the last word.
    """

    data: bytes = field(repr=False)

    @cached_property
    def size(self) -> Size:
        """Width and height in pixels, as stored.

        Raises:
            BadImageError: the bytes do not begin as a JPEG does.
        """
        try:
            height, width, _, _ = simplejpeg.decode_jpeg_header(self.data)
        except ValueError as error:
            raise BadImageError(f"not a JPEG: {error}") from error
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
        return {}  # the models of one package ask for the same frame

    def _decoded(self, least: Size) -> PackedPicture:
        if least not in self._cache:
            try:
                pixels = simplejpeg.decode_jpeg(self.data, min_height=least.height, min_width=least.width)
            except ValueError as error:
                raise BadImageError(f"damaged JPEG: {error}") from error
            self._cache[least] = PackedPicture(_pixels(pixels))
        return self._cache[least]


@dataclass(frozen=True, slots=True)
class TurnedPicture:
    """A picture to be seen after a clockwise rotation: regions and masks are those of the upright view."""

    picture: Picture
    rotation: Rotation

    @property
    def size(self) -> Size:
        """Width and height of the upright view."""
        return self.picture.size.turned(self.rotation)

    def render(self, size: Size, region: Region = WHOLE, out: Pixels | None = None) -> Pixels:
        """See `Picture.render`. Only the rendered pixels are turned, never the full picture."""
        if self.rotation == 0:
            return self.picture.render(size, region, out)
        if region is not WHOLE:
            region = region.before_turn(self.rotation)
        pixels = self.picture.render(size.turned(self.rotation), region)
        return _pixels(cv2.rotate(pixels, _TURNS[self.rotation], dst=out))

    def masked(self, polygons: tuple[Polygon, ...]) -> TurnedPicture:
        """See `Picture.masked`."""
        below = tuple(tuple(point_before_turn(point, self.rotation) for point in polygon) for polygon in polygons)
        return TurnedPicture(self.picture.masked(below), self.rotation)


_TURNS: Final = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


def _pixels(array: object) -> Pixels:
    """OpenCV's arrays, typed: every call here gives uint8 for uint8."""
    assert isinstance(array, np.ndarray)  # noqa: S101  for the type checker
    return array


def _cut(plane: Pixels, region: Region) -> Pixels:
    """The region's part of a plane: a view, no copy."""
    if region is WHOLE:
        return plane
    left, top, right, bottom = region.pixels(Size(plane.shape[1], plane.shape[0]))
    return plane[top:bottom, left:right]


def _scale(plane: Pixels, size: Size, out: Pixels | None = None) -> Pixels:
    return _pixels(cv2.resize(plane, (size.width, size.height), dst=out, interpolation=cv2.INTER_LINEAR))


def _blank(plane: Pixels, polygons: tuple[Polygon, ...], colour: tuple[int, ...]) -> None:
    """Fill polygons (fractions of the plane) in place, and a pixel beyond their edges.

    A chroma sample covers four pixels and a scaled-down pixel many: none may carry what lies under the edge.
    """
    height, width = plane.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    for polygon in polygons:
        corners = np.round(np.array(polygon) * (width, height)).astype(np.int32)
        cv2.fillPoly(mask, [corners], 255)
        cv2.polylines(mask, [corners], isClosed=True, color=255, thickness=3)
    plane[mask > 0] = colour[0] if plane.ndim == 2 else colour[: plane.shape[2]]  # noqa: PLR2004  axes


_MATRICES: dict[tuple[Matrix, bool, bool], NDArray[np.float32]] = {}


def _yuv_to_rgb(matrix: Matrix, full_range: bool, v_first: bool) -> NDArray[np.float32]:  # noqa: FBT001  facts of a frame
    """The 3 by 4 affine transform from (Y, U, V), or (Y, V, U), to RGB. Source: ITU-R BT.601-7 and BT.709-6, item 3."""
    key = (matrix, full_range, v_first)
    if key not in _MATRICES:
        kr, kb = matrix.value
        kg = 1 - kr - kb
        luma, chroma, black = (1.0, 1.0, 0.0) if full_range else (255 / 219, 255 / 224, 16.0)
        red = (luma, 0.0, 2 * (1 - kr) * chroma)
        green = (luma, -2 * kb * (1 - kb) / kg * chroma, -2 * kr * (1 - kr) / kg * chroma)
        blue = (luma, 2 * (1 - kb) * chroma, 0.0)
        rows = [(y, u, v, -y * black - (u + v) * 128) for y, u, v in (red, green, blue)]
        if v_first:
            rows = [(y, v, u, offset) for y, u, v, offset in rows]
        _MATRICES[key] = np.array(rows, np.float32)
    return _MATRICES[key]
