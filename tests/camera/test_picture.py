"""Pictures that render themselves, against slow references in float64."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.pictures import KINDS, bilinear, from_yuv, noise, smooth, strided, yuv_picture

from edged.camera.geometry import Region, Rotation, Size
from edged.camera.picture import Matrix, Order, PackedPicture, TurnedPicture, YuvPicture
from edged.errors import BadImageError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edged.camera.pixels import Pixels

SIZES = [Size(224, 224), Size(128, 96), Size(33, 57)]
REGIONS = [Region(0.5, 0.25, 0.5, 0.5), Region(0.13, 0.41, 0.37, 0.29)]


def off(one: NDArray[np.generic], other: NDArray[np.generic]) -> float:
    """The largest difference."""
    return float(np.abs(one.astype(np.float64) - other.astype(np.float64)).max())


@pytest.mark.parametrize("layout", ["i420", "nv12", "nv21", "422", "444"])
@pytest.mark.parametrize("matrix", list(Matrix))
@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("shape", [(640, 480), (321, 241), (1280, 720)])
def test_yuv_is_what_its_rgb_scaled_in_float_is(
    layout: str,
    matrix: Matrix,
    *,
    full_range: bool,
    shape: tuple[int, int],
) -> None:
    rgb = smooth(*shape)
    picture = yuv_picture(rgb, layout, matrix, full_range=full_range, padding=13)
    for size in SIZES:
        rendered, wanted = picture.render(size), bilinear(rgb, size.width, size.height)
        assert np.abs(rendered - wanted).mean() < 0.6
        assert off(rendered, wanted) <= 4.5  # three planes, each rounded twice


@pytest.mark.parametrize("layout", ["i420", "nv12", "nv21", "422", "444"])
@pytest.mark.parametrize("full_range", [False, True])
def test_yuv_of_any_values_is_converted_by_the_standards_formula(layout: str, *, full_range: bool) -> None:
    """Values no camera makes, too: at the planes' own size nothing is scaled but chroma."""
    y, u, v = (noise(64, 48, 1, seed) for seed in range(3))
    for matrix in Matrix:
        if layout == "444":
            picture = YuvPicture(y, u, v, matrix, full_range)
            chroma = u.astype(np.float64), v.astype(np.float64)
        else:
            down = 1 if layout == "422" else 2
            small = u[::down, ::2], v[::down, ::2]
            chroma = bilinear(small[0], 64, 48), bilinear(small[1], 64, 48)
            pair = np.stack(small if layout == "nv12" else small[::-1], axis=2)
            picture = (
                YuvPicture(y, pair, None, matrix, full_range, v_first=layout == "nv21")
                if layout.startswith("nv")
                else YuvPicture(y, *small, matrix, full_range)
            )
        wanted = from_yuv(np.stack([y.astype(np.float64), *chroma], axis=2), matrix, full_range=full_range)
        assert off(picture.render(Size(64, 48)), wanted) <= 2.5


@pytest.mark.parametrize("layout", ["i420", "nv12", "422"])
@pytest.mark.parametrize("region", REGIONS)
def test_luma_and_chroma_of_a_small_region_stay_together(layout: str, region: Region) -> None:
    """The region's edge lies in the middle of a chroma sample: cut by halves, colours would be off by a pixel."""
    rgb = smooth(50, 38)
    picture = yuv_picture(rgb, layout, full_range=True)
    across, down = 2, 1 if layout == "422" else 2
    left, top, right, bottom = region.pixels(picture.size)
    part = rgb[top // down * down : -(-bottom // down) * down, left // across * across : -(-right // across) * across]
    rendered, wanted = picture.render(Size(96, 96), region), bilinear(part, 96, 96)
    assert np.abs(rendered - wanted).mean() < 0.8
    assert off(rendered, wanted) <= 7  # at the very edge, where the region ends and chroma's neighbours with it


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 50), st.integers(1, 50), st.sampled_from([1, 3]))
@settings(deadline=None)
def test_packed_pixels_are_scaled_exactly_as_opencv_and_nearly_as_the_formula(
    width: int, height: int, to_width: int, to_height: int, channels: int
) -> None:
    pixels = noise(width, height, channels)
    picture = PackedPicture(pixels, Order.RGB if channels == 3 else Order.GREY)
    rendered = picture.render(Size(to_width, to_height))
    exact = cv2.resize(pixels, (to_width, to_height), interpolation=cv2.INTER_LINEAR)
    exact = exact if channels == 3 else np.repeat(exact[:, :, np.newaxis], 3, axis=2)
    wanted = bilinear(pixels, to_width, to_height)
    assert rendered.shape == (to_height, to_width, 3)
    assert np.array_equal(rendered, exact)
    assert off(rendered, wanted if channels == 3 else wanted[:, :, np.newaxis]) <= 1.5


