"""Golden pictures: what a package shows of itself before a device trusts it. Drawn here, so that they may travel.

Three, for the three ways to a label: a ball (a class), a clock (an everyday word: the network hesitates between the
analog and the wall clock, the word must not), a figure (the second member). Photos would need somebody's leave.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Box = tuple[float, float, float, float]

_SIDE: Final = 256
# Drawn larger, then scaled down: Pillow's edges are hard.
_DRAWN: Final = 1024
_QUALITY: Final = 90
# Of the ball, whose radius is 1: a seam's width, and how near to a corner leather is black (as a cosine).
_SEAM: Final = 0.012
_BLACK: Final = 0.935


@dataclass(frozen=True)
class Golden:
    """One picture and what it must give: the float networks' confidences, the best label of its kind first."""

    file: str
    draw: Callable[[], Image.Image]
    labels: dict[str, float]

    def jpeg(self) -> bytes:
        """Return the picture as it is shipped."""
        buffer = io.BytesIO()
        picture = self.draw().resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)
        picture.save(buffer, "JPEG", quality=_QUALITY, subsampling=0)
        return buffer.getvalue()


def _ball() -> Image.Image:
    """A soccer ball on grass: black round the corners of an icosahedron, seams half-way between them."""
    noise = np.random.default_rng(0).normal(0, 18, (_DRAWN, _DRAWN, 1))
    grass = Image.fromarray((np.array([70, 140, 60]) + noise).clip(0, 255).astype(np.uint8))
    pixels = np.asarray(grass.filter(ImageFilter.GaussianBlur(2))).astype(np.float64)
    radius = 0.7
    down, along = np.mgrid[-1 : 1 : _DRAWN * 1j, -1 : 1 : _DRAWN * 1j] / radius
    pixels[(along / 1.05) ** 2 + ((down - 0.93) / 0.22) ** 2 < 1] *= 0.5  # its shadow
    inside = along**2 + down**2 < 1
    points = np.stack([along, -down, np.sqrt(np.clip(1 - along**2 - down**2, 0, 1))], -1)
    nearness = np.sort(points @ _icosahedron().T, -1)
    nearest, next_nearest = nearness[..., -1], nearness[..., -2]
    leather = np.full((_DRAWN, _DRAWN), 238.0)
    leather[nearest - next_nearest < _SEAM] = 120
    leather[nearest > _BLACK] = 25
    light = 0.45 + 0.55 * np.clip(points @ np.array([-0.4, 0.6, 0.7]), 0, 1)
    pixels[inside] = (leather * light)[inside][:, None]
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def _icosahedron() -> Floats:
    """Return the twelve corners, [12, 3], turned so that no face looks straight at the camera."""
    golden = (1 + math.sqrt(5)) / 2
    first = np.array([(0, one, other * golden) for one in (1, -1) for other in (1, -1)])
    corners = np.concatenate([np.roll(first, turn, axis=1) for turn in range(3)])
    for axis, angle in ((0, 0.25), (1, 0.3), (2, 0.2)):
        one, other = (axis + 1) % 3, (axis + 2) % 3
        turn = np.eye(3)
        turn[[one, other], [one, other]] = math.cos(angle)
        turn[one, other], turn[other, one] = -math.sin(angle), math.sin(angle)
        corners = corners @ turn
    return np.asarray(corners / np.linalg.norm(corners[0]))


def _clock() -> Image.Image:
    """A clock on a wall, twenty-five past one."""
    picture = Image.new("RGB", (_DRAWN, _DRAWN), (205, 190, 165))
    ImageDraw.Draw(picture).ellipse((100, 110, 940, 950), fill=(150, 130, 110))
    picture = picture.filter(ImageFilter.GaussianBlur(18))
    pen = ImageDraw.Draw(picture)
    pen.ellipse((90, 90, 930, 930), fill=(40, 30, 25))
    pen.ellipse((130, 130, 890, 890), fill=(245, 242, 230))
    for minute in range(60):
        hour = minute % 5 == 0
        pen.line(_spoke(minute, 310 if hour else 350, 372), fill=(20, 20, 20), width=20 if hour else 8)
    pen.line(_spoke(7, -50, 200), fill=(15, 15, 15), width=26)
    pen.line(_spoke(25, -50, 290), fill=(15, 15, 15), width=18)
    pen.ellipse((485, 485, 535, 535), fill=(15, 15, 15))
    return picture


def _spoke(minute: int, start: float, end: float) -> Box:
    angle = math.radians(minute * 6 - 90)
    along, down = math.cos(angle), math.sin(angle)
    return (510 + start * along, 510 + start * down, 510 + end * along, 510 + end * down)


def _figure() -> Image.Image:
    """Somebody in a red pullover on a lawn."""
    skin, wool, hair = (226, 178, 150), (190, 50, 50), (60, 40, 25)
    picture = Image.new("RGB", (_DRAWN, _DRAWN), (150, 185, 220))
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, 640, _DRAWN, _DRAWN), fill=(105, 130, 80))
    pen.ellipse((300, 930, 740, 1000), fill=(70, 90, 55))
    for left in (420, 520):  # legs and shoes
        pen.rounded_rectangle((left, 560, left + 85, 960), 30, fill=(45, 55, 90))
        pen.rounded_rectangle((left - 10, 925, left + 97, 980), 25, fill=(40, 30, 25))
    pen.rounded_rectangle((400, 280, 625, 620), 60, fill=wool)
    for arm in ((415, 330, 350, 560), (610, 330, 680, 560)):
        pen.line(arm, fill=(180, 45, 45), width=75)
    for hand in ((315, 550, 385, 630), (645, 550, 715, 630)):
        pen.ellipse(hand, fill=skin)
    pen.rectangle((480, 230, 545, 300), fill=(210, 160, 135))
    pen.ellipse((430, 80, 595, 280), fill=skin)
    pen.pieslice((420, 60, 605, 240), 170, 370, fill=hair)
    for eye in ((470, 165, 490, 180), (535, 165, 555, 180)):
        pen.ellipse(eye, fill=(40, 30, 30))
    pen.arc((480, 190, 545, 240), 20, 160, fill=(150, 60, 60), width=6)
    pen.line((512, 175, 506, 205), fill=(190, 140, 120), width=5)
    return picture.filter(ImageFilter.GaussianBlur(4))


GOLDEN: Final = (
    Golden("golden_ball.jpg", _ball, {"Sports equipment": 0.97, "Soccer ball": 0.97, "Person": 0.0}),
    Golden("golden_clock.jpg", _clock, {"Clock": 0.98, "Analog clock": 0.7, "Wall clock": 0.29, "Person": 0.0}),
    Golden("golden_figure.jpg", _figure, {"Person": 0.98}),
)
