"""Pixels as a camera or a file gives them, which render themselves at a wanted size without detours.

Every kind renders RGB with plain bilinear scaling (OpenCV's INTER_LINEAR, not antialiased), as ML Kit, the TFLite Task
Library and libcoral do; on small models the resampling decides the winner.

Every kind also gives its luma in a few large cells, to see cheaply what has moved.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

import cv2
import numpy as np

from edged.camera.geometry import WHOLE, Polygon, Region, Rotation, Size, point_before_turn
from edged.camera.pixels import Pixels, as_pixels, blanked, cut, mean, scale
from edged.errors import BadImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Matrix", "Order", "PackedPicture", "Picture", "Pixels", "TurnedPicture", "YuvPicture"]


@runtime_checkable
class Picture(Protocol):
    """Pixels of one moment."""

    @property
    def size(self) -> Size:
        """Width and height as seen, in pixels."""

    def render(self, size: Size, region: Region = WHOLE, out: Pixels | None = None) -> Pixels:
        """The region, stretched bilinearly to `size`: uint8 RGB of shape (height, width, 3), in `out` where given."""

    def luma(self, size: Size, region: Region = WHOLE) -> Pixels:
        """The region's brightness in a few cells, each the mean of its part: uint8 of shape (height, width).

        On the picture's own scale: 16 to 235 for most video, 0 to 255 for the rest. `size` is meant to be far below the
        picture's.
        """

    def masked(self, polygons: tuple[Polygon, ...]) -> Picture:
        """This picture with the polygons (fractions of it) black. What they hide cannot be had from the new one."""


class Order(Enum):
    """What the last axis of packed pixels means."""

    RGB = "RGB"
    BGR = "BGR"
    GREY = "GREY"
    RGBA = "RGBA"  # colours multiplied by their opacity: what is transparent is black


_TO_RGB: Final = {Order.BGR: cv2.COLOR_BGR2RGB, Order.GREY: cv2.COLOR_GRAY2RGB, Order.RGBA: cv2.COLOR_RGBA2RGB}
_TO_GREY: Final = {Order.RGB: cv2.COLOR_RGB2GRAY, Order.BGR: cv2.COLOR_BGR2GRAY, Order.RGBA: cv2.COLOR_RGBA2GRAY}


@dataclass(frozen=True, slots=True)
class PackedPicture:
    """Pixels in one array, uint8: (height, width, 3) in RGB or BGR order, (height, width, 4) or (height, width) grey.

    Rows may be strided.
    """

    data: Pixels
    order: Order = Order.RGB

    def __post_init__(self) -> None:
        wanted = () if self.order is Order.GREY else (len(self.order.value),)
        shape = self.data.shape
        if self.data.dtype != np.uint8 or len(shape) != 2 + len(wanted) or 0 in shape or shape[2:] != wanted:
            raise BadImageError(
                f"{self.order.value} pixels cannot be {self.data.dtype} of shape {shape}: give uint8 (0 to 255),"
                f" (height, width{f', {wanted[0]}' if wanted else ''})"
            )

    @property
    def size(self) -> Size:
        """Width and height in pixels."""
        return Size(self.data.shape[1], self.data.shape[0])

    def render(self, size: Size, region: Region = WHOLE, out: Pixels | None = None) -> Pixels:
        """See `Picture.render`."""
        scaled = scale(cut(self.data, region), size, out if self.order is Order.RGB else None)
        if self.order is Order.RGB:
            return scaled
        return as_pixels(cv2.cvtColor(scaled, _TO_RGB[self.order], dst=out))

    def luma(self, size: Size, region: Region = WHOLE) -> Pixels:
        """See `Picture.luma`."""
        means = mean(cut(self.data, region), size)
        return means if self.order is Order.GREY else as_pixels(cv2.cvtColor(means, _TO_GREY[self.order]))

    def masked(self, polygons: tuple[Polygon, ...]) -> PackedPicture:
        """See `Picture.masked`."""
        return PackedPicture(blanked(self.data, polygons, 0), self.order)


class Matrix(Enum):
    """Which luma weights made the YUV values (Kr, Kb): ITU-R BT.601 (SD, JPEG) or BT.709 (HD)."""

    BT601 = (0.299, 0.114)
    BT709 = (0.2126, 0.0722)


@dataclass(frozen=True, slots=True)
class YuvPicture:
    """Planes of 8-bit 4:2:0 (or other) YUV, never turned into a full-size RGB picture.

    Attributes:
        y: (height, width) luma; rows may be strided, as in every plane.
        u, v: chroma planes, as large as `y` or a whole number of times smaller, rounded up; for interleaved chroma, `u`
            is (h, w, 2) and `v` is None.
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

    def __post_init__(self) -> None:
        wanted = (self.u.shape[:2], (2,)) if self.v is None else (self.v.shape, ())
        planes = (self.y, self.u, self.u if self.v is None else self.v)
        right = (
            all(plane.dtype == np.uint8 and plane.size for plane in planes)
            and (self.u.shape[:2], self.u.shape[2:]) == wanted
            and self.y.ndim == 2  # noqa: PLR2004  axes
            and self.u.shape[0] <= self.y.shape[0]
            and self.u.shape[1] <= self.y.shape[1]
        )
        if not right:
            raise BadImageError(
                f"YUV planes cannot be {', '.join(f'{plane.dtype} {plane.shape}' for plane in planes)}: give uint8,"
                " y (height, width), u and v equal and no larger, or u (height, width, 2) and no v for interleaved ones"
            )

    @property
    def size(self) -> Size:
        """Width and height in pixels."""
        return Size(self.y.shape[1], self.y.shape[0])

    def render(self, size: Size, region: Region = WHOLE, out: Pixels | None = None) -> Pixels:
        """See `Picture.render`. The planes are scaled first and turned into RGB at the wanted size."""
        down, across = (-(-luma // chroma) for luma, chroma in zip(self.y.shape, self.u.shape, strict=False))
        planes = [self.y, self.u] if self.v is None else [self.y, self.u, self.v]
        if self.y.shape[0] % down or self.y.shape[1] % across:
            planes = [cut(plane, region) for plane in self._full_size(planes, down, across)]
        elif region is not WHOLE:
            planes = self._cut(planes, region, down, across)
        merged = cv2.merge([scale(plane, size) for plane in planes])
        return as_pixels(cv2.transform(merged, _yuv_to_rgb(self.matrix, self.full_range, self.v_first), dst=out))

    def luma(self, size: Size, region: Region = WHOLE) -> Pixels:
        """See `Picture.luma`."""
        return mean(cut(self.y, region), size)

    def masked(self, polygons: tuple[Polygon, ...]) -> YuvPicture:
        """See `Picture.masked`."""
        y = blanked(self.y, polygons, 0 if self.full_range else 16)
        u = blanked(self.u, polygons, 128)
        v = None if self.v is None else blanked(self.v, polygons, 128)
        return YuvPicture(y, u, v, self.matrix, self.full_range, self.v_first)

    def _cut(self, planes: list[Pixels], region: Region, down: int, across: int) -> list[Pixels]:
        """The region's part of every plane: views, no copies. Its edges lie where chroma samples' edges do."""
        left, top, right, bottom = region.pixels(self.size)
        rows, columns = (top // down, -(-bottom // down)), (left // across, -(-right // across))
        chroma = np.s_[slice(*rows), slice(*columns)]
        luma = np.s_[rows[0] * down : rows[1] * down, columns[0] * across : columns[1] * across]
        return [planes[0][luma], *(plane[chroma] for plane in planes[1:])]

    def _full_size(self, planes: list[Pixels], down: int, across: int) -> list[Pixels]:
        """Planes of odd sizes, where the last chroma samples reach beyond the picture: chroma as large as luma."""
        height, width = self.y.shape
        wide = [scale(plane, Size(plane.shape[1] * across, plane.shape[0] * down)) for plane in planes[1:]]
        return [planes[0], *(plane[:height, :width] for plane in wide)]


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
        return as_pixels(cv2.rotate(pixels, _TURNS[self.rotation], dst=out))

    def luma(self, size: Size, region: Region = WHOLE) -> Pixels:
        """See `Picture.luma`."""
        if self.rotation == 0:
            return self.picture.luma(size, region)
        cells = self.picture.luma(size.turned(self.rotation), region.before_turn(self.rotation))
        return as_pixels(cv2.rotate(cells, _TURNS[self.rotation]))

    def masked(self, polygons: tuple[Polygon, ...]) -> TurnedPicture:
        """See `Picture.masked`."""
        below = tuple(tuple(point_before_turn(point, self.rotation) for point in polygon) for polygon in polygons)
        return TurnedPicture(self.picture.masked(below), self.rotation)


_TURNS: Final = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


@cache
def _yuv_to_rgb(matrix: Matrix, full_range: bool, v_first: bool) -> NDArray[np.float32]:  # noqa: FBT001  facts of a frame
    """The 3 by 4 affine transform from (Y, U, V), or (Y, V, U), to RGB. Source: ITU-R BT.601-7 and BT.709-6, item 3."""
    kr, kb = matrix.value
    kg = 1 - kr - kb
    luma, chroma, black = (1.0, 1.0, 0.0) if full_range else (255 / 219, 255 / 224, 16.0)
    red = (luma, 0.0, 2 * (1 - kr) * chroma)
    green = (luma, -2 * kb * (1 - kb) / kg * chroma, -2 * kr * (1 - kr) / kg * chroma)
    blue = (luma, 2 * (1 - kb) * chroma, 0.0)
    rows = [(y, u, v, -y * black - (u + v) * 128) for y, u, v in (red, green, blue)]
    if v_first:
        rows = [(y, v, u, offset) for y, u, v, offset in rows]
    return np.array(rows, np.float32)
