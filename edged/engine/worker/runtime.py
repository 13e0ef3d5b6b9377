"""The TFLite runtime of this interpreter: the first that imports. All of them have the same `Interpreter`."""

from __future__ import annotations

import importlib
from typing import Any, Protocol, Tuple, cast

from . import wire

# In order of preference; measured for MobileNet v2: LiteRT 3.2 ms, tflite-runtime 62 ms on x86 (docs/dependencies.md).
CANDIDATES = (("ai_edge_litert", "ai_edge_litert.interpreter"), ("tflite_runtime", "tflite_runtime.interpreter"))


class Interpreter(Protocol):
    """The part of a TFLite interpreter that is used here."""

    def allocate_tensors(self) -> None:
        """Make the tensors' memory."""

    def invoke(self) -> None:
        """Run the model."""

    def get_input_details(self) -> "list[dict[str, Any]]":
        """Name, index, shape, dtype and quantisation of each input."""

    def get_output_details(self) -> "list[dict[str, Any]]":
        """The same of each output."""

    def set_tensor(self, tensor_index: int, value: object) -> None:
        """Copy a numpy array in."""

    def get_tensor(self, tensor_index: int) -> Any:  # noqa: ANN401  a numpy array of the model's own type
        """Copy a tensor out."""


class Runtime:
    """One imported TFLite runtime."""

    def __init__(self) -> None:
        tried = []
        for package, module in CANDIDATES:
            try:
                self._module = importlib.import_module(module)
            except ImportError as error:
                tried.append(f"{package}: {error}")
                continue
            self.name = package
            self.version = str(getattr(importlib.import_module(package), "__version__", "unknown"))
            return
        raise ImportError("no TFLite runtime here (" + "; ".join(tried) + "); pip install ai-edge-litert")

    def interpreter(self, path: str, threads: int) -> Interpreter:
        """Build an interpreter with its tensors allocated. Raises what the runtime raises, ValueError as a rule."""
        interpreter = cast("Interpreter", self._module.Interpreter(model_path=path, num_threads=threads))
        interpreter.allocate_tensors()
        return interpreter


def specs(details: "list[dict[str, Any]]") -> Tuple[wire.TensorSpec, ...]:
    """The runtime's own tensor details as what travels on the wire.

    Raises:
        ValueError: a tensor is of a type or shape that no image classifier has.
    """
    tensors = []
    for entry in details:
        dtype, shape = entry["dtype"].__name__, tuple(int(side) for side in entry["shape"])
        if dtype not in wire.ITEM_BYTES or not all(side > 0 for side in shape):
            raise ValueError(f"tensor {entry['name']!r} is {dtype} {list(shape)}")
        scale, zero_point = entry["quantization"]
        tensors.append(wire.TensorSpec(str(entry["name"]), shape, dtype, float(scale), int(zero_point)))
    return tuple(tensors)
