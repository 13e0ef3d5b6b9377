"""Write the people network as a TFLite file: float32, or integers where tensors' scales and zero points are given.

Beside `flatbuffer.py`, which writes the other member: this network has dilated convolutions, RELU and pools.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from base_model.flatbuffer import _AlignedBuffer as AlignedBuffer
from base_model.network import Constant, Quantised

if TYPE_CHECKING:
    from collections.abc import Sequence

    from base_model.people_network import Layer

_TYPES: Final = {
    "float32": schema.TensorType.FLOAT32,
    "int32": schema.TensorType.INT32,
    "int8": schema.TensorType.INT8,
    "uint8": schema.TensorType.UINT8,
}
# Operator, its version, and that of its int8 kind, as TFLite's own op_version.cc gives them.
_OPERATORS: Final = {
    "conv": (schema.BuiltinOperator.CONV_2D, 1, 3),
    "depthwise": (schema.BuiltinOperator.DEPTHWISE_CONV_2D, 2, 3),
    "add": (schema.BuiltinOperator.ADD, 1, 2),
    "mean": (schema.BuiltinOperator.MEAN, 1, 2),
    "max_pool": (schema.BuiltinOperator.MAX_POOL_2D, 1, 2),
    "reshape": (schema.BuiltinOperator.RESHAPE, 1, 1),
    "softmax": (schema.BuiltinOperator.SOFTMAX, 1, 2),
    "quantize": (schema.BuiltinOperator.QUANTIZE, 1, 1),
}
_ACTIVATIONS: Final = {
    "none": schema.ActivationFunctionType.NONE,
    "relu": schema.ActivationFunctionType.RELU,
    "relu6": schema.ActivationFunctionType.RELU6,
}
_MEAN_AXES: Final = np.array([1, 2], np.int32)


@dataclass(frozen=True)
class Integers:
    """What makes a network one of integers: the meaning of tensors by name, the constants of convolutions."""

    meanings: dict[str, Quantised] = field(default_factory=dict)
    constants: dict[str, tuple[Constant, ...]] = field(default_factory=dict)


def write_people(layers: Sequence[Layer], source: tuple[str, tuple[int, ...]], integers: Integers) -> bytes:
    """Return the TFLite file's bytes: the same bytes for the same network, every time."""
    return _Writer(layers, source, integers).write()


class _Writer:
    def __init__(self, layers: Sequence[Layer], source: tuple[str, tuple[int, ...]], integers: Integers) -> None:
        self._layers = layers
        self._source = source
        self._integers = integers
        self._buffers: list[AlignedBuffer] = [AlignedBuffer()]  # by the schema's rule the first one is empty
        self._tensors: list[Any] = []
        self._codes: list[tuple[int, int]] = []
        self._index: dict[str, int] = {}
        self._shapes = {source[0]: source[1]} | {layer.name: layer.shape for layer in layers}

    def write(self) -> bytes:
        graph = schema.SubGraphT()
        graph.name = "main"
        self._add_activation(self._source[0])
        graph.inputs = [0]
        graph.operators = [self._operator(layer) for layer in self._layers]
        graph.outputs = [self._index[self._layers[-1].name]]
        graph.tensors = self._tensors
        model = schema.ModelT()
        model.version = 3
        model.description = "DeepLab v3 (MobileNet v2 0.5, Pascal VOC), highest probability of a person"
        model.subgraphs = [graph]
        model.buffers = self._buffers
        model.operatorCodes = [_operator_code(*code) for code in self._codes]
        builder = flatbuffers.Builder(8 << 20)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def _operator(self, layer: Layer) -> Any:  # noqa: ANN401 - the generated schema has no types
        operator = schema.OperatorT()
        operator.inputs = [self._index[name] for name in layer.inputs]
        constants = self._integers.constants.get(layer.name) or _float_constants(layer)
        for number, constant in enumerate(constants):
            operator.inputs.append(self._add_constant(f"{layer.name}/constant{number}", constant))
        self._add_activation(layer.name)
        operator.outputs = [self._index[layer.name]]
        code, plain, integer = _OPERATORS[layer.kind]
        used = (code, integer if layer.name in self._integers.meanings else plain)
        if used not in self._codes:
            self._codes.append(used)
        operator.opcodeIndex = self._codes.index(used)
        operator.builtinOptionsType, operator.builtinOptions = _options(layer, self._shapes[layer.inputs[0]])
        return operator

    def _add_activation(self, name: str) -> None:
        meaning = self._integers.meanings.get(name)
        self._add_tensor(name, self._shapes[name], meaning.dtype if meaning else "float32", meaning, buffer=0)

    def _add_constant(self, name: str, constant: Constant) -> int:
        buffer = AlignedBuffer()
        buffer.data = np.ascontiguousarray(constant.values).tobytes()
        self._buffers.append(buffer)
        dtype = str(constant.values.dtype)
        return self._add_tensor(name, constant.values.shape, dtype, constant.quantised, buffer=len(self._buffers) - 1)

    def _add_tensor(
        self, name: str, shape: tuple[int, ...], dtype: str, meaning: Quantised | None, *, buffer: int
    ) -> int:
        tensor = schema.TensorT()
        tensor.name = name
        tensor.shape = list(shape)
        tensor.type = _TYPES[dtype]
        tensor.buffer = buffer
        if meaning:
            parameters = schema.QuantizationParametersT()
            parameters.scale = meaning.scale.astype(np.float32).reshape(-1).tolist()
            parameters.zeroPoint = [meaning.zero_point] * len(parameters.scale)
            parameters.quantizedDimension = meaning.axis
            tensor.quantization = parameters
        self._tensors.append(tensor)
        self._index[name] = len(self._tensors) - 1
        return self._index[name]


