"""A frame's bytes, as a V4L2 driver lays them out, as a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from edged.camera.jpeg import JpegPicture
from edged.camera.picture import Matrix, Order, PackedPicture, Picture, YuvPicture
from edged.camera.v4l2_formats import COMPRESSED, Format
from edged.errors import BadImageError

if TYPE_CHECKING:
    from edged.camera.geometry import Size
    from edged.camera.pixels import Pixels

_START: Final = b"\xff\xd8"
_SCAN: Final = b"\xff\xda"
_END: Final = b"\xff\xd9"


@dataclass(frozen=True, slots=True)
class Layout:
    """How a frame lies in memory. Planes follow each other without gaps.

    Attributes:
        format: what the bytes are.
        size: of the picture, in pixels.
        stride: bytes from one row to the next of the first plane; unused for JPEG.
        matrix: the luma weights.
        full_range: 0 to 255 instead of 16 to 235.
    """

    format: Format
    size: Size
    stride: int
    matrix: Matrix = Matrix.BT601
    full_range: bool = False


def row_bytes(kind: Format, width: int) -> int:
    """The least bytes of a row of the first plane, and of NV12's second."""
    pairs = -(-width // 2)
    return {Format.YUYV: 4 * pairs, Format.UYVY: 4 * pairs, Format.NV12: 2 * pairs}.get(kind, width)


def picture_of(layout: Layout, data: bytes, name: str) -> Picture:
    """The frame as a picture whose planes are views of `data`: nothing is copied, converted or decoded yet.

    `name` is the camera's, for errors that decoding may show later.

    Raises:
        BadImageError: bytes are missing.
    """
    if layout.format in COMPRESSED:
        return JpegPicture(_whole_jpeg(data), name)
    width, height, stride = layout.size.width, layout.size.height, layout.stride
    if layout.format is Format.GREY:
        return PackedPicture(_rows(data, 0, height, stride)[:, :width], Order.GREY)
    across = -(-width // 2)  # chroma samples in a row; the last reaches beyond a picture of odd size
    if layout.format in (Format.YUYV, Format.UYVY):
        pairs = _rows(data, 0, height, stride)[:, : 4 * across]
        luma, u, v = (0, 1, 3) if layout.format is Format.YUYV else (1, 0, 2)
        return _yuv(layout, pairs[:, luma::2][:, :width], pairs[:, u::4], pairs[:, v::4])
    y, down, start = _rows(data, 0, height, stride)[:, :width], -(-height // 2), height * stride
    if layout.format is Format.NV12:
        pairs = _rows(data, start, down, stride)[:, : 2 * across]
        return _yuv(layout, y, pairs.reshape(down, across, 2), None)
    half = -(-stride // 2)
    planes = [_rows(data, start + plane * down * half, down, half)[:, :across] for plane in range(2)]
    return _yuv(layout, y, *planes)


def _yuv(layout: Layout, y: Pixels, u: Pixels, v: Pixels | None) -> YuvPicture:
    return YuvPicture(y, u, v, layout.matrix, layout.full_range)


def _rows(data: bytes, start: int, count: int, stride: int) -> Pixels:
    missing = start + count * stride - len(data)
    if missing > 0:
        raise BadImageError(f"cut: {missing} of {start + count * stride} bytes are missing")
    return np.frombuffer(data, np.uint8, count * stride, start).reshape(count, stride)


def _whole_jpeg(data: bytes) -> bytes:
    """The JPEG without what the camera padded it with.

    Many cameras leave the standard Huffman tables out; libjpeg-turbo, the decoder, puts them in by itself.
    """
    end = data.rfind(_END)
    if not data.startswith(_START) or end < data.rfind(_SCAN) or _SCAN not in data:
        raise BadImageError(f"{len(data)} bytes that are not a whole JPEG")
    return data[: end + len(_END)]
