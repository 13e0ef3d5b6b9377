"""What tensors hold while photos go through a network: ranges in float, and the inputs of a convolution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from base_model.observe import _best_range as best_range
from base_model.people_flatbuffer import Integers, write_people
from base_model.people_runner import PeopleRunner

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from base_model.people_network import Layer

    Floats = npt.NDArray[np.float64]
    Ranges = dict[str, tuple[float, float]]

_RELU6_RANGE: Final = (0.0, 6.0)
_VALUES_PER_IMAGE: Final = 1024
# Neighbouring places see nearly the same: 64 of each image tell as much as all of them.
_PLACES: Final = 64


def observe(layers: Sequence[Layer], images: Sequence[npt.NDArray[np.uint8]]) -> tuple[Ranges, dict[str, Floats]]:
    """Run the float network; return each tensor's range worth representing, and each convolution's mean input."""
    runner = PeopleRunner(write_people(layers, ("image", (1, *images[0].shape)), Integers()), look_inside=True)
    ranges = {layer.name: _RELU6_RANGE for layer in layers if layer.activation == "relu6"}
    values: dict[str, list[npt.NDArray[np.float32]]] = {layer.name: [] for layer in layers if layer.name not in ranges}
    extremes = dict.fromkeys(values, (0.0, 0.0))
    means: dict[str, list[Floats]] = {layer.name: [] for layer in layers if layer.weight is not None}
    for number, image in enumerate(images):
        runner.run(image)
        for name, kept in values.items():
            seen = runner.tensor(name).reshape(-1)
            extremes[name] = (min(extremes[name][0], float(seen.min())), max(extremes[name][1], float(seen.max())))
            kept.append(seen[np.random.default_rng(number).integers(0, len(seen), _VALUES_PER_IMAGE)])
        for layer in layers:
            if layer.name in means:
                means[layer.name].append(sample(runner.tensor(layer.inputs[0]), layer, number).mean(axis=0))
    ranges |= {name: best_range(np.concatenate(kept), *extremes[name]) for name, kept in values.items()}
    return ranges, {name: np.mean(each, axis=0) for name, each in means.items()}


def sample(tensor: npt.NDArray[np.generic], layer: Layer, image: int, zero_point: int = 0) -> Floats:
    """Return float64 [places, kernel, kernel, channels] out of a [height, width, channels] input of `layer`.

    The places depend on the layer's size and the image's number alone, so that the float and the integer network are
    looked at in the same ones. The zero point is what padding adds; it is taken off the result.
    """
    if layer.weight is None:
        raise ValueError(f"{layer.name} has no kernel")
    kernel = layer.weight.shape[1]
    reach = (kernel - 1) * layer.dilation + 1
    height, width = layer.shape[1:3]
    # TFLite's SAME: what is odd goes to the bottom and the right.
    top = max((height - 1) * layer.stride + reach - tensor.shape[0], 0) // 2 if layer.same else 0
    left = max((width - 1) * layer.stride + reach - tensor.shape[1], 0) // 2 if layer.same else 0
    padded = np.pad(tensor, ((top, reach), (left, reach), (0, 0)), constant_values=zero_point)
    count = height * width
    places = np.arange(count)
    if count > _PLACES:
        places = np.random.default_rng(image).integers(0, count, _PLACES)
    rows, columns = np.divmod(places, width)
    taps = np.arange(kernel) * layer.dilation
    down, along = (rows * layer.stride)[:, None] + taps, (columns * layer.stride)[:, None] + taps
    return padded[down[:, :, None], along[:, None, :]].astype(np.float64) - zero_point