def _float_constants(layer: Layer) -> tuple[Constant, ...]:
    if layer.weight is not None and layer.bias is not None:
        return (Constant(layer.weight), Constant(layer.bias))
    match layer.kind:
        case "mean":
            return (Constant(_MEAN_AXES),)
        case "reshape":
            return (Constant(np.array(layer.shape, np.int32)),)
        case _:
            return ()


def _operator_code(number: int, version: int) -> Any:  # noqa: ANN401 - the generated schema has no types
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = number  # the latter is what readers older than 2021 look at
    code.version = version
    return code


def _options(layer: Layer, source: tuple[int, ...]) -> tuple[int, Any]:
    """Return which options an operator has, by the schema's number, and the options."""
    kinds = schema.BuiltinOptions
    padding = schema.Padding.SAME if layer.same else schema.Padding.VALID
    match layer.kind:
        case "conv" | "depthwise":
            return _convolution_options(layer, padding)
        case "add":
            number, options = kinds.AddOptions, schema.AddOptionsT()
            options.fusedActivationFunction = _ACTIVATIONS[layer.activation]
        case "mean":
            number, options = kinds.ReducerOptions, schema.ReducerOptionsT()
            options.keepDims = True
        case "max_pool":
            number, options = kinds.Pool2DOptions, schema.Pool2DOptionsT()
            options.padding = padding
            options.strideH = options.strideW = 1
            _, options.filterHeight, options.filterWidth, _ = source
        case "reshape":
            number, options = kinds.ReshapeOptions, schema.ReshapeOptionsT()
            options.newShape = list(layer.shape)
        case "softmax":
            number, options = kinds.SoftmaxOptions, schema.SoftmaxOptionsT()
            options.beta = 1.0
        case "quantize":
            number, options = kinds.QuantizeOptions, schema.QuantizeOptionsT()
    return number, options


def _convolution_options(layer: Layer, padding: int) -> tuple[int, Any]:
    if layer.kind == "conv":
        number, options = schema.BuiltinOptions.Conv2DOptions, schema.Conv2DOptionsT()
    else:
        number, options = schema.BuiltinOptions.DepthwiseConv2DOptions, schema.DepthwiseConv2DOptionsT()
        options.depthMultiplier = 1
    options.fusedActivationFunction = _ACTIVATIONS[layer.activation]
    options.padding = padding
    options.strideH = options.strideW = layer.stride
    options.dilationHFactor = options.dilationWFactor = layer.dilation
    return number, options
