"""Pictures to test with, and what they must come out as: slow references in float64 that share no code with edged."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from edged.camera.jpeg import JpegPicture
from edged.camera.picture import Matrix, Order, PackedPicture, Picture, YuvPicture

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from edged.camera.pixels import Pixels

    Reals = NDArray[np.float64]

WEIGHTS = {Matrix.BT601: (0.299, 0.587, 0.114), Matrix.BT709: (0.2126, 0.7152, 0.0722)}


def smooth(width: int, height: int) -> Pixels:
    """Colours that change slowly and differently along each axis: no channel, row or column is like another."""
    x, y = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    red, green, blue = 40 + 180 * x, 60 + 150 * y, 128 + 90 * np.sin(3 * x + 2 * y)
    return np.asarray(np.rint(np.stack([red, green, blue], axis=2)), np.uint8)


def noise(width: int, height: int, channels: int = 3, seed: int = 1) -> Pixels:
    shape = (height, width, channels) if channels > 1 else (height, width)
    values = np.random.default_rng(seed).bytes(width * height * channels)
    return np.frombuffer(values, np.uint8).reshape(shape)


def bilinear(pixels: NDArray[Any], width: int, height: int) -> Reals:
    """Plain bilinear scaling, pixel middles on pixel middles, edges repeated; by the formula."""

    def line(count: int, wanted: int) -> tuple[NDArray[np.intp], NDArray[np.intp], Reals]:
        at = np.clip((np.arange(wanted) + 0.5) * count / wanted - 0.5, 0, count - 1)
        low = np.floor(at).astype(np.intp)
        return low, np.minimum(low + 1, count - 1), at - low

    values = pixels.astype(np.float64)
    left, right, across = line(values.shape[1], width)
    top, bottom, down = line(values.shape[0], height)
    across = across.reshape((-1,) + (1,) * (values.ndim - 2))
    rows = values[:, left] * (1 - across) + values[:, right] * across
    down = down.reshape((-1,) + (1,) * (values.ndim - 1))
    return np.asarray(rows[top] * (1 - down) + rows[bottom] * down, np.float64)


def to_yuv(rgb: NDArray[Any], matrix: Matrix, *, full_range: bool) -> Reals:
    """ITU-R BT.601-7 2.5 and BT.709-6 3: R'G'B' from 0 to 255 to Y'CbCr, not rounded."""
    red_weight, green_weight, blue_weight = WEIGHTS[matrix]
    red, green, blue = np.moveaxis(rgb.astype(np.float64) / 255, 2, 0)
    luma = red_weight * red + green_weight * green + blue_weight * blue
    cb, cr = (blue - luma) / (2 - 2 * blue_weight), (red - luma) / (2 - 2 * red_weight)
    if full_range:
        return np.stack([255 * luma, 255 * cb + 128, 255 * cr + 128], axis=2)
    return np.stack([219 * luma + 16, 224 * cb + 128, 224 * cr + 128], axis=2)


def from_yuv(yuv: Reals, matrix: Matrix, *, full_range: bool) -> Reals:
    """The way back, clipped to 0 to 255."""
    red_weight, green_weight, blue_weight = WEIGHTS[matrix]
    y, u, v = np.moveaxis(yuv, 2, 0)
    luma, cb, cr = (y / 255, (u - 128) / 255, (v - 128) / 255)
    if not full_range:
        luma, cb, cr = ((y - 16) / 219, (u - 128) / 224, (v - 128) / 224)
    red, blue = luma + (2 - 2 * red_weight) * cr, luma + (2 - 2 * blue_weight) * cb
    green = (luma - red_weight * red - blue_weight * blue) / green_weight
    return np.asarray(np.clip(np.stack([red, green, blue], axis=2) * 255, 0, 255), np.float64)


def planes(rgb: Pixels, matrix: Matrix, across: int, down: int, *, full_range: bool) -> tuple[Pixels, Pixels, Pixels]:
    """Y, U and V as a camera makes them: each chroma sample is the mean of its `across` by `down` pixels."""
    yuv = to_yuv(rgb, matrix, full_range=full_range)
    height, width = yuv.shape[:2]
    padded = np.pad(yuv[:, :, 1:], ((0, -height % down), (0, -width % across), (0, 0)), mode="edge")
    rows, columns = padded.shape[0] // down, padded.shape[1] // across
    chroma = padded.reshape(rows, down, columns, across, 2).mean(axis=(1, 3))
    y, u, v = (
        np.clip(np.rint(plane), 0, 255).astype(np.uint8) for plane in (yuv[:, :, 0], chroma[..., 0], chroma[..., 1])
    )
    return y, u, v


def yuv_picture(
    rgb: Pixels,
    layout: str = "i420",
    matrix: Matrix = Matrix.BT601,
    *,
    full_range: bool = False,
    padding: int = 0,
) -> YuvPicture:
    """The picture in a layout, each row followed by `padding` bytes of rubbish."""
    across, down = {"444": (1, 1), "422": (2, 1)}.get(layout, (2, 2))
    y, u, v = (strided(plane, padding) for plane in planes(rgb, matrix, across, down, full_range=full_range))
    if layout in ("nv12", "nv21"):
        pair = strided(np.stack([u, v] if layout == "nv12" else [v, u], axis=2), padding)
        return YuvPicture(y, pair, None, matrix, full_range, v_first=layout == "nv21")
    return YuvPicture(y, u, v, matrix, full_range)


def strided(plane: Pixels, padding: int) -> Pixels:
    """The same values in rows that are `padding` samples longer in memory."""
    memory = np.full((plane.shape[0], plane.shape[1] + padding, *plane.shape[2:]), 0xAB, np.uint8)
    memory[:, : plane.shape[1]] = plane
    return memory[:, : plane.shape[1]]


def encoded(pixels: Pixels | Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """A file's bytes."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def jpeg(pixels: Pixels, **options: object) -> JpegPicture:
    return JpegPicture(encoded(pixels, "JPEG", **{"quality": 100, "subsampling": 0} | options))


# Every kind of picture, made of the same RGB pixels.
KINDS: dict[str, Callable[[Pixels], Picture]] = {
    "rgb": PackedPicture,
    "bgr": lambda rgb: PackedPicture(np.ascontiguousarray(rgb[:, :, ::-1]), Order.BGR),
    "grey": lambda rgb: PackedPicture(np.asarray(Image.fromarray(rgb).convert("L")), Order.GREY),
    "jpeg": jpeg,
    "i420": yuv_picture,
    "i420 full range": lambda rgb: yuv_picture(rgb, full_range=True),
    "nv12": lambda rgb: yuv_picture(rgb, "nv12", Matrix.BT709),
    "nv21": lambda rgb: yuv_picture(rgb, "nv21"),
    "422": lambda rgb: yuv_picture(rgb, "422"),
    "444": lambda rgb: yuv_picture(rgb, "444"),
}
