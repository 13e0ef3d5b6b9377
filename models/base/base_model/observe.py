"""What the float network does with the calibration photos: each tensor's range, each convolution's mean input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from base_model import patches
from base_model.flatbuffer import write_model
from base_model.network import float_network
from base_model.runner import Runner

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from base_model.network import Input, Layer

_VALUES_PER_IMAGE: Final = 1024
# Ends are tried at these parts of the extremes seen: a few clipped outliers cost less than coarse steps for all.
_PARTS: Final = np.arange(0.4, 1.001, 0.05)
# Ends are whole sixteenths, so that the last bit of another processor's floats does not change the model.
_GRID: Final = 16
_LEVELS: Final = 255


@dataclass(frozen=True)
class Observed:
    """What the photos say about the float network.

    ranges: lowest and highest value worth representing, by tensor. mean_inputs: [kernel, kernel, channels], by layer.
    """

    ranges: dict[str, tuple[float, float]]
    mean_inputs: dict[str, npt.NDArray[np.float64]]


def observe(layers: Sequence[Layer], picture: Input, images: Sequence[npt.NDArray[np.uint8]]) -> Observed:
    """Run the float network over all images."""
    runner = Runner(write_model(float_network(layers, picture)), picture, look_inside=True)
    ranges = {layer.name: layer.known_range for layer in layers if layer.known_range}
    values: dict[str, list[npt.NDArray[np.float32]]] = {layer.name: [] for layer in layers if layer.name not in ranges}
    extremes = dict.fromkeys(values, (0.0, 0.0))
    sums: dict[str, list[npt.NDArray[np.float64]]] = {layer.name: [] for layer in layers if layer.weight is not None}
    for number, image in enumerate(images):
        runner.run(image)
        for name, kept in values.items():
            seen = runner.tensor(name).reshape(-1)
            low, high = extremes[name]
            extremes[name] = (min(low, float(seen.min())), max(high, float(seen.max())))
            kept.append(seen[np.random.default_rng(number).integers(0, len(seen), _VALUES_PER_IMAGE)])
        for layer in layers:
            if layer.weight is not None:
                inputs = runner.tensor(layer.inputs[0])
                sums[layer.name].append(patches.sample(inputs, layer, number).mean(axis=0))
    ranges |= {name: _best_range(np.concatenate(kept), *extremes[name]) for name, kept in values.items()}
    return Observed(ranges, {name: np.mean(means, axis=0) for name, means in sums.items()})


def _best_range(values: npt.NDArray[np.float32], lowest: float, highest: float) -> tuple[float, float]:
    """Return the range, zero included, whose 256 steps represent the values with the least square error."""
    lows = sorted({np.floor(lowest * part * _GRID) / _GRID for part in _PARTS})
    highs = sorted({np.ceil(highest * part * _GRID) / _GRID for part in _PARTS})
    candidates = [(float(low), float(high)) for low in lows for high in highs if high > low]
    return min(candidates, key=lambda candidate: _square_error(values, *candidate))


def _square_error(values: npt.NDArray[np.float32], low: float, high: float) -> float:
    step = (high - low) / _LEVELS
    zero = round(-low / step)
    rounded = (np.clip(np.round(values / step) + zero, 0, _LEVELS) - zero) * step
    return float(np.mean((rounded - values) ** 2))
