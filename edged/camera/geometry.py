"""Regions of a picture, and how a quarter-turn moves them."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor
from typing import Final, Literal

from edged.errors import BadImageError

Rotation = Literal[0, 90, 180, 270]
Point = tuple[float, float]
Polygon = tuple[Point, ...]

_HALF_SLACK: Final = 1e-6  # of a pixel: 1 - x is not exact, and a half must stay one


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height in pixels."""

    width: int
    height: int

    def turned(self, rotation: Rotation) -> Size:
        """The size after a clockwise rotation."""
        return self if rotation in (0, 180) else Size(self.height, self.width)


@dataclass(frozen=True, slots=True)
class Region:
    """Part of a picture in fractions of it, from its top left corner: x, y, width, height, all within [0, 1].

    Raises:
        BadImageError: it is empty or leaves the picture.
    """

    x: float
    y: float
    width: float
    height: float

    def __post_init__(self) -> None:
        slack = 1e-6  # 0.1 + 0.9 may be a hair over 1
        inside = self.x >= 0 and self.y >= 0 and self.x + self.width <= 1 + slack and self.y + self.height <= 1 + slack
        if not (inside and self.width > 0 and self.height > 0):
            raise BadImageError(
                f"region {self.x:g},{self.y:g},{self.width:g},{self.height:g} is empty or leaves the picture"
                " (x, y, width, height as fractions of it, such as 0.5,0,0.5,1 for the right half)"
            )

    def before_turn(self, rotation: Rotation) -> Region:
        """Where this region of an upright picture lies in the picture before it was turned clockwise by `rotation`."""
        if rotation == 90:  # noqa: PLR2004  degrees
            return Region(self.y, max(0.0, 1 - self.x - self.width), self.height, self.width)
        if rotation == 180:  # noqa: PLR2004
            return Region(
                max(0.0, 1 - self.x - self.width), max(0.0, 1 - self.y - self.height), self.width, self.height
            )
        if rotation == 270:  # noqa: PLR2004
            return Region(max(0.0, 1 - self.y - self.height), self.x, self.height, self.width)
        return self

    def pixels(self, size: Size) -> tuple[int, int, int, int]:
        """Left, top, right, bottom in whole pixels of a picture of `size`; at least one pixel."""
        left, right = _whole_pixels(self.x, self.width, size.width)
        top, bottom = _whole_pixels(self.y, self.height, size.height)
        return left, top, right, bottom


WHOLE: Final = Region(0.0, 0.0, 1.0, 1.0)


def _whole_pixels(start: float, length: float, pixels: int) -> tuple[int, int]:
    """First pixel and one past the last. Halves go outwards at both ends: a turned picture must have the same ones."""
    low, high = min(start, 1.0) * pixels, min(start + length, 1.0) * pixels
    first, end = ceil(low - 0.5 - _HALF_SLACK), floor(high + 0.5 + _HALF_SLACK)
    if first >= end:  # less than a pixel: that in which its middle lies, or both at whose border it lies
        middle = (low + high) / 2
        first, end = ceil(middle - _HALF_SLACK) - 1, floor(middle + _HALF_SLACK) + 1
    return max(first, 0), min(end, pixels)


def point_before_turn(point: Point, rotation: Rotation) -> Point:
    """Where a point of an upright picture lies in the picture before it was turned clockwise by `rotation`."""
    x, y = point
    return {0: (x, y), 90: (y, 1 - x), 180: (1 - x, 1 - y), 270: (1 - y, x)}[rotation]
