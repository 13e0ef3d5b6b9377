"""A picture's brightness in a few cells: the same of every kind of picture, region by region, and cheaply had."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.pictures import KINDS, encoded, jpeg, noise, smooth, strided, yuv_picture

from edged.camera.geometry import WHOLE, Region, Rotation, Size
from edged.camera.jpeg import JpegPicture
from edged.camera.picture import Order, PackedPicture, Picture, TurnedPicture
from edged.errors import BadImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edged.camera.pixels import Pixels

CELLS = Size(8, 6)
REGIONS = [WHOLE, Region(0.5, 0.25, 0.5, 0.5), Region(0.13, 0.41, 0.37, 0.29)]


def means(rgb: Pixels, size: Size, region: Region = WHOLE) -> NDArray[np.float64]:
    """Mean luma of each cell, by ITU-R BT.601's weights, pixel by pixel in float64."""
    left, top, right, bottom = region.pixels(Size(rgb.shape[1], rgb.shape[0]))
    luma = rgb[top:bottom, left:right].astype(np.float64) @ (0.299, 0.587, 0.114)
    fine = np.repeat(np.repeat(luma, size.height, axis=0), size.width, axis=1)
    return np.asarray(fine.reshape(size.height, luma.shape[0], size.width, luma.shape[1]).mean(axis=(1, 3)))


def luma(picture: Picture, size: Size = CELLS, region: Region = WHOLE) -> NDArray[np.float64]:
    cells = picture.luma(size, region)
    assert cells.dtype == np.uint8
    assert cells.shape == (size.height, size.width)
    return cells.astype(np.float64)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in {"i420", "nv12", "nv21", "422", "444"}])
@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("shape", [(640, 480), (321, 241), (40, 30)])
def test_each_cell_is_the_mean_of_its_part(kind: str, region: Region, shape: tuple[int, int]) -> None:
    rgb = smooth(*shape)
    # a JPEG's decoder rounds the size up when it scales, and gives the last line or column less than its share
    allowed = 5 if kind == "jpeg" else 2
    assert np.abs(luma(KINDS[kind](rgb), CELLS, region) - means(rgb, CELLS, region)).max() <= allowed


@pytest.mark.parametrize("layout", ["i420", "nv12", "nv21", "422", "444"])
def test_of_yuv_it_is_the_luma_plane_whatever_the_layout_and_the_padding(layout: str) -> None:
    rgb = smooth(640, 480)
    wanted = means(rgb, CELLS) * 219 / 255 + 16
    assert np.abs(luma(yuv_picture(rgb, layout, padding=13)) - wanted).max() <= 1.5


@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 255))
@settings(deadline=None)
def test_a_picture_of_one_grey_has_that_grey_in_every_cell(width: int, height: int, grey: int) -> None:
    plane = np.full((height, width), grey, np.uint8)
    assert (luma(PackedPicture(plane, Order.GREY)) == grey).all()
    assert (luma(PackedPicture(strided(plane, 5), Order.GREY)) == grey).all()


def test_noise_is_averaged_away_although_a_large_picture_is_read_in_part() -> None:
    plane = PackedPicture(noise(1920, 1080, 1), Order.GREY)  # of 0 to 255: a standard deviation of 74
    assert luma(plane, Size(56, 56)).std() < 74 / 5


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("region", REGIONS)
def test_a_turned_picture_has_the_cells_of_its_upright_view(rotation: Rotation, region: Region) -> None:
    rgb = smooth(640, 480)
    upright = PackedPicture(np.ascontiguousarray(np.rot90(rgb, -rotation // 90)))
    turned = TurnedPicture(PackedPicture(rgb), rotation)
    assert np.abs(luma(turned, CELLS, region) - luma(upright, CELLS, region)).max() <= 1


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 2}, {"keep_rgb": True}])
def test_every_kind_of_jpeg_has_its_luma(options: dict[str, object]) -> None:
    rgb = smooth(1280, 720)
    assert np.abs(luma(jpeg(rgb, **options)) - means(rgb, CELLS)).max() <= 2.5
    grey = JpegPicture(encoded(rgb[:, :, 0], "JPEG", quality=100))
    assert np.abs(luma(grey) - means(np.repeat(rgb[:, :, :1], 3, axis=2), CELLS)).max() <= 2.5


@pytest.mark.parametrize("region", REGIONS)
def test_a_damaged_jpeg_is_refused_by_its_name(region: Region) -> None:
    data = encoded(smooth(640, 480), "JPEG")
    with pytest.raises(BadImageError, match=r"porch\.jpg: damaged"):
        JpegPicture(data[: len(data) // 2], "porch.jpg").luma(CELLS, region)
    with pytest.raises(BadImageError, match=r"porch\.jpg: not a JPEG"):
        JpegPicture(b"rubbish", "porch.jpg").luma(CELLS, region)


def test_a_jpeg_with_harmless_bytes_in_it_has_its_luma() -> None:
    data = encoded(smooth(640, 480), "JPEG")
    padded = data[:-2] + b"\x00\x00\x00" + data[-2:]
    assert np.array_equal(JpegPicture(padded).luma(CELLS), JpegPicture(data).luma(CELLS))


def test_looking_at_a_jpegs_luma_leaves_what_was_decoded_for_labelling() -> None:
    picture = jpeg(smooth(640, 480))
    before = picture.render(Size(32, 32))
    picture.luma(CELLS)
    assert np.array_equal(picture.render(Size(32, 32)), before)
