"""Write layers as a TFLite file: float32, or integers where every tensor's scale and zero point is given.

Only the published schema is used (`ai_edge_litert.schema_py_generated`); no converter, nothing private.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

if TYPE_CHECKING:
    from base_model.network import Constant, Layer, Network, Quantised

_FILE_IDENTIFIER: Final = b"TFL3"
_SCHEMA_VERSION: Final = 3
# The schema says `force_align: 16` for a buffer's data; kernels read int32 biases from it in place.
_ALIGNMENT: Final = 16
# About what a file needs beside its constants; it grows where that is not enough.
_STRUCTURE_BYTES: Final = 1 << 16
_TYPES: Final = {
    "float32": schema.TensorType.FLOAT32,
    "int32": schema.TensorType.INT32,
    "int8": schema.TensorType.INT8,
    "uint8": schema.TensorType.UINT8,
}
_OPERATORS: Final = {
    "conv": schema.BuiltinOperator.CONV_2D,
    "depthwise": schema.BuiltinOperator.DEPTHWISE_CONV_2D,
    "add": schema.BuiltinOperator.ADD,
    "mean": schema.BuiltinOperator.MEAN,
    "max_pool": schema.BuiltinOperator.MAX_POOL_2D,
    "reshape": schema.BuiltinOperator.RESHAPE,
    "softmax": schema.BuiltinOperator.SOFTMAX,
    "quantize": schema.BuiltinOperator.QUANTIZE,
}
# Operator versions as TFLite's own op_version.cc gives them: the second or third is "with int8 (per channel)".
_INTEGER_VERSIONS: Final = {"conv": 3, "depthwise": 3, "add": 2, "mean": 2, "max_pool": 2, "softmax": 2}
_FLOAT_VERSIONS: Final = {"depthwise": 2}  # the second is "with dilation"
_ACTIVATIONS: Final = {
    "none": schema.ActivationFunctionType.NONE,
    "relu": schema.ActivationFunctionType.RELU,
    "relu6": schema.ActivationFunctionType.RELU6,
}


def write_model(network: Network) -> bytes:
    """Return the TFLite file's bytes: the same bytes for the same network, every time."""
    return _Writer(network).write()


class _AlignedBuffer(schema.BufferT):  # type: ignore[misc]  # the generated schema has no types
    """A buffer whose data is aligned in the file, which the generated Python code forgets."""

    def Pack(self, builder: flatbuffers.Builder) -> int:  # noqa: N802 - the name that the generated code calls
        data = None
        if self.data is not None:
            content = bytes(self.data)
            builder.StartVector(1, len(content), _ALIGNMENT)
            builder.head -= len(content)
            builder.Bytes[builder.head : builder.head + len(content)] = content
            data = builder.EndVector()
        schema.BufferStart(builder)
        if data is not None:
            schema.BufferAddData(builder, data)
        return int(schema.BufferEnd(builder))


