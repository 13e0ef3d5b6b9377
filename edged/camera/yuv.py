"""YUV frames as cameras, codecs and phones hand them out: one block of bytes, one plane after the other."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from edged.camera.picture import Matrix, YuvPicture
from edged.errors import BadImageError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edged.camera.pixels import Pixels


class YuvLayout(StrEnum):
    """How 8-bit 4:2:0 planes follow each other; each chroma sample stands for two by two pixels."""

    I420 = "i420"  # Y, U, V (also called YU12, yuv420p)
    YV12 = "yv12"  # Y, V, U (Android's)
    NV12 = "nv12"  # Y, then U and V by turns
    NV21 = "nv21"  # Y, then V and U by turns (Android's camera)


def yuv_picture(  # noqa: PLR0913  what a block of bytes does not say of itself
    data: bytes | bytearray | memoryview | NDArray[np.uint8],
    width: int,
    height: int,
    layout: YuvLayout | str = YuvLayout.I420,
    *,
    stride: int | None = None,
    matrix: Matrix | str = Matrix.BT601,
    full_range: bool = False,
) -> YuvPicture:
    """A frame's bytes as a picture whose planes are views of them: nothing is copied or converted.

    Args:
        data: the whole frame; or an array (height * 3 / 2, row), as OpenCV and picamera2 give it.
        width: of the picture, in pixels.
        height: of the picture, in pixels.
        layout: `i420`, `yv12`, `nv12` or `nv21`.
        stride: bytes from one row of Y to the next; None: the array's row, or `width`. A row of U or V alone is half
            as long, rounded up.
        matrix: the luma weights: `BT601` (most cameras) or `BT709` (HD video).
        full_range: luma from 0 to 255 (JPEG, many webcams and phones) instead of 16 to 235.

    Raises:
        BadImageError: bytes are missing, or the sizes make no picture.
        UsageError: no such layout or matrix.
    """
    if layout not in tuple(YuvLayout):
        raise UsageError(f"the layout is {layout!r}; it is {', '.join(YuvLayout)}")
    if not isinstance(matrix, Matrix) and matrix not in Matrix.__members__:
        raise UsageError(f"the matrix is {matrix!r}; it is {', '.join(Matrix.__members__)}")
    block = data if isinstance(data, np.ndarray) else np.frombuffer(data, np.uint8)
    if stride is None:
        stride = block.shape[1] if block.ndim == 2 else width  # noqa: PLR2004  axes
    if block.dtype != np.uint8 or width < 1 or height < 1 or stride < width:
        raise BadImageError(f"{block.dtype} of {width}x{height} pixels in rows of {stride} bytes is no YUV frame")
    planes = _planes(np.ascontiguousarray(block).reshape(-1), width, height, YuvLayout(layout), stride)
    weights = matrix if isinstance(matrix, Matrix) else Matrix[matrix]
    return YuvPicture(*planes, weights, full_range, v_first=layout == YuvLayout.NV21)


def _planes(
    block: Pixels, width: int, height: int, layout: YuvLayout, stride: int
) -> tuple[Pixels, Pixels, Pixels | None]:
    across, down = -(-width // 2), -(-height // 2)  # the last samples reach beyond a picture of odd size
    y, start = _rows(block, 0, height, stride)[:, :width], height * stride
    if layout in (YuvLayout.NV12, YuvLayout.NV21):
        stride += stride % 2 if stride == width else 0  # pairs of an odd row without padding
        pairs = _rows(block, start, down, stride)[:, : 2 * across]
        return y, pairs.reshape(down, across, 2), None
    half = -(-stride // 2)
    u, v = (_rows(block, start + plane * down * half, down, half)[:, :across] for plane in range(2))
    return (y, v, u) if layout is YuvLayout.YV12 else (y, u, v)


def _rows(block: Pixels, start: int, count: int, stride: int) -> Pixels:
    missing = start + count * stride - block.size
    if missing > 0:
        raise BadImageError(f"cut: {missing} of {start + count * stride} bytes are missing")
    return block[start : start + count * stride].reshape(count, stride)
