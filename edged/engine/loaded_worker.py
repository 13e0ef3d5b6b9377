"""A worker with every model in it: what the engine infers with, and swaps for another between two frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edged.engine.process import WorkerProcess
from edged.errors import DelegateError, ModelError, WorkerError

GENTLE_PATIENCE: Final = 3
"""A good model is not to be refused since a busy machine had no time for it: nobody waits for it."""

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edged.engine.options import Device, EngineOptions, ModelFiles
    from edged.engine.tensors import SharedTensors


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model in a worker: its tensors, and the device that it runs on there."""

    tensors: SharedTensors
    device: Device


class LoadedWorker:
    """One worker process and what is loaded into it. For one thread at a time, but for `interrupt`.

    Args:
        options: how inference runs.
        device: what it is for.
        gently: another worker infers meanwhile: this one starts at a low priority, and has more time for it.

    On the device `edgetpu` each model's compiled file is loaded; a model without one runs on the CPU in that worker.

    Raises (every method):
        WorkerError: the worker died, hung or spoke garbage; it is dead when this is raised.
    """

    def __init__(self, options: EngineOptions, device: Device, *, gently: bool = False) -> None:
        self._options = options
        self._gently = gently
        self.device: Device = device
        self.models: dict[int, Loaded] = {}
        self.files: dict[int, ModelFiles] = {}
        self.process = WorkerProcess(options.launch, gently=gently)

    def wait_ready(self) -> None:
        """Wait until the runtime is imported, and with it the Edge TPU's library, if that is the device.

        Raises:
            DelegateError: the Edge TPU cannot be had; the worker is of no use and dead.
        """
        seconds = self._seconds
        ready = self.process.wait_ready(seconds=seconds)
        if self.device == "edgetpu":
            edgetpu = self._options.edgetpu
            try:
                self.process.use_delegate(edgetpu.library, edgetpu.device, seconds=seconds)
            except DelegateError:
                self.process.kill()
                raise
            except WorkerError as error:
                raise WorkerError(
                    f"{edgetpu.library} took the worker with it: it does not fit {ready.runtime} {ready.version},"
                    f" or the device fails at its start ({error})"
                ) from error

    def load(self, slot: int, files: ModelFiles) -> None:
        """Load a model.

        Raises:
            ModelError: the runtime refuses its file, or there is none for this device.
        """
        device: Device = "edgetpu" if self.device == "edgetpu" and files.edgetpu is not None else "cpu"
        path = files.edgetpu if device == "edgetpu" else files.cpu
        if path is None:
            raise ModelError("compiled for the Edge TPU alone")
        threads = self._options.thread_count
        tensors = self.process.load(
            slot,
            path,
            threads=threads,
            delegate=device == "edgetpu",
            gently=self._gently and threads == 1,  # else the threads that infer would keep the low priority
            seconds=self._seconds,
        )
        self.models[slot] = Loaded(tensors, device)
        self.files[slot] = files

    def hurry(self) -> None:
        """It is about to infer: what it loads from now on is waited for."""
        self._gently = False

    def unload(self, slot: int) -> None:
        """Forget a model."""
        self.files.pop(slot, None)
        if self.models.pop(slot, None) is not None:
            self.process.unload(slot, seconds=self._options.deadline)

    def holds(self, wanted: Mapping[int, ModelFiles]) -> bool:
        """Whether it has each of these models that has a file for this device."""
        mine = {slot: files for slot, files in wanted.items() if files.cpu is not None or self.device == "edgetpu"}
        return self.files == mine

    def fit(self, wanted: Mapping[int, ModelFiles]) -> None:
        """Load and unload until it holds these models; those that have no file for this device are left out.

        Raises:
            ModelError: the runtime refuses one of the files.
        """
        for slot in [slot for slot, files in self.files.items() if wanted.get(slot) != files]:
            self.unload(slot)
        for slot, files in wanted.items():
            if slot not in self.models and (files.cpu is not None or self.device == "edgetpu"):
                self.load(slot, files)

    def check_like(self, other: LoadedWorker) -> None:
        """Raise ModelError where a model's tensors have other shapes here than there: a twin of another model."""
        for slot, mine in self.models.items():
            if slot in other.models:
                theirs = other.models[slot]
                ours, wanted = _shapes(mine.tensors), _shapes(theirs.tensors)
                if ours != wanted:
                    raise ModelError(
                        f"{self.files[slot].edgetpu}: its tensors are {ours}; those of the CPU file {wanted}"
                    )

    @property
    def _seconds(self) -> float:
        return self._options.load_deadline * (GENTLE_PATIENCE if self._gently else 1)

    @property
    def slots_device(self) -> Device:
        """What the models run on: the Edge TPU where one of them does."""
        return "edgetpu" if any(model.device == "edgetpu" for model in tuple(self.models.values())) else "cpu"


def _shapes(tensors: SharedTensors) -> tuple[tuple[int, ...], ...]:
    return tuple(spec.shape for spec in tensors.inputs + tensors.outputs)