class _Writer:
    def __init__(self, network: Network) -> None:
        self._network = network
        self._buffers: list[_AlignedBuffer] = [_AlignedBuffer()]  # by the schema's rule the first one is empty
        self._tensors: list[Any] = []
        self._codes: list[tuple[str, int]] = []
        self._index: dict[str, int] = {}
        self._shapes = network.sources | {layer.name: layer.shape for layer in network.layers}

    def write(self) -> bytes:
        network = self._network
        graph = schema.SubGraphT()
        graph.name = "main"
        for name in network.sources:
            self._add_activation(name)
        graph.inputs = [self._index[name] for name in network.sources]
        graph.operators = [self._operator(layer) for layer in network.layers]
        graph.outputs = [self._index[network.layers[-1].name]]
        graph.tensors = self._tensors
        model = schema.ModelT()
        model.version = _SCHEMA_VERSION
        model.description = network.description
        model.subgraphs = [graph]
        model.buffers = self._buffers
        model.operatorCodes = [_operator_code(kind, version) for kind, version in self._codes]
        builder = flatbuffers.Builder(_STRUCTURE_BYTES + sum(len(buffer.data or b"") for buffer in self._buffers))
        builder.Finish(model.Pack(builder), _FILE_IDENTIFIER)
        return bytes(builder.Output())

    def _operator(self, layer: Layer) -> Any:  # noqa: ANN401 - the generated schema has no types
        operator = schema.OperatorT()
        operator.inputs = [self._index[name] for name in layer.inputs]
        for number, constant in enumerate(self._network.constants.get(layer.name, ())):
            operator.inputs.append(self._add_constant(f"{layer.name}/constant{number}", constant))
        self._add_activation(layer.name)
        operator.outputs = [self._index[layer.name]]
        versions = _INTEGER_VERSIONS if layer.name in self._network.quantised else _FLOAT_VERSIONS
        code = (layer.kind, versions.get(layer.kind, 1))
        if code not in self._codes:
            self._codes.append(code)
        operator.opcodeIndex = self._codes.index(code)
        operator.builtinOptionsType, operator.builtinOptions = _options(layer, self._shapes[layer.inputs[0]])
        return operator

    def _add_activation(self, name: str) -> None:
        quantised = self._network.quantised.get(name)
        self._add_tensor(name, self._shapes[name], quantised.dtype if quantised else "float32", quantised, buffer=0)

    def _add_constant(self, name: str, constant: Constant) -> int:
        buffer = _AlignedBuffer()
        buffer.data = np.ascontiguousarray(constant.values).tobytes()
        self._buffers.append(buffer)
        dtype = str(constant.values.dtype)
        return self._add_tensor(name, constant.values.shape, dtype, constant.quantised, buffer=len(self._buffers) - 1)

    def _add_tensor(
        self, name: str, shape: tuple[int, ...], dtype: str, quantised: Quantised | None, *, buffer: int
    ) -> int:
        tensor = schema.TensorT()
        tensor.name = name
        tensor.shape = list(shape)
        tensor.type = _TYPES[dtype]
        tensor.buffer = buffer
        if quantised:
            parameters = schema.QuantizationParametersT()
            parameters.scale = quantised.scale.astype(np.float32).reshape(-1).tolist()
            parameters.zeroPoint = [quantised.zero_point] * len(parameters.scale)
            parameters.quantizedDimension = quantised.axis
            tensor.quantization = parameters
        self._tensors.append(tensor)
        self._index[name] = len(self._tensors) - 1
        return self._index[name]


def _operator_code(kind: str, version: int) -> Any:  # noqa: ANN401 - the generated schema has no types
    code = schema.OperatorCodeT()
    code.builtinCode = _OPERATORS[kind]
    code.deprecatedBuiltinCode = _OPERATORS[kind]  # what readers older than 2021 look at; all are below 127
    code.version = version
    return code


def _options(layer: Layer, source: tuple[int, ...]) -> tuple[int, Any]:
    """Return which options an operator has, by the schema's number, and the options. source: its input's shape."""
    kinds = schema.BuiltinOptions
    match layer.kind:
        case "conv" | "depthwise":
            return _convolution_options(layer)
        case "add":
            number, options = kinds.AddOptions, schema.AddOptionsT()
            options.fusedActivationFunction = _ACTIVATIONS[layer.activation]
        case "max_pool":
            number, options = kinds.Pool2DOptions, schema.Pool2DOptionsT()
            options.padding = _padding(layer)
            options.strideH = options.strideW = layer.stride
            _, options.filterHeight, options.filterWidth, _ = source
        case "mean":
            number, options = kinds.ReducerOptions, schema.ReducerOptionsT()
            options.keepDims = True
        case "reshape":
            number, options = kinds.ReshapeOptions, schema.ReshapeOptionsT()
            options.newShape = list(layer.shape)
        case "softmax":
            number, options = kinds.SoftmaxOptions, schema.SoftmaxOptionsT()
            options.beta = 1.0
        case "quantize":
            number, options = kinds.QuantizeOptions, schema.QuantizeOptionsT()
    return number, options


def _convolution_options(layer: Layer) -> tuple[int, Any]:
    if layer.kind == "conv":
        number, options = schema.BuiltinOptions.Conv2DOptions, schema.Conv2DOptionsT()
    else:
        number, options = schema.BuiltinOptions.DepthwiseConv2DOptions, schema.DepthwiseConv2DOptionsT()
        options.depthMultiplier = 1
    options.fusedActivationFunction = _ACTIVATIONS[layer.activation]
    options.padding = _padding(layer)
    options.strideH = options.strideW = layer.stride
    options.dilationHFactor = options.dilationWFactor = layer.dilation
    return number, options


def _padding(layer: Layer) -> int:
    return int(schema.Padding.SAME if layer.same else schema.Padding.VALID)
