"""The TFLite runtime of this interpreter. All of them have the same `Interpreter` and `load_delegate`."""

from __future__ import annotations

import importlib
from typing import Any, Optional, Protocol, Tuple, cast

from . import wire

# In order of preference; measured for MobileNet v2: LiteRT 3.2 ms, tflite-runtime 62 ms on x86 (docs/dependencies.md).
# pycoral is Coral's own layer over tflite-runtime, which it loads the Edge TPU's library through.
CANDIDATES = {
    "ai-edge-litert": ("ai_edge_litert", "ai_edge_litert.interpreter"),
    "tflite-runtime": ("tflite_runtime", "tflite_runtime.interpreter"),
    "pycoral": ("pycoral", "pycoral.utils.edgetpu"),
}
AUTO = "auto"
USUAL_LIBRARY = "libedgetpu.so.1"


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
    """One imported TFLite runtime: the one that is named, or with `auto` the first that is here."""

    def __init__(self, wanted: str = AUTO) -> None:
        tried = []
        for name, (package, module) in CANDIDATES.items():
            if wanted not in (AUTO, name):
                continue
            try:
                imported = importlib.import_module(module)
                # pycoral's module holds the interpreters of tflite-runtime, which it is built on
                self._module = importlib.import_module("tflite_runtime.interpreter") if name == "pycoral" else imported
            except (ImportError, AttributeError) as error:  # AttributeError: a compiled part made for another numpy
                tried.append(f"{name}: {error}")
                continue
            self._pycoral = imported if name == "pycoral" else None
            self.name = package
            self.version = str(getattr(importlib.import_module(package), "__version__", "unknown"))
            return
        what = "no TFLite runtime" if wanted == AUTO else f"no {wanted}"
        cure = "ai-edge-litert" if wanted == AUTO else wanted
        raise ImportError(f"{what} here ({'; '.join(tried)}); pip install {cure}")

    def delegate(self, library: str, device: str) -> object:
        """Load the Edge TPU's library, which opens the device. Raises what the runtime raises (ValueError, OSError)."""
        options = {"device": device} if device else {}
        if self._pycoral is not None and library == USUAL_LIBRARY:
            return self._pycoral.load_edgetpu_delegate(options)
        return self._module.load_delegate(library, options)

    def interpreter(self, path: str, threads: int, delegate: Optional[object]) -> Interpreter:
        """Build an interpreter with its tensors allocated. Raises what the runtime raises, ValueError as a rule."""
        delegates = None if delegate is None else [delegate]
        interpreter = cast(
            "Interpreter",
            self._module.Interpreter(model_path=path, num_threads=threads, experimental_delegates=delegates),
        )
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
