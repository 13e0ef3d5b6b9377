"""A driver's bytes as pictures, against values computed one by one."""

from __future__ import annotations

import io
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from linuxpy.video import raw
from PIL import Image
from support.pictures import bilinear, encoded, from_yuv, noise, planes, smooth

from edged.camera.geometry import Region, Size
from edged.camera.jpeg import JpegPicture
from edged.camera.picture import Matrix, PackedPicture, YuvPicture
from edged.camera.v4l2_formats import Format
from edged.camera.v4l2_modes import colours
from edged.camera.v4l2_picture import Layout, picture_of, row_bytes
from edged.errors import BadImageError

if TYPE_CHECKING:
    from edged.camera.pixels import Pixels

RAW = [Format.YUYV, Format.UYVY, Format.NV12, Format.YU12]
PLACES = {Format.YUYV: (0, 1, 2, 3), Format.UYVY: (1, 0, 3, 2)}  # of Y0, U, Y1, V
NAME = "/dev/video0"


def chroma_shape(kind: Format, width: int, height: int) -> tuple[int, int]:
    return (height if kind in PLACES else -(-height // 2)), -(-width // 2)


def lay_out(kind: Format, y: Pixels, u: Pixels, v: Pixels, stride: int) -> bytes:
    """The bytes as the kernel's documentation describes them, one by one; all that is not said is rubbish."""
    height, width = y.shape
    rows = height if kind in PLACES else height + -(-height // 2)
    memory = bytearray(b"\xab" * (stride * rows + rows))  # the halves of an odd stride are rounded up
    for row in range(height):
        for column in range(width):
            at = row * stride + (4 * (column // 2) + PLACES[kind][column % 2 * 2] if kind in PLACES else column)
            memory[at] = y[row, column]
    for row in range(u.shape[0]):
        for column in range(u.shape[1]):
            if kind in PLACES:
                _, first, _, second = PLACES[kind]
                places = [row * stride + 4 * column + first, row * stride + 4 * column + second]
            elif kind is Format.NV12:
                places = [(height + row) * stride + 2 * column, (height + row) * stride + 2 * column + 1]
            else:
                half = -(-stride // 2)
                start = height * stride + row * half + column
                places = [start, start + u.shape[0] * half]
            memory[places[0]], memory[places[1]] = u[row, column], v[row, column]
    return bytes(memory)


@pytest.mark.parametrize("kind", RAW)
@given(width=st.integers(1, 12), height=st.integers(1, 9), padding=st.integers(0, 7), seed=st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_every_sample_of_any_size_and_stride_is_found(
    kind: Format, width: int, height: int, padding: int, seed: int
) -> None:
    rows, columns = chroma_shape(kind, width, height)
    y, u, v = noise(width, height, 1, seed), noise(columns, rows, 1, seed + 1), noise(columns, rows, 1, seed + 2)
    stride = row_bytes(kind, width) + padding
    picture = picture_of(Layout(kind, Size(width, height), stride), lay_out(kind, y, u, v, stride), NAME)
    assert isinstance(picture, YuvPicture)
    assert picture.size == Size(width, height)
    found_u, found_v = (picture.u[..., 0], picture.u[..., 1]) if picture.v is None else (picture.u, picture.v)
    assert np.array_equal(picture.y, y)
    assert np.array_equal(found_u, u)
    assert np.array_equal(found_v, v)


@pytest.mark.parametrize("kind", RAW)
@pytest.mark.parametrize("matrix", list(Matrix))
@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("shape", [(96, 72), (65, 49)])
def test_picture_is_what_its_colours_scaled_in_float_are(
    kind: Format, matrix: Matrix, *, full_range: bool, shape: tuple[int, int]
) -> None:
    rgb = smooth(*shape)
    y, u, v = planes(rgb, matrix, 2, 1 if kind in PLACES else 2, full_range=full_range)
    stride = row_bytes(kind, shape[0]) + 12
    layout = Layout(kind, Size(*shape), stride, matrix, full_range)
    picture = picture_of(layout, lay_out(kind, y, u, v, stride), NAME)
    assert np.abs(picture.render(Size(48, 40)) - bilinear(rgb, 48, 40)).mean() < 1.5
    part = picture.render(Size(24, 24), Region(0.5, 0.5, 0.5, 0.5))
    assert np.abs(part - bilinear(rgb[shape[1] // 2 :, shape[0] // 2 :], 24, 24)).mean() < 4
    hidden = picture.masked((((0.0, 0.0), (0.6, 0.0), (0.6, 1.0), (0.0, 1.0)),)).render(Size(48, 40))
    assert hidden[:, :28].max() <= 1
    assert hidden[:, 32:].min() > 20


def test_grey_is_grey() -> None:
    values = noise(7, 5, 1)
    data = b"".join(row.tobytes() + b"\xab\xab\xab" for row in values)
    picture = picture_of(Layout(Format.GREY, Size(7, 5), 10), data, NAME)
    assert isinstance(picture, PackedPicture)
    assert np.array_equal(picture.render(Size(7, 5)), np.repeat(values[:, :, np.newaxis], 3, axis=2))


@pytest.mark.parametrize("kind", [*RAW, Format.GREY])
def test_frame_that_is_cut_by_a_byte_is_left_out(kind: Format) -> None:
    stride = row_bytes(kind, 8)
    whole = stride * 6 + (2 * 3 * stride // 2 if kind in {Format.NV12, Format.YU12} else 0)
    layout = Layout(kind, Size(8, 6), stride)
    picture_of(layout, bytes(whole), NAME)
    for length in (whole - 1, stride, 0):
        with pytest.raises(BadImageError, match="bytes are missing"):
            picture_of(layout, bytes(length), NAME)


PHOTO = encoded(smooth(64, 48), "JPEG", quality=90)
JPEG = Layout(Format.MJPG, Size(64, 48), 0)


def without_huffman_tables(jpeg: bytes) -> bytes:
    """As most webcams send it: with everything before the scan but the DHT segments."""
    kept, at = jpeg[:2], 2
    while jpeg[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
        kept += b"" if jpeg[at + 1] == 0xC4 else jpeg[at:end]
        at = end
    return kept + jpeg[at:]


def test_jpeg_without_huffman_tables_is_the_same_picture() -> None:
    bare = without_huffman_tables(PHOTO)
    assert b"\xff\xc4" in PHOTO
    assert b"\xff\xc4" not in bare
    for size in (Size(64, 48), Size(10, 10)):
        rendered, wanted = (picture_of(JPEG, data, NAME).render(size) for data in (bare, PHOTO))
        assert np.array_equal(rendered, wanted)


@pytest.mark.parametrize("padding", [b"\0", bytes(5000), b"\xff\xff\0\x55", b"\xff"])
def test_jpeg_that_the_camera_padded_is_whole(padding: bytes) -> None:
    picture = picture_of(JPEG, PHOTO + padding, NAME)
    assert isinstance(picture, JpegPicture)
    assert picture.data == PHOTO
    assert picture.render(Size(64, 48)).shape == (48, 64, 3)


def test_jpeg_is_left_out_wherever_it_is_cut() -> None:
    for length in (0, 1, 2, 3, 100, len(PHOTO) // 2, len(PHOTO) - 2, len(PHOTO) - 1):
        with pytest.raises(BadImageError, match="not a whole JPEG"):
            picture_of(JPEG, PHOTO[:length], NAME)
        with pytest.raises(BadImageError, match="not a whole JPEG"):
            picture_of(JPEG, PHOTO[:length] + bytes(100), NAME)
    with pytest.raises(BadImageError, match="not a whole JPEG"):
        picture_of(JPEG, bytes(10) + PHOTO, NAME)


def test_jpeg_with_a_preview_in_it_is_whole_or_left_out() -> None:
    preview = io.BytesIO()
    Image.fromarray(smooth(16, 12)).save(preview, "JPEG")
    data = PHOTO[:2] + b"\xff\xe1" + (len(preview.getvalue()) + 2).to_bytes(2, "big") + preview.getvalue() + PHOTO[2:]
    assert picture_of(JPEG, data, NAME).size == Size(64, 48)
    with pytest.raises(BadImageError, match="not a whole JPEG"):
        picture_of(JPEG, data[:-2], NAME)


@pytest.mark.parametrize(
    ("colorspace", "encoding", "quantization", "wanted"),
    [
        (raw.Colorspace.SRGB, raw.YcbcrEncoding.DEFAULT, raw.Quantization.DEFAULT, (Matrix.BT601, False)),
        (raw.Colorspace.JPEG, raw.YcbcrEncoding.DEFAULT, raw.Quantization.DEFAULT, (Matrix.BT601, True)),
        (raw.Colorspace.REC709, raw.YcbcrEncoding.DEFAULT, raw.Quantization.DEFAULT, (Matrix.BT709, False)),
        (raw.Colorspace.SMPTE170M, raw.YcbcrEncoding.DEFAULT, raw.Quantization.DEFAULT, (Matrix.BT601, False)),
        (raw.Colorspace.DEFAULT, raw.YcbcrEncoding.DEFAULT, raw.Quantization.DEFAULT, (Matrix.BT601, False)),
        (raw.Colorspace.SRGB, 2, raw.Quantization.FULL_RANGE, (Matrix.BT709, True)),
        (raw.Colorspace.REC709, 1, raw.Quantization.LIM_RANGE, (Matrix.BT601, False)),
        (raw.Colorspace.JPEG, raw.YcbcrEncoding.DEFAULT, raw.Quantization.LIM_RANGE, (Matrix.BT601, False)),
        (99, 0, 99, (Matrix.BT601, False)),
    ],
)
def test_colours_follow_what_the_driver_says(
    colorspace: int, encoding: int, quantization: int, wanted: tuple[Matrix, bool]
) -> None:
    assert colours(colorspace, encoding, quantization) == wanted


def test_numbers_of_the_driver_make_the_right_rgb() -> None:
    """Full range against limited range: the same bytes, two pictures."""
    data = bytes([235, 128, 16, 128])
    seen = {}
    for full in (False, True):
        layout = Layout(Format.YUYV, Size(2, 1), 4, Matrix.BT601, full)
        seen[full] = picture_of(layout, data, NAME).render(Size(2, 1))
        yuv = np.array([[[235.0, 128.0, 128.0], [16.0, 128.0, 128.0]]])
        assert np.abs(seen[full] - partial(from_yuv, yuv, Matrix.BT601)(full_range=full)).max() <= 1
    assert seen[False].tolist() == [[[255] * 3, [0] * 3]]
    assert seen[True].tolist() == [[[235] * 3, [16] * 3]]
