"""The pixels under a convolution's kernel, at a few places of each calibration image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from base_model.network import Layer

    Floats = npt.NDArray[np.float64]

# Neighbouring places see nearly the same: 64 of each image tell as much as all of them.
_PLACES: Final = 64


def sample(tensor: npt.NDArray[np.generic], layer: Layer, image: int, zero_point: int = 0) -> Floats:
    """Return float64 [places, kernel, kernel, channels] out of a [height, width, channels] input of `layer`.

    The places depend on nothing but the layer's size and the number of the image, so that the float and the integer
    network are looked at in the same ones. The zero point is what SAME padding adds; it is taken off the result.
    """
    if layer.weight is None:
        raise ValueError(f"{layer.name} has no kernel")
    kernel = layer.weight.shape[1]
    reach = (kernel - 1) * layer.dilation + 1
    height, width = tensor.shape[:2]
    out_height, out_width = layer.shape[1:3]
    # TFLite's SAME: what is odd goes to the bottom and the right.
    top = max((out_height - 1) * layer.stride + reach - height, 0) // 2 if layer.same else 0
    left = max((out_width - 1) * layer.stride + reach - width, 0) // 2 if layer.same else 0
    padded = np.pad(tensor, ((top, reach), (left, reach), (0, 0)), constant_values=zero_point)
    rows, columns = np.divmod(_places(out_height * out_width, image), out_width)
    taps = np.arange(kernel) * layer.dilation
    down, along = (rows * layer.stride)[:, None] + taps, (columns * layer.stride)[:, None] + taps
    return padded[down[:, :, None], along[:, None, :]].astype(np.float64) - zero_point


def _places(count: int, image: int) -> npt.NDArray[np.intp]:
    if count <= _PLACES:
        return np.arange(count)
    return np.random.default_rng(image).integers(0, count, _PLACES)
