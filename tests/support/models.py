"""Tiny real TFLite models, written with the published schema: what a test wants of a model in a kilobyte.

Every model averages the picture and multiplies the mean red, green and blue (or grey) by a matrix, so that its scores
are known.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import flatbuffers
import numpy as np
import yaml
from ai_edge_litert import schema_py_generated as schema

from support.pictures import encoded

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

RAW: Final = (1.0, 0)  # a scale and a zero point under which uint8 means itself
_TYPES: Final = {
    "float32": schema.TensorType.FLOAT32,
    "int32": schema.TensorType.INT32,
    "int8": schema.TensorType.INT8,
    "uint8": schema.TensorType.UINT8,
}


@dataclass(frozen=True)
class TinyModel:
    """What the file says. The default tells a picture's red, green and blue as scores from 0 to 1.

    Attributes:
        shape: of the input.
        dtype: of the input; integers have the quantisation `source`, (scale, zero point).
        weights: (classes, channels): the score of a class is the sum of weights and mean pixel values.
        output: the output's shape; None is [1, classes].
        inputs: how many inputs the model has; the further ones are ignored.
        custom: makes the one operator a custom one of this name.
        program: what a custom operator comes with; the Edge TPU's compiler puts its program there.
    """

    shape: tuple[int, ...] = (1, 8, 8, 3)
    dtype: str = "uint8"
    source: tuple[float, int] = RAW
    weights: NDArray[np.float32] = field(default_factory=lambda: np.eye(3, dtype=np.float32) / np.float32(255))
    output: tuple[int, ...] | None = None
    inputs: int = 1
    outputs: int = 1
    custom: str | None = None
    program: bytes = b"program"


def tiny_model(model: TinyModel | None = None) -> bytes:
    """The file's bytes."""
    return _Writer(model or TinyModel()).write()


def write_package(  # noqa: PLR0913  the parts of a package
    folder: Path,
    *,
    model: bytes | None = None,
    labels: str | None = "red\ngreen\nblue\n",
    name: str = "tiny",
    member: dict[str, Any] | None = None,
    manifest: dict[str, Any] | None = None,
    more: dict[str, bytes] | None = None,
) -> Path:
    """A package's folder with a tiny model; `member` and `manifest` change or add keys, `more` are further files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {"tiny.tflite": tiny_model() if model is None else model} | (more or {})
    if labels is not None:
        files["labels.txt"] = labels.encode()
    for file, data in files.items():
        (folder / file).write_bytes(data)
    entry = {"name": "colours", "model": "tiny.tflite", "labels": "labels.txt" if labels is not None else None}
    tree = {
        "schema": 1,
        "name": name,
        "version": "1.0.0",
        "licence": "Apache-2.0",
        "source": "a test",
        "members": [entry | (member or {})],
        "files": {
            file: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)} for file, data in files.items()
        },
    }
    (folder / "model.yaml").write_text(yaml.safe_dump(tree | (manifest or {})))
    return folder


def unproved() -> dict[str, Any]:
    """What makes a package of `write_package` one that is whole and yet not what its golden photo says."""
    photo = encoded(np.full((20, 30, 3), (255, 102, 51), np.uint8))
    golden = [{"photo": "orange.png", "labels": [{"text": "green", "confidence": 0.9}]}]  # it gives 0.4
    return {"more": {"orange.png": photo}, "manifest": {"golden": golden}}


class _Writer:
    """input (→ DEQUANTIZE) → MEAN over height and width → FULLY_CONNECTED (→ RESHAPE)."""

    def __init__(self, model: TinyModel) -> None:
        self._model = model
        self._buffers: list[Any] = [schema.BufferT()]
        self._tensors: list[Any] = []
        self._codes: list[tuple[int, str | None]] = []
        self._operators: list[Any] = []

    def write(self) -> bytes:
        model = self._model
        source = model.source if model.dtype != "float32" else None
        inputs = [self._tensor(model.shape, model.dtype, source) for _ in range(model.inputs)]
        outputs = [self._layers(inputs[0]) for _ in range(model.outputs)]
        graph = schema.SubGraphT()
        graph.name = "main"
        graph.inputs, graph.outputs = inputs, outputs
        graph.tensors, graph.operators = self._tensors, self._operators
        tree = schema.ModelT()
        tree.version = 3
        tree.description = "tiny"
        tree.subgraphs = [graph]
        tree.buffers = self._buffers
        tree.operatorCodes = [self._code(kind, custom) for kind, custom in self._codes]
        builder = flatbuffers.Builder(4096)
        builder.Finish(tree.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def _layers(self, last: int) -> int:
        model = self._model
        kinds, options = schema.BuiltinOperator, schema.BuiltinOptions
        classes, channels = model.weights.shape
        if model.custom is not None:
            return self._add(kinds.CUSTOM, [last], (1, classes), custom=model.custom)
        if model.dtype != "float32":
            last = self._add(
                kinds.DEQUANTIZE, [last], model.shape, (options.DequantizeOptions, schema.DequantizeOptionsT())
            )
        axes = self._constant(np.array([1, 2], np.int32))
        last = self._add(kinds.MEAN, [last, axes], (1, channels), (options.ReducerOptions, schema.ReducerOptionsT()))
        dense = [last, self._constant(model.weights), self._constant(np.zeros(classes, np.float32))]
        connected = (options.FullyConnectedOptions, schema.FullyConnectedOptionsT())
        last = self._add(kinds.FULLY_CONNECTED, dense, (1, classes), connected)
        if model.output is not None:
            reshape = schema.ReshapeOptionsT()
            reshape.newShape = list(model.output)
            last = self._add(kinds.RESHAPE, [last], model.output, (options.ReshapeOptions, reshape))
        return last

    def _add(
        self,
        kind: int,
        inputs: list[int],
        shape: tuple[int, ...],
        options: tuple[int, Any] | None = None,
        custom: str | None = None,
    ) -> int:
        operator = schema.OperatorT()
        if (kind, custom) not in self._codes:
            self._codes.append((kind, custom))
        operator.opcodeIndex = self._codes.index((kind, custom))
        operator.inputs = inputs
        if custom is not None:
            operator.customOptions = list(self._model.program)
        operator.outputs = [self._tensor(shape, "float32")]
        if options is not None:
            operator.builtinOptionsType, operator.builtinOptions = options
        self._operators.append(operator)
        return int(operator.outputs[0])

    def _constant(self, values: NDArray[Any]) -> int:
        buffer = schema.BufferT()
        buffer.data = list(values.tobytes())
        self._buffers.append(buffer)
        return self._tensor(values.shape, str(values.dtype), buffer=len(self._buffers) - 1)

    def _tensor(
        self, shape: tuple[int, ...], dtype: str, meaning: tuple[float, int] | None = None, *, buffer: int = 0
    ) -> int:
        tensor = schema.TensorT()
        tensor.name = f"tensor{len(self._tensors)}"
        tensor.shape = list(shape)
        tensor.type = _TYPES[dtype]
        tensor.buffer = buffer
        if meaning is not None:
            quantisation = schema.QuantizationParametersT()
            quantisation.scale, quantisation.zeroPoint = [meaning[0]], [meaning[1]]
            tensor.quantization = quantisation
        self._tensors.append(tensor)
        return len(self._tensors) - 1

    @staticmethod
    def _code(kind: int, custom: str | None) -> Any:  # noqa: ANN401  the generated schema has no types
        code = schema.OperatorCodeT()
        code.builtinCode = kind
        code.deprecatedBuiltinCode = min(kind, 127)
        code.version = 1
        code.customCode = custom
        return code
