"""Regions in whole pixels, and what a quarter-turn makes of them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.camera.geometry import WHOLE, Region, Rotation, Size, point_before_turn
from edged.errors import BadImageError


@st.composite
def regions(draw: st.DrawFn) -> Region:
    x, y = (draw(st.floats(0, 0.999)) for _ in "xy")
    return Region(x, y, draw(st.floats(0.001, 1 - x)), draw(st.floats(0.001, 1 - y)))


sides = st.integers(1, 5000)
turns = st.sampled_from((0, 90, 180, 270))


@given(regions(), sides, sides)
def test_region_is_at_least_a_pixel_and_inside(region: Region, width: int, height: int) -> None:
    left, top, right, bottom = region.pixels(Size(width, height))
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height


@given(regions(), sides, sides)
def test_region_in_pixels_is_right_to_a_pixel(region: Region, width: int, height: int) -> None:
    left, top, right, bottom = region.pixels(Size(width, height))
    for whole, exact in (
        (left, region.x * width),
        (top, region.y * height),
        (right, (region.x + region.width) * width),
        (bottom, (region.y + region.height) * height),
    ):
        assert abs(whole - exact) <= 1 + 1e-3


@given(sides, sides, turns, st.data())
def test_turned_region_has_the_same_pixels(width: int, height: int, rotation: Rotation, data: st.DataObject) -> None:
    """Corners on halves of a pixel too, where rounding could go either way."""
    upright = Size(width, height).turned(rotation)
    x, right = sorted(data.draw(st.lists(st.integers(0, 2 * upright.width), min_size=2, max_size=2, unique=True)))
    y, bottom = sorted(data.draw(st.lists(st.integers(0, 2 * upright.height), min_size=2, max_size=2, unique=True)))
    w, h = 2.0 * upright.width, 2.0 * upright.height
    region = Region(x / w, y / h, (right - x) / w, (bottom - y) / h)
    left, top, right, bottom = region.pixels(upright)
    before = region.before_turn(rotation).pixels(Size(width, height))
    wanted = {
        0: (left, top, right, bottom),
        90: (top, height - right, bottom, height - left),
        180: (width - right, height - bottom, width - left, height - top),
        270: (width - bottom, left, width - top, right),
    }[rotation]
    assert before == wanted


@given(st.floats(0, 1), st.floats(0, 1))
def test_four_quarter_turns_of_a_point_are_none(x: float, y: float) -> None:
    point = (x, y)
    for _ in range(4):
        point = point_before_turn(point, 90)
    assert point == pytest.approx((x, y), abs=1e-9)
    assert point_before_turn(point_before_turn((x, y), 90), 90) == pytest.approx(point_before_turn((x, y), 180))


@pytest.mark.parametrize(
    "fractions",
    [
        (0, 0, 0, 1),
        (0, 0, 1, -1),
        (-0.1, 0, 1, 1),
        (0.5, 0, 0.6, 1),
        (0, 0.5, 1, 0.6),
        (math.nan, 0, 1, 1),
        (0, 0, math.inf, 1),
    ],
)
def test_impossible_region_is_refused_with_an_example(fractions: tuple[float, float, float, float]) -> None:
    with pytest.raises(BadImageError, match=r"0\.5,0,0\.5,1 for the right half"):
        Region(*fractions)


def test_fractions_that_add_up_to_a_hair_over_one_are_taken() -> None:
    assert Region(0.1, 0.7, 0.9, 0.3 + 1e-12).pixels(Size(10, 10)) == (1, 7, 10, 10)
    assert WHOLE.pixels(Size(1, 1)) == (0, 0, 1, 1)
