"""Privacy masks: what lies under one cannot be had, in any kind of picture, at any rotation, size or region."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.pictures import KINDS, noise

from edged.camera.geometry import Point, Polygon, Region, Rotation, Size
from edged.camera.picture import TurnedPicture

if TYPE_CHECKING:
    from numpy.typing import NDArray

KIND_NAMES = sorted(KINDS)
SLACK = 8  # of 255: what rounding and a JPEG's quantisation leave of black and grey

turns = st.sampled_from((0, 90, 180, 270))
corners = st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 1.0))


def touched(polygon: Polygon, size: Size) -> NDArray[np.bool_]:
    """Pixels of which the polygon covers any of 25 points: inside is where a ray crosses an odd number of edges."""
    steps = 5
    y, x = np.mgrid[: size.height * steps, : size.width * steps] + 0.5
    x, y = x / (size.width * steps), y / (size.height * steps)
    covered = np.zeros(x.shape, np.bool_)
    for (x1, y1), (x2, y2) in zip(polygon, polygon[1:] + polygon[:1], strict=True):
        if y1 != y2:
            covered ^= ((y1 > y) != (y2 > y)) & (x < x1 + (y - y1) / (y2 - y1) * (x2 - x1))
    return np.asarray(covered.reshape(size.height, steps, size.width, steps).any(axis=(1, 3)), np.bool_)


@st.composite
def stars(draw: st.DrawFn) -> Polygon:
    """Polygons without crossing edges: corners around a middle."""
    middle_x, middle_y = draw(corners)
    angles = sorted(draw(st.lists(st.floats(0, 6.28), min_size=3, max_size=7, unique=True)))
    reach = draw(st.lists(st.floats(0.1, 0.7), min_size=len(angles), max_size=len(angles)))
    points: list[Point] = [
        (
            round(min(1.0, max(0.0, middle_x + far * math.cos(angle))), 6),
            round(min(1.0, max(0.0, middle_y + far * math.sin(angle))), 6),
        )
        for angle, far in zip(angles, reach, strict=True)
    ]
    return tuple(points)


@given(stars(), st.integers(5, 33), st.integers(5, 33), turns, st.sampled_from(KIND_NAMES))
@settings(deadline=None, max_examples=300)
def test_every_pixel_that_a_mask_touches_is_black(
    polygon: Polygon, width: int, height: int, rotation: Rotation, kind: str
) -> None:
    """On odd sizes and rotated pictures too, at the picture's own size."""
    upright = Size(width, height).turned(rotation)
    picture = TurnedPicture(KINDS[kind](np.full((height, width, 3), 255, np.uint8)), rotation).masked((polygon,))
    rendered = picture.render(upright)
    assert rendered[touched(polygon, upright)].max(initial=0) <= SLACK


@given(stars(), turns, st.sampled_from(KIND_NAMES), st.integers(1, 80), st.integers(1, 80), st.data())
@settings(deadline=None, max_examples=300)
def test_nothing_of_what_a_mask_hides_changes_any_rendering(  # noqa: PLR0913, PLR0917  what hypothesis draws
    polygon: Polygon, rotation: Rotation, kind: str, width: int, height: int, data: st.DataObject
) -> None:
    """Two scenes that differ under the mask alone give the same pixels at every scale, in every region."""
    size = Size(27, 22).turned(rotation)
    hidden = touched(polygon, size)
    scene = np.array(np.rot90(noise(27, 22), -rotation // 90))
    other = scene.copy()
    other[hidden] = 255 - other[hidden]
    x, y = data.draw(corners)
    region = Region(x * 0.9, y * 0.9, 1 - x * 0.9, 1 - y * 0.9)
    rendered = []
    for upright in (scene, other):
        below = np.ascontiguousarray(np.rot90(upright, rotation // 90))
        picture = TurnedPicture(KINDS[kind](below), rotation).masked((polygon,))
        rendered.append(picture.render(Size(width, height), region).astype(np.int16))
    if kind != "jpeg":  # a JPEG's blocks carry what is near into what is masked and out of it before we see it
        assert np.array_equal(rendered[0], rendered[1])


@pytest.mark.parametrize("kind", KIND_NAMES)
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_bright_marker_under_a_mask_is_seen_in_no_channel_at_any_scale(kind: str, rotation: Rotation) -> None:
    scene = np.zeros((120, 160, 3), np.uint8)
    scene[40:70, 50:90] = (255, 220, 180)
    upright = np.ascontiguousarray(np.rot90(scene, -rotation // 90))
    rows, columns = np.nonzero(upright[:, :, 0])
    size = Size(upright.shape[1], upright.shape[0])
    left, right = (columns.min()) / size.width, (columns.max() + 1) / size.width
    top, bottom = rows.min() / size.height, (rows.max() + 1) / size.height
    polygon = ((left, top), (right, top), (right, bottom), (left, bottom))
    picture = TurnedPicture(KINDS[kind](scene), rotation)
    assert picture.render(size).max() > 150
    masked = picture.masked((polygon,))
    for wanted in (Size(1, 1), Size(3, 2), Size(17, 13), Size(64, 64), size, Size(400, 300)):
        assert masked.render(wanted).max() <= 40 if kind == "jpeg" else masked.render(wanted).max() <= SLACK
        assert masked.render(wanted, Region(left, top, right - left, bottom - top)).max() <= 40


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_masks_leave_the_rest_and_the_original_alone(kind: str) -> None:
    picture = KINDS[kind](np.full((60, 80, 3), 200, np.uint8))
    masked = picture.masked((((0.0, 0.0), (0.25, 0.0), (0.25, 1.0), (0.0, 1.0)),))
    assert masked.size == picture.size
    assert picture.render(Size(80, 60)).min() > 190
    assert masked.render(Size(80, 60))[:, 24:].min() > 190
    assert masked.render(Size(80, 60))[:, :20].max() <= SLACK


def test_mask_without_area_still_hides_its_line() -> None:
    picture = KINDS["rgb"](np.full((20, 20, 3), 255, np.uint8))
    masked = picture.masked((((0.5, 0.0), (0.5, 1.0), (0.5, 0.0)),))
    assert masked.render(Size(20, 20))[:, 9:11].max() == 0