def test_orders_of_one_photo_agree_and_red_stays_red(testdata: Path) -> None:
    image = cv2.imread(str(testdata / "images/burger.jpg"))
    assert image is not None
    bgr = np.asarray(image, np.uint8)
    rgb = np.ascontiguousarray(bgr[:, :, ::-1])
    size = Size(224, 224)
    wanted = bilinear(rgb, 224, 224)
    for picture in (PackedPicture(bgr, Order.BGR), PackedPicture(rgb), PackedPicture(bgr[:, :, ::-1])):
        assert off(picture.render(size), wanted) <= 1.5
    for layout in ("i420", "nv12", "nv21", "422", "444"):
        rendered = yuv_picture(rgb, layout).render(size).astype(np.float64)
        assert abs(rendered - wanted).mean() < abs(rendered - wanted[:, :, ::-1]).mean() / 8


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("region", [None, *REGIONS, Region(0.3, 0.3, 0.001, 0.001)])
def test_turned_picture_is_the_turned_whole(kind: str, rotation: Rotation, region: Region | None) -> None:
    rgb = smooth(64, 40)
    upright = np.ascontiguousarray(np.rot90(rgb, -rotation // 90))
    turned, wanted = TurnedPicture(KINDS[kind](rgb), rotation), KINDS[kind](upright)
    assert turned.size == wanted.size == Size(upright.shape[1], upright.shape[0])
    part = (region,) if region else ()
    one, other = turned.render(Size(31, 23), *part).astype(float), wanted.render(Size(31, 23), *part)
    exact = kind in ("rgb", "bgr", "grey", "444")
    if not (kind == "422" and rotation in (90, 270)):  # cut at whole chroma samples: a pixel wider on the other axis
        assert off(one, other) <= (4 if exact else 6)  # twice the roundings of three planes, JPEG's on top
    if exact:
        assert np.abs(one - other).mean() < 0.7


@given(
    st.integers(1, 30), st.integers(1, 30), st.sampled_from((0, 90, 180, 270)), st.floats(0, 0.99), st.floats(0, 0.99)
)
@settings(deadline=None)
def test_any_region_of_a_turned_picture_is_cut_from_the_turned_whole(
    width: int, height: int, rotation: Rotation, x: float, y: float
) -> None:
    rgb = noise(width, height)
    region = Region(x, y, (1 - x) / 2, (1 - y) / 3)
    turned = TurnedPicture(PackedPicture(rgb), rotation).render(Size(9, 7), region)
    whole = PackedPicture(np.ascontiguousarray(np.rot90(rgb, -rotation // 90)))
    assert off(turned, whole.render(Size(9, 7), region)) <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_pixels_go_where_they_are_wanted(kind: str) -> None:
    picture = KINDS[kind](smooth(50, 30))
    for turned in (picture, TurnedPicture(picture, 90), TurnedPicture(picture, 180)):
        out = np.zeros((20, 24, 3), np.uint8)
        assert turned.render(Size(24, 20), out=out) is out
        assert np.array_equal(out, turned.render(Size(24, 20)))


@pytest.mark.parametrize(
    "view",
    [
        lambda p: p[::-1],
        lambda p: p[:, ::-1],
        lambda p: p[:, :, ::-1],
        lambda p: p[::2, ::3],
        np.asfortranarray,
        lambda p: p.transpose(1, 0, 2),
        lambda p: strided(p, 7),
        lambda p: np.broadcast_to(p[:1], p.shape),
    ],
)
def test_rows_and_columns_may_lie_in_memory_as_they_like(view: object) -> None:
    assert callable(view)
    pixels: Pixels = view(noise(40, 30))
    pixels.flags.writeable = False
    wanted = PackedPicture(np.ascontiguousarray(pixels)).render(Size(17, 19))
    assert np.array_equal(PackedPicture(pixels).render(Size(17, 19)), wanted)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4, 3)),
        np.zeros((4, 4, 3), np.int8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 1), np.uint8),
        np.zeros((4,), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((1, 4, 4, 3), np.uint8),
    ],
)
def test_other_arrays_are_refused_with_what_is_wanted(array: Pixels) -> None:
    with pytest.raises(BadImageError, match=r"give uint8 \(0 to 255\), \(height, width, 3\)"):
        PackedPicture(array)


@pytest.mark.parametrize(
    "shapes",
    [
        [(4, 4), (2, 2)],
        [(4, 4), (2, 2), (2, 1)],
        [(4, 4), (5, 2), (5, 2)],
        [(4, 4, 1), (2, 2), (2, 2)],
        [(4, 4), (0, 2), (0, 2)],
    ],
)
def test_planes_that_do_not_belong_together_are_refused(shapes: list[tuple[int, ...]]) -> None:
    y, u, *v = (np.zeros(shape, np.uint8) for shape in shapes)
    with pytest.raises(BadImageError, match="give uint8, y"):
        YuvPicture(y, u, v[0] if v else None)
