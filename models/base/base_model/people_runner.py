"""Run the people network while it is still in memory, and look inside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from base_model.people_network import INPUT_MEAN, INPUT_STD

if TYPE_CHECKING:
    import numpy.typing as npt


class PeopleRunner:
    """One interpreter, one thread. look_inside: keep every tensor for `tensor` (LiteRT's own, slower kernels)."""

    def __init__(self, model: bytes, *, look_inside: bool = False) -> None:
        resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES if look_inside else OpResolverType.AUTO
        self._interpreter = Interpreter(
            model_content=model,
            num_threads=1,
            experimental_op_resolver_type=resolver,
            experimental_preserve_all_tensors=look_inside,
        )
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]["index"]
        self._tensors = {detail["name"]: detail["index"] for detail in self._interpreter.get_tensor_details()}

    def run(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        """Return the output for uint8 [size, size, 3] pixels, without the batch axis and not dequantised."""
        tensor: npt.NDArray[Any] = pixels
        if self._input["dtype"] == np.float32:
            tensor = ((pixels - INPUT_MEAN) / INPUT_STD).astype(np.float32)
        self._interpreter.set_tensor(self._input["index"], tensor[None])
        self._interpreter.invoke()
        return np.asarray(self._interpreter.get_tensor(self._output)[0])

    def tensor(self, name: str) -> npt.NDArray[Any]:
        """Return a tensor of the last run, without the batch axis."""
        return np.asarray(self._interpreter.get_tensor(self._tensors[name])[0])
