"""From float layers to an int8 network: round the weights, correct the biases, layer after layer.

The rules are those of TFLite's 8-bit specification: weights symmetric and per output channel within [-127, 127],
biases int32 at input scale times weight scale, softmax 1/256. Input and output are uint8, so the first and the last
operator re-label int8 as uint8.

Each layer is rounded knowing what the already rounded layers before it really give, on the calibration photos; its
bias then makes the mean of every channel what it is in float. Bias correction is most of the gain (README.md).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from base_model import patches
from base_model.flatbuffer import write_model
from base_model.network import Constant, Layer, Network, Quantised, float_constants
from base_model.observe import observe
from base_model.rounding import LARGEST, round_weights
from base_model.runner import Runner

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from base_model.network import Input

    Floats = npt.NDArray[np.float64]
    Images = Sequence[npt.NDArray[Any]]

_LOWEST: Final = -128
_LEVELS: Final = 255
_LARGEST_BIAS: Final = 2**30
_SMALLEST_STEP: Final = 1e-12


def quantise(
    layers: Sequence[Layer], picture: Input, images: Images, description: str, progress: Callable[[Layer], None]
) -> Network:
    """Return the uint8-in, uint8-out network; `progress` is called before each convolution, the slow part.

    layers: the float network. images: the calibration photos, uint8 [size, size, 3] each.
    """
    observed = observe(layers, picture, images)
    network = _unrounded(layers, picture, observed.ranges, description)
    tensors: dict[str, Images] = {"pixels": images}
    for number, layer in enumerate(network.layers):
        if layer.weight is not None:
            progress(layer)
            network.constants[layer.name] = _round_layer(
                layer, network, observed.mean_inputs[layer.name], tensors[layer.inputs[0]]
            )
        outputs = _run(layer, network, tensors)
        still_read = {name for later in network.layers[number + 1 :] for name in later.inputs}
        tensors = {name: kept for name, kept in {**tensors, layer.name: outputs}.items() if name in still_read}
    return network


def _run(layer: Layer, network: Network, tensors: Mapping[str, Images]) -> list[npt.NDArray[Any]]:
    """Return what one integer operator makes of all images, given what the ones before it made of them.

    A pass through the whole network for each of its layers would come to the same, and takes ten times as long.
    """
    sources = {name: (1, *tensors[name][0].shape) for name in layer.inputs}
    runner = Runner(write_model(replace(network, layers=[layer], sources=sources)))
    return [runner.run_tensors(inputs) for inputs in zip(*(tensors[name] for name in layer.inputs), strict=True)]


def _unrounded(
    layers: Sequence[Layer], picture: Input, ranges: Mapping[str, tuple[float, float]], description: str
) -> Network:
    """Return the network with the meaning of every tensor's integers, and no convolution's constants yet."""
    meanings = {
        "pixels": _meaning("uint8", 1 / picture.std, picture.zero_point),
        "image": _meaning("int8", 1 / picture.std, picture.zero_point + _LOWEST),
    }
    for layer in layers:
        if layer.kind == "reshape":
            meanings[layer.name] = meanings[layer.inputs[0]]
        else:
            low, high = ranges[layer.name]
            step = (high - low) / _LEVELS
            meanings[layer.name] = _meaning("int8", step, round(_LOWEST - low / step))
    last = layers[-1]
    step, zero_point = float(meanings[last.name].scale[0]), meanings[last.name].zero_point
    meanings["scores"] = _meaning("uint8", step, zero_point - _LOWEST)
    whole = [
        Layer("image", "quantize", ("pixels",), picture.shape),
        *layers,
        Layer("scores", "quantize", (last.name,), last.shape),
    ]
    constants = {layer.name: float_constants(layer) for layer in layers if layer.weight is None}
    return Network(whole, {"pixels": picture.shape}, constants, meanings, description)


def _meaning(dtype: str, step: float, zero_point: int) -> Quantised:
    return Quantised(dtype, np.array([step], np.float32), zero_point)


def _round_layer(layer: Layer, network: Network, float_mean: Floats, inputs: Images) -> tuple[Constant, Constant]:
    """Return a convolution's int8 weights and int32 biases.

    float_mean: its mean input in the float network. inputs: what it is given, an int8 tensor for each image.
    """
    if layer.weight is None or layer.bias is None:
        raise ValueError(f"{layer.name} has no weights")
    source_step = float(network.quantised[layer.inputs[0]].scale[0])
    weights = _by_channel(layer, layer.weight.astype(np.float64))
    steps = np.abs(weights).max(axis=1) / LARGEST
    # A channel that training has switched off has weights near nothing and a bias that must still fit in 32 bits.
    steps = np.maximum(steps, np.abs(layer.bias) / (source_step * _LARGEST_BIAS)).clip(_SMALLEST_STEP)
    steps = steps.astype(np.float32).astype(np.float64)
    if layer.probability:  # a plain mean of probabilities: nothing to learn of photos
        integers, shift = np.round(weights / steps[:, None]), np.zeros(len(weights))
    else:
        zero_point = network.quantised[layer.inputs[0]].zero_point
        mean, covariance = _input_statistics(layer, inputs, zero_point)
        integers = _round(layer, weights, steps, covariance)
        shift = _mean_output(layer, weights, float_mean) - _mean_output(layer, integers, mean) * source_step * steps
    bias_steps = (steps * source_step).astype(np.float32)
    bias = np.round((layer.bias + shift) / bias_steps.astype(np.float64)).astype(np.int32)
    stored = _as_stored(layer, integers).astype(np.int8)
    return (
        Constant(stored, Quantised("int8", steps.astype(np.float32), 0, layer.channel_axis)),
        Constant(bias, Quantised("int32", bias_steps, 0)),
    )


def _round(layer: Layer, weights: Floats, steps: Floats, covariance: Floats) -> Floats:
    if layer.kind != "depthwise":
        return round_weights(weights, steps, covariance)
    channels = range(len(weights))
    return np.concatenate([round_weights(weights[c : c + 1], steps[c : c + 1], covariance[c]) for c in channels])


def _input_statistics(layer: Layer, inputs: Images, zero_point: int) -> tuple[Floats, Floats]:
    """Return mean [kernel, kernel, channels] and covariance of a layer's integer input, zero point taken off.

    Covariance: [inputs, inputs]; for a depthwise layer [channels, kernel * kernel, kernel * kernel]. Sums of products
    of small integers are exact in float64, so they do not depend on the order in which a processor adds them.
    """
    total: Floats = np.zeros(1)
    products: Floats = np.zeros(1)
    count = 0
    for number, tensor in enumerate(inputs):
        seen = patches.sample(tensor, layer, number, zero_point)
        rows: Floats = seen.reshape(len(seen), -1)
        if layer.kind == "depthwise":
            rows = seen.reshape(len(seen), -1, seen.shape[-1]).transpose(2, 0, 1)
        total = total + seen.sum(axis=0)
        products = products + rows.swapaxes(-1, -2) @ rows
        count += len(seen)
    mean = total / count
    centre: Floats = mean.reshape(-1)
    if layer.kind == "depthwise":
        centre = mean.reshape(-1, mean.shape[-1]).T
    return mean, products / count - centre[..., :, None] * centre[..., None, :]


def _by_channel(layer: Layer, weights: Floats) -> Floats:
    """Return weights as [out, in], out of TFLite's layout."""
    return np.moveaxis(weights, layer.channel_axis, 0).reshape(layer.shape[-1], -1)


def _as_stored(layer: Layer, rows: Floats) -> Floats:
    """Return [out, in] in TFLite's layout again."""
    shape = np.moveaxis(np.empty(() if layer.weight is None else layer.weight.shape), layer.channel_axis, 0).shape
    return np.ascontiguousarray(np.moveaxis(rows.reshape(shape), 0, layer.channel_axis))


def _mean_output(layer: Layer, rows: Floats, mean: Floats) -> Floats:
    """Return what a layer without its bias makes of a mean input, [out]."""
    if layer.kind == "depthwise":
        return np.asarray((rows.T * mean.reshape(-1, mean.shape[-1])).sum(axis=0))
    return rows @ mean.reshape(-1)
