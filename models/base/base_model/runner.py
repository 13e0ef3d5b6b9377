"""Run a TFLite model that is still in memory, and look inside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from base_model.network import Input


class Runner:
    """One interpreter, one thread.

    picture: given for a float model, which wants its pixels normalised; an integer model takes them as they are.
    look_inside keeps every intermediate tensor for `tensor`; it needs LiteRT's own kernels, because the faster
    XNNPACK ones never write most intermediate tensors to memory.
    """

    def __init__(self, model: bytes, picture: Input | None = None, *, look_inside: bool = False) -> None:
        resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES if look_inside else OpResolverType.AUTO
        self._interpreter = Interpreter(
            model_content=model,
            num_threads=1,
            experimental_op_resolver_type=resolver,
            experimental_preserve_all_tensors=look_inside,
        )
        self._interpreter.allocate_tensors()
        self._picture = picture
        self._inputs = [detail["index"] for detail in self._interpreter.get_input_details()]
        self._output = self._interpreter.get_output_details()[0]
        self._tensors = {detail["name"]: detail["index"] for detail in self._interpreter.get_tensor_details()}

    def run(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        """Return the model's output for uint8 [size, size, 3] pixels, without the batch axis and not dequantised."""
        tensor: npt.NDArray[Any] = pixels
        if self._picture is not None:
            tensor = (pixels.astype(np.float32) - np.float32(self._picture.mean)) / np.float32(self._picture.std)
        return self.run_tensors([tensor])

    def run_tensors(self, tensors: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
        """Return the output for the inputs as they are stored, all without the batch axis."""
        for index, tensor in zip(self._inputs, tensors, strict=True):
            self._interpreter.set_tensor(index, tensor[None])
        self._interpreter.invoke()
        return np.asarray(self._interpreter.get_tensor(self._output["index"])[0])

    def scores(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
        """Return the output as what its integers stand for: real = scale * (integer - zero point)."""
        output = self.run(pixels).astype(np.float64)
        scale, zero_point = self._output["quantization"]
        return (output - zero_point) * scale if scale else output

    def tensor(self, name: str) -> npt.NDArray[Any]:
        """Return an intermediate tensor of the last run, without the batch axis."""
        return np.asarray(self._interpreter.get_tensor(self._tensors[name])[0])
