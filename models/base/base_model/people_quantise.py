"""From the people network's float layers to integers, by the method of `quantise.py`.

Each layer is rounded knowing what the already rounded ones before it give on the calibration photos; its bias then
makes every channel's mean what it is in float. From softmax on, scales are those of probabilities (1/256): a person's
probability loses nothing on the way out that softmax had not rounded already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from base_model.network import Constant, Quantised
from base_model.people_flatbuffer import Integers, write_people
from base_model.people_network import INPUT_STD, Layer
from base_model.people_observe import observe, sample
from base_model.people_runner import PeopleRunner
from base_model.rounding import LARGEST, round_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Images = Sequence[npt.NDArray[np.uint8]]

_LOWEST: Final = -128
_LEVELS: Final = 255
_PROBABILITY_STEP: Final = 1 / 256
_PROBABILITIES: Final = ("classes", "squares", "highest", "person")
# The network's zero is the pixel 127.5; of the two integers beside it this one is int8's zero. The first layer's bias
# takes the half pixel back, as it does every other shift of a mean.
_ZERO_PIXEL: Final = 128
_LARGEST_BIAS: Final = 2**30
_SMALLEST_STEP: Final = 1e-12


def quantise(layers: Sequence[Layer], images: Images, progress: Callable[[Layer], None]) -> bytes:
    """Return the TFLite file, uint8 pixels to a uint8 probability; `progress` is called before each convolution."""
    ranges, float_means = observe(layers, images)
    shape = (1, *images[0].shape)
    whole = [
        Layer("image", "quantize", ("pixels",), shape),
        *layers,
        Layer("score", "quantize", (layers[-1].name,), layers[-1].shape),
    ]
    meanings = {
        "pixels": _meaning("uint8", 1 / INPUT_STD, _ZERO_PIXEL),
        "image": _meaning("int8", 1 / INPUT_STD, _ZERO_PIXEL + _LOWEST),
        "score": _meaning("uint8", _PROBABILITY_STEP, 0),
    }
    for layer in layers:
        low, high = ranges[layer.name]
        step = (high - low) / _LEVELS
        meanings[layer.name] = _meaning("int8", step, round(_LOWEST - low / step))
    meanings |= dict.fromkeys(_PROBABILITIES, _meaning("int8", _PROBABILITY_STEP, _LOWEST))
    network = _Network(whole, shape, Integers(meanings, {}))
    for layer in layers:
        if layer.weight is not None:
            progress(layer)
            network.integers.constants[layer.name] = _round_layer(layer, network, float_means[layer.name], images)
    return network.write()


class _Network:
    def __init__(self, layers: Sequence[Layer], shape: tuple[int, ...], integers: Integers) -> None:
        self._layers = layers
        self._shape = shape
        self.integers = integers

    def write(self, last: str | None = None) -> bytes:
        """Return the file of all layers, or of those up to the one that makes `last`."""
        names = [layer.name for layer in self._layers]
        end = len(names) if last is None else names.index(last) + 1
        return write_people(self._layers[:end], ("pixels", self._shape), self.integers)


def _meaning(dtype: str, step: float, zero_point: int) -> Quantised:
    return Quantised(dtype, np.array([step], np.float32), zero_point)


def _round_layer(layer: Layer, network: _Network, float_mean: Floats, images: Images) -> tuple[Constant, Constant]:
    """Return a convolution's int8 weights and int32 biases. float_mean: its mean input in the float network."""
    if layer.weight is None or layer.bias is None:
        raise ValueError(f"{layer.name} has no weights")
    source_step = float(network.integers.meanings[layer.inputs[0]].scale[0])
    weights = np.moveaxis(layer.weight.astype(np.float64), layer.channel_axis, 0)
    stored_shape = weights.shape
    weights = weights.reshape(len(weights), -1)
    steps = np.abs(weights).max(axis=1) / LARGEST
    # A channel that training has switched off has weights near nothing and a bias that must still fit in 32 bits.
    steps = np.maximum(steps, np.abs(layer.bias) / (source_step * _LARGEST_BIAS)).clip(_SMALLEST_STEP)
    steps = steps.astype(np.float32).astype(np.float64)
    if layer.name in _PROBABILITIES:
        # A plain mean, not a trained layer.
        integers, shift = np.round(weights / steps[:, None]), np.zeros(len(weights))
    else:
        mean, covariance = _input_statistics(layer, network, images)
        integers = _round(layer, weights, steps, covariance)
        shift = _mean_output(layer, weights, float_mean) - _mean_output(layer, integers, mean) * source_step * steps
    bias_steps = (steps * source_step).astype(np.float32)
    bias = np.round((layer.bias + shift) / bias_steps.astype(np.float64)).astype(np.int32)
    stored = np.ascontiguousarray(np.moveaxis(integers.reshape(stored_shape), 0, layer.channel_axis)).astype(np.int8)
    return (
        Constant(stored, Quantised("int8", steps.astype(np.float32), 0, layer.channel_axis)),
        Constant(bias, Quantised("int32", bias_steps, 0)),
    )


def _round(layer: Layer, weights: Floats, steps: Floats, covariance: Floats) -> Floats:
    if layer.kind != "depthwise":
        return round_weights(weights, steps, covariance)
    channels = range(len(weights))
    return np.concatenate([round_weights(weights[c : c + 1], steps[c : c + 1], covariance[c]) for c in channels])


def _input_statistics(layer: Layer, network: _Network, images: Images) -> tuple[Floats, Floats]:
    """Return mean [kernel, kernel, channels] and covariance of a layer's integer input, zero point taken off.

    Covariance: [inputs, inputs]; for a depthwise layer [channels, kernel * kernel, kernel * kernel]. Sums of products
    of small integers are exact in float64, so they do not depend on the order in which a processor adds them.
    """
    source = layer.inputs[0]
    runner = PeopleRunner(network.write(source))
    zero_point = network.integers.meanings[source].zero_point
    total: Floats = np.zeros(1)
    products: Floats = np.zeros(1)
    count = 0
    for number, image in enumerate(images):
        seen = sample(runner.run(image), layer, number, zero_point)
        rows: Floats = seen.reshape(len(seen), -1)
        if layer.kind == "depthwise":
            rows = seen.reshape(len(seen), -1, seen.shape[-1]).transpose(2, 0, 1)
        total = total + seen.sum(axis=0)
        products = products + rows.swapaxes(-1, -2) @ rows
        count += len(seen)
    mean = total / count
    centre: Floats = mean.reshape(-1, mean.shape[-1]).T if layer.kind == "depthwise" else mean.reshape(-1)
    return mean, products / count - centre[..., :, None] * centre[..., None, :]


def _mean_output(layer: Layer, rows: Floats, mean: Floats) -> Floats:
    """Return what a layer without its bias makes of a mean input, [out]."""
    if layer.kind == "depthwise":
        return np.asarray((rows.T * mean.reshape(-1, mean.shape[-1])).sum(axis=0))
    return rows @ mean.reshape(-1)
