"""The network that knows people: DeepLab v3's published weights, and what is put on top of them.

The source segments a picture into the 21 classes of Pascal VOC. What edged wants of it is one number, "is there a
person?", so the two enlargements at its end are left out; instead, at the size at which the network itself thinks:
softmax over the classes, the mean probability of a person in every square of 4x4 places, the highest of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from base_model.network import Activation, Input, Kind, Layer

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

# The source has 257, and the same weights serve any size. README.md says why this one.
PICTURE: Final = Input(size=321, mean=127.5, std=127.5)
# Background, then Pascal VOC's twenty in the order of the alphabet: aeroplane is 1, tv 20.
CLASSES: Final = 21
PERSON: Final = 15
# One place alone may be surely mistaken; sixteen together seldom are. A tenth of the picture each way.
SQUARE: Final = 4

_LOGITS: Final = "logits/semantic/BiasAdd"
_KINDS: Final[dict[int, Kind]] = {
    schema.BuiltinOperator.CONV_2D: "conv",
    schema.BuiltinOperator.DEPTHWISE_CONV_2D: "depthwise",
    schema.BuiltinOperator.ADD: "add",
    schema.BuiltinOperator.AVERAGE_POOL_2D: "mean",
}
_ACTIVATIONS: Final[dict[int, Activation]] = {
    schema.ActivationFunctionType.NONE: "none",
    schema.ActivationFunctionType.RELU: "relu",
    schema.ActivationFunctionType.RELU6: "relu6",
}


class UnknownNetworkError(Exception):
    """The source file is not the network that this module knows how to read."""


def people_network(source: bytes, size: int = PICTURE.size) -> list[Layer]:
    """Return the layers in order, from the tensor "image" [1, size, size, 3] (float, normalised) to "person" [1, 1].

    Raises `UnknownNetworkError` when the source has operators other than those of DeepLab v3 with MobileNet v2.
    """
    reader = _Reader(source, size)
    reader.read()
    return [*reader.layers, *_person(reader.layers[-1])]


@dataclass
class _Reader:
    """Turns the source's operators into layers. Nothing is trained or changed, two of them are only re-arranged."""

    source: bytes
    size: int
    layers: list[Layer] = field(default_factory=list)

    def read(self) -> None:
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(self.source, 0))
        graph = model.subgraphs[0]
        self._tensors, self._buffers = graph.tensors, model.buffers
        self._shapes: dict[str, tuple[int, ...]] = {"image": (1, self.size, self.size, 3)}
        self._names = {graph.operators[0].inputs[0]: "image"}
        joined: list[str] = []
        for operator in graph.operators:
            code = model.operatorCodes[operator.opcodeIndex].deprecatedBuiltinCode
            name = graph.tensors[operator.outputs[0]].name.decode()
            source = [self._names[number] for number in operator.inputs if number in self._names]
            self._names[operator.outputs[0]] = name
            if code == schema.BuiltinOperator.RESIZE_BILINEAR:
                self._names[operator.outputs[0]] = source[0]  # one place made 33x33 alike: the sum below does that
            elif code == schema.BuiltinOperator.CONCATENATION:
                joined = source
            elif joined:
                self._add_split(name, operator, joined)
                joined = []
            elif code in _KINDS:
                self._add(self._layer(name, _KINDS[code], tuple(source), operator))
            else:
                raise UnknownNetworkError(f"{name} is made by operator {code}, which is not one of DeepLab v3's")
            if name == _LOGITS:
                return
        raise UnknownNetworkError(f"the source has no {_LOGITS}")

    def _add(self, layer: Layer) -> None:
        self.layers.append(layer)
        self._shapes[layer.name] = layer.shape

    def _layer(self, name: str, kind: Kind, inputs: tuple[str, ...], operator: Any) -> Layer:  # noqa: ANN401 - no types
        _, height, width, channels = self._shapes[inputs[0]]
        options = operator.builtinOptions
        if kind == "mean":
            return Layer(name, kind, inputs, (1, 1, 1, channels))
        activation = _ACTIVATIONS[options.fusedActivationFunction]
        if kind == "add":
            return Layer(name, kind, inputs, (1, height, width, channels), activation=activation)
        weight, bias = (self._constant(number) for number in operator.inputs[1:])
        stride = options.strideH
        shape = (1, -(-height // stride), -(-width // stride), len(bias))
        return Layer(name, kind, inputs, shape, weight, bias, stride, options.dilationHFactor, activation)

    def _add_split(self, name: str, operator: Any, joined: list[str]) -> None:  # noqa: ANN401 - no types
        """A convolution of two tensors side by side is the sum of one of each.

        The first of the two is the mean of the picture: its share is computed once instead of in every place, which
        halves the work of the largest convolution.
        """
        whole = self._layer(name, "conv", (joined[0],), operator)
        if whole.weight is None or whole.bias is None or len(joined) != len(("picture", "place")):
            raise UnknownNetworkError(f"{name} is not a convolution of two joined tensors")
        parts = np.split(whole.weight, [self._shapes[joined[0]][-1]], axis=3)
        biases = (np.zeros_like(whole.bias), whole.bias)
        for source, weight, bias in zip(joined, parts, biases, strict=True):
            shape = (*self._shapes[source][:3], len(bias))
            self._add(Layer(f"{name}/{source}", "conv", (source,), shape, np.ascontiguousarray(weight), bias))
        place, picture = (f"{name}/{source}" for source in reversed(joined))
        self._add(Layer(name, "add", (place, picture), self._shapes[place], activation=whole.activation))

    def _constant(self, number: int) -> Floats:
        tensor = self._tensors[number]
        values = np.frombuffer(bytes(self._buffers[tensor.buffer].data), np.float32)
        return values.reshape(tuple(int(side) for side in tensor.shape))


def _person(logits: Layer) -> Iterator[Layer]:
    """Yield what makes one probability of the logits. A convolution picks the person and takes the mean at once."""
    _, height, width, _ = logits.shape
    yield Layer("classes", "softmax", (logits.name,), logits.shape, probability=True)
    weight = np.zeros((1, SQUARE, SQUARE, CLASSES), np.float32)
    weight[..., PERSON] = 1 / SQUARE**2
    squares = (1, height - SQUARE + 1, width - SQUARE + 1, 1)
    bias = np.zeros(1, np.float32)
    yield Layer("squares", "conv", ("classes",), squares, weight, bias, same=False, probability=True)
    yield Layer("highest", "max_pool", ("squares",), (1, 1, 1, 1), same=False, probability=True)
    yield Layer("person", "reshape", ("highest",), (1, 1), probability=True)
