"""A network as a list of layers, and what a TFLite file says about such a list."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

_MEAN_AXES: Final = np.array([1, 2], np.int32)
_RELU6_RANGE: Final = (0.0, 6.0)
# 256 levels in steps of 1/256, as TFLite's rules want of softmax.
_PROBABILITY_RANGE: Final = (0.0, 255 / 256)

Kind = Literal["conv", "depthwise", "add", "mean", "max_pool", "reshape", "softmax", "quantize"]
Activation = Literal["none", "relu", "relu6"]


@dataclass(frozen=True)
class Input:
    """The square RGB picture that a network takes. A pixel p enters it as (p - mean) / std."""

    size: int
    mean: float
    std: float

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Batch first, channels last."""
        return (1, self.size, self.size, 3)

    @property
    def zero_point(self) -> int:
        """The pixel that stands for 0. Where that is half a pixel off, the first bias takes it back."""
        return math.ceil(self.mean)


@dataclass(frozen=True)
class Layer:
    """One operator. Tensors are known by the name of the layer that makes them.

    weight: float32, [out, height, width, in] for a convolution, [1, height, width, channels] for a depthwise one,
    which is how TFLite stores them. bias: float32 [out]. shape: of what comes out, batch first, channels last.
    same: SAME padding, else VALID. probability: what comes out is within [0, 1], and no layer of trained weights.
    """

    name: str
    kind: Kind
    inputs: tuple[str, ...]
    shape: tuple[int, ...]
    weight: Floats | None = None
    bias: Floats | None = None
    stride: int = 1
    dilation: int = 1
    activation: Activation = "none"
    same: bool = True
    probability: bool = False

    @property
    def channel_axis(self) -> int:
        """The axis of `weight` that counts output channels."""
        return 3 if self.kind == "depthwise" else 0

    @property
    def known_range(self) -> tuple[float, float] | None:
        """Lowest and highest value that comes out, where that is clear whatever the photos."""
        if self.probability:
            return _PROBABILITY_RANGE
        return _RELU6_RANGE if self.activation == "relu6" else None


@dataclass(frozen=True)
class Quantised:
    """How integers stand for reals: real = scale * (integer - zero_point). One scale, or one per channel of `axis`."""

    dtype: str
    scale: Floats
    zero_point: int
    axis: int = 0


@dataclass(frozen=True)
class Constant:
    """A tensor whose values are in the file. `quantised` is None for float32 and for plain int32."""

    values: npt.NDArray[Any]
    quantised: Quantised | None = None


@dataclass(frozen=True)
class Network:
    """Everything the file says: layers in order, the constants of each, the meaning of every tensor's integers.

    sources: the shapes of the tensors that it is given, by name.
    """

    layers: Sequence[Layer]
    sources: dict[str, tuple[int, ...]]
    constants: dict[str, tuple[Constant, ...]]
    quantised: dict[str, Quantised]
    description: str


def float_network(layers: Sequence[Layer], picture: Input) -> Network:
    """Return the network that computes in float32, from the normalised tensor "image": the reference."""
    constants = {layer.name: float_constants(layer) for layer in layers}
    return Network(layers, {"image": picture.shape}, constants, {}, "float32")


def float_constants(layer: Layer) -> tuple[Constant, ...]:
    """Return what an operator reads beside its input tensors, in the order in which TFLite wants it."""
    if layer.weight is not None and layer.bias is not None:
        return (Constant(layer.weight), Constant(layer.bias))
    match layer.kind:
        case "mean":
            return (Constant(_MEAN_AXES),)
        case "reshape":
            return (Constant(np.array(layer.shape, np.int32)),)
        case _:
            return ()
