"""A picture to an input tensor, as the model's maker meant it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from edged.camera.geometry import WHOLE, Region, Size
from edged.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edged.camera.picture import Picture
    from edged.engine.worker.wire import TensorSpec

RGB: Final = 3
GREY: Final = 1


class Fit(StrEnum):
    """How a picture of another shape becomes the model's shape."""

    STRETCH = "stretch"  # the whole picture, distorted: ML Kit's and the Task Library's rule
    CROP = "crop"  # the largest centred part of the model's shape
    PAD = "pad"  # the whole picture, undistorted, on black


@dataclass(frozen=True, slots=True)
class Normalisation:
    """real = (pixel - mean) / std, for each channel (R, G, B) or for all; pixels from 0 to 255."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class InputRule:
    """What a model wants in its input tensor [1, height, width, channels].

    Attributes:
        lookup: pixel value to tensor value, (256, channels); None where raw pixels go in.
    """

    size: Size
    channels: int
    fit: Fit
    lookup: NDArray[np.generic] | None

    @classmethod
    def of(cls, spec: TensorSpec, normalisation: Normalisation | None, fit: Fit) -> InputRule:
        """Read the rule off a model's input.

        uint8 takes raw pixels whatever normalisation the model states (the TFLite Task Library's rule: its quantisation
        parameters hold the normalisation already). int8 goes through normalisation and quantisation, or is pixel - 128.

        Raises:
            ModelError: not an image input, or a float input without a normalisation.
        """
        if len(spec.shape) != 4 or spec.shape[0] != 1 or spec.shape[3] not in (GREY, RGB):  # noqa: PLR2004  [1,H,W,C]
            raise ModelError(
                f"the model's input is {list(spec.shape)}; an image classifier's is [1, height, width, 3]"
                " (or 1 at the end, for grey)"
            )
        _, height, width, channels = spec.shape
        return cls(Size(width, height), channels, fit, _lookup(spec, normalisation, channels))


def prepare(picture: Picture, rule: InputRule, tensor: NDArray[np.generic], region: Region = WHOLE) -> None:
    """Write a picture into an input tensor of shape [1, height, width, channels], in place."""
    image = tensor[0]
    direct = rule.lookup is None and rule.channels == RGB
    canvas = image if direct else np.empty((rule.size.height, rule.size.width, RGB), np.uint8)
    _render(picture, rule, region, canvas)
    if direct:
        return
    if rule.channels == GREY:
        canvas = cv2.cvtColor(canvas, cv2.COLOR_RGB2GRAY)[:, :, np.newaxis]
    image[...] = canvas if rule.lookup is None else _look_up(canvas, rule.lookup)


def look_ahead(picture: Picture, size: Size, fit: Fit, region: Region = WHOLE) -> None:
    """Have a compressed picture decode what `prepare` will ask for: it keeps that, and `prepare` costs little then."""
    if fit is Fit.CROP:
        region = _crop(region, picture.size, size)
    elif fit is Fit.PAD:
        size = _letterbox(region, picture.size, size)
    picture.render(size, region)


def _look_up(pixels: NDArray[np.generic], lookup: NDArray[np.generic]) -> NDArray[np.generic]:
    table = lookup.reshape(1, 256, lookup.shape[1])
    return cv2.LUT(pixels, table).reshape(pixels.shape)  # type: ignore[arg-type]  # OpenCV's stubs want other generics


def _render(picture: Picture, rule: InputRule, region: Region, canvas: NDArray[np.generic]) -> None:
    size = rule.size
    if rule.fit is Fit.CROP:
        region = _crop(region, picture.size, size)
    elif rule.fit is Fit.PAD:
        inner = _letterbox(region, picture.size, size)
        if inner != size:
            canvas[...] = 0
            left, top = (size.width - inner.width) // 2, (size.height - inner.height) // 2
            canvas[top : top + inner.height, left : left + inner.width] = picture.render(inner, region)
            return
    rendered = picture.render(size, region, out=canvas)  # type: ignore[arg-type]  # uint8: `direct` or made above
    if rendered is not canvas:  # a picture that could not write in place
        canvas[...] = rendered


def _crop(region: Region, picture: Size, wanted: Size) -> Region:
    """The largest centred part of the region with the wanted shape."""
    width, height = region.width * picture.width, region.height * picture.height
    scale = min(width / wanted.width, height / wanted.height)
    part_width, part_height = scale * wanted.width / picture.width, scale * wanted.height / picture.height
    x = region.x + (region.width - part_width) / 2
    y = region.y + (region.height - part_height) / 2
    return Region(max(0.0, x), max(0.0, y), part_width, part_height)


def _letterbox(region: Region, picture: Size, wanted: Size) -> Size:
    """The largest size of the region's shape that fits into the wanted one."""
    width, height = region.width * picture.width, region.height * picture.height
    scale = min(wanted.width / width, wanted.height / height)
    return Size(max(1, round(width * scale)), max(1, round(height * scale)))


def _lookup(spec: TensorSpec, normalisation: Normalisation | None, channels: int) -> NDArray[np.generic] | None:
    if spec.dtype == "uint8":
        return None
    if spec.dtype not in ("int8", "float32"):
        raise ModelError(f"the model takes {spec.dtype}; pixels can become uint8, int8 and float32")
    pixels = np.arange(256, dtype=np.float64)[:, np.newaxis]
    if normalisation is None:
        if spec.dtype == "int8":
            return np.repeat(pixels - 128, channels, axis=1).astype(np.int8)
        raise ModelError(
            f"the model takes {spec.dtype} and does not say how pixels become such numbers: give its normalisation, in"
            " TFLite Metadata (NormalizationOptions) or in model.yaml (`normalisation: {mean: [127.5], std: [127.5]}`"
            " is for -1 to 1)"
        )
    mean, std = np.asarray(normalisation.mean, np.float64), np.asarray(normalisation.std, np.float64)
    fits = all(len(values) in (1, channels) and np.isfinite(values).all() for values in (mean, std))
    if not (fits and (std != 0).all()):
        raise ModelError(
            f"a normalisation by mean {mean.tolist()} and std {std.tolist()} does not fit {channels} channels"
        )
    real: NDArray[np.float64] = (pixels - mean) / std * np.ones((1, channels))
    if spec.dtype == "float32":
        return real.astype(np.float32)
    if spec.scale <= 0:
        raise ModelError("the model takes int8 without quantisation parameters: it cannot be normalised")
    quantised: NDArray[np.float64] = np.clip(np.rint(real / spec.scale) + spec.zero_point, -128, 127)
    return quantised.astype(np.int8)
