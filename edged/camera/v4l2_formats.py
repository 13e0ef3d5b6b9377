"""Which of a V4L2 camera's formats, sizes and frame rates is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from edged.camera.geometry import Size

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# What is asked for while the model's size is not known: 640x360 of a wide camera, 640x480 of another.
USUAL_SIZE: Final = Size(480, 360)

_SAME_VIEW: Final = 0.03  # 1366x768 and 1920x1080 are the same view
_SAME_RATE: Final = 0.02  # 29.97 is 30
_MOST_FOR_VIEW: Final = 4  # times the pixels of the smallest mode that would do, for a picture that is not cropped


class Format(Enum):
    """What a frame's bytes are, by V4L2's four letters; in the order in which they are preferred.

    Raw frames are, where the camera reaches the rate with them: their planes are scaled as they are, while a JPEG has
    to be decoded. USB 2 carries raw frames of small sizes only, and cameras say so by their rates. Grey comes last.
    """

    NV12 = "NV12"  # 4:2:0, chroma interleaved
    YU12 = "YU12"  # 4:2:0, three planes
    YUYV = "YUYV"  # 4:2:2, packed
    UYVY = "UYVY"
    MJPG = "MJPG"
    JPEG = "JPEG"
    GREY = "GREY"


COMPRESSED: Final = (Format.MJPG, Format.JPEG)
_PREFERENCE: Final = {kind: place for place, kind in enumerate(Format)}


@dataclass(frozen=True, slots=True)
class Mode:
    """A format and size that a camera offers; `rates` in frames per second, empty where the driver does not say."""

    format: Format
    size: Size
    rates: tuple[float, ...] = ()

    def missing(self, fps: float) -> float:
        """By how many frames per second it is too slow, as far as one knows."""
        fastest = max(self.rates, default=fps)
        return 0.0 if fastest >= fps * (1 - _SAME_RATE) else fps - fastest

    def rate(self, fps: float) -> float:
        """The least rate that is fast enough, else the highest."""
        enough = [rate for rate in self.rates if rate >= fps * (1 - _SAME_RATE)]
        return min(enough) if enough else max(self.rates, default=fps)

    def __str__(self) -> str:
        return f"{self.size.width}x{self.size.height} {self.format.value}"


def choose(modes: Sequence[Mode], least: Size, fps: float) -> Mode:
    """The mode that does with the least work. `modes` is not empty.

    In this order: colours; at least `least` on both sides (else the largest); fast enough for `fps` (else the fastest);
    the whole view of the sensor, where that costs no more than four times the pixels (small modes of another shape are
    cut out of it); few pixels; `Format`'s order.
    """
    sensor = max((mode.size for mode in modes), key=_pixels)
    enough = [mode for mode in modes if _covers(mode.size, least)]
    most_for_view = _MOST_FOR_VIEW * min((_pixels(mode.size) for mode in enough), default=0)

    def key(mode: Mode) -> tuple[bool, bool, float, bool, int, int]:
        pixels = _pixels(mode.size)
        covers = _covers(mode.size, least)
        whole = _same_view(mode.size, sensor) and (pixels <= most_for_view or not covers)
        grey = mode.format is Format.GREY
        cost = pixels if covers else -pixels
        return grey, not covers, mode.missing(fps), not whole, cost, _PREFERENCE[mode.format]

    return min(modes, key=key)


def alternatives(modes: Sequence[Mode], least: Size, fps: float) -> list[Mode]:
    """The mode to ask for, and where it is raw, a compressed one for a bus that has no room for it."""
    best = choose(modes, least, fps)
    compressed = [mode for mode in modes if mode.format in COMPRESSED]
    return [best] if best in compressed or not compressed else [best, choose(compressed, least, fps)]


@dataclass(frozen=True, slots=True)
class SizeRange:
    """Sizes of a driver that scales: every one from `least` to `most` in steps of `step` pixels."""

    least: Size
    most: Size
    step: Size

    def sizes(self, wanted: Size) -> Iterable[Size]:
        """Those that `choose` should know: the largest, and the smallest of its shape that covers `wanted`."""
        across, down = Fraction(wanted.width, self.most.width), Fraction(wanted.height, self.most.height)
        share = min(Fraction(1), max(across, down))
        width = _in_steps(share * self.most.width, self.least.width, self.most.width, self.step.width)
        height = _in_steps(share * self.most.height, self.least.height, self.most.height, self.step.height)
        return {Size(width, height), self.most}


def _in_steps(value: Fraction, least: int, most: int, step: int) -> int:
    step = max(step, 1)
    return max(least, min(least + -((least - value) // step) * step, most))


def _covers(size: Size, least: Size) -> bool:
    return size.width >= least.width and size.height >= least.height


def _pixels(size: Size) -> int:
    return size.width * size.height


def _same_view(one: Size, other: Size) -> bool:
    return abs(one.width * other.height / (one.height * other.width) - 1) <= _SAME_VIEW
