"""A loaded model's tensors, in memory that daemon and worker share."""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
from typing import TYPE_CHECKING

import numpy as np

from edged.engine.worker import wire
from edged.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_TENSOR_BYTES = 64 * 1024 * 1024


class SharedTensors:
    """Inputs and outputs of one model in one worker.

    Attributes:
        slot: where the worker holds the model.
        fd: the sealed memfd, to be sent to the worker; `sent` closes it, the mapping stays.
        inputs, outputs: shape, dtype and quantisation of each tensor, as the runtime gives them.
        arrays_in, arrays_out: numpy views of the shared memory, in the same order.

    Raises:
        ModelError: the tensors are larger than any image classifier's.
        OSError: no descriptor or memory is left.
    """

    def __init__(self, slot: int, inputs: tuple[wire.TensorSpec, ...], outputs: tuple[wire.TensorSpec, ...]) -> None:
        self.slot = slot
        self.inputs = inputs
        self.outputs = outputs
        starts, size = wire.offsets(inputs + outputs)
        if size > MAX_TENSOR_BYTES:
            raise ModelError(f"the model's tensors take {size} bytes; {MAX_TENSOR_BYTES} is the most that is taken")
        with contextlib.ExitStack() as undo:
            self.fd = os.memfd_create(f"edged-slot-{slot}", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            undo.callback(os.close, self.fd)
            os.ftruncate(self.fd, size)
            fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
            self._memory = mmap.mmap(self.fd, size)
            undo.pop_all()
        arrays: list[NDArray[np.generic]] = [
            np.ndarray(spec.shape, dtype=spec.dtype, buffer=self._memory, offset=start)
            for spec, start in zip(inputs + outputs, starts, strict=True)
        ]
        self.arrays_in = tuple(arrays[: len(inputs)])
        self.arrays_out = tuple(arrays[len(inputs) :])

    def sent(self) -> None:
        """The worker has its own descriptor now."""
        os.close(self.fd)

    def seconds(self) -> float:
        """How long the last `invoke()` took."""
        return float(wire.SECONDS.unpack_from(self._memory, 0)[0])

    def error(self) -> str:
        """What the runtime said when it raised."""
        (length,) = wire.ERROR.unpack_from(self._memory, wire.ERROR_OFFSET)
        start = wire.ERROR_OFFSET + wire.ERROR.size
        return self._memory[start : start + min(length, wire.MAX_ERROR)].decode(errors="replace")
