"""An engine without a worker process: its model is loaded and run in this process, by the worker's own code."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edged.engine.options import Inference
from edged.engine.tensors import SharedTensors
from edged.engine.worker import wire
from edged.engine.worker.main import Slot
from edged.engine.worker.runtime import Runtime
from edged.errors import ModelError, WorkerError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edged.engine.engine import Fill


@dataclass(frozen=True, slots=True)
class _Loaded:
    slot: Slot
    tensors: SharedTensors


class OwnEngine:
    """What `Classifier` wants of an engine, in this process: the worker's own code without a worker.

    Whatever would be the worker's end is a WorkerError, as it is for the daemon.
    """

    def __init__(self) -> None:
        self._runtime = Runtime()
        self._loaded: list[_Loaded] = []

    def load(self, cpu: Path, _: Path | None = None) -> int:
        """As `Engine.load`."""
        with _in_worker():
            slot = Slot(self._runtime.interpreter(str(cpu), 1, None), gently=False)
            message = wire.encode(wire.Loaded(len(self._loaded), slot.inputs, slot.outputs))
        told = wire.decode(message)
        assert isinstance(told, wire.Loaded)  # noqa: S101  as was encoded
        tensors = SharedTensors(len(self._loaded), told.inputs, told.outputs)
        with _in_worker():
            runs = slot.map(tensors.fd)
        if not runs:
            raise ModelError(tensors.error())
        self._loaded.append(_Loaded(slot, tensors))
        return len(self._loaded) - 1

    def unload(self, slot: int) -> None:
        """It ends with this process."""

    def spec(self, slot: int) -> tuple[tuple[wire.TensorSpec, ...], tuple[wire.TensorSpec, ...]]:
        """As `Engine.spec`."""
        return self._loaded[slot].tensors.inputs, self._loaded[slot].tensors.outputs

    def infer(self, slot: int, fill: Fill) -> Inference:
        """As `Engine.infer`."""
        loaded = self._loaded[slot]
        fill(loaded.tensors.arrays_in[0], loaded.tensors.inputs[0])
        with _in_worker():
            runs = loaded.slot.infer()
        if not runs:
            raise ModelError(loaded.tensors.error())
        scores = loaded.tensors.arrays_out[0].copy()
        return Inference(scores, loaded.tensors.outputs[0], loaded.tensors.seconds(), "cpu")


@contextmanager
def _in_worker() -> Iterator[None]:
    """What a worker answers to loading a file, and what it dies of."""
    try:
        yield
    except (ValueError, RuntimeError, OSError, KeyError) as error:
        raise ModelError(str(error) or repr(error)) from error
    except MemoryError:
        raise
    except Exception as error:
        raise WorkerError(f"the worker ended: {error!r}") from error
