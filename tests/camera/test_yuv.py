"""Frames as blocks of bytes: every layout, odd sizes, rows with padding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from support.pictures import planes, smooth

from edged.camera.geometry import Size
from edged.camera.picture import Matrix, PackedPicture
from edged.camera.yuv import yuv_picture
from edged.errors import BadImageError, UsageError

if TYPE_CHECKING:
    from edged.camera.pixels import Pixels

LAYOUTS = ["i420", "yv12", "nv12", "nv21"]


def block(rgb: Pixels, layout: str, padding: int = 0) -> bytes:
    """As a camera lays it out: rows of Y with `padding` bytes of rubbish, chroma rows with as much or half of it."""
    y, u, v = planes(rgb, Matrix.BT601, 2, 2, full_range=False)
    if layout in ("nv12", "nv21"):
        pairs = np.stack([u, v] if layout == "nv12" else [v, u], axis=2).reshape(u.shape[0], -1)
        return padded(y, padding) + padded(pairs, y.shape[1] + padding - pairs.shape[1] if padding else 0)
    row = -(-(y.shape[1] + padding) // 2)
    chroma = [padded(plane, row - plane.shape[1]) for plane in ((u, v) if layout == "i420" else (v, u))]
    return padded(y, padding) + b"".join(chroma)


def padded(plane: Pixels, padding: int) -> bytes:
    return b"".join(row.tobytes() + b"\xab" * padding for row in plane)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("size", [(64, 48), (63, 48), (64, 47), (33, 31)])
def test_every_layout_and_size_gives_the_picture(layout: str, size: tuple[int, int]) -> None:
    rgb = smooth(*size)
    for data in (block(rgb, layout), bytearray(block(rgb, layout)), memoryview(block(rgb, layout))):
        picture = yuv_picture(data, *size, layout)
        assert picture.size == Size(*size)
        wanted = PackedPicture(rgb).render(Size(16, 16)).astype(int)
        assert np.abs(picture.render(Size(16, 16)).astype(int) - wanted).max() <= 6


@pytest.mark.parametrize("layout", LAYOUTS)
def test_rows_may_be_longer_than_the_picture(layout: str) -> None:
    rgb = smooth(60, 40)
    plain = yuv_picture(block(rgb, layout), 60, 40, layout).render(Size(20, 20))
    data = block(rgb, layout, padding=4)
    assert np.array_equal(yuv_picture(data, 60, 40, layout, stride=64).render(Size(20, 20)), plain)
    array = np.frombuffer(data, np.uint8).reshape(60, 64)  # as picamera2 gives it: rows tell the stride
    assert np.array_equal(yuv_picture(array, 60, 40, layout).render(Size(20, 20)), plain)


def test_array_of_opencv_is_taken_as_it_is() -> None:
    rgb = smooth(64, 48)
    picture = yuv_picture(cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420), 64, 48)  # type: ignore[arg-type]  # OpenCV's stubs
    assert np.abs(picture.render(Size(64, 48)).astype(int) - rgb.astype(int)).max() <= 12


def test_nothing_is_copied() -> None:
    data = np.zeros(6 * 4 * 3 // 2, np.uint8)
    picture = yuv_picture(data, 6, 4)
    assert all(np.shares_memory(plane, data) for plane in (picture.y, picture.u, picture.v))


def test_range_and_matrix_are_the_frames() -> None:
    white = bytes([255] * 24 + [128] * 12)
    assert yuv_picture(white, 6, 4, full_range=True).render(Size(1, 1)).tolist() == [[[255, 255, 255]]]
    grey = bytes([128] * 24 + [128] * 12)
    assert yuv_picture(grey, 6, 4, full_range=True).render(Size(1, 1)).tolist() == [[[128, 128, 128]]]
    green = bytes([100] * 24 + [60] * 12)
    first, second = (yuv_picture(green, 6, 4, matrix=name).render(Size(1, 1)) for name in ("BT601", "BT709"))
    assert not np.array_equal(first, second)
    assert np.array_equal(second, yuv_picture(green, 6, 4, matrix=Matrix.BT709).render(Size(1, 1)))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_missing_bytes_are_counted(layout: str) -> None:
    whole = block(smooth(64, 48), layout)
    with pytest.raises(BadImageError, match="cut: 1 of "):
        yuv_picture(whole[:-1], 64, 48, layout)
    with pytest.raises(BadImageError, match="bytes are missing"):
        yuv_picture(b"", 64, 48, layout)


def test_impossible_frames_are_refused() -> None:
    for width, height, stride in ((0, 4, None), (4, 0, None), (-4, 4, None), (4, 4, 3)):
        with pytest.raises(BadImageError, match="no YUV frame"):
            yuv_picture(bytes(100), width, height, stride=stride)
    with pytest.raises(BadImageError, match="float32"):
        yuv_picture(np.zeros(100, np.float32), 4, 4)
    with pytest.raises(UsageError, match="i420, yv12, nv12, nv21"):
        yuv_picture(bytes(100), 4, 4, "rgb")
    with pytest.raises(UsageError, match="BT601, BT709"):
        yuv_picture(bytes(100), 4, 4, matrix="BT2020")
