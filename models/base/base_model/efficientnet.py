"""EfficientNet-Lite0 as a list of layers, batch norm folded in."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from base_model.network import Input, Layer

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

# "-mean 127 -stddev 128" of Google's own EfficientNet-Lite.
PICTURE: Final = Input(size=224, mean=127, std=128)
CLASSES: Final = 1000
BATCH_NORM_EPSILON: Final = 1e-3


@dataclass(frozen=True)
class Block:
    """One row of the paper's table: a stage of inverted residual blocks."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    inputs: int
    outputs: int


BLOCKS: Final = (
    Block(1, 3, 1, 1, 32, 16),
    Block(2, 3, 2, 6, 16, 24),
    Block(2, 5, 2, 6, 24, 40),
    Block(3, 3, 2, 6, 40, 80),
    Block(3, 5, 1, 6, 80, 112),
    Block(4, 5, 2, 6, 112, 192),
    Block(1, 3, 1, 6, 192, 320),
)


@dataclass
class _Builder:
    weights: Mapping[str, npt.NDArray[np.float32]]
    layers: list[Layer] = field(default_factory=list)
    last: str = "image"
    side: int = PICTURE.size

    def convolution(  # noqa: PLR0913 - the six things that make a convolution
        self, name: str, weight: str, norm: str, *, stride: int = 1, relu6: bool = True, depthwise: bool = False
    ) -> None:
        scale = self.weights[f"{norm}.weight"] / np.sqrt(self.weights[f"{norm}.running_var"] + BATCH_NORM_EPSILON)
        bias = self.weights[f"{norm}.bias"] - self.weights[f"{norm}.running_mean"] * scale
        # torch has [out, in, height, width]; a depthwise convolution has in == 1.
        folded = self.weights[weight] * scale[:, None, None, None]
        order = (1, 2, 3, 0) if depthwise else (0, 2, 3, 1)
        self.side = -(-self.side // stride)
        self.add(
            Layer(
                name,
                "depthwise" if depthwise else "conv",
                (self.last,),
                (1, self.side, self.side, len(bias)),
                np.ascontiguousarray(folded.transpose(order), np.float32),
                bias.astype(np.float32),
                stride,
                activation="relu6" if relu6 else "none",
            )
        )

    def add(self, layer: Layer) -> None:
        self.layers.append(layer)
        self.last = layer.name


def efficientnet_lite0(weights: Mapping[str, npt.NDArray[np.float32]]) -> list[Layer]:
    """Return the layers in order, from the tensor "image" (float, normalised) to "flat_logits" [1, 1000].

    Softmax is left to who reads the scores (README.md says why). Padding is SAME everywhere. Lite means: no
    squeeze-and-excite, RELU6, stem and head never scaled.

    The classifier is a 1x1 convolution, not a fully connected layer: the same numbers, but TFLite has per-channel
    weights for convolutions everywhere (tflite-runtime 2.14 and the Edge TPU too) and for fully connected only lately.

    Raises KeyError when a tensor is missing from `weights`.
    """
    net = _Builder(weights)
    net.convolution("stem", "_conv_stem.weight", "_bn0", stride=2)
    number = 0
    for stage in BLOCKS:
        for repeat in range(stage.repeats):
            _inverted_residual(net, number, stage if repeat == 0 else replace(stage, stride=1, inputs=stage.outputs))
            number += 1
    net.convolution("head", "_conv_head.weight", "_bn1")
    features = len(weights["_conv_head.weight"])
    net.add(Layer("pooled", "mean", (net.last,), (1, 1, 1, features)))
    classifier = np.ascontiguousarray(weights["_fc.weight"][:, None, None, :], np.float32)
    net.add(Layer("logits", "conv", (net.last,), (1, 1, 1, CLASSES), classifier, weights["_fc.bias"]))
    net.add(Layer("flat_logits", "reshape", (net.last,), (1, CLASSES)))
    return net.layers


def _inverted_residual(net: _Builder, number: int, block: Block) -> None:
    """Add expansion, depthwise and projection, and the shortcut where shapes allow it."""
    source, name = f"_blocks.{number}", f"block{number}"
    shortcut = net.last
    if block.expansion != 1:
        net.convolution(f"{name}/expand", f"{source}._expand_conv.weight", f"{source}._bn0")
    net.convolution(
        f"{name}/depthwise", f"{source}._depthwise_conv.weight", f"{source}._bn1", stride=block.stride, depthwise=True
    )
    net.convolution(f"{name}/project", f"{source}._project_conv.weight", f"{source}._bn2", relu6=False)
    if block.stride == 1 and block.inputs == block.outputs:
        net.add(Layer(f"{name}/add", "add", (shortcut, net.last), net.layers[-1].shape))
